//! What must be true, told without the code that decides.

use std::time::Duration;

use super::known::{
    KNOWN_IMAGES, KNOWN_REPOSITORIES, KNOWN_TAGS, MIRRORS, MIRRORS_OF_ONE_PRUNE, Place, TAGS,
    signature_tag,
};
use super::world::{Use, World};
use crate::api::image_mirror::{AdoptedTags, PruneMode};
use crate::oci::{Digest, Repository, Tag};
use crate::sync::ledger::{Leaf, Slot};

const DAY: Duration = Duration::from_secs(25 * 60 * 60);

impl World {
    /// A tag is about to be deleted.
    pub(super) fn judge_deletion(&self, place: &Place, slot: &Slot) {
        let Leaf {
            records, deleted, ..
        } = self.kept(place);
        let found = &self.registry[place];
        let record = records.get(&place.1);
        let record = record.unwrap_or_else(|| panic!("{slot:?} is not on record"));
        assert_eq!(record.digest, *found, "{slot:?} is somebody else's");
        let may_adopted = self.mirror.prune.adopted == AdoptedTags::Include;
        assert!(!record.adopted || may_adopted, "{slot:?} was there before");
        assert!(!record.is_pending(), "nobody saw {slot:?} being pushed");
        let tombstone = deleted.get(&place.1);
        let is_buried = tombstone.is_some_and(|tombstone| tombstone.digest == *found);
        assert!(is_buried, "{slot:?} cannot be restored");
        assert!(!self.is_used(place, found), "{slot:?} is in use");
        assert!(!self.wants(place), "{slot:?} is wanted");
        let grace = self.mirror.prune.grace.as_std();
        if let Some(wanted) = self.last_wanted.get(place) {
            let unwanted = self.passed().saturating_sub(*wanted);
            assert!(unwanted >= grace, "{slot:?} was wanted {unwanted:?} ago");
        }
        assert!(!self.is_retained_by_name(&place.1), "{slot:?} is retained");
        assert_eq!(self.mirror.prune.mode, PruneMode::Delete);
    }

    /// A signature is about to be deleted.
    pub(super) fn judge_clearing(&self, place: &Place, signature: &Digest) {
        let (repository, tag) = place;
        let mut images = KNOWN_IMAGES.iter().map(|image| &image.digest);
        let image = images.find(|image| signature_tag(image) == *tag);
        let image = image.unwrap_or_else(|| panic!("{place:?} is no signature"));
        assert_eq!(self.registry.get(place), Some(signature));
        assert!(!self.is_tagged(repository, image), "{place:?} is needed");
        assert!(!self.is_image_used(image), "the image of {place:?} is used");
        let deleted = self.deletions.get(&(repository.clone(), image.clone()));
        let deleted = deleted.unwrap_or_else(|| panic!("the image of {place:?} was not deleted"));
        let since = self.passed().saturating_sub(*deleted);
        let grace = self.mirror.prune.grace.as_std();
        assert!(since >= grace, "{place:?} was deleted {since:?} ago");
        assert_eq!(self.mirror.prune.mode, PruneMode::Delete);
    }

    fn is_tagged(&self, repository: &Repository, image: &Digest) -> bool {
        let mut tags = self.registry.iter();
        tags.any(|((of, _), digest)| of == repository && digest == image)
    }

    fn is_image_used(&self, image: &Digest) -> bool {
        let mut used = self.workloads.values();
        used.any(|(_, used)| *used == Use::Image(image.clone()))
    }

    /// So many tags were deleted by one round.
    pub(super) fn judge_brakes(&self, deleted: usize, recorded: usize) {
        let prune = &self.mirror.prune;
        let is_approved = self.plan.is_some() && prune.approved == self.plan;
        let is_little =
            deleted <= prune.max_deletes && deleted * 100 <= recorded * prune.max_percent;
        assert!(is_approved || is_little, "{deleted} of {recorded} at once");
    }

    /// Whether a workload uses the tag, or what it names.
    fn is_used(&self, place: &Place, digest: &Digest) -> bool {
        self.workloads.values().any(|(_, used)| match used {
            Use::Tag(used) => used == place,
            Use::Image(used) => used == digest,
        })
    }

