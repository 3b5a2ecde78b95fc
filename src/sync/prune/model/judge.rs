// SPDX-License-Identifier: Apache-2.0

//! What must be true, told without the code that decides.

mod brakes;
mod clearing;
mod deletion;
mod rest;
mod tests;
mod undo;

use std::collections::BTreeMap;
use std::panic::resume_unwind;

use super::known::{At, at};
use super::notes::{Loss, Taken};
use super::world::{Use, World};
use crate::api::image_mirror::InUse;
use crate::oci::{Digest, Registry, Repository, Tag};
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

    /// Deletions of these are on record. Whoever takes one of the tags away from now on, or did right before, is not told
    /// from this mirror by anybody who sees only that and the record.
    pub(super) fn take_note_of_begin(&mut self, due: &[(usize, &Candidate)]) {
        let now = self.passed();
        for (_, candidate) in due {
            let target = &candidate.target;
            let (registry, (repository, _)) = at(&target.registry, &target.repository, &target.tag);
            let image = (registry, repository, candidate.digest.clone());
            self.notes.begun.insert(image, now);
        }
    }

    /// That these are gone is on record. Before it is, "by a record" they are ours: whoever pushes the same digest to the
    /// same tag again is not told from a deletion that came to nothing.
    pub(super) fn take_note_of_end(&mut self, gone: &[&Candidate]) {
        for candidate in gone {
            let target = &candidate.target;
            let place = at(&target.registry, &target.repository, &target.tag);
            let push = (self.me, place, candidate.digest.clone());
            self.notes.seen.remove(&push);
        }
    }

    /// These went along with a tag; `looked` is what there was when the other tags were looked up.
    pub(super) fn take_note_of_taken(
        &mut self,
        mut taken: Vec<(At, Digest)>,
        candidate: &Candidate,
        looked: &BTreeMap<At, Digest>,
    ) {
        // "Positively established right before": what was pushed since could not be.
        taken.retain(|(at, digest)| looked.get(at) == Some(digest));
        for (at, digest) in taken {
            let taken = Taken {
                mirror: self.me,
                destination: (
                    candidate.target.destination.clone(),
                    candidate.target.registry.clone(),
                ),
                at: self.passed(),
                grace: self.mirror().prune.grace.as_std(),
                is_about_to_go: self.is_about_to_go(&at, &digest),
                digest,
            };
            self.notes.taken.insert(at, taken);
        }
    }

    /// A mirror pushes a tag again that went along.
    pub(super) fn take_note_of_healing(&mut self, place: &At, digest: &Digest) {
        if !self.is_about_to_go(place, digest) {
            return;
        }
        // It was deleted under another name of the registry. "Saw its own push of this digest to this tag succeed":
        // this is one, and what is there again by our own hand has not gone.
        let push = (self.me, place.clone(), digest.clone());
        self.notes.seen.insert(push);
        for member in &mut self.members {
            let destinations = member.mirror.destinations.clone();
            member.unapproved.retain(|(slot, _)| {
                let mut here = destinations.iter();
                let here = here.find(|here| here.name == slot.page.destination);
                here.is_none_or(|here| {
                    at(&here.registry, &slot.page.repository, &slot.tag) != *place
                })
            });
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

    /// The spec of a mirror was changed: what went along at a destination that is gone is out of its reach.
    pub(super) fn forget_taken(&mut self) {
        let me = self.me;
        let destinations = &self.members[me].mirror.destinations;
        let is_there = |(name, registry): &(String, Registry)| {
            let mut known = destinations.iter();
            known.any(|known| known.name == *name && known.registry == *registry)
        };
        let taken = &mut self.notes.taken;
        taken.retain(|_, taken| taken.mirror != me || is_there(&taken.destination));
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
