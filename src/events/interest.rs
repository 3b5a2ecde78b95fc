// SPDX-License-Identifier: Apache-2.0

//! What a mirror may want of its source, as far as that can be said without asking anybody.

use super::hint::Hint;
use crate::oci::{Registry, Repository, Tag};
use crate::plan::{ImageEntry, Mirror};

/// What a mirror may want.
#[derive(Clone, Debug)]
pub struct Interest {
    /// The source, by the one name of all that it may be called.
    registry: Registry,
    images: Vec<ImageEntry>,
}

impl Interest {
    /// What this mirror may want.
    pub fn of(mirror: &Mirror) -> Self {
        Self {
            registry: mirror.source.registry.stand_in(),
            images: mirror.images.clone(),
        }
    }

    /// The name that stands for every spelling of the source.
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// Whether the mirror may want what a hint names.
    pub fn covers(&self, hint: &Hint) -> bool {
        self.registry == hint.registry.stand_in()
            && self.covers_tag(&hint.repository, hint.tag.as_ref())
    }

    fn covers_tag(&self, repository: &Repository, tag: Option<&Tag>) -> bool {
        let mut entries = self.images.iter();
        entries.any(|entry| {
            // What is named after a digest goes with the image of that digest, whatever its tags are.
            let may_take = |tag: &Tag| tag.attachment().is_some() || entry.may_take(tag);
            entry.repository.covers(repository) && tag.is_none_or(may_take)
        })
    }
}
