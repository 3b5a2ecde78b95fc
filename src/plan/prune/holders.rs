//! Who else wants a tag that a mirror does not want any more.
//!
//! A registry may have several names, and may take two tags for one: whatever cannot be told apart from
//! the candidate protects it.

use std::collections::HashMap;

use super::recorded::Target;
use crate::oci::{Digest, Registry, Repository, Tag};
use crate::plan::conflicts::SourceImage;
use crate::plan::mirror::{ImageEntry, Mirror, RepositorySelector};

/// A tag that a mirror wants, or has on record as wanted, in the repository of a candidate.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Holding {
    /// The mirror, `namespace/name`.
    pub mirror: String,
    /// The registry; None where that is not on record.
    pub registry: Option<Registry>,
    /// The tag.
    pub tag: Tag,
    /// The digest that it names, where that is on record.
    pub digest: Option<Digest>,
}

/// The tags that are wanted in one repository, at any registry.
#[derive(Clone, Debug, Default)]
pub struct Holdings(HashMap<String, Vec<Holding>>);

impl FromIterator<Holding> for Holdings {
    fn from_iter<I: IntoIterator<Item = Holding>>(holdings: I) -> Self {
        let mut by_tag: HashMap<String, Vec<Holding>> = HashMap::new();
        for holding in holdings {
            by_tag.entry(fold(&holding.tag)).or_default().push(holding);
        }
        Self(by_tag)
    }
}

/// What registries that do not tell upper and lower case apart take a tag for.
fn fold(tag: &Tag) -> String {
    tag.as_str().to_ascii_lowercase()
}

/// What keeps a candidate that names `digest`, of the tags that are wanted in its repository.
pub fn find_holder(target: &Target, digest: &Digest, holdings: &Holdings) -> Option<String> {
    let alike = holdings.0.get(&fold(&target.tag));
    let found = alike
        .into_iter()
        .flatten()
        .filter_map(|holding| Some((holding.likeness(target, digest)?, holding)));
    // The plainest reason is told, and always the same one.
    let (likeness, holding) =
        found.min_by_key(|(likeness, holding)| (*likeness, &holding.mirror))?;
    let mirror = &holding.mirror;
    Some(match likeness {
        Likeness::Same => format!("mirror {mirror}"),
        Likeness::Folded => format!(
            "mirror {mirror}, which wants {}: some registries take both for one tag",
            holding.tag
        ),
        Likeness::Alias => {
            let registry = holding.registry.as_ref();
            let registry = registry.map_or("another registry", Registry::as_str);
            format!(
                "mirror {mirror}, which wants the same tag and digest at {registry}: it may be another name of {}",
                target.registry
            )
        }
    })
}

/// How a tag that is wanted may be the candidate.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Likeness {
    /// It is the same.
    Same,
    /// It differs in upper and lower case only.
    Folded,
    /// It is at a registry of another name, and names the same digest.
    Alias,
}

impl Holding {
    fn likeness(&self, target: &Target, digest: &Digest) -> Option<Likeness> {
        let Self {
            mirror: _,
            registry,
            tag,
            digest: named,
        } = self;
        let is_here = registry
            .as_ref()
            .is_none_or(|at| at.may_be(&target.registry));
        let folds = fold(tag) == fold(&target.tag);
        match (is_here, *tag == target.tag) {
            (true, true) => Some(Likeness::Same),
            (true, false) if folds => Some(Likeness::Folded),
            (false, true) if named.as_ref() == Some(digest) => Some(Likeness::Alias),
            (true | false, _) => None,
        }
    }
}

/// Whether a mirror may want a tag, as far as its spec alone tells: it names the tag, or the repository of
/// the image that the tag was written for, and gives it this name. Nobody has looked at its digest, and the
/// registry may have another name: the host does not matter.
pub fn may_want(
    mirror: &Mirror,
    target: &Target,
    source: &SourceImage,
    source_digest: &Digest,
) -> bool {
    let is_of_source = mirror.source.registry.may_be(&source.registry);
    mirror.images.iter().any(|entry| {
        let gives = |repository: &Repository, tag: &Tag, digest: Option<&Digest>| {
            let claims = mirror.claims(&entry.naming, repository, tag, digest);
            let mut claims = claims.into_iter().filter_map(Result::ok);
            claims.any(|claim| claim.is_about(&target.repository, &target.tag))
        };
        let mut named = named_tags(entry);
        let is_covered = is_of_source && entry.repository.covers(&source.repository);
        named.any(|(repository, tag, digest)| gives(repository, tag, digest))
            || is_covered && gives(&source.repository, &source.tag, Some(source_digest))
    })
}

