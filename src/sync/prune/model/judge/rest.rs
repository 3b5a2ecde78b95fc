// SPDX-License-Identifier: Apache-2.0

//! Where everything ends once nothing happens any more but rounds.

use std::time::Duration;

use super::must;
use crate::api::image_mirror::AdoptedTags;
use crate::api::mirrored_repository::Took;
use crate::oci::Digest;
use crate::plan::SourceImage;
use crate::sync::ledger::{Page, Record, Slot};
use crate::sync::prune::model::known::{
    At, Image, KNOWN_REPOSITORIES, KNOWN_TAGS, MIRRORS, MIRRORS_OF_ONE_PRUNE, TAGS,
};
use crate::sync::prune::model::takes::Takes;
use crate::sync::prune::model::world::{Use, World};

const DAY: Duration = Duration::from_secs(25 * 60 * 60);

impl World {
    /// Nothing happens any more but rounds, and enough of them.
    pub(in crate::sync::prune::model) fn come_to_rest(&mut self) {
        self.restart();
        self.cut.clear();
        (self.old_list, self.past) = (None, None);
        for member in &mut self.members {
            // The first two of all prunes have no limits.
            let includes = member.mirror.prune.adopted == AdoptedTags::Include;
            let prune = usize::from(includes) * MIRRORS_OF_ONE_PRUNE;
            let mut mirror = (*MIRRORS[prune + member.index % MIRRORS_OF_ONE_PRUNE]).clone();
            mirror.name.clone_from(&member.mirror.name);
            mirror.destinations.clone_from(&member.mirror.destinations);
            member.mirror = mirror.into();
            member.is_suspended = false;
        }
        self.is_quiet = true;
        let began = self.passed();
        for turn in 0..5 {
            for me in 0..self.members.len() {
                self.me = me;
                self.round();
            }
            self.judge_undo();
            if turn < 4 {
                self.wait(DAY);
            }
        }
        for me in 0..self.members.len() {
            self.me = me;
            self.judge_rest();
        }
        self.judge_taken();
        if self.members.len() == 1 {
            self.judge_signatures(began);
        }
    }

    fn judge_rest(&self) {
        // One in conflict writes nothing, and two names of one tag may belong to two images.
        if !self.member().is_stalled {
            for (place, (source, digest)) in &self.member().known {
                let found = self.registry.get(place);
                must(found == Some(digest), || {
                    format!("{place:?} is not what {source:?} is: {found:?}")
                });
            }
        }
        if self.members.len() > 1 || self.is_stopped_for_good() {
            return;
        }
        for (place, digest) in &self.registry {
            let slot = Slot {
                page: Page {
                    mirror: self.mirror().name.clone(),
                    destination: "eu".to_owned(),
                    repository: place.1.0.clone(),
                },
                tag: place.1.1.clone(),
            };
            let record = self.kept(&slot.page, |leaf| leaf.records.get(&slot.tag).cloned());
            let record = record.filter(|record| place.0 == 0 && record.digest == *digest);
            // What is not on record is somebody else's.
            if let Some(record) = record {
                let is_kept = self.is_kept(place, digest, &slot, &record);
                must(is_kept, || format!("nothing keeps {place:?}"));
            }
        }
    }

    fn is_kept(&self, place: &At, digest: &Digest, slot: &Slot, record: &Record) -> bool {
        let is_understood =
            record.registry.is_some() && SourceImage::read(&record.source).is_some();
        !is_understood
            || self.wants(&place.1)
            || self.may_be_used(place, digest)
            || (record.adopted && self.mirror().prune.adopted == AdoptedTags::Keep)
            || self.is_retained_by_name(&slot.tag)
            || self.is_retained_by_age(slot)
            || self.has_sibling(slot)
            || self.takes_others_along()
    }

    /// Whether nothing more is deleted at the first registry, because it was seen to take other tags along.
    fn takes_others_along(&self) -> bool {
        let leaves = self.durable.leaves.lock().unwrap();
        let mut tombstones = leaves.values().flat_map(|leaf| leaf.deleted.values());
        self.takes[0] == Takes::OtherTags
            || tombstones.any(|known| known.took == Some(Took::OtherTags))
    }

    /// Whether the same tag stands on record of a destination that is not there any more: nothing deletes that one.
    fn has_sibling(&self, slot: &Slot) -> bool {
        let leaves = self.durable.leaves.lock().unwrap();
        leaves.iter().any(|(page, leaf)| {
            let is_other = page.mirror == slot.page.mirror
                && page.destination != slot.page.destination
                && page.repository == slot.page.repository;
            is_other && leaf.records.contains_key(&slot.tag)
        })
    }

    /// A node may fetch a tag of any host through another one.
    fn may_be_used(&self, place: &At, digest: &Digest) -> bool {
        let mut used = self.workloads.values();
        used.any(|(_, used)| match used {
            Use::Tag(_, used) => *used == place.1,
            Use::Image(used) => used == digest,
        })
    }

    /// Whether one of the two newest tags on record is kept for that. The tag with a suffix is a variant.
    fn is_retained_by_age(&self, slot: &Slot) -> bool {
        let retain = self.retain();
        if retain.is_some_and(|retain| retain.younger_than.is_some()) {
            return true;
        }
        let count = retain.and_then(|retain| retain.newest).unwrap_or_default();
        let is_variant = |tag: &str| tag.ends_with("-keep");
        let tags = TAGS.iter().rev();
        let known = |tag: &str| {
            self.kept(&slot.page, |leaf| {
                leaf.records.keys().any(|known| known.as_str() == tag)
            })
        };
        let newest =
            tags.filter(|tag| is_variant(tag) == is_variant(slot.tag.as_str()) && known(tag));
        newest.take(count).any(|tag| *tag == slot.tag.as_str())
    }

    /// Nothing is deleted while nothing of a repository is selected.
    fn is_stopped_for_good(&self) -> bool {
        KNOWN_REPOSITORIES.iter().any(|repository| {
            let mut tags = KNOWN_TAGS.iter();
            self.mirror().names(repository)
                && !tags.any(|tag| self.wants(&(repository.clone(), tag.clone())))
        })
    }

    /// What went long enough ago, while nothing failed, has left no signature.
    fn judge_signatures(&self, began: Duration) {
        if self.is_stopped_for_good() || self.takes_others_along() {
            return;
        }
        let deletions = self.notes.deletions.iter();
        for ((registry, repository, image), deleted) in
            deletions.filter(|(image, _)| !self.notes.abandoned.contains(image))
        {
            let is_long_ago = self.passed().saturating_sub(*deleted) > 2 * DAY;
            let is_needed =
                self.is_tagged(*registry, repository, image) || self.is_used_by_any(image);
            if *deleted > began && is_long_ago && !is_needed {
                let tag = Image::of(image).signature.0.clone();
                let signature = (*registry, (repository.clone(), tag));
                let is_gone = !self.registry.contains_key(&signature);
                must(is_gone, || format!("{signature:?} is left"));
            }
        }
    }

    /// Whether a workload uses the image, or any tag: that may be the one that named it.
    fn is_used_by_any(&self, image: &Digest) -> bool {
        let mut used = self.workloads.values();
        used.any(|(_, used)| matches!(used, Use::Tag(..)) || *used == Use::Image(image.clone()))
    }
}
