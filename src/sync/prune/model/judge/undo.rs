// SPDX-License-Identifier: Apache-2.0

//! What was deleted can be restored, for as long as the grace says, and nothing else went with it for good.

use super::must;
use crate::sync::ledger::{Slot, Tombstone};
use crate::sync::prune::model::known::{At, Image};
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
        if self.notes.are_records_lost {
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

    /// What a person restores within the grace is whole.
    pub(in crate::sync::prune::model) fn judge_restored(
        &self,
        place: &At,
        tombstone: &Tombstone,
        is_whole: bool,
    ) {
        let mut parts = Image::of(&tombstone.digest).parts().into_iter();
        let is_there = parts.all(|part| self.has(place.0, &place.1.0, part));
        let is_right = is_there || !is_whole && self.notes.are_records_lost;
        must(is_right, || format!("{place:?} is restored in part"));
    }

    /// What went along with deleted tags is there again.
    pub(in crate::sync::prune::model) fn judge_taken(&self) {
        for (place, taken) in &self.notes.taken {
            let found = self.registry.get(place);
            must(found == Some(&taken.digest), || {
                format!("{place:?} went along, and is {found:?}")
            });
        }
    }
}
