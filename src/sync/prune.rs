// SPDX-License-Identifier: Apache-2.0

//! Pruning: after everything that is wanted is in place, what is not wanted any more may go.
//!
//! ```text
//! settle     (I/O)   what an interrupted round left half done
//! find       (pure)  records and selection -> candidates, or why nothing is deleted
//! protect    (I/O)   live workloads, and the manifests of what is due
//! brake      (pure)  few enough, or approved
//! safeguard  (I/O)   what brings it back is read, and put on record with its tombstone
//! delete     (I/O)   in small batches; the tombstone first, then the tag, then a look
//! along      (I/O)   where the registry took more than the tag: it is pushed again
//! leftovers  (I/O)   once a deleted tag can be restored no more: its signatures, where nothing needs them
//! ```
//!
//! Whatever cannot be found out keeps the tag.

mod along;
mod bury;
mod cause;
mod closures;
mod company;
mod delete;
mod leftovers;
#[cfg(test)]
mod model;
mod protect;
mod pruner;
mod records;
mod restore;
mod revive;
mod run;
mod safeguard;
mod settle;
mod survey;

use std::collections::HashSet;

pub use self::pruner::{Pruner, Times};
pub use self::restore::{Restoration, RestoreError};
pub use self::run::PruneRun;

pub(super) use self::closures::Closures;
use self::protect::Protection;
use self::records::{recorded, unmarked};
use super::item::{Item, Step};
use super::ledger::{Leaf, Page, Slot};
use super::{Connect, Mode, State};
use crate::api::image_mirror::PruneMode;
use crate::oci::Digest;
use crate::plan::Claim;
use crate::plan::prune::{
    Brakes, Candidate, Clock, Fate, Found, Passage, Place, PruneReport, PrunedTag, Recorded,
    Selection, Stop, Wanted, counted_since, find_candidates, find_stop, keep_siblings,
};
use crate::plan::report::MirrorReport;
use crate::plan::status::worst;

/// Tags, or what refers to them, that are deleted by one look at the workloads, at most.
const BATCH: usize = 20;
/// Failures in a row after which a round deletes no more.
const FAILURES: usize = 3;

/// What a round knows of a mirror when it comes to pruning.
pub(super) struct Findings<'a> {
    selection: &'a Selection,
    /// The tags that this round wants.
    claimed: HashSet<&'a Slot>,
    /// The same as tags of registries, with the digests that they should name.
    wanted: Vec<(&'a Claim, &'a Digest)>,
    /// Tags that were right and not on record.
    rebuilt: usize,
}

impl<'a> Findings<'a> {
    /// The findings for a mirror.
    pub(super) fn of(selection: &'a Selection, items: &'a [Item]) -> Self {
        let sightings = items.iter().map(|item| &item.sighting);
        Self {
            selection,
            claimed: sightings.clone().map(|sighting| &sighting.slot).collect(),
            wanted: sightings
                .map(|sighting| (&sighting.claim, &sighting.expected))
                .collect(),
            rebuilt: items.iter().filter(|item| item.is_adopted()).count(),
        }
    }
}

// === impl PruneRun ===

