// SPDX-License-Identifier: Apache-2.0

//! Which images a round copies: other processes may copy some of them, or all.

use std::collections::HashMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::item::Item;
use super::ledger::{Ledger, Looked, Ownership, Record, Slot};
use super::sighting::Sighting;
use crate::copy::Seen;
use crate::oci::Digest;
use crate::plan::report::Failure;
use crate::plan::{Claim, RepositoryShare};
use crate::runtime::clock;

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

    /// Takes for pushes of ours what others say they pushed: where it is what we announced, and what the destination
    /// answers with now. Everything else is somebody's of whom nothing is known.
    pub(super) fn believe(self, ledger: &Ledger, found: &mut [Sighting]) {
        let Self::Elsewhere(told) = self else {
            return;
        };
        let now = clock::now();
        for sighting in found {
            let announced = sighting.recorded.as_ref();
            let told = told.pushed(&sighting.slot).zip(announced);
            let Some((push, announced)) = told else {
                continue;
            };
            let is_meant_here = announced.registry.as_ref() == Some(&sighting.claim.registry);
            let names_it = sighting.current.as_ref() == Some(&push.digest);
            if is_meant_here && names_it && announced.announces(&push.digest) {
                let record = push.conclude(announced.clone(), now);
                ledger.write(sighting.slot.clone(), record.clone());
                sighting.recorded = Some(record);
            }
        }
    }
}

/// A push, as whoever made it tells of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Push {
    /// The digest that the tag was given.
    pub digest: Digest,
    /// What was found to refer to the image, and is there with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seen: Option<Seen>,
}

/// What those who copy tell of an image that they were to copy.
pub trait Hearsay: Send + Sync {
    /// Of one that is not there. Nothing where nobody was asked yet.
    fn why_absent(&self, claim: &Claim) -> Option<Failure>;

    /// The push that they say they made of a tag.
    fn pushed(&self, slot: &Slot) -> Option<&Push>;
}

/// Nobody was asked yet. Of pushes somebody may have told before.
pub struct NotAsked(pub HashMap<Slot, Push>);

impl Hearsay for NotAsked {
    fn why_absent(&self, _: &Claim) -> Option<Failure> {
        None
    }

    fn pushed(&self, slot: &Slot) -> Option<&Push> {
        self.0.get(slot)
    }
}

// === impl Push ===

impl Push {
    /// The push of ours that a record tells of, where it does.
    pub fn of(record: &Record) -> Option<Self> {
        (record.ownership() == Ownership::Written).then(|| Self {
            digest: record.digest.clone(),
            seen: record.referrers.map(|looked| looked.seen),
        })
    }

    /// The record of a push that was announced, once it was made.
    pub fn conclude(&self, announced: Record, at: Timestamp) -> Record {
        Record {
            copied_at: Some(at),
            referrers: self.seen.map(|seen| Looked { at, seen }),
            ..announced
        }
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
                record.announces(&sighting.expected)
                    && record.source == image.source.to_string()
                    && record.is_of(&image.digest, &image.shape)
            })
    }
}
