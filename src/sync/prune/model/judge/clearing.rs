// SPDX-License-Identifier: Apache-2.0

//! A signature is about to be deleted.

use super::must;
use crate::api::image_mirror::PruneMode;
use crate::oci::{Digest, Repository};
use crate::sync::prune::model::known::{At, KNOWN_IMAGES};
use crate::sync::prune::model::world::{Use, World};

impl World {
    pub(in crate::sync::prune::model) fn judge_clearing(&self, place: &At, signature: &Digest) {
        let (registry, (repository, tag)) = place;
        let mut images = KNOWN_IMAGES.iter();
        let image = images.find(|image| image.signature.0 == *tag);
        let image = &image
            .unwrap_or_else(|| panic!("{place:?} is no signature"))
            .digest;
        let is_it = self.registry.get(place) == Some(signature);
        must(is_it, || format!("{place:?} is another one"));
        let is_tagged = self.is_tagged(*registry, repository, image);
        must(!is_tagged, || format!("{place:?} is needed"));
        let is_used = self.is_image_used(image);
        must(!is_used, || format!("the image of {place:?} is used"));
        let deleted = (*registry, repository.clone(), image.clone());
        let seen = self.notes.deletions.get(&deleted);
        let deleted = seen.or_else(|| self.notes.begun.get(&deleted));
        must(deleted.is_some(), || {
            format!("the image of {place:?} was not deleted")
        });
        let since = deleted.map(|deleted| self.passed().saturating_sub(*deleted));
        let grace = self.mirror().prune.grace.as_std();
        // A deletion that somebody took off the record again is not known any more.
        let is_forgotten = self.notes.records_lost >= deleted.copied();
        let is_over = since >= Some(grace) || self.members.len() > 1 || is_forgotten;
        must(is_over, || format!("{place:?} was deleted {since:?} ago"));
        if self.is_shared() && self.notes.records_lost.is_none() {
            self.judge_undo_of(*registry, repository, image);
        }
        must(self.mirror().prune.mode == PruneMode::Delete, || {
            format!("{place:?} is cleared in another mode")
        });
    }

    /// No signature is lost of what a person may still restore, by whatever mirror it was deleted.
    fn judge_undo_of(&self, registry: usize, repository: &Repository, image: &Digest) {
        let losses = self.notes.losses.iter();
        for (place, loss) in losses.filter(|(place, loss)| {
            place.0 == registry && place.1.0 == *repository && loss.digest == *image
        }) {
            let since = self.passed().saturating_sub(loss.at);
            must(since >= loss.grace, || {
                format!("{place:?} may be restored, and its signature goes")
            });
        }
    }

    fn is_image_used(&self, image: &Digest) -> bool {
        let is_looked_at = self.mirror().prune.in_use == crate::api::image_mirror::InUse::Protect;
        let mut used = self.workloads.values();
        is_looked_at && used.any(|(_, used)| *used == Use::Image(image.clone()))
    }
}
