// SPDX-License-Identifier: Apache-2.0

//! What the judge remembers of a history.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::time::Duration;

use super::known::At;
use crate::oci::{Digest, Registry, Repository};
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
    /// When records were last lost, rolled back or forged.
    pub(super) records_lost: Option<Duration>,
    /// When the last tag of an image was deleted by a round.
    pub(super) deletions: BTreeMap<Place, Duration>,
    /// When a deletion of an image was last put on record, whatever came of it.
    pub(super) begun: BTreeMap<Place, Duration>,
    /// Images whose tags were written anew, with another one, before they were restored or given up: nobody
    /// looks for what refers to them.
    pub(super) abandoned: BTreeSet<Place>,
    /// What was deleted and not written since.
    pub(super) losses: BTreeMap<At, Loss>,
    /// What went along with a deleted tag, and was not written since.
    pub(super) taken: BTreeMap<At, Taken>,
    /// The mirror in whose last round something failed that heals what was taken.
    pub(super) hindered: Option<usize>,
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

/// A tag that went along with one that was deleted.
#[derive(Clone)]
pub(super) struct Taken {
    /// The mirror that deleted the other one, and where.
    pub(super) mirror: usize,
    pub(super) destination: (String, Registry),
    pub(super) digest: Digest,
    pub(super) at: Duration,
    pub(super) grace: Duration,
    /// Whether its own deletion was on record then, or had begun.
    pub(super) is_about_to_go: bool,
}

// === impl Notes ===

impl Notes {
    /// Somebody writes a tag, or a mirror is about to: what it was need not be restored any more.
    pub(super) fn is_written(&mut self, at: &At) {
        self.losses.remove(at);
        self.taken.remove(at);
    }
}
