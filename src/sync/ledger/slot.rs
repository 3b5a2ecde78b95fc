// SPDX-License-Identifier: Apache-2.0

//! Where on record a tag is.

use crate::oci::{Registry, Repository, Tag};

/// A repository at a registry.
pub type RecordPlace = (Registry, Repository);

/// Where the records of one repository at one destination of a mirror stand.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Page {
    /// The mirror, `namespace/name`.
    pub mirror: String,
    /// The name of the destination in the mirror.
    pub destination: String,
    /// The repository at the destination.
    pub repository: Repository,
}

/// Which tag of which destination.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Slot {
    /// The repository.
    pub page: Page,
    /// The tag.
    pub tag: Tag,
}

// === impl Page ===

impl Page {
    /// A tag of this repository.
    pub fn slot(&self, tag: &Tag) -> Slot {
        Slot {
            page: self.clone(),
            tag: tag.clone(),
        }
    }
}
