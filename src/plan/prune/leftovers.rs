// SPDX-License-Identifier: Apache-2.0

//! What is left of images whose last tag went: signatures, attestations and SBOMs that nobody can find
//! any more but by their digests.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::oci::{Digest, Tag, limits};

/// A repository: what its tags name, what that leads to, and what refers to it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Landscape {
    /// Every tag with the digest that it names.
    pub tags: BTreeMap<Tag, Digest>,
    /// What deleted tags named that can still be restored.
    pub restorable: BTreeSet<Digest>,
    /// What was copied with the images that are gone. What somebody else pushed beside them stays.
    pub own: BTreeSet<Digest>,
    /// All manifests below an index. What is not here leads nowhere.
    pub below: HashMap<Digest, Vec<Digest>>,
    /// The referrers that the registry itself lists for a manifest.
    pub referrers: HashMap<Digest, Vec<Digest>>,
}

/// What nothing leads to any more.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Leftovers {
    /// What may go, in this order: what refers to a referrer goes before it, and is still found by the next
    /// round if this one ends in between.
    pub parts: Vec<Leftover>,
    /// The manifests that no tag leads to any more, with those that refer to them.
    pub lost: BTreeSet<Digest>,
}

/// Something that refers to a manifest that no tag leads to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Leftover {
    /// A tag that is named after its subject, and the digest that it names.
    Tag(Tag, Digest),
    /// A manifest without a tag that names its subject.
    Manifest(Digest),
}

/// Finds what refers to one of the manifests that are `gone`, or to one below them, and to nothing that a
/// tag still leads to or may lead to again.
pub fn find_leftovers<'a>(
    landscape: &Landscape,
    gone: impl IntoIterator<Item = &'a Digest>,
) -> Leftovers {
    let mut condemned: BTreeSet<&Tag> = BTreeSet::new();
    let mut lost: BTreeSet<Digest> = BTreeSet::new();
    let mut levels: Vec<BTreeSet<Leftover>> = Vec::new();
    let mut subjects: BTreeSet<&Digest> = gone
        .into_iter()
        .flat_map(|digest| landscape.reach(digest))
        .collect();
    for _ in 0..limits::REFERRERS_DEPTH {
        let held = landscape.held(&condemned);
        subjects.retain(|digest| !held.contains(digest) && !lost.contains(*digest));
        lost.extend(subjects.iter().copied().cloned());
        let found: Vec<(&Digest, Option<&Tag>)> = subjects
            .iter()
            .flat_map(|subject| landscape.refer_to(subject))
            .collect();
        condemned.extend(found.iter().filter_map(|(_, tag)| *tag));
        let held = landscape.held(&condemned);
        let level = found.iter().filter_map(|(digest, tag)| match tag {
            Some(tag) => Some(Leftover::Tag((*tag).clone(), (*digest).clone())),
            None => (!held.contains(digest)).then(|| Leftover::Manifest((*digest).clone())),
        });
        levels.push(level.collect());
        let found = found.into_iter();
        subjects = found
            .flat_map(|(digest, _)| landscape.reach(digest))
            .collect();
    }
    let parts = levels.into_iter().rev().flatten();
    Leftovers {
        parts: parts.collect(),
        lost,
    }
}

/// Whether the names of tags alone say that something refers to one of these manifests.
pub fn is_referred_to<'a>(
    tags: &BTreeSet<Tag>,
    subjects: impl IntoIterator<Item = &'a Digest>,
) -> bool {
    let mut names = subjects.into_iter().flat_map(names);
    names.any(|name| tags.contains(&name))
}

// === impl Landscape ===

impl Landscape {
    /// A manifest with everything below it.
    fn reach<'a>(&'a self, digest: &'a Digest) -> impl Iterator<Item = &'a Digest> {
        let below = self.below.get(digest).into_iter().flatten();
        std::iter::once(digest).chain(below)
    }

