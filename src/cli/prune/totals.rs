// SPDX-License-Identifier: Apache-2.0

//! What pruning came to.

use schemars::JsonSchema;
use serde::Serialize;

use crate::plan::Mirror;
use crate::plan::prune::{Brakes, Fate, Passage, PruneReport};
use crate::sync::Report;

/// What it came to for all of them, in tags.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub(super) struct Totals {
    /// On record before anything was deleted.
    pub(super) recorded: usize,
    /// May be deleted and were not.
    pub(super) due: usize,
    /// Wait for the end of their grace.
    pub(super) waiting: usize,
    /// Are kept by a workload or a policy.
    pub(super) protected: usize,
    pub(super) deleted: usize,
    /// Signatures and other referrers that went after tags that were deleted earlier.
    pub(super) referrers: usize,
    pub(super) failed: usize,
    /// Bytes that go with what is due, once the registry has collected its garbage.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) freed: Option<u64>,
}

/// Adds up all mirrors.
pub(super) fn add_up(report: &Report) -> Totals {
    let mut totals = Totals::default();
    for prune in report
        .mirrors
        .iter()
        .filter_map(|mirror| mirror.prune.as_ref())
    {
        totals.recorded += prune.recorded;
        totals.referrers += prune.referrers;
        for tag in &prune.tags {
            match tag.fate {
                Fate::Due => totals.due += 1,
                Fate::Waiting => totals.waiting += 1,
                Fate::Protected { .. } => totals.protected += 1,
                Fate::Deleted | Fate::Gone => totals.deleted += 1,
                Fate::Failed => totals.failed += 1,
                // It is somebody else's.
                Fate::Disowned => {}
            }
        }
    }
    totals
}

/// Whether the tags of a mirror that are due wait for approval.
pub(super) fn waits_for_approval(mirror: &Mirror, prune: &PruneReport) -> bool {
    let brakes = Brakes {
        shares: prune.shares.clone(),
        plan: prune.plan.clone(),
    };
    matches!(brakes.judge(&mirror.prune), Passage::Paused(_))
}
