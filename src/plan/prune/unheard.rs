// SPDX-License-Identifier: Apache-2.0

//! What a mirror may want that has not said what it wants: its source fails, it takes no part, or it was
//! not asked yet. Only its spec tells.

use std::collections::BTreeSet;

use super::recorded::Target;
use crate::oci::{Registry, Repository, Tag};
use crate::plan::entry::{ImageEntry, RepositorySelector, TagSelector};
use crate::plan::mirror::{Destination, Mirror};

/// Whether a mirror may want a tag, as far as its spec alone tells: an entry may name a tag that the templates
/// of a destination give this name, and a repository that they put there. What policies select is any tag.
///
/// Nobody has looked at its digest, and the registry may have another name: the host does not matter, nor
/// does upper and lower case.
pub fn may_want(mirror: &Mirror, target: &Target) -> bool {
    mirror.destinations.iter().any(|destination| {
        mirror.images.iter().any(|entry| {
            gives_repository(mirror, destination, entry, &target.repository)
                && gives_tag(destination, entry, target.tag.as_str())
        })
    })
}

/// What a mirror may ask for in a repository of a registry, as far as its spec alone tells. What it has on record besides is
/// nothing that it has a claim to.
pub struct Claimable<'a>(Vec<(&'a Destination, &'a ImageEntry)>);

/// Whether a mirror may write to a repository, as far as its spec alone tells; at any registry where none is named.
pub fn may_write(mirror: &Mirror, registry: Option<&Registry>, repository: &Repository) -> bool {
    let destinations = mirror.destinations.iter();
    let mut meant =
        destinations.filter(|it| registry.is_none_or(|named| it.registry.may_be(named)));
    meant.any(|destination| {
        let mut entries = mirror.images.iter();
        entries.any(|entry| gives_repository(mirror, destination, entry, repository))
    })
}

/// The repositories that a mirror may write to, at whatever registry; None where its spec does not name them all.
pub fn named_repositories(mirror: &Mirror) -> Option<BTreeSet<Repository>> {
    let registry = &mirror.source.registry;
    let mut named = BTreeSet::new();
    for destination in &mirror.destinations {
        for entry in &mirror.images {
            let RepositorySelector::Literal(repository) = &entry.repository else {
                return None;
            };
            let name = entry.naming.name(registry, repository);
            let given = name.and_then(|name| destination.repository.expand(registry, &name));
            // What a template does not make is written nowhere.
            named.extend(given);
        }
    }
    Some(named)
}

// === impl Claimable ===

impl<'a> Claimable<'a> {
    /// What this mirror may ask for there.
    pub fn of(mirror: &'a Mirror, registry: &Registry, repository: &Repository) -> Self {
        let destinations = mirror.destinations.iter();
        let meant = destinations.filter(|it| it.registry.may_be(registry));
        let entries = meant.flat_map(|destination| {
            let entries = mirror.images.iter();
            let entries =
                entries.filter(|entry| gives_repository(mirror, destination, entry, repository));
            entries.map(move |entry| (destination, entry))
        });
        Self(entries.collect())
    }

    /// Whether this tag is among it.
    pub fn has(&self, tag: &Tag) -> bool {
        let mut entries = self.0.iter();
        entries.any(|(destination, entry)| gives_tag(destination, entry, tag.as_str()))
    }
}

fn gives_repository(
    mirror: &Mirror,
    destination: &Destination,
    entry: &ImageEntry,
    target: &Repository,
) -> bool {
    let template = &destination.repository;
    let registry = &mirror.source.registry;
    match &entry.repository {
        RepositorySelector::Literal(repository) => {
            let name = entry.naming.name(registry, repository);
            let given = name.and_then(|name| template.expand(registry, &name));
            given.is_ok_and(|given| given == *target)
        }
        RepositorySelector::Glob(glob) => template.may_give(registry, target, |text| {
            // What was replaced in a name cannot be put back: it may be any.
            entry.naming.renames() || glob.is_match(text)
        }),
    }
}

