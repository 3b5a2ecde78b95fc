// SPDX-License-Identifier: Apache-2.0

//! What Transship remembers of the tags that it wrote, from one round to the next.
//!
//! A round works without any memory, by comparing digests. With it, a reduced index is recognised
//! without reading it again, a tag that somebody else overwrote is told from one that moved at the
//! source, and nothing is ever pushed that is not on record.

mod bare_tags;
mod contender;
mod file;
mod file_error;
mod keep;
mod keepsake;
#[cfg(test)]
pub(crate) mod keepsake_samples;
mod leaf;
mod lock;
mod memory;
mod origin;
mod record;
mod records;
mod regular;
mod restorable;
mod slot;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod undo_tests;
mod unique;
mod whereabouts;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

pub use self::bare_tags::BareTagAnswer;
pub use self::contender::{Contender, Rival, Stand, Wanting};
pub use self::file_error::FileError;
pub use self::keep::{Keep, KeepError};
pub use self::keepsake::{Form, Keepsake, Keepsakes};
pub use self::leaf::{Leaf, LeafView};
pub use self::memory::Memory;
pub use self::origin::SetAside;
pub(in crate::sync) use self::record::NEVER;
pub use self::record::{Looked, Ownership, Record, Sight, Tombstone, Verified};
pub(crate) use self::regular::replace;
pub use self::restorable::Restorable;
pub use self::slot::{Page, RecordPlace, Slot};

pub(in crate::sync) use self::keepsake::needed;

use self::file::{StateFile, load};
use crate::oci::{Digest, Registry, Repository, Tag};
use crate::plan::Mirror;
use crate::plan::prune::{Holding, Target, Unwanted};

/// The memory of all mirrors of a process, and where it outlives the process.
pub struct Ledger {
    memory: Memory,
    keep: Option<Arc<dyn Keep>>,
}

// === impl Ledger ===

impl Ledger {
    /// A memory that ends with the process.
    pub fn in_memory() -> Self {
        Self {
            memory: Memory::default(),
            keep: None,
        }
    }

    /// A memory in a file, which need not exist yet, and which nobody else has until this one is dropped.
    pub fn open(path: &Path) -> Result<Self, FileError> {
        Self::open_within(path, Duration::ZERO)
    }

    /// The same, and where another run has the file, this waits for so long.
    pub fn open_within(path: &Path, wait: Duration) -> Result<Self, FileError> {
        let (file, memory) = StateFile::open(path, wait)?;
        Ok(Self {
            memory,
            keep: Some(Arc::new(file)),
        })
    }

    /// What a file remembers at this moment, for a round that writes nothing.
    pub fn look_into(path: &Path) -> Result<Self, FileError> {
        Ok(Self {
            memory: load(path)?.map(Memory::of).unwrap_or_default(),
            keep: None,
        })
    }

    /// Binds what is on record of a mirror to where its destinations are, and says what is set aside because
    /// it is about other places. With `is_moved` that is the mirror's own, too.
    pub fn bind(&self, mirror: &Mirror, is_moved: bool) -> Vec<SetAside> {
        self.memory.bind(mirror, is_moved)
    }

    /// When a plan of a mirror was carried out that a person had approved.
    pub fn spent(&self, mirror: &str, plan: &Digest) -> Option<Timestamp> {
        self.memory.spent(mirror, plan)
    }

    /// Remembers that the approval of a plan is used up, from the next flush on.
    pub fn spend(&self, mirror: &str, plan: &Digest, now: Timestamp) {
        self.memory.spend(mirror, plan, now);
    }

    /// A memory that is kept by others.
    pub fn kept_by(keep: Arc<dyn Keep>) -> Self {
        Self {
            memory: Memory::default(),
            keep: Some(keep),
        }
    }

    /// What is remembered of a tag.
    pub fn read(&self, slot: &Slot) -> Option<Record> {
        self.memory.read(slot)
    }

    /// The source digests that a mirror's tags had, by their images.
    pub fn sources(&self, mirror: &str) -> HashMap<String, Digest> {
        self.memory.sources(mirror)
    }

    /// The tags of a source repository that name lists of what refers to images of a mirror.
    pub fn listed_subjects(&self, mirror: &str, repository: &str) -> HashSet<Tag> {
        self.memory.listed_subjects(mirror, repository)
    }

    /// What tags of a source repository turned out to name for a mirror that are named after a digest.
    pub fn bare_tags(&self, mirror: &str, repository: &str) -> BTreeMap<Tag, BareTagAnswer> {
        self.memory.bare_tags(mirror, repository)
    }

