// SPDX-License-Identifier: Apache-2.0

//! The part of a round that prunes, up to the plan: records and selection, what protects, and the brakes.

use std::collections::HashSet;

use super::known::at;
use super::mutants::Mutant;
use super::round::{End, Wanted};
use super::world::World;
use crate::api::Reason;
use crate::api::image_mirror::PruneMode;
use crate::oci::{Digest, Repository};
use crate::plan::prune::{
    Brakes, Candidate, Clock, Found, Passage, Recorded, Selection, Standing as Stands, Stop,
    counted_since, find_candidates, find_stop, keep_siblings,
};
use crate::plan::report::Failure;
use crate::plan::{Claim, Mirror};
use crate::sync::ledger::{Page, Record, Slot};
use crate::sync::prune::records::recorded;
use crate::sync::prune::settle::unsettled;
use crate::sync::prune::slot;

impl World {
    pub(super) fn prune(
        &mut self,
        wanted: &[Wanted],
        rebuilt: usize,
        (is_failing, is_stalled): (bool, bool),
    ) -> Result<(), End> {
        let mirror = self.members[self.me].mirror.clone();
        let claimed: HashSet<&Slot> = wanted.iter().map(|wanted| &wanted.slot).collect();
        self.settle(&claimed);
        let is_hurt = !self.is(Mutant::UnseenNotHealed) && self.heal_unseen()?;
        let ledger = self.state().ledger.clone();
        let leaves = ledger.leaves(&mirror.name);
        let mut recorded: Vec<Recorded<'_>> = leaves
            .iter()
            .flat_map(|(page, leaf)| recorded(page, leaf, &claimed))
            .collect();
        self.misread(&mirror, &mut recorded);
        let selection = self.selection(is_failing && !self.is(Mutant::FailureIgnored));
        let fails = is_failing || is_stalled;
        let stop = self.find_stop(&recorded, &selection, rebuilt, fails);
        if is_hurt || stop.is_some() {
            self.tell(|| format!("stopped: {:?}", stop.map(|stop| stop.message)));
            self.pruning().unmark_wanted(&selection, &recorded);
            return self.flush();
        }
        let times = self.state().pruner.times();
        let clock = self.state().pruner.check(&mirror.name, times, true);
        let believed = if self.is(Mutant::ClockBelieved) {
            Clock::Steady
        } else {
            clock
        };
        let Found {
            mut candidates,
            is_clock_doubtful,
        } = self.find_candidates(&mirror, &selection, &mut recorded, believed);
        let own: Vec<(&Claim, &Digest)> = wanted
            .iter()
            .map(|wanted| (&wanted.claim, &wanted.digest))
            .collect();
        self.protect(&mut candidates, &own);
        if !self.is(Mutant::SiblingsIgnored) {
            keep_siblings(&mut candidates, &recorded);
        }
        let has_jumped = believed == Clock::Jumped && !candidates.is_empty();
        let is_stopped = is_clock_doubtful || has_jumped;
        self.pruning().mark(&leaves, &candidates);
        let dead = self.pruning().find_dead(believed);
        let passage = self.brake(&mirror, &candidates, &recorded);
        self.tell(|| format!("{clock:?} {is_stopped} {passage:?} {candidates:#?}"));
        if mirror.prune.mode == PruneMode::Plan {
            self.pruning().forget_dead(dead);
            self.step()?;
            return self.flush();
        }
        self.step()?;
        self.flush()?;
        if !is_stopped && !matches!(passage, Passage::Paused(_)) {
            let is_approved = passage == Passage::Approved;
            if !self.delete(&candidates, &own, is_approved)? {
                self.clear_leftovers(dead, &own)?;
            }
        }
        Ok(())
    }

