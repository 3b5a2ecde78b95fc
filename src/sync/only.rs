// SPDX-License-Identifier: Apache-2.0

//! The tags that a round is limited to.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::ledger::{Leaf, Page};
use crate::oci::{Digest, Repository, Tag};
use crate::plan::{ImageEntry, Mirror, RepositorySelector, RepositoryShare, SourceImage};

/// Tags of repositories of a source: what else the mirror wants is not looked at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Only {
    repositories: BTreeMap<Repository, Tags>,
    /// Those of the tags that are named after digests: what they name may refer to the images of these digests.
    attached: BTreeSet<(Repository, Tag)>,
    /// Images that list such an image.
    parents: BTreeSet<(Repository, Digest)>,
}

/// Tags of one repository.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Tags {
    All,
    These(BTreeSet<Tag>),
}

// === impl Only ===

impl Only {
    /// What another process put on record as begun of a mirror, as far as it goes to a share of the repositories.
    pub(super) fn begun(
        mirror: &Mirror,
        recorded: Vec<(Page, Leaf)>,
        share: &RepositoryShare,
    ) -> Self {
        let mut only = Self::default();
        let own = recorded.into_iter();
        let own = own.filter(|(page, _)| share.covers(&page.repository));
        let records = own.flat_map(|(_, leaf)| leaf.records.into_values());
        for record in records.filter(|record| record.is_pending() && !record.refused) {
            let image = SourceImage::read(&record.source);
            if let Some(image) = image.filter(|it| it.registry == mirror.source.registry) {
                // What looks like a digest is only looked at with all tags.
                let tag = Some(&image.tag).filter(|tag| !tag.is_bare());
                only.add(&image.repository, tag);
            }
        }
        only
    }

    /// Adds a tag of a repository, or all of them.
    pub fn add(&mut self, repository: &Repository, tag: Option<&Tag>) {
        let attached = tag.filter(|tag| tag.attachment().is_some());
        self.attached
            .extend(attached.map(|tag| (repository.clone(), tag.clone())));
        let none = Tags::These(BTreeSet::new());
        let tags = self.repositories.entry(repository.clone()).or_insert(none);
        match (tags, tag) {
            (Tags::All, _) => {}
            (tags @ Tags::These(_), None) => *tags = Tags::All,
            (Tags::These(tags), Some(tag)) => {
                tags.insert(tag.clone());
            }
        }
    }

    /// Those of the tags that are named after no image that is on record. They may be named after a part of one.
    pub(super) fn strangers(&self, sources: &HashMap<String, Digest>) -> Vec<(Repository, Tag)> {
        if self.attached.is_empty() {
            return Vec::new();
        }
        let images = sources.iter();
        let images =
            images.filter_map(|(source, digest)| Some((SourceImage::read(source)?, digest)));
        let mut strangers = self.attached.clone();
        for (image, digest) in images {
            strangers.retain(|(repository, tag)| {
                *repository != image.repository || !is_named_after(tag, digest)
            });
        }
        strangers.into_iter().collect()
    }

    /// The same with images that list what some of the tags are named after.
    pub(super) fn with_parents(
        &self,
        parents: impl IntoIterator<Item = (Repository, Digest)>,
    ) -> Self {
        let mut all = self.clone();
        all.parents.extend(parents);
        all
    }

    /// The same with the tags of a mirror whose images something may have come to refer to. `sources` are the images that
    /// it has on record.
    pub(super) fn with_subjects(
        &self,
        mirror: &Mirror,
        sources: impl IntoIterator<Item = (String, Digest)>,
    ) -> Self {
        let mut all = self.clone();
        for (source, digest) in sources {
            let Some(image) = SourceImage::read(&source) else {
                continue;
            };
            let is_own = image.registry == mirror.source.registry;
            if is_own && self.may_be_referred_to(&image.repository, &digest) {
                all.add(&image.repository, Some(&image.tag));
            }
        }
        all
    }

    /// Whether something may have come that refers to an image, or to one that it lists.
    pub(super) fn may_be_referred_to(&self, repository: &Repository, digest: &Digest) -> bool {
        let mut attached = self.attached.iter();
        attached.any(|(of, tag)| of == repository && is_named_after(tag, digest))
            || self.is_parent(repository, digest)
    }

    fn is_parent(&self, repository: &Repository, digest: &Digest) -> bool {
        let mut parents = self.parents.iter();
        parents.any(|(of, parent)| of == repository && parent == digest)
    }

    /// The repositories that an entry means.
    pub(super) fn repositories(&self, entry: &ImageEntry) -> Vec<Repository> {
        match &entry.repository {
            RepositorySelector::Literal(repository) => {
                let is_there = self.repositories.contains_key(repository);
                is_there.then(|| repository.clone()).into_iter().collect()
            }
            RepositorySelector::Glob(glob) => {
                let known = self.repositories.keys();
                known.filter(|it| glob.matches(it)).cloned().collect()
            }
        }
    }

    /// Whether a tag is looked at.
    pub(super) fn covers(&self, repository: &Repository, tag: &Tag) -> bool {
        match self.repositories.get(repository) {
            Some(Tags::All) => true,
            Some(Tags::These(tags)) => tags.contains(tag),
            None => false,
        }
    }

    /// The tags to look at in place of all that a repository has, where the rules of an entry look at each tag by
    /// itself. What looks like a digest may be a list of referrers, which only asking tells.
    pub(super) fn listing(&self, entry: &ImageEntry, repository: &Repository) -> Option<Vec<Tag>> {
        match self.repositories.get(repository)? {
            Tags::These(tags) if entry.judges_alone() => {
                let tags = tags.iter().filter(|tag| !tag.is_bare());
                Some(tags.cloned().collect())
            }
            Tags::These(_) | Tags::All => None,
        }
    }
}

/// Whether a tag is named after a digest.
pub(super) fn is_named_after(tag: &Tag, digest: &Digest) -> bool {
    tag.attachment().is_some_and(|tag| tag.is_of(digest))
}
