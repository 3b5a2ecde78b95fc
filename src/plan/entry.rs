// SPDX-License-Identifier: Apache-2.0

//! An entry of `images`: which repositories, which of their tags, and the name that the destinations are told.

use std::fmt;
use std::sync::Arc;

use super::Policy;
use super::naming::Naming;
use super::selector::Selector;
pub use crate::api::image_mirror::AbsentTag;
use crate::oci::{Digest, Repository, Tag};
use crate::policy::select::{NewestBy, Rules};
use crate::policy::{RepositoryGlob, TagGlob};

/// One repository, or several, and which of their tags are wanted.
#[derive(Clone, Debug)]
pub struct ImageEntry {
    /// Which repositories.
    pub repository: RepositorySelector,
    /// Which tags; all that is selected where empty.
    pub tags: Vec<TagSelector>,
    /// What to do about a tag that is written in full and does not exist.
    pub absent: AbsentTag,
    /// Its own rules, which select like those of a policy.
    pub rules: Option<Rules>,
    /// The policies of the mirror and of the entry, each once.
    pub policies: Vec<Arc<Policy>>,
    /// The name that its images have for the destinations.
    pub naming: Naming,
}

/// Which repositories an entry means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RepositorySelector {
    /// This one.
    Literal(Repository),
    /// Those of the registry's catalog that match.
    Glob(RepositoryGlob),
}

/// Which tags an entry means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TagSelector {
    /// This one; it needs no tag listing.
    Literal(Tag),
    /// This one, for this digest, whatever the source has under the tag.
    Pinned(Tag, Digest),
    /// Those of the listing that match.
    Glob(TagGlob),
}

// === impl RepositorySelector ===

impl RepositorySelector {
    /// Whether a repository is meant.
    pub fn covers(&self, repository: &Repository) -> bool {
        match self {
            Self::Literal(literal) => literal == repository,
            Self::Glob(glob) => glob.matches(repository),
        }
    }
}

// === impl TagSelector ===

impl TagSelector {
    /// The tag that is written in full, if it is one.
    pub fn literal(&self) -> Option<&Tag> {
        match self {
            Self::Literal(tag) | Self::Pinned(tag, _) => Some(tag),
            Self::Glob(_) => None,
        }
    }

    /// The digest that the tag is pinned to.
    pub fn pin(&self) -> Option<&Digest> {
        match self {
            Self::Pinned(_, digest) => Some(digest),
            Self::Literal(_) | Self::Glob(_) => None,
        }
    }

    /// The glob, if it is one.
    pub(super) fn glob(&self) -> Option<&TagGlob> {
        match self {
            Self::Glob(glob) => Some(glob),
            Self::Literal(_) | Self::Pinned(..) => None,
        }
    }
}

// === impl ImageEntry ===

impl ImageEntry {
    /// Whether the tags of a repository must be listed. Literal tags alone need no listing, unless rules
    /// select more.
    pub fn needs_listing(&self) -> bool {
        self.tags.is_empty() || self.selects() || self.tags.iter().any(|tag| tag.glob().is_some())
    }

    /// Whether any tag may be selected, as far as the spec alone tells: globs bound what rules select.
    pub(super) fn selects_any(&self) -> bool {
        let has_globs = self.tags.iter().any(|tag| tag.glob().is_some());
        self.tags.is_empty() || self.selects() && !has_globs
    }

    /// Whether rules select tags.
    pub(super) fn selects(&self) -> bool {
        self.selectors().next().is_some()
    }

    /// The rules that select tags: its own, and those of its policies.
    pub(super) fn selectors(&self) -> impl Iterator<Item = (Selector, &Rules)> {
        let own = self.rules.iter().map(|rules| (Selector::Entry, rules));
        let policies = self.policies.iter();
        own.chain(policies.filter_map(|policy| {
            let rules = policy.rules.as_ref()?;
            Some((Selector::Policy(policy.name.clone()), rules))
        }))
    }

    /// Whether its rules look at each tag by itself: whatever else is listed changes nothing.
    pub fn judges_alone(&self) -> bool {
        let mut rules = self.selectors();
        rules.all(|(_, rules)| rules.newest.is_none() && rules.limit.is_none())
    }

    /// Whether rules ask when tags were first seen.
    pub fn needs_first_seen(&self) -> bool {
        let mut newest = self.selectors().filter_map(|(_, rules)| rules.newest);
        newest.any(|newest| newest.by == NewestBy::FirstSeen)
    }
}

impl fmt::Display for RepositorySelector {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Literal(repository) => repository.fmt(formatter),
            Self::Glob(glob) => glob.fmt(formatter),
        }
    }
}

impl fmt::Display for TagSelector {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Literal(tag) => tag.fmt(formatter),
            Self::Pinned(tag, digest) => write!(formatter, "{tag}@{digest}"),
            Self::Glob(glob) => glob.fmt(formatter),
        }
    }
}