    /// Settles what an interrupted round left half done.
    fn settle(&mut self, claimed: &HashSet<&Slot>) {
        let mirror = self.members[self.me].mirror.clone();
        let process = self.process.clone();
        let pruning = process.pruning(&mirror);
        for (page, leaf) in process.state.ledger.leaves(&mirror.name) {
            for (slot, record) in unsettled(&page, &leaf) {
                let here = mirror.destination(&page.destination);
                let is_here =
                    here.is_some_and(|here| record.registry.as_ref() == Some(&here.registry));
                let Some(registry) = record.registry.as_ref().filter(|_| is_here) else {
                    continue;
                };
                if claimed.contains(&slot) {
                    continue;
                }
                let found = self.ask(&at(registry, &page.repository, &slot.tag));
                pruning.settle_one(&slot, record, found.as_ref());
                if self.is(Mutant::PendingIsWritten) && record.is_pending() && found.is_some() {
                    let written = Record {
                        copied_at: Some(record.first_seen),
                        ..record.clone()
                    };
                    process.state.ledger.write(slot, written);
                }
            }
        }
    }

    /// What faults make of the records.
    fn misread<'a>(&self, mirror: &'a Mirror, recorded: &mut [Recorded<'a>]) {
        for tag in recorded {
            match self.mutant {
                Some(Mutant::AdoptedIsWritten) => tag.standing = Stands::Written,
                Some(Mutant::RegistryOfRecordIgnored) => {
                    let here = mirror.destination(tag.target.destination);
                    tag.target.registry = here.map(|here| &here.registry);
                }
                _ => {}
            }
        }
    }

    fn find_stop(
        &self,
        recorded: &[Recorded<'_>],
        selection: &Selection,
        rebuilt: usize,
        fails: bool,
    ) -> Option<Stop> {
        let failure = (fails && !self.is(Mutant::FailureIgnored)).then(|| Failure {
            subject: "docker.io/library/app".to_owned(),
            reason: Reason::Unreachable,
            message: "a page of the listing is missing".to_owned(),
            next_attempt_time: None,
            is_of_tag: false,
        });
        let has_records_of = |repository: &Repository| {
            let mut sources = recorded.iter().filter_map(|tag| tag.source.as_ref());
            sources.any(|source| source.repository == *repository)
        };
        find_stop(failure.as_ref(), selection, has_records_of, rebuilt)
    }

    fn find_candidates(
        &mut self,
        mirror: &Mirror,
        selection: &Selection,
        recorded: &mut [Recorded<'_>],
        clock: Clock,
    ) -> Found {
        let now = self.state().pruner.now();
        if !self.is(Mutant::GraceNotRestarted) {
            return find_candidates(mirror, selection, recorded, clock, now);
        }
        let firsts = std::mem::take(&mut self.firsts);
        let of = |tag: &Recorded<'_>| Slot {
            page: Page {
                mirror: mirror.name.clone(),
                destination: tag.target.destination.to_owned(),
                repository: tag.target.repository.clone(),
            },
            tag: tag.target.tag.clone(),
        };
        let mut aged: Vec<Recorded<'_>> = recorded.to_vec();
        for tag in &mut aged {
            tag.unwanted = firsts.get(&of(tag)).or(tag.unwanted);
        }
        let found = find_candidates(mirror, selection, &aged, clock, now);
        self.firsts.clone_from(&firsts);
        for candidate in &found.candidates {
            let first = self.firsts.entry(slot(&mirror.name, candidate));
            first.or_insert_with(|| candidate.unwanted.clone());
        }
        found
    }

    fn brake(
        &mut self,
        mirror: &Mirror,
        candidates: &[Candidate],
        recorded: &[Recorded<'_>],
    ) -> Passage {
        let since = counted_since(self.state().pruner.now());
        let mut recent = self.state().ledger.deleted_since(&mirror.name, since);
        if self.is(Mutant::NoWindow) {
            recent.clear();
        }
        let mut counted = recorded.to_vec();
        if self.is(Mutant::BrakesOverAll) {
            for tag in &mut counted {
                tag.standing = Stands::Written;
            }
        }
        let brakes = Brakes::of(mirror, candidates, &counted, &recent);
        self.member_mut().plan.clone_from(&brakes.plan);
        brakes.judge(&mirror.prune)
    }
}