    /// Remembers what such tags name, and forgets of the mirror what is not fresh any more. It outlives the process where
    /// the memory is a file; others ask again.
    pub fn learn_bare_tags(
        &self,
        mirror: &str,
        repository: &str,
        found: BTreeMap<Tag, BareTagAnswer>,
        is_fresh: impl Fn(&BareTagAnswer) -> bool,
    ) {
        self.memory
            .learn_bare_tags((mirror, repository), found, is_fresh);
    }

    /// When the tags of a source repository were first seen; new ones are seen now.
    pub fn first_seen(
        &self,
        source: &str,
        tags: &[Tag],
        now: Timestamp,
    ) -> HashMap<Tag, Timestamp> {
        self.memory.first_seen(source, tags, now)
    }

    /// When a tag was first seen with this digest, as far as that is on record.
    pub fn first_sight(&self, slot: &Slot, source_digest: &Digest) -> Option<Timestamp> {
        self.memory.first_sight(slot, source_digest)
    }

    /// Remembers since when a tag has had a digest that is not copied yet. It stays as it is until
    /// the tag moves, is written, or is forgotten.
    pub fn wait(&self, slot: &Slot, sight: Sight) {
        self.memory.wait(slot, sight);
    }

    /// Forgets what waits for a mirror, but for these tags.
    pub fn wait_only_for(&self, mirror: &str, slots: &BTreeSet<Slot>) {
        self.memory.wait_only_for(mirror, slots);
    }

    /// Remembers a tag. It outlives the process after the next [`Ledger::flush`].
    pub fn write(&self, slot: Slot, record: Record) {
        self.memory.write(slot, record);
    }

    /// All that is remembered of a mirror.
    pub fn leaves(&self, mirror: &str) -> Vec<(Page, Leaf)> {
        self.memory.leaves(mirror)
    }

