// SPDX-License-Identifier: Apache-2.0

//! Who else wants a tag that a mirror does not want any more.
//!
//! A registry may have several names, and may take two tags for one: whatever cannot be told apart from
//! the candidate protects it.

use std::collections::HashMap;

use super::recorded::Target;
use crate::oci::{Digest, Registry, Tag};

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
pub(super) fn fold(tag: &Tag) -> String {
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

#[cfg(test)]
mod tests {
    use super::*;

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
}
