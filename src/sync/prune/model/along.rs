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

impl World {
    /// What is at hand of each that is due. None: its registry takes other tags along.
    pub(super) fn safeguard(&self, due: &[(usize, &Candidate)]) -> Option<Safeguards> {
        let syncer = self.syncer();
        let mirror = self.mirror();
        let mut safeguards = Safeguards::new();
        for (index, candidate) in due {
            let Target {
                registry,
                repository,
                tag,
                ..
            } = &candidate.target;
            let place = at(registry, repository, tag);
            let shared_with = match syncer.is_known_to_spare(registry, repository) {
                Some(true) => Vec::new(),
                Some(false) => return None,
                None => self.sharers(&place, &candidate.digest),
            };
            let record = syncer.ledger.read(&slot(&mirror.name, candidate));
            let referrers = record.map(|record| record.own_referrers);
            let referrers = referrers.unwrap_or_default();
            let Some(keepsakes) = self.keepsakes(&place, &candidate.digest, &referrers) else {
                let doubt = Doubt::new(Rule::Undoable, "the manifest is missing".to_owned());
                syncer.hold(mirror, candidate, doubt);
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
        match self.syncer().ledger.tombstone(slot) {
            Some(tombstone) => {
                let (took, is_stopped) = self.settle_beside(slot, &tombstone)?;
                self.syncer().conclude(slot, took);
                Ok(is_stopped)
            }
            None => Ok(false),
        }
    }

    /// The same before anything is copied, and where nothing is pruned.
    pub(super) fn heal_interrupted(&mut self, is_meant: impl Fn(&Slot) -> bool) -> Result<(), End> {
        let mirror = self.members[self.me].mirror.clone();
        let syncer = self.process.syncer.clone();
        for (slot, record) in syncer.begun(&mirror, &is_meant) {
            let here = mirror.destination(&slot.page.destination);
            let Some(registry) = here.map(|here| &here.registry) else {
                continue;
            };
            let place = at(registry, &slot.page.repository, &slot.tag);
            if record.registry.as_ref() == Some(registry) && self.ask(&place).is_none() {
                syncer.ledger.disown(&slot);
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
        let unseen = self.syncer().ledger.deleted(&mirror.name).into_iter();
        for (slot, tombstone) in
            unseen.filter(|(slot, known)| known.took.is_none() && is_meant(slot))
        {
            let here = mirror.destination(&slot.page.destination);
            let is_here = here.is_some_and(|here| here.registry == tombstone.registry);
            if !is_here {
                continue;
            }
            let (took, is_hurt) = self.settle_beside(&slot, &tombstone)?;
            if self.is(Mutant::UnseenIsProof) {
                self.syncer().conclude(&slot, took);
            } else {
                self.syncer().settle_unseen(&slot, took);
            }
            if is_hurt {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// What went along, and whether nothing more may be deleted.
    fn settle_beside(
        &mut self,
        slot: &Slot,
        tombstone: &Tombstone,
    ) -> Result<(Option<Took>, bool), End> {
        let syncer = self.process.syncer.clone();
        let (registry, repository) = (&tombstone.registry, &slot.page.repository);
        if syncer.is_known_to_spare(registry, repository) == Some(true) {
            return Ok((Some(Took::Tag), false));
        }
        self.step()?;
        let place = at(registry, repository, &slot.tag);
        let mut lost = syncer.may_be_lost(slot, tombstone);
        lost.retain(|name| !self.finds(&place, name));
        if lost.is_empty() {
            let is_deleted = !self.registry.contains_key(&place);
            return Ok((is_deleted.then_some(Took::Tag), false));
        }
        let took = syncer.learn(registry, &tags(&lost));
        self.tell(|| format!("{place:?} took along {lost:?}"));
        let is_stopped = took == Took::OtherTags;
        if !self.bring_back(&place, slot, tombstone)? {
            return Ok((None, true));
        }
        for name in lost {
            self.step()?;
            if let TagOrDigest::Tag(tag) = name {
                let other = at(registry, repository, &tag);
                if !self.registry.contains_key(&other) {
                    // What was deleted under another name of the registry comes back, too: as a push of ours.
                    if self.is_about_to_go(&other, &tombstone.digest) {
                        let push = (self.me, other.clone(), tombstone.digest.clone());
                        self.notes.seen.insert(push);
                    }
                    self.put_tag(&other, &tombstone.digest);
                }
            }
        }
        Ok((Some(took), is_stopped))
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
        let keepsakes = self.syncer().ledger.keepsakes(&slot.page);
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
        let syncer = self.process.syncer.clone();
        let deleted = syncer.deleted_tags(&mirror);
        if deleted.is_empty() {
            return Ok(());
        }
        let (slot, tombstone) = &deleted[self.random.index(deleted.len())];
        let record = |copied_at| crate::sync::prune::restore::record(tombstone, copied_at);
        self.tell(|| format!("restore {slot:?}"));
        syncer.ledger.write(slot.clone(), record(None));
        self.step()?;
        self.flush()?;
        let restored = self.restore_one(slot, tombstone)?;
        self.step()?;
        match restored {
            Some(is_pushed) => {
                let copied_at = is_pushed.then(|| syncer.pruner.now());
                let record = Record {
                    adopted: !is_pushed,
                    ..record(copied_at)
                };
                syncer.ledger.write(slot.clone(), record);
            }
            None => syncer.ledger.disown(slot),
        }
        self.flush()
    }

    /// Whether it was pushed, if it is there.
    fn restore_one(&mut self, slot: &Slot, tombstone: &Tombstone) -> Result<Option<bool>, End> {
        let mirror = self.mirror();
        let here = mirror.destination(&slot.page.destination);
        if here.is_none_or(|here| here.registry != tombstone.registry) {
            return Ok(None);
        }
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
