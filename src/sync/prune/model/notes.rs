// SPDX-License-Identifier: Apache-2.0

//! What the judge remembers of a history.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::time::Duration;

use super::known::At;
use crate::oci::{Digest, Repository};
use crate::sync::ledger::Slot;

/// An image in a repository of a registry.
pub(super) type Place = (usize, Repository, Digest);

/// What the judge remembers of a history. Times are those that really passed.
#[derive(Default)]
pub(super) struct Notes {
    /// Pushes that a mirror saw succeed.
    pub(super) seen: HashSet<(usize, At, Digest)>,
    /// When a round last saw that a tag is wanted.
    pub(super) last_wanted: BTreeMap<(usize, At), Duration>,
    /// Whether records were lost, or somebody set the clock.
    pub(super) is_time_lost: bool,
    /// Whether records were lost, rolled back or forged.
    pub(super) are_records_lost: bool,
    /// When the last tag of an image was deleted by a round.
    pub(super) deletions: BTreeMap<Place, Duration>,
    /// Images whose tags were written anew, with another one, before they were restored or given up: nobody
    /// looks for what refers to them.
    pub(super) abandoned: BTreeSet<Place>,
    /// What was deleted and not written since.
    pub(super) losses: BTreeMap<At, Loss>,
    /// What went along with a deleted tag, and was not written since.
    pub(super) taken: BTreeMap<At, Taken>,
    /// How many tags were deleted.
    pub(super) deleted: usize,
    /// How many signatures went after their images.
    pub(super) cleared: usize,
}

/// A tag that was deleted.
pub(super) struct Loss {
    pub(super) mirror: usize,
    pub(super) slot: Slot,
    pub(super) digest: Digest,
    pub(super) at: Duration,
    /// The shortest grace since then.
    pub(super) grace: Duration,
}

/// Other tags that went along with one, and which mirror deleted that.
#[derive(Clone)]
pub(super) struct Taken {
    pub(super) mirror: usize,
    pub(super) digest: Digest,
}

// === impl Notes ===

impl Notes {
    /// Somebody writes a tag, or a mirror is about to: what it was need not be restored any more.
    pub(super) fn is_written(&mut self, at: &At) {
        self.losses.remove(at);
        self.taken.remove(at);
    }
}
