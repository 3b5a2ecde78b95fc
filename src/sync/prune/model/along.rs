// SPDX-License-Identifier: Apache-2.0

//! What brings a tag back is at hand before it is deleted, and what went along is looked up after it, in the order
//! of the real code.

use super::known::{At, at};
use super::mutants::Mutant;
use super::round::End;
use super::world::World;
use crate::api::mirrored_repository::Took;
use crate::oci::{Digest, Repository, Tag, TagOrDigest};
use crate::plan::prune::{Candidate, Doubt, Rule, Target};
use crate::sync::ledger::{Keepsakes, Record, Slot, Tombstone, needed};
use crate::sync::prune::along::tags;
use crate::sync::prune::model::known::Image;
use crate::sync::prune::safeguard::{Safeguard, Safeguards};
use crate::sync::prune::slot;

/// What came of a look after a deletion.
enum Beside {
    /// What went along is there again; nothing where the tag itself is still there.
    Seen(Option<Took>),
    /// Something failed: nothing more is deleted.
    Failed,
}

impl World {
    /// What is at hand of each that is due. None: its registry takes other tags along.
    pub(super) fn safeguard(&self, due: &[(usize, &Candidate)]) -> Option<Safeguards> {
        let pruning = self.pruning();
        let mirror = self.mirror();
        let mut safeguards = Safeguards::new();
        for (index, candidate) in due {
            let Target {
                registry,
                repository,
                tag,
                ..
            } = &candidate.target;
            if let Some(doubt) = pruning.find_other_grave(candidate) {
                pruning.hold(candidate, doubt);
                continue;
            }
            let place = at(registry, repository, tag);
            let shared_with = match pruning.is_known_to_spare(registry, repository) {
                Some(true) => Vec::new(),
                Some(false) => return None,
                None => self.sharers(&place, &candidate.digest),
            };
            let record = pruning.state.ledger.read(&slot(&mirror.name, candidate));
            let referrers = record.map(|record| record.own_referrers);
            let referrers = referrers.unwrap_or_default();
            let Some(keepsakes) = self.keepsakes(&place, &candidate.digest, &referrers) else {
                let doubt = Doubt::new(Rule::Undoable, "the manifest is missing".to_owned());
                pruning.hold(candidate, doubt);
                continue;
            };
            let safeguard = Safeguard {
                keepsakes,
                referrers,
                shared_with,
            };
            safeguards.insert(*index, safeguard);
        }
        Some(safeguards)
    }

    fn sharers(&self, place: &At, digest: &Digest) -> Vec<Tag> {
        if self.is(Mutant::SharersIgnored) {
            return Vec::new();
        }
        let others = self.registry.iter().filter(|(other, named)| {
            other.0 == place.0 && other.1.0 == place.1.0 && *other != place && *named == digest
        });
        others.map(|((_, (_, tag)), _)| tag.clone()).collect()
    }

    /// What restores a tag; nothing where its manifest is missing and it is there all the same.
    fn keepsakes(&self, place: &At, image: &Digest, referrers: &[Digest]) -> Option<Keepsakes> {
        let (registry, (repository, _)) = place;
        if !self.has(*registry, repository, image) {
            let is_there = self.registry.get(place) == Some(image);
            return (!is_there).then(Keepsakes::new);
        }
        if self.is(Mutant::NothingKept) {
            return Some(Keepsakes::new());
        }
        let known = Image::of(image);
        let needed = known.parts().into_iter().chain(referrers);
        let stored = needed.filter(|digest| self.has(*registry, repository, digest));
        let kept = stored.filter_map(|digest| known.manifests.get_key_value(digest));
        Some(
            kept.map(|(digest, keepsake)| (digest.clone(), keepsake.clone()))
                .collect(),
        )
    }

    /// Looks, after a tag was deleted, what went along. Says whether nothing more may be deleted.
    pub(super) fn look_beside(&mut self, slot: &Slot) -> Result<bool, End> {
        match self.state().ledger.tombstone(slot) {
            Some(_) if self.is(Mutant::TakenIgnored) => Ok(false),
            Some(tombstone) => match self.settle_beside(slot, &tombstone)? {
                Beside::Seen(took) => {
                    self.pruning().conclude(slot, took);
                    Ok(took == Some(Took::OtherTags))
                }
                Beside::Failed => Ok(true),
            },
            None => Ok(false),
        }
    }

    /// The same before anything is copied, and where nothing is pruned.
    pub(super) fn heal_interrupted(&mut self, is_meant: impl Fn(&Slot) -> bool) -> Result<(), End> {
        let mirror = self.members[self.me].mirror.clone();
        let process = self.process.clone();
        let pruning = process.pruning(&mirror);
        for (slot, record) in pruning.begun(&is_meant) {
            let here = mirror.destination(&slot.page.destination);
            let Some(registry) = here.map(|here| &here.registry) else {
                continue;
            };
            let place = at(registry, &slot.page.repository, &slot.tag);
            if record.registry.as_ref() == Some(registry) && self.ask(&place).is_none() {
                pruning.state.ledger.disown(&slot);
            }
        }
        self.heal_those(is_meant)?;
        Ok(())
    }

    /// The same for deletions of an interrupted round.
    pub(super) fn heal_unseen(&mut self) -> Result<bool, End> {
        self.heal_those(|_| true)
    }