fn gives_tag(destination: &Destination, entry: &ImageEntry, target: &str) -> bool {
    let selects_any = entry.selects_any();
    let gives = |name: &str| {
        destination.tags.iter().any(|template| {
            if selects_any {
                return template.may_give_any(name, |_| true);
            }
            entry.tags.iter().any(|tag| match tag {
                TagSelector::Literal(tag) | TagSelector::Pinned(tag, _) => {
                    template.may_give(entry.naming.tag(tag), name)
                }
                TagSelector::Glob(glob) => template.may_give_any(name, |tag| glob.may_match(tag)),
            })
        })
    };
    let previous = destination.previous_tag.as_ref();
    gives(target) || previous.is_some_and(|previous| previous.may_give(target, gives))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::document::{self, Resource};
    use crate::plan;

    fn mirror(images: &str, destination: &str) -> Mirror {
        let text = format!(
            "apiVersion: transship.dev/v1alpha1
kind: ImageMirror
metadata: {{name: b}}
spec:
  source: {{registry: quay.io}}
  images: [{{{images}}}]
  destinations: [{{name: d, registry: us.example{destination}}}]
"
        );
        let documents = document::parse(&text, "mirror.yaml").unwrap().documents;
        let Resource::ImageMirror(mirror) = &documents[0].resource else {
            panic!("a mirror");
        };
        plan::validate(mirror, &[]).unwrap()
    }

    #[test]
    fn a_spec_names_its_repositories_unless_one_of_them_is_any() {
        let two = "repository: team/app, tags: ['1']}, {repository: web, tags: ['1'], as: site";
        for (images, destination, expected) in [
            (two, "", Some(&["site", "team/app"][..])),
            (
                two,
                ", repository: 'all/{name}'",
                Some(&["all/app", "all/site"]),
            ),
            (two, ", repository: one", Some(&["one"])),
            (
                "repository: team/app, tags: ['1']}, {repository: 'a/*', tags: ['1']",
                "",
                None,
            ),
        ] {
            let named = named_repositories(&mirror(images, destination));
            let named = named.map(|named| named.iter().map(Repository::to_string).collect());
            let named: Option<Vec<String>> = named;
            let expected = expected.map(|names| names.iter().map(ToString::to_string).collect());
            assert_eq!(named, expected, "{images} {destination}");
        }
    }

    #[test]
    fn a_claim_is_to_what_the_spec_asks_for_at_its_destinations() {
        let mirror = mirror(
            "repository: app, tags: ['1.*', latest]",
            ", repository: 'team/{name}'",
        );
        for (registry, repository, tag, expected) in [
            ("us.example", "team/app", "1.2", true),
            ("us.example:80", "team/app", "latest", true),
            ("us.example", "team/app", "2.0", false),
            ("us.example", "team/other", "1.2", false),
            ("us.example", "other/app", "1.2", false),
            ("us.example:5000", "team/app", "1.2", false),
            ("eu.example", "team/app", "1.2", false),
        ] {
            let claimable = Claimable::of(
                &mirror,
                &registry.parse().unwrap(),
                &repository.parse().unwrap(),
            );
            let found = claimable.has(&tag.parse().unwrap());
            assert_eq!(found, expected, "{registry}/{repository}:{tag}");
        }
    }

    #[test]
    fn only_what_the_spec_cannot_mean_is_not_kept() {
        let target = Target {
            destination: "eu".to_owned(),
            registry: "eu.example".parse().unwrap(),
            repository: "team/app".parse().unwrap(),
            tag: "1.2-alpine".parse().unwrap(),
        };
        let digest = crate::oci::Digest::sha256(b"x");
        let pinned = format!("repository: team/app, tags: ['1.2-alpine@{digest}']");
        let moved = ", tags: ['v{tag}']";
        for (images, destination, expected) in [
            ("repository: team/app, tags: ['*']", "", true),
            ("repository: team/app, tags: ['1.*']", "", true),
            ("repository: team/app, tags: ['2.*']", "", false),
            ("repository: team/app, tags: [1.2-alpine]", "", true),
            ("repository: team/app, tags: [1.2-ALPINE]", "", true),
            ("repository: team/app, tags: ['*-ALPINE']", "", true),
            // Literals add to what rules select, which may be any tag.
            (
                "repository: team/app, tags: ['1.3'], select: {newest: {count: 1}}",
                "",
                true,
            ),
            (
                "repository: team/app, tags: ['2.*'], select: {newest: {count: 1}}",
                "",
                false,
            ),
            (pinned.as_str(), "", true),
            (
                "repository: team/app, tags: [1.2-alpine], absent: Skip",
                "",
                true,
            ),
            // The name that an entry gives counts, and no other.
            ("repository: other, tags: ['*'], as: team/app", "", true),
            ("repository: team/app, tags: ['*'], as: other", "", false),
            (
                "repository: 'a/*', tags: ['*'], replace: [{from: a, to: team}]",
                "",
                true,
            ),
            // So does the name of a tag.
            (
                "repository: team/app, tags: ['3'], retag: {'3': 1.2-alpine}",
                "",
                true,
            ),
            (
                "repository: team/app, tags: [1.2-alpine], retag: {1.2-alpine: '3'}",
                "",
                false,
            ),
            // Entries with literals only mean nothing else.
            ("repository: team/app, tags: ['1.3', latest]", "", false),
            ("repository: team/other, tags: ['*']", "", false),
            ("repository: 'team/**', tags: ['*']", "", true),
            ("repository: 'other/**', tags: ['*']", "", false),
            // Whatever the source is: a template may put it there.
            (
                "repository: app, tags: ['*']",
                ", repository: 'team/{name}'",
                true,
            ),
            (
                "repository: app, tags: ['*']",
                ", repository: 'mirror/{repository}'",
                false,
            ),
            ("repository: team/app, tags: ['*']", moved, false),
            (
                "repository: team/app, tags: ['*.2']",
                ", tags: ['{tag}-alpine']",
                true,
            ),
            (
                "repository: team/app, tags: ['1.2']",
                ", previousTag: '{tag}-alpine'",
                true,
            ),
            (
                "repository: team/app, tags: ['1.3']",
                ", previousTag: '{tag}-alpine'",
                false,
            ),
        ] {
            let found = may_want(&mirror(images, destination), &target);
            assert_eq!(found, expected, "{images} {destination}");
        }
    }
}