impl<C: Connect> PruneRun<'_, C> {
    /// Prunes what a mirror does not want any more, or says what there would be to prune.
    pub(super) async fn prune(
        &self,
        findings: &Findings<'_>,
        report: &mut MirrorReport,
        mode: Mode,
    ) {
        report.prune = match self.mirror.prune.mode {
            PruneMode::Retain => {
                if mode.writes_records() {
                    Box::pin(self.retain()).await;
                }
                None
            }
            PruneMode::Plan | PruneMode::Delete => {
                // On the heap: rounds that prune nothing stay small.
                Some(Box::pin(self.prune_mirror(findings, report, mode)).await)
            }
        };
    }

    /// Where nothing is pruned, nothing is unwanted. What earlier rounds began is healed all the same.
    async fn retain(&self) {
        self.heal_interrupted(|_| true).await;
        self.forget_unwanted();
    }

    fn forget_unwanted(&self) {
        let State { ledger, pruner, .. } = self.state;
        ledger.unmark(&self.mirror.name);
        let clock = pruner.check(&self.mirror.name, pruner.times(), true);
        self.forget_dead(self.find_dead(clock));
    }

    async fn prune_mirror(
        &self,
        findings: &Findings<'_>,
        report: &MirrorReport,
        mode: Mode,
    ) -> PruneReport {
        let mirror = self.mirror;
        let mut failures = Vec::new();
        if mode.writes_records() {
            failures = self.settle(findings).await;
        }
        let leaves = self.state.ledger.leaves(&mirror.name);
        let recorded: Vec<Recorded<'_>> = leaves
            .iter()
            .flat_map(|(page, leaf)| recorded(page, leaf, &findings.claimed))
            .collect();
        let mut pruned = PruneReport {
            mode: mirror.prune.mode,
            recorded: recorded.len(),
            failures,
            ..PruneReport::default()
        };
        if mode.writes_records() {
            // Also where nothing is deleted: it only pushes.
            self.heal_unseen(&mut pruned).await;
        }
        let oblivion = self.state.pruner.oblivion().cloned();
        let found = find_stop(
            worst(report),
            findings.selection,
            |repository| {
                let mut sources = recorded.iter().filter_map(|tag| tag.source.as_ref());
                sources.any(|source| source.repository == *repository)
            },
            findings.rebuilt,
        );
        let stop = oblivion.or(found).or_else(|| pruned.stop.take());
        if stop.is_some() {
            // What is on record stays as it is, but for what is wanted: its grace begins anew, however many rounds
            // fail before one finds it unwanted again.
            if mode.writes_records() {
                self.unmark_wanted(findings.selection, &recorded);
                // What cannot be kept now is kept by the next round.
                let _ = self.state.ledger.flush(mirror).await;
            }
            pruned.stop = stop;
            pruned.tags = unmarked(&recorded, mirror);
        } else {
            self.prune_found(findings, &leaves, &recorded, &mut pruned, mode)
                .await;
        }
        pruned.restorable = self.state.ledger.deleted(&mirror.name).len();
        pruned
    }

    async fn prune_found(
        &self,
        findings: &Findings<'_>,
        leaves: &[(Page, Leaf)],
        recorded: &[Recorded<'_>],
        pruned: &mut PruneReport,
        mode: Mode,
    ) {
        let mirror = self.mirror;
        let times = self.state.pruner.times();
        let is_kept = mode.writes_records();
        let clock = self.state.pruner.check(&mirror.name, times, is_kept);
        let found = find_candidates(mirror, findings.selection, recorded, clock, times.now);
        let Found {
            mut candidates,
            is_clock_doubtful,
        } = found;
        let mut protection = Protection::new(*self, &findings.wanted);
        pruned.stop = protection.protect(&mut candidates).await;
        keep_siblings(&mut candidates, recorded);
        pruned.failures.append(&mut protection.failures);
        if is_clock_doubtful || (clock == Clock::Jumped && !candidates.is_empty()) {
            pruned.stop.get_or_insert_with(Stop::by_clock);
        }
        let recent = self
            .state
            .ledger
            .deleted_since(&mirror.name, counted_since(times.now));
        let brakes = Brakes::of(mirror, &candidates, recorded, &recent);
        let passage = self.brake(&candidates, brakes, pruned);
        if !is_kept {
            return;
        }
        let deletes = mirror.prune.mode == PruneMode::Delete;
        self.mark(leaves, &candidates);
        let mut dead = self.find_dead(clock);
        if !deletes {
            self.forget_dead(std::mem::take(&mut dead));
        }
        if deletes && passage == Passage::Approved && pruned.stop.is_none() {
            // Before the first deletion: it is for once, however this round ends.
            if let Some(plan) = &pruned.plan {
                self.state.ledger.spend(&mirror.name, plan, times.now);
            }
        }
        if let Err(error) = self.state.ledger.flush(mirror).await {
            let unkept = || Stop::unkept(&error.to_string(), error.reason);
            pruned.stop.get_or_insert_with(unkept);
        }
        if deletes && pruned.stop.is_none() && pruned.plan.is_some() {
            if passage == Passage::Approved {
                pruned.approved.clone_from(&pruned.plan);
            }
            self.delete(&candidates, protection, pruned).await;
        }
        if pruned.stop.is_none() && self.state.pruner.stop().is_none() && !dead.is_empty() {
            self.clear_leftovers(findings, dead, pruned).await;
        }
    }

    /// Names what is due, and stops it where it waits for a person.
    fn brake(&self, candidates: &[Candidate], brakes: Brakes, pruned: &mut PruneReport) -> Passage {
        let mirror = self.mirror;
        let grace = mirror.prune.grace;
        let tags = candidates.iter();
        pruned.tags = tags.map(|tag| PrunedTag::of(tag, grace)).collect();
        let passage = brakes.judge(&mirror.prune);
        if mirror.prune.mode == PruneMode::Delete && pruned.stop.is_none() {
            pruned.stop = match &passage {
                Passage::Paused(message) => Some(Stop::paused(message)),
                Passage::Free | Passage::Approved if brakes.plan.is_some() => {
                    self.state.pruner.stop().cloned()
                }
                Passage::Free | Passage::Approved => None,
            };
        }
        pruned.plan = brakes.plan;
        pruned.shares = brakes.shares;
        passage
    }

    /// Puts on record that tags are wanted: by this round, or by the spec, where a conflict or a failure left them out of
    /// it.
    fn unmark_wanted(&self, selection: &Selection, recorded: &[Recorded<'_>]) {
        let mirror = self.mirror;
        let marked = recorded.iter().filter(|tag| tag.unwanted.is_some());
        let is_wanted =
            |tag: &Recorded<'_>| tag.is_claimed || selection.judge(mirror, tag) == Wanted::Yes;
        for tag in marked.filter(|tag| is_wanted(tag)) {
            let Place {
                destination,
                repository,
                tag,
                ..
            } = tag.target;
            let page = Page {
                mirror: mirror.name.clone(),
                destination: destination.to_owned(),
                repository: repository.clone(),
            };
            self.state.ledger.mark(&page.slot(tag), None);
        }
    }

    /// Puts on record since when tags are not wanted, and that the others are.
    fn mark(&self, leaves: &[(Page, Leaf)], candidates: &[Candidate]) {
        let slots: Vec<Slot> = candidates
            .iter()
            .map(|candidate| slot(&self.mirror.name, candidate))
            .collect();
        let unwanted: HashSet<&Slot> = slots.iter().collect();
        for (page, leaf) in leaves {
            let marked = leaf
                .records
                .iter()
                .filter(|(_, record)| record.unwanted.is_some());
            for (tag, _) in marked {
                let slot = page.slot(tag);
                if !unwanted.contains(&slot) {
                    self.state.ledger.mark(&slot, None);
                }
            }
        }
        for (slot, candidate) in slots.iter().zip(candidates) {
            self.state
                .ledger
                .mark(slot, Some(candidate.unwanted.clone()));
        }
    }
}

fn set(report: &mut PruneReport, index: usize, fate: Fate) {
    if let Some(tag) = report.tags.get_mut(index) {
        tag.fate = fate;
    }
}

/// Where a candidate is on record.
fn slot(mirror: &str, candidate: &Candidate) -> Slot {
    Slot {
        page: Page {
            mirror: mirror.to_owned(),
            destination: candidate.target.destination.clone(),
            repository: candidate.target.repository.clone(),
        },
        tag: candidate.target.tag.clone(),
    }
}

// === impl Item ===

impl Item {
    /// Whether the tag was right and not on record.
    fn is_adopted(&self) -> bool {
        let is_right = match &self.step {
            Step::Decided(decision) => *decision == crate::plan::decide::Decision::Unchanged,
            Step::Completed(_) | Step::Unseen(_) => true,
            Step::Withheld(_) => false,
        };
        is_right && self.sighting.recorded.is_none()
    }
}