    fn heal_those(&mut self, is_meant: impl Fn(&Slot) -> bool) -> Result<bool, End> {
        let mirror = self.members[self.me].mirror.clone();
        let process = self.process.clone();
        let pruning = process.pruning(&mirror);
        let mut is_hurt = false;
        for (slot, tombstone, is_begun) in pruning.unseen(is_meant) {
            let here = mirror.destination(&slot.page.destination);
            let is_here = here.is_some_and(|here| here.registry == tombstone.registry);
            let spares = pruning.is_known_to_spare(&tombstone.registry, &slot.page.repository);
            if !is_here || (is_begun && spares == Some(true)) {
                continue;
            }
            match self.settle_beside(&slot, &tombstone)? {
                Beside::Seen(took) if self.is(Mutant::UnseenIsProof) => {
                    pruning.conclude(&slot, took);
                }
                Beside::Seen(took) => {
                    pruning.settle_unseen(&slot, took);
                    is_hurt |= took == Some(Took::OtherTags);
                }
                Beside::Failed => return Ok(true),
            }
        }
        Ok(is_hurt)
    }

    /// What went along.
    fn settle_beside(&mut self, slot: &Slot, tombstone: &Tombstone) -> Result<Beside, End> {
        let mirror = self.members[self.me].mirror.clone();
        let process = self.process.clone();
        let pruning = process.pruning(&mirror);
        let (registry, repository) = (&tombstone.registry, &slot.page.repository);
        if pruning.is_known_to_spare(registry, repository) == Some(true) {
            return Ok(Beside::Seen(Some(Took::Tag)));
        }
        self.step()?;
        let place = at(registry, repository, &slot.tag);
        let mut lost = pruning.may_be_lost(slot, tombstone);
        lost.retain(|name| !self.finds(&place, name));
        if lost.is_empty() {
            let is_deleted = !self.registry.contains_key(&place);
            return Ok(Beside::Seen(is_deleted.then_some(Took::Tag)));
        }
        if pruning.is_lost_for_good(slot, tombstone, &lost) {
            return Ok(Beside::Seen(Some(Took::Manifest)));
        }
        let took = pruning.learn(registry, &tags(&lost));
        self.tell(|| format!("{place:?} took along {lost:?}"));
        let is_failing = !self.is_quiet && self.random.one_in(4);
        if is_failing || !self.bring_back(&place, slot, tombstone)? {
            self.notes.hindered = Some(self.me);
            return Ok(Beside::Failed);
        }
        for name in lost {
            self.step()?;
            if let TagOrDigest::Tag(tag) = name {
                let other = at(registry, repository, &tag);
                if !self.registry.contains_key(&other) {
                    self.take_note_of_healing(&other, &tombstone.digest);
                    self.put_tag(&other, &tombstone.digest);
                }
            }
        }
        Ok(Beside::Seen(Some(took)))
    }

    fn finds(&self, place: &At, name: &TagOrDigest) -> bool {
        let (registry, (repository, _)) = place;
        match name {
            TagOrDigest::Digest(digest) => self.has(*registry, repository, digest),
            TagOrDigest::Tag(tag) => {
                let other = (*registry, (repository.clone(), tag.clone()));
                self.registry.contains_key(&other)
            }
        }
    }

    /// Pushes the manifests of a deleted tag that are missing. Says whether all that its image needs is there.
    fn bring_back(&mut self, place: &At, slot: &Slot, tombstone: &Tombstone) -> Result<bool, End> {
        let (registry, (repository, _)) = place;
        let keepsakes = self.state().ledger.keepsakes(&slot.page);
        for (digest, _) in needed(tombstone, &keepsakes) {
            if !self.has(*registry, repository, digest) {
                self.step()?;
                self.store(*registry, repository, digest);
            }
        }
        Ok(self.has(*registry, repository, &tombstone.digest))
    }

    /// A person restores a tag that was deleted.
    pub(super) fn restore_tag(&mut self) -> Result<(), End> {
        let mirror = self.members[self.me].mirror.clone();
        let state = self.state().clone();
        let deleted = state.deleted_tags(&mirror);
        if deleted.is_empty() {
            return Ok(());
        }
        let (slot, tombstone) = &deleted[self.random.index(deleted.len())];
        let here = mirror.destination(&slot.page.destination);
        if here.is_none_or(|here| here.registry != tombstone.registry) {
            return Ok(());
        }
        let record = |copied_at| crate::sync::prune::restore::record(tombstone, copied_at);
        self.tell(|| format!("restore {slot:?}"));
        state.ledger.write(slot.clone(), record(None));
        self.step()?;
        self.flush()?;
        let restored = self.restore_one(slot, tombstone)?;
        self.step()?;
        match restored {
            Some(is_pushed) => {
                let is_ours = is_pushed || self.is(Mutant::RestoredIsOurs);
                let copied_at = is_ours.then(|| state.pruner.now());
                let record = Record {
                    adopted: !is_ours,
                    ..record(copied_at)
                };
                state.ledger.write(slot.clone(), record);
            }
            None => state.ledger.disown(slot),
        }
        self.flush()
    }

    /// Whether it was pushed, if it is there.
    fn restore_one(&mut self, slot: &Slot, tombstone: &Tombstone) -> Result<Option<bool>, End> {
        let repository: &Repository = &slot.page.repository;
        let place = at(&tombstone.registry, repository, &slot.tag);
        if let Some(found) = self.registry.get(&place) {
            return Ok((*found == tombstone.digest).then_some(false));
        }
        let is_whole = self.bring_back(&place, slot, tombstone)?;
        self.step()?;
        self.judge_restored(&place, tombstone, is_whole);
        if is_whole {
            self.put_tag(&place, &tombstone.digest);
            let me = self.me;
            let now = self.passed();
            let digest = tombstone.digest.clone();
            self.notes.last_wanted.insert((me, place.clone()), now);
            self.notes.seen.insert((me, place, digest));
            let unapproved = &mut self.member_mut().unapproved;
            unapproved.retain(|(of, _)| of != slot);
        }
        Ok(is_whole.then_some(true))
    }
}