    /// Everything that tags lead to, or may lead to again, but for these tags.
    fn held(&self, besides: &BTreeSet<&Tag>) -> BTreeSet<&Digest> {
        let tags = self.tags.iter().filter(|(tag, _)| !besides.contains(tag));
        let tagged = tags.map(|(_, digest)| digest);
        tagged
            .chain(&self.restorable)
            .flat_map(|digest| self.reach(digest))
            .collect()
    }

    /// What refers to a manifest, each with the tag that says so; without one where the registry does.
    fn refer_to<'a>(
        &'a self,
        subject: &Digest,
    ) -> impl Iterator<Item = (&'a Digest, Option<&'a Tag>)> {
        let listed = self.referrers.get(subject).into_iter().flatten();
        let tagged = names(subject).filter_map(|name| self.tags.get_key_value(&name));
        let tagged = tagged.map(|(tag, digest)| (digest, Some(tag)));
        let found = tagged.chain(listed.map(|digest| (digest, None)));
        found.filter(|(digest, tag)| match tag {
            // A list is ours with all that it lists.
            Some(tag) if tag.is_bare() => {
                let listed = self.below.get(digest).into_iter().flatten();
                let mut listed = listed.peekable();
                listed.peek().is_some() && listed.all(|digest| self.own.contains(digest))
            }
            Some(_) | None => self.own.contains(digest),
        })
    }
}

