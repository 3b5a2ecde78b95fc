// SPDX-License-Identifier: Apache-2.0

//! Where a workload says that an image is, and whether a repository is meant by it.

use crate::oci::{Registry, Repository};

/// Where a workload says that an image is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    /// None for a short name, which each node completes as it likes.
    registry: Option<Registry>,
    repository: Box<str>,
}

// === impl Place ===

impl Place {
    /// A short name of one word stands for whatever repository ends with it.
    pub(super) fn new(registry: Registry, repository: &Repository, is_short: bool) -> Self {
        let path = repository.as_str();
        let as_written = path.strip_prefix("library/").unwrap_or(path);
        Self {
            repository: if is_short { as_written } else { path }.into(),
            registry: (!is_short).then_some(registry),
        }
    }

    /// What comes before all others.
    pub(super) fn first() -> Self {
        Self::of_word("")
    }

    /// Wherever a repository ends with this word.
    pub(super) fn of_word(word: &str) -> Self {
        Self {
            registry: None,
            repository: word.into(),
        }
    }

    /// Whether a node may mean this repository by it. The last words are the same.
    pub(super) fn may_be(&self, registry: &Registry, repository: &Repository) -> bool {
        let (named, path) = (&*self.repository, repository.as_str());
        if self.registry.as_ref() == Some(registry) {
            return named == path;
        }
        ends_with_path(named, path) || ends_with_path(path, named)
    }
}

/// Whether a path ends with the whole of another.
fn ends_with_path(path: &str, end: &str) -> bool {
    let before = path.strip_suffix(end);
    before.is_some_and(|before| before.is_empty() || before.ends_with('/'))
}

/// The last word of a path: what all names of a repository have in common.
pub(super) fn last_word(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}
