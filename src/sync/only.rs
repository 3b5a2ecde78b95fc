// SPDX-License-Identifier: Apache-2.0

//! The tags that a round is limited to.

use std::collections::{BTreeMap, BTreeSet};

use crate::oci::{Repository, Tag};
use crate::plan::{ImageEntry, RepositorySelector};

/// Tags of repositories of a source: what else the mirror wants is not looked at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Only(BTreeMap<Repository, Tags>);

/// Tags of one repository.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Tags {
    All,
    These(BTreeSet<Tag>),
}

// === impl Only ===

impl Only {
    /// Adds a tag of a repository, or all of them.
    pub fn add(&mut self, repository: &Repository, tag: Option<&Tag>) {
        let none = Tags::These(BTreeSet::new());
        let tags = self.0.entry(repository.clone()).or_insert(none);
        match (tags, tag) {
            (Tags::All, _) => {}
            (tags @ Tags::These(_), None) => *tags = Tags::All,
            (Tags::These(tags), Some(tag)) => {
                tags.insert(tag.clone());
            }
        }
    }

    /// The repositories that an entry means.
    pub(super) fn repositories(&self, entry: &ImageEntry) -> Vec<Repository> {
        match &entry.repository {
            RepositorySelector::Literal(repository) => {
                let is_there = self.0.contains_key(repository);
                is_there.then(|| repository.clone()).into_iter().collect()
            }
            RepositorySelector::Glob(glob) => {
                let known = self.0.keys();
                known.filter(|it| glob.matches(it)).cloned().collect()
            }
        }
    }

    /// Whether a tag is looked at.
    pub(super) fn covers(&self, repository: &Repository, tag: &Tag) -> bool {
        match self.0.get(repository) {
            Some(Tags::All) => true,
            Some(Tags::These(tags)) => tags.contains(tag),
            None => false,
        }
    }

    /// The tags to look at in place of all that a repository has, where the rules of an entry look at each tag by
    /// itself. What looks like a digest may be a list of referrers, which only asking tells.
    pub(super) fn listing(&self, entry: &ImageEntry, repository: &Repository) -> Option<Vec<Tag>> {
        match self.0.get(repository)? {
            Tags::These(tags) if entry.judges_alone() => {
                let tags = tags.iter().filter(|tag| !tag.is_bare());
                Some(tags.cloned().collect())
            }
            Tags::These(_) | Tags::All => None,
        }
    }
}