/// The tags that may be named after a subject.
fn names(subject: &Digest) -> impl Iterator<Item = Tag> {
    let suffixes = std::iter::once("").chain(Tag::COSIGN_SUFFIXES);
    suffixes.filter_map(|suffix| Tag::of_referrers(subject, suffix))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(name: &str) -> Digest {
        Digest::sha256(name.as_bytes())
    }

    /// `1.0`, or `image.sig` and `image.` for the tags of the referrers of what is called image.
    fn tag(name: &str) -> Tag {
        let parsed = || name.parse().unwrap();
        name.split_once('.')
            .filter(|(subject, _)| subject.starts_with(char::is_alphabetic))
            .map_or_else(parsed, |(subject, suffix)| {
                let dot = if suffix.is_empty() { "" } else { "." };
                Tag::of_referrers(&digest(subject), &format!("{dot}{suffix}")).unwrap()
            })
    }

    fn pairs(text: &str) -> impl Iterator<Item = (&str, Vec<&str>)> {
        text.split_whitespace().map(|pair| {
            let (left, right) = pair.split_once('=').unwrap();
            (left, right.split(',').collect())
        })
    }

    fn lists(text: &str) -> HashMap<Digest, Vec<Digest>> {
        pairs(text)
            .map(|(name, list)| (digest(name), list.into_iter().map(digest).collect()))
            .collect()
    }

    /// What is called `again` was deleted and can be restored.
    fn landscape(tags: &str, below: &str, referrers: &str) -> Landscape {
        let names = [tags, below, referrers].into_iter().flat_map(pairs);
        let names = names.flat_map(|(name, list)| [vec![name], list].concat());
        Landscape {
            own: names
                .filter(|name| !name.starts_with("their"))
                .map(digest)
                .collect(),
            tags: pairs(tags)
                .map(|(name, digests)| (tag(name), digest(digests[0])))
                .collect(),
            restorable: BTreeSet::from([digest("again")]),
            below: lists(below),
            referrers: lists(referrers),
        }
    }

    impl Landscape {
        /// The tag of this name, where there is one, else what is called so.
        fn part(&self, name: &str) -> Leftover {
            match self.tags.get_key_value(&tag(name)) {
                Some((tag, digest)) => Leftover::Tag(tag.clone(), digest.clone()),
                None => Leftover::Manifest(digest(name)),
            }
        }
    }

    /// A name; tags; what is below what; what the registry lists as referrers. `app` is gone. What goes.
    type Case<'a> = (&'a str, &'a str, &'a str, &'a str, &'a str);

    fn check(cases: &[Case<'_>]) {
        for (case, tags, below, referrers, expected) in cases {
            let landscape = landscape(tags, below, referrers);
            let mut found = find_leftovers(&landscape, [&digest("app")]).parts;
            let mut expected: Vec<Leftover> = expected
                .split_whitespace()
                .map(|name| landscape.part(name))
                .collect();
            found.sort_unstable();
            expected.sort_unstable();
            assert_eq!(found, expected, "{case}");
        }
    }

    #[test]
    fn what_goes_after_an_image_whose_last_tag_went() {
        let cases = [
            ("its signature", "app.sig=s", "", "", "app.sig"),
            (
                "all kinds of tags of referrers",
                "app.sig=s app.att=t app.sbom=b app.=f 1.0=other",
                "f=r",
                "",
                "app. app.att app.sbom app.sig",
            ),
            ("another suffix is not ours", "app.txt=s", "", "", ""),
            ("what is called after others", "other.sig=s", "", "", ""),
            ("another tag names it", "2.0=app app.sig=s", "", "", ""),
            (
                "a signature that has a tag of its own goes without it",
                "app.sig=s keep=s",
                "",
                "",
                "app.sig",
            ),
            (
                "a kept index lists it",
                "2.0=index app.sig=s",
                "index=app,arm",
                "",
                "",
            ),
            (
                "a part of it that a kept index lists stays signed",
                "2.0=index app.sig=s amd.sig=t arm.sig=u",
                "app=amd,arm index=amd",
                "",
                "app.sig arm.sig",
            ),
            (
                "the signature of its SBOM, and the signature of that",
                "app.=f sbom.=g proof.sig=h",
                "f=sbom g=proof",
                "",
                "proof.sig sbom. app.",
            ),
            (
                "an SBOM that has a tag stays signed",
                "app.=f sbom.=g latest-sbom=sbom",
                "f=sbom g=proof",
                "",
                "app.",
            ),
            (
                "an SBOM that another image has, too",
                "app.=f sbom.sig=g 2.0=other other.=e",
                "f=sbom e=sbom",
                "",
                "app.",
            ),
            (
                "a part of what can be restored stays signed",
                "app.sig=s amd.sig=t arm.sig=u",
                "app=amd,arm again=amd",
                "",
                "app.sig arm.sig",
            ),
            (
                "what the registry lists goes by its digest",
                "2.0=other",
                "",
                "app=r,q r=p other=o",
                "p q r",
            ),
            (
                "unless it has a tag, or is in an index that has one",
                "mine=r 2.0=index",
                "index=q",
                "app=r,q,n",
                "n",
            ),
            ("both ways at once", "app.=f", "f=r", "app=r", "app. r"),
        ];
        check(&cases);
    }

    #[test]
    fn what_somebody_else_pushed_stays() {
        check(&[
            (
                "what somebody else pushed beside it stays",
                "app.sig=theirs app.att=t",
                "",
                "app=their-sbom,r",
                "app.att r",
            ),
            (
                "a list to which somebody else added, and all that it lists",
                "app.=f",
                "f=r,theirs",
                "app=r,theirs",
                "",
            ),
            ("a list of which nothing is known", "app.=f", "", "", ""),
        ]);
    }

    #[test]
    fn what_refers_to_a_referrer_goes_before_it() {
        let landscape = landscape("app.=f sbom.=g proof.sig=h", "f=sbom g=proof", "");
        let found = find_leftovers(&landscape, [&digest("app")]).parts;
        let expected = ["proof.sig", "sbom.", "app."].map(|name| landscape.part(name));
        assert_eq!(found, expected);
    }

    #[test]
    fn nothing_goes_where_nothing_is_gone() {
        let landscape = Landscape {
            tags: BTreeMap::from([(tag("app.sig"), digest("s"))]),
            referrers: lists("app=r"),
            own: BTreeSet::from([digest("s"), digest("r")]),
            ..Landscape::default()
        };
        assert_eq!(find_leftovers(&landscape, []), Leftovers::default());
    }

    #[test]
    fn names_of_tags_tell_whether_the_rest_must_be_read() {
        let tags = BTreeSet::from([tag("1.0"), tag("app.att")]);
        assert!(is_referred_to(&tags, [&digest("other"), &digest("app")]));
        assert!(!is_referred_to(&tags, [&digest("other")]));
    }
}