/// The images that an entry names in full, with the digests that it pins.
fn named_tags(entry: &ImageEntry) -> impl Iterator<Item = (&Repository, &Tag, Option<&Digest>)> {
    let repository = match &entry.repository {
        RepositorySelector::Literal(repository) => Some(repository),
        RepositorySelector::Glob(_) => None,
    };
    let tags = entry.tags.iter();
    tags.filter_map(move |tag| Some((repository?, tag.literal()?, tag.pin())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::validate::documents;

    /// `b=r.example.com:1.2@digest`: a mirror, where it wants a tag, and the digest where that is known.
    fn holding(text: &str) -> Holding {
        let (mirror, rest) = text.split_once('=').unwrap();
        let (name, digest) = rest.split_once('@').unwrap_or((rest, ""));
        let (registry, tag) = name.rsplit_once('/').unwrap();
        Holding {
            mirror: mirror.to_owned(),
            registry: registry.parse().ok(),
            tag: tag.parse().unwrap(),
            digest: (!digest.is_empty()).then(|| Digest::sha256(digest.as_bytes())),
        }
    }

    #[test]
    fn whoever_may_want_the_candidate_keeps_it() {
        let target = Target {
            destination: "eu".to_owned(),
            registry: "eu.example".parse().unwrap(),
            repository: "library/app".parse().unwrap(),
            tag: "1.2-alpine".parse().unwrap(),
        };
        let cases = [
            ("", None),
            ("b=eu.example/1.2-alpine", Some("mirror b")),
            ("b=eu.example:443/1.2-alpine", Some("mirror b")),
            ("b=/1.2-alpine", Some("mirror b")),
            ("b=eu.example/1.3-alpine@x", None),
            (
                "b=eu.example/1.2-Alpine",
                Some("mirror b, which wants 1.2-Alpine: some registries take both for one tag"),
            ),
            (
                "b=us.example/1.2-alpine@x",
                Some(
                    "mirror b, which wants the same tag and digest at us.example: it may be another name of eu.example",
                ),
            ),
            ("b=us.example/1.2-Alpine@x", None),
            ("b=us.example/1.2-alpine@y", None),
            ("b=us.example/1.2-alpine", None),
            (
                "b=us.example/1.2-alpine@x c=eu.example/1.2-alpine@z",
                Some("mirror c"),
            ),
        ];
        for (holdings, expected) in cases {
            let holdings: Holdings = holdings.split_whitespace().map(holding).collect();
            let found = find_holder(&target, &Digest::sha256(b"x"), &holdings);
            assert_eq!(found.as_deref(), expected, "{holdings:?}");
        }
    }

    /// Whoever names an image may want it under the name that the entry gives it, and under no other.
    #[test]
    fn a_mirror_may_want_what_its_entries_name() {
        let digest = Digest::sha256(b"x");
        let versioned = format!("1.0-{}", digest.short());
        let pinned = format!("{{repository: a/b, tags: [\"1.0@{digest}\"]}}");
        let cases = [
            ("{repository: a/b, tags: ['1.0']}", "a/b", "1.0", true),
            (
                "{repository: a/b, tags: ['1.0'], as: 'x/{name}'}",
                "x/b",
                "1.0",
                true,
            ),
            (
                "{repository: a/b, tags: ['1.0'], as: 'x/{name}'}",
                "a/b",
                "1.0",
                false,
            ),
            (
                "{repository: 'a/*', tags: ['9.*'], replace: [{from: /, to: '-'}]}",
                "a-b",
                "1.0",
                true,
            ),
            (
                "{repository: 'a/*', tags: ['9.*'], replace: [{from: /, to: '-'}]}",
                "a/b",
                "1.0",
                false,
            ),
            (
                "{repository: a/b, select: {newest: {count: 1}}, as: x}",
                "x",
                "1.0",
                true,
            ),
            (pinned.as_str(), "a/b", "1.0", true),
            (pinned.as_str(), "a/b", versioned.as_str(), true),
            (
                "{repository: c/d, tags: ['1.0'], as: a/b}",
                "a/b",
                "1.0",
                true,
            ),
            (
                "{repository: c/d, tags: ['2.0'], as: a/b}",
                "a/b",
                "1.0",
                false,
            ),
            (
                "{repository: c/d, tags: ['1.0'], absent: Skip}",
                "c/d",
                "1.0",
                true,
            ),
        ];
        for (entry, repository, tag, expected) in cases {
            let mirror = documents::mirror(&format!(
                "
apiVersion: transship.dev/v1alpha1
kind: ImageMirror
metadata: {{name: base}}
spec:
  source: {{registry: docker.io}}
  images: [{entry}]
  destinations: [{{name: eu, registry: eu.example, tags: ['{{tag}}', '{{tag}}-{{digest12}}']}}]
"
            ));
            let target = Target {
                destination: "eu".to_owned(),
                registry: "eu.example".parse().unwrap(),
                repository: repository.parse().unwrap(),
                tag: tag.parse().unwrap(),
            };
            let source = SourceImage::read("docker.io/a/b:1.0").unwrap();
            let found = may_want(&mirror, &target, &source, &digest);
            assert_eq!(found, expected, "{entry}: {repository}:{tag}");
        }
    }
}
