// SPDX-License-Identifier: Apache-2.0

//! What was deleted can be restored, for as long as the grace says, and nothing else went with it for good.

use super::must;
use crate::oci::{Digest, Tag};
use crate::sync::ledger::{Slot, Tombstone};
use crate::sync::prune::model::known::{At, Image, at};
use crate::sync::prune::model::world::World;

impl World {
    /// A mirror has a round with the grace that it has now.
    pub(in crate::sync::prune::model) fn take_note_of_grace(&mut self) {
        let (me, grace) = (self.me, self.mirror().prune.grace.as_std());
        let losses = self.notes.losses.values_mut();
        for loss in losses.filter(|loss| loss.mirror == me) {
            loss.grace = loss.grace.min(grace);
        }
    }

    pub(in crate::sync::prune::model) fn judge_undo(&self) {
        if self.notes.records_lost.is_some() {
            return;
        }
        for (place, loss) in &self.notes.losses {
            let since = self.passed().saturating_sub(loss.at);
            if since >= loss.grace {
                continue;
            }
            let is_kept = self.is_restorable(&loss.slot, &loss.digest)
                && self.are_parts_at_hand(place, &loss.slot, &loss.digest);
            must(is_kept, || format!("{place:?} cannot be restored any more"));
        }
        // What went along although it was about to go itself, when not all was looked at right before, is healed as
        // any other, or can be restored as if it had gone then.
        let taken = self.notes.taken.iter();
        for (place, taken) in taken.filter(|(_, taken)| taken.is_about_to_go) {
            let is_open = self.passed().saturating_sub(taken.at) < taken.grace;
            let is_right = !is_open
                || self.registry.get(place) == Some(&taken.digest)
                || self.can_come_back(place, &taken.digest);
            must(is_right, || {
                format!("{place:?} went along, and cannot be restored any more")
            });
        }
    }

    /// Whether a tag can be restored, or is to be healed, by any record.
    fn can_come_back(&self, place: &At, digest: &Digest) -> bool {
        let leaves = self.durable.leaves.lock().unwrap();
        let mut tombstones = leaves.iter().flat_map(|(page, leaf)| {
            let deleted = leaf.deleted.iter();
            deleted.map(move |(tag, known)| (page, tag, known))
        });
        tombstones.any(|(page, tag, known)| {
            let is_at = |tag: &Tag| at(&known.registry, &page.repository, tag) == *place;
            let is_shared = known.took.is_none() && known.shared_with.iter().any(is_at);
            known.digest == *digest && !known.cleared && (is_at(tag) || is_shared)
        })
    }

    /// A round has come to its end, and nothing failed that heals.
    pub(in crate::sync::prune::model) fn judge_healed(&self) {
        let me = self.me;
        let taken = self.notes.taken.iter();
        for (place, _) in taken
            .filter(|(_, taken)| taken.mirror == me && !taken.is_about_to_go)
            .filter(|_| self.notes.hindered.is_none())
        {
            let found = self.registry.get(place);
            must(found.is_some(), || {
                format!("{place:?} went along, and is not there")
            });
        }
    }

    /// Whether the registry has what the image is made of, or that is on record.
    pub(super) fn are_parts_on_record(&self, slot: &Slot, image: &crate::oci::Digest) -> bool {
        let mut parts = Image::of(image).parts().into_iter();
        self.kept(&slot.page, |leaf| {
            parts.all(|part| leaf.keepsakes.contains_key(part))
        })
    }

    fn are_parts_at_hand(&self, place: &At, slot: &Slot, image: &crate::oci::Digest) -> bool {
        let mut parts = Image::of(image).parts().into_iter();
        let is_there = |part| self.has(place.0, &place.1.0, part);
        self.kept(&slot.page, |leaf| {
            parts.all(|part| is_there(part) || leaf.keepsakes.contains_key(part))
        })
    }

    /// What a person restores within the grace is whole, unless it was gone before anything of the image was deleted here.
    pub(in crate::sync::prune::model) fn judge_restored(
        &self,
        place: &At,
        tombstone: &Tombstone,
        is_whole: bool,
    ) {
        let mut parts = Image::of(&tombstone.digest).parts().into_iter();
        let is_there = parts.all(|part| self.has(place.0, &place.1.0, part));
        let image = (place.0, place.1.0.clone(), tombstone.digest.clone());
        let is_by_others =
            self.notes.records_lost.is_some() || !self.notes.deletions.contains_key(&image);
        let is_right = is_there || !is_whole && is_by_others;
        must(is_right, || format!("{place:?} is restored in part"));
    }

    /// What went along with deleted tags is there again.
    pub(in crate::sync::prune::model) fn judge_taken(&self) {
        let taken = self.notes.taken.iter();
        for (place, taken) in taken.filter(|(_, taken)| !taken.is_about_to_go) {
            let found = self.registry.get(place);
            must(found == Some(&taken.digest), || {
                format!("{place:?} went along, and is {found:?}")
            });
        }
    }
}