    /// What is remembered of those repositories of a mirror that are wanted, without the manifests. Nothing else is copied.
    pub fn leaves_where(
        &self,
        mirror: &str,
        is_wanted: impl FnMut(&Page, LeafView<'_>) -> bool,
    ) -> Vec<(Page, Leaf)> {
        self.memory.leaves_where(mirror, is_wanted)
    }

    /// Remembers since when a tag on record is not wanted, or that it is wanted.
    pub fn mark(&self, slot: &Slot, unwanted: Option<Unwanted>) {
        self.memory.mark(slot, unwanted);
    }

    /// Remembers what a tag was that is about to be deleted.
    pub fn bury(&self, slot: &Slot, tombstone: Tombstone) {
        self.memory.bury(slot, tombstone);
    }

    /// Keeps manifests until no deleted tag of the repository needs them.
    pub fn keep(&self, page: &Page, keepsakes: Keepsakes) {
        self.memory.keep(page, keepsakes);
    }

    /// Drops the manifests of a mirror that no deleted tag needs.
    pub fn sweep(&self, mirror: &str) {
        self.memory.sweep(mirror);
    }

    /// How many bytes of manifests may still be kept for a mirror.
    pub fn room(&self, mirror: &str) -> usize {
        self.memory.room(mirror)
    }

    /// The manifests of a repository that are kept.
    pub fn keepsakes(&self, page: &Page) -> Keepsakes {
        self.memory.page(page).keepsakes
    }

    /// What is remembered of a tag that was deleted, or is about to be.
    pub fn tombstone(&self, slot: &Slot) -> Option<Tombstone> {
        self.memory.tombstone(slot)
    }

    /// Whether a registry leaves the manifest of a deleted tag alone in this repository, as far as that is on
    /// record. One that does not anywhere does not here.
    pub fn spares(&self, registry: &Registry, repository: &Repository) -> Option<bool> {
        self.memory.spares(registry, repository)
    }

    /// Forgets what a deleted tag was.
    pub fn forget_deleted(&self, slot: &Slot) {
        self.memory.forget_deleted(slot);
    }

    /// What deleted tags of a repository named, of all mirrors, but for those of this page that are over. What is over of
    /// other pages counts at the registry alone.
    pub fn restorable(
        &self,
        registry: &Registry,
        repository: &Repository,
        besides: (&Page, &HashSet<Slot>),
    ) -> Restorable {
        self.memory.restorable(registry, repository, besides)
    }

    /// The tags of a repository, at any registry, that other mirrors than this one have on record and have
    /// not found unwanted themselves.
    pub fn holdings_besides(&self, mirror: &str, repository: &Repository) -> Vec<Holding> {
        self.memory.holdings_besides(mirror, repository)
    }

    /// Whether another mirror has on record that the tag at this registry may name something else since the last look
    /// that is on record of it.
    pub fn is_overwritten(&self, slot: &Slot, registry: &Registry, own: &Record) -> bool {
        self.memory.is_overwritten(slot, registry, own)
    }

    /// Forgets since when tags of a mirror are not wanted.
    pub fn unmark(&self, mirror: &str) {
        self.memory.unmark(mirror);
    }

    /// The tags of a mirror that were deleted and can be restored, sorted. Those whose deletion has only
    /// begun are still on record, and not among them.
    pub fn deleted(&self, mirror: &str) -> Vec<(Slot, Tombstone)> {
        self.memory.deleted(mirror)
    }

    /// Puts on record that it is not known who wrote a tag.
    pub fn adopt(&self, slot: &Slot) {
        self.memory.adopt(slot);
    }

    /// Whether a mirror has announced pushes that have not been seen to end.
    pub fn has_announced(&self, mirror: &str) -> bool {
        self.memory.has_announced(mirror)
    }

    /// The tags of a mirror whose deletion has begun, and nobody saw whether they went.
    pub fn begun(&self, mirror: &str) -> Vec<(Slot, Tombstone)> {
        self.memory.begun(mirror)
    }

    /// Whether a tag was deleted together with another one of its registry, repository and digest, or after it, by any
    /// mirror. One that somebody had moved to that digest was not: what deletes it saw that, and left it.
    pub fn is_deleted_like(&self, slot: &Slot, other: &Tombstone) -> bool {
        self.memory.is_deleted_like(slot, other)
    }

    /// The tags of a mirror that were deleted without approval since a time, or may have been: nobody saw what came of
    /// it.
    pub fn deleted_since(&self, mirror: &str, since: Timestamp) -> Vec<Target> {
        self.memory.deleted_since(mirror, since)
    }

    /// The deleted tags of a mirror that only count among what was deleted lately.
    pub fn cleared(&self, mirror: &str) -> Vec<Slot> {
        self.memory.cleared(mirror)
    }

    /// Lets go of a deleted tag that cannot be restored any more: it is forgotten unless it was deleted
    /// after `counted`.
    pub fn clear_deleted(&self, slot: &Slot, counted: Timestamp) {
        self.memory.clear_deleted(slot, counted);
    }

    /// Forgets a tag that the mirror does not have any more at its destination.
    pub fn disown(&self, slot: &Slot) {
        self.memory.disown(slot);
    }

    /// Takes over what was kept by an earlier process.
    pub fn restore(&self, page: &Page, leaf: Leaf) {
        self.memory.restore(page, leaf);
    }

    /// Takes over what other processes have on record of a repository at a registry, or at any, all of it. `is_other`
    /// says which mirrors are theirs.
    pub fn see_others(
        &self,
        place: (Option<&Registry>, &Repository),
        found: Vec<(Page, Leaf)>,
        is_other: impl Fn(&str) -> bool,
    ) {
        self.memory.see_others(place, found, is_other);
    }

    /// Who keeps a mirror from writing a tag of a registry, of those mirrors of which `rival` knows how they stand to it.
    pub fn contender(
        &self,
        (place, tag): (&RecordPlace, &Tag),
        wanting: &Wanting<'_>,
        rival: impl Fn(&str) -> Option<Rival>,
    ) -> Option<Contender> {
        self.memory.contender((place, tag), wanting, rival)
    }

    /// The mirror, of those that `is_other` picks, that has begun to delete a tag, or one that may be it.
    pub fn deleter(
        &self,
        at: (&RecordPlace, &Tag),
        digest: &Digest,
        is_other: impl Fn(&str) -> bool,
    ) -> Option<String> {
        self.memory.deleter(at, digest, is_other)
    }

    /// Takes over what other processes kept of a mirror, in place of all that was known of its repositories.
    pub fn replace(&self, mirror: &str, kept: Vec<(Page, Leaf)>) {
        self.memory.replace(mirror, kept);
    }

    /// Says that what was kept of a repository is gone: it is kept again by the next flush.
    pub fn lose(&self, page: Page) {
        self.memory.lose(page);
    }

    /// Drops everything about a mirror that is no more.
    pub fn forget(&self, mirror: &str) {
        self.memory.forget(mirror);
    }

    /// Brings what changed about a mirror to where it outlives the process, as what it owns.
    pub async fn flush(&self, mirror: &Mirror) -> Result<(), KeepError> {
        let Some(keep) = &self.keep else {
            return Ok(());
        };
        let mut changed = self.memory.changed(&mirror.name);
        if !self.memory.take_unkept() && changed.is_empty() {
            return Ok(());
        }
        let pages: Vec<Page> = changed.iter().map(|(page, _)| page.clone()).collect();
        let kept = keep.keep(&self.memory, mirror, &pages).await;
        let is_kept = |page: &Page| match &kept {
            Ok(()) => true,
            Err(error) => error.about(page).is_none(),
        };
        changed.retain(|(page, _)| is_kept(page));
        self.memory.kept(&changed);
        kept
    }
}
