// SPDX-License-Identifier: Apache-2.0

//! Under which names the image is at the source and at the destination.

use std::collections::BTreeSet;

use super::Look;
use crate::oci::{Digest, Reference, Repository, Tag};
use crate::plan::ImageEntry;
use crate::plan::why::origins::SoughtImage;

// === impl Look ===

impl<'a> Look<'a> {
    pub(super) fn entries(&self, repository: &Repository) -> impl Iterator<Item = &'a ImageEntry> {
        let entries = self.mirror.images.iter();
        entries.filter(|entry| entry.repository.covers(repository))
    }

    /// The names that the repository has at the destination.
    pub(super) fn repositories(&self, repository: &Repository) -> BTreeSet<Repository> {
        let registry = &self.mirror.source.registry;
        let namings = self.mirror.namings(repository);
        let named = namings.iter().filter_map(|naming| {
            let given = self.destination.repository_of(naming, registry, repository);
            given.ok()
        });
        named.collect()
    }

    /// The names that the tag has at the destination.
    pub(super) fn targets(&self, sought: &SoughtImage, digest: Option<&Digest>) -> BTreeSet<Tag> {
        let Some(tag) = &sought.tag else {
            return BTreeSet::new();
        };
        let namings = self.mirror.namings(&sought.repository);
        let templates = &self.destination.tags;
        let named = namings.iter().flat_map(|naming| {
            let tag = naming.tag(tag);
            let given = templates.iter();
            given.filter_map(move |template| template.expand(tag, digest)?.ok())
        });
        named.collect()
    }

    /// Whether a text names the image at the source, or its repository where that will do.
    pub(super) fn names_source(
        &self,
        text: &str,
        sought: &SoughtImage,
        or_repository: bool,
    ) -> bool {
        let named: Option<Reference> = text.parse().ok();
        named.is_some_and(|named| {
            named.registry.may_be(&self.mirror.source.registry)
                && named.repository == sought.repository
                && (named.tag == sought.tag || or_repository && named.tag.is_none())
        })
    }

    pub(super) fn names_target(&self, text: &str, sought: &SoughtImage) -> bool {
        let named: Option<Reference> = text.parse().ok();
        named.is_some_and(|named| {
            named.registry.may_be(&self.destination.registry)
                && self
                    .repositories(&sought.repository)
                    .contains(&named.repository)
                && named
                    .tag
                    .is_none_or(|tag| self.targets(sought, None).contains(&tag))
        })
    }
}
