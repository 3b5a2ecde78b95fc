// SPDX-License-Identifier: Apache-2.0

//! Which images a round copies: other processes may copy some of them, or all.

use super::item::Item;
use crate::plan::report::Failure;
use crate::plan::{Claim, RepositoryShare};

/// Which images a round copies.
#[derive(Clone, Copy)]
pub(super) enum Copies<'a> {
    /// Those that are to be copied.
    All,
    /// None: other processes do. What they are to copy goes on record.
    Elsewhere(&'a dyn Hearsay),
    /// Of those that another process put on record as begun, the ones of a share.
    Part(&'a RepositoryShare),
}

impl Copies<'_> {
    /// Leaves out what is not of the share.
    pub(super) fn limit(self, items: &mut Vec<Item>) {
        if let Self::Part(share) = self {
            items.retain(|item| item.is_begun() && share.covers(&item.sighting.claim.repository));
        }
    }
}

/// What those who copy tell of an image that they were to copy.
pub trait Hearsay: Send + Sync {
    /// Of one that is not there. Nothing where nobody was asked yet.
    fn why_absent(&self, claim: &Claim) -> Option<Failure>;

    /// Whether they copied one that is there.
    fn is_theirs(&self, claim: &Claim) -> bool;
}

/// Nobody was asked yet.
pub struct NotAsked;

impl Hearsay for NotAsked {
    fn why_absent(&self, _: &Claim) -> Option<Failure> {
        None
    }

    fn is_theirs(&self, _: &Claim) -> bool {
        false
    }
}

// === impl Item ===

impl Item {
    /// Whether another process found that this very image is to be copied, and put it on record.
    pub(super) fn is_begun(&self) -> bool {
        let sighting = &self.sighting;
        let image = &sighting.image;
        let recorded = sighting.recorded.as_ref();
        self.is_copied()
            && recorded.is_some_and(|record| {
                record.is_pending()
                    && !record.refused
                    && record.source == image.source.to_string()
                    && record.is_of(&image.digest, &image.shape)
                    && record.digest == sighting.expected
            })
    }
}
