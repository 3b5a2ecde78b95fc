// SPDX-License-Identifier: Apache-2.0

//! What must be true, told without the code that decides.

mod brakes;
mod clearing;
mod deletion;
mod rest;
mod undo;

use std::panic::resume_unwind;

use super::known::{At, at};
use super::notes::{Loss, Taken};
use super::world::{Use, World};
use crate::api::image_mirror::InUse;
use crate::oci::{Digest, Repository, Tag};
use crate::plan::prune::{Candidate, Retention};
use crate::sync::ledger::Slot;

/// What is wrong.
pub(super) struct Blame(pub(super) String);

/// Ends the history where something is not as it must be. That is no panic which anybody else should hear of.
pub(super) fn must(is_right: bool, message: impl FnOnce() -> String) {
    if !is_right {
        resume_unwind(Box::new(Blame(message())));
    }
}

impl World {
    pub(super) fn take_note_of_deletion(
        &mut self,
        place: &At,
        slot: Slot,
        candidate: &Candidate,
        is_approved: bool,
    ) {
        let (now, mirror) = (self.passed(), self.me);
        let digest = candidate.digest.clone();
        let image = (place.0, place.1.0.clone(), digest.clone());
        self.notes.deletions.insert(image, now);
        self.notes.deleted += 1;
        if !is_approved {
            self.member_mut().unapproved.push((slot.clone(), now));
        }
        let loss = Loss {
            mirror,
            slot,
            digest,
            at: now,
            grace: self.mirror().prune.grace.as_std(),
        };
        self.notes.losses.insert(place.clone(), loss);
    }

    pub(super) fn take_note_of_taken(&mut self, mut taken: Vec<(At, Digest)>) {
        let mirror = self.me;
        // What was about to go as well is on record, and can be restored.
        taken.retain(|(at, digest)| !self.is_about_to_go(at, digest));
        for (at, digest) in taken.into_iter().filter(|_| !self.notes.are_records_lost) {
            self.notes.taken.insert(at, Taken { mirror, digest });
        }
    }

    /// Whether a deletion is on record, or has begun.
    pub(super) fn is_about_to_go(&self, place: &At, digest: &Digest) -> bool {
        let leaves = self.durable.leaves.lock().unwrap();
        leaves.iter().any(|(page, leaf)| {
            let mut begun = leaf.deleted.iter();
            begun.any(|(tag, known)| {
                known.digest == *digest && at(&known.registry, &page.repository, tag) == *place
            })
        })
    }

    /// The spec of a mirror was changed: what it should heal may be out of its reach.
    pub(super) fn forget_taken(&mut self) {
        let me = self.me;
        self.notes.taken.retain(|_, taken| taken.mirror != me);
    }

    pub(super) fn is_tagged(
        &self,
        registry: usize,
        repository: &Repository,
        image: &Digest,
    ) -> bool {
        let mut tags = self.registry.iter();
        tags.any(|((at, (of, _)), digest)| *at == registry && of == repository && digest == image)
    }

    /// Whether a workload uses the tag, or what it names.
    fn is_used(&self, place: &At, digest: &Digest) -> bool {
        let is_looked_at = self.mirror().prune.in_use == InUse::Protect;
        let mut used = self.workloads.values();
        is_looked_at
            && used.any(|(_, used)| match used {
                Use::Tag(registry, used) => {
                    *used == place.1 && registry.is_none_or(|registry| registry == place.0)
                }
                Use::Image(used) => used == digest,
            })
    }

    fn retain(&self) -> Option<&Retention> {
        let entry = self.mirror().images.first()?;
        entry.policies.first()?.retain.as_ref()
    }

    fn is_retained_by_name(&self, tag: &Tag) -> bool {
        let keeps_names = self.retain().is_some_and(|retain| !retain.tags.is_empty());
        keeps_names && tag.as_str().ends_with("-keep")
    }
}