    fn retain(&self) -> Option<&crate::plan::prune::Retention> {
        let entry = self.mirror.images.first()?;
        entry.policies.first()?.retain.as_ref()
    }

    fn is_retained_by_name(&self, tag: &Tag) -> bool {
        let keeps_names = self.retain().is_some_and(|retain| !retain.tags.is_empty());
        keeps_names && tag.as_str().ends_with("-keep")
    }

    /// Whether one of the two newest tags on record is kept for that. The tag with a suffix is a variant.
    fn is_retained_by_age(&self, place: &Place) -> bool {
        let retain = self.retain();
        if retain.is_some_and(|retain| retain.younger_than.is_some()) {
            return true;
        }
        let count = retain.and_then(|retain| retain.newest).unwrap_or_default();
        let Leaf { records, .. } = self.kept(place);
        let is_variant = |tag: &str| tag.ends_with("-keep");
        let tags = TAGS.iter().rev();
        let newest = tags.filter(|tag| {
            is_variant(tag) == is_variant(place.1.as_str())
                && records.keys().any(|known| known.as_str() == **tag)
        });
        newest.take(count).any(|tag| *tag == place.1.as_str())
    }

    /// Nothing happens any more but rounds, and enough of them.
    pub(super) fn come_to_rest(&mut self) {
        self.restart();
        // The first two of all prunes have no limits.
        let includes = self.mirror.prune.adopted == AdoptedTags::Include;
        let prune = usize::from(includes) * MIRRORS_OF_ONE_PRUNE;
        self.mirror = MIRRORS[prune + self.mirror_index % MIRRORS_OF_ONE_PRUNE].clone();
        self.is_quiet = true;
        let began = self.passed();
        for _ in 0..4 {
            self.round();
            self.wait(DAY);
        }
        self.round();
        self.judge_rest();
        self.judge_signatures(began);
    }

    /// What went long enough ago, while nothing failed, has left no signature.
    fn judge_signatures(&self, began: Duration) {
        if self.is_stopped_for_good() {
            return;
        }
        let deletions = self.deletions.iter();
        for ((repository, image), deleted) in
            deletions.filter(|(image, _)| !self.abandoned.contains(image))
        {
            let is_long_ago = self.passed().saturating_sub(*deleted) > 2 * DAY;
            let is_needed = self.is_tagged(repository, image) || self.is_used_by_any(image);
            if *deleted > began && is_long_ago && !is_needed {
                let signature = (repository.clone(), signature_tag(image));
                let found = self.registry.get(&signature);
                assert_eq!(found, None, "{signature:?} is left");
            }
        }
    }

    /// Whether a workload uses the image, or any tag: that may be the one that named it.
    fn is_used_by_any(&self, image: &Digest) -> bool {
        let mut used = self.workloads.values();
        used.any(|(_, used)| matches!(used, Use::Tag(_)) || *used == Use::Image(image.clone()))
    }

    fn judge_rest(&self) {
        for (place, digest) in &self.source {
            if self.wants(place) {
                let found = self.registry.get(place);
                assert_eq!(
                    found,
                    Some(digest),
                    "{place:?} is not what a fresh mirror has"
                );
            }
        }
        if self.is_stopped_for_good() {
            return;
        }
        for (place, digest) in &self.registry {
            let record = self.kept(place).records.get(&place.1).cloned();
            let Some(record) = record.filter(|record| record.digest == *digest) else {
                // Somebody else's.
                continue;
            };
            assert!(KNOWN_IMAGES.iter().any(|image| image.digest == *digest));
            let is_kept = self.wants(place)
                || self.is_used(place, digest)
                || (record.adopted && self.mirror.prune.adopted == AdoptedTags::Keep)
                || self.is_retained_by_name(&place.1)
                || self.is_retained_by_age(place);
            assert!(is_kept, "nothing keeps {place:?}");
        }
    }

    /// Nothing is deleted while nothing of a repository is selected.
    fn is_stopped_for_good(&self) -> bool {
        KNOWN_REPOSITORIES.iter().any(|repository| {
            let mut tags = KNOWN_TAGS.iter();
            self.mirror.names(repository)
                && !tags.any(|tag| self.wants(&(repository.clone(), tag.clone())))
        })
    }
}
