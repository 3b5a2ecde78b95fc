// SPDX-License-Identifier: Apache-2.0

//! Deletes what is due, in the order of the real code.

use std::collections::BTreeMap;

use futures::FutureExt;

use super::known::{At, at};
use super::mutants::Mutant;
use super::protection::look;
use super::round::End;
use super::world::World;
use crate::oci::Digest;
use crate::plan::prune::{Candidate, Cause, Doubt, Fate};
use crate::plan::{Claim, SourceImage};
use crate::sync::prune::bury::Earlier;
use crate::sync::prune::slot;

impl World {
    /// Deletes what is due. Says whether something stopped it.
    pub(super) fn delete(
        &mut self,
        candidates: &[Candidate],
        own: &[(&Claim, &Digest)],
        is_approved: bool,
    ) -> Result<bool, End> {
        let mirror = self.members[self.me].mirror.clone();
        let due: Vec<(usize, &Candidate)> = candidates
            .iter()
            .enumerate()
            .filter(|(_, candidate)| candidate.is_due())
            .collect();
        let deletable = self.find_deletable();
        let before = self.member().unapproved.iter().cloned().collect();
        self.step()?;
        let process = self.process.clone();
        let pruning = process.pruning(&mirror);
        let mut earlier = Earlier::new();
        let looked = self.registry.clone();
        let Some(safeguards) = self.safeguard(&due) else {
            self.flush()?;
            return Ok(true);
        };
        let due: Vec<(usize, &Candidate)> = due
            .into_iter()
            .filter(|(index, _)| safeguards.contains_key(index))
            .collect();
        if !self.is(Mutant::LateTombstone) {
            let written = pruning.write_tombstones(&due, is_approved, safeguards);
            earlier = written.now_or_never().unwrap().map_err(|_| End::Unkept)?;
            self.take_note_of_begin(&due);
        }
        // The last look comes after the plan: what happened meanwhile is seen. What happens in the round of another
        // mirror in the middle of this one comes after the look, and is not.
        if !self.is_quiet && !self.is_within && self.random.one_in(4) {
            self.start_workload();
        }
        if !self.is_quiet && self.random.one_in(8) {
            self.meddle();
        }
        let mut protection = look(pruning, own);
        let mut gone = Vec::new();
        let mut is_stopped = false;
        for (index, candidate) in &due {
            self.disturb()?;
            let doubt = self.find_doubt(&mut protection, (*candidate).into(), true);
            let fate = match doubt.filter(|_| !self.is(Mutant::OneLook)) {
                Some(Doubt { rule, message }) => Some(Fate::Protected {
                    rule: Some(rule),
                    protected_by: message,
                }),
                None if is_stopped || !self.confirms_cause(candidate) => {
                    is_stopped = true;
                    Some(Fate::Waiting)
                }
                None => {
                    let is_begun = earlier.contains_key(index);
                    let deletion = self.delete_one(candidate, is_approved, is_begun, &looked);
                    let (fate, is_tried) = deletion;
                    if is_tried {
                        self.step()?;
                        is_stopped |= self.look_beside(&slot(&mirror.name, candidate))?;
                    }
                    fate
                }
            };
            self.step()?;
            if let Some(fate) = fate {
                if fate == Fate::Deleted {
                    gone.push(*candidate);
                }
                let earlier = earlier.remove(index);
                let earlier = earlier.filter(|_| !self.is(Mutant::EarlierForgotten));
                pruning.settle_deleted(candidate, &fate, earlier);
            }
        }
        self.judge_brakes(&deletable, &before);
        self.step()?;
        self.flush()?;
        self.take_note_of_end(&gone);
        Ok(is_stopped)
    }

    /// What may happen before each request.
    fn disturb(&mut self) -> Result<(), End> {
        if self.random.one_in(12) {
            self.let_others_go_on();
        }
        if self.random.one_in(24) {
            self.sleep();
        }
        self.step()
    }

    /// As the real code looks at the source, which tells the truth of a single tag.
    fn confirms_cause(&self, candidate: &Candidate) -> bool {
        let SourceImage {
            repository, tag, ..
        } = &candidate.source;
        candidate.unwanted.cause != Cause::SourceGone
            || self.is(Mutant::NoSourceLookup)
            || !self.source.contains_key(&(repository.clone(), tag.clone()))
    }

    /// What became of it, if that was seen, and whether a request to delete it left.
    fn delete_one(
        &mut self,
        candidate: &Candidate,
        is_approved: bool,
        is_begun: bool,
        looked: &BTreeMap<At, Digest>,
    ) -> (Option<Fate>, bool) {
        let target = &candidate.target;
        let place = at(&target.registry, &target.repository, &target.tag);
        match self.registry.get(&place) {
            None => {
                // It may have been a deletion of ours that was not seen.
                if is_begun {
                    let now = self.passed();
                    let image = (place.0, place.1.0, candidate.digest.clone());
                    self.notes.deletions.insert(image, now);
                }
                (Some(Fate::Gone), false)
            }
            Some(found) if *found != candidate.digest && !self.is(Mutant::DigestNotCompared) => {
                (Some(Fate::Disowned), false)
            }
            Some(_) => {
                self.tell(|| format!("delete {place:?}"));
                let slot = slot(&self.mirror().name, candidate);
                self.judge_deletion(&place, &slot, candidate);
                let taken = self.take(&place);
                self.take_note_of_deletion(&place, slot, candidate, is_approved);
                self.take_note_of_taken(taken, candidate, looked);
                // The look after the deletion may be answered from the past, or not at all.
                let is_unseen = !self.is_quiet && self.random.one_in(6);
                if is_unseen {
                    self.stale.insert(place, candidate.digest.clone());
                    let fate = self.is(Mutant::UnseenIsUndone).then_some(Fate::Failed);
                    return (fate, true);
                }
                (Some(Fate::Deleted), true)
            }
        }
    }
}
