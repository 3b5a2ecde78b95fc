// SPDX-License-Identifier: Apache-2.0

//! How a host takes blobs, as far as it turned out: mounts, one PUT or a PATCH, parts of blobs.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed};

use super::profile::{Profile, UploadMode};

/// So many mounts in a row that were refused mean that none will be granted.
const REFUSED_MOUNTS: u32 = 4;

/// What a host turned out to do with blobs. Facts are learned one at a time and none depends on another.
#[derive(Debug)]
pub(super) struct Habits {
    refused_mounts: AtomicU32,
    refused_own_mounts: AtomicU32,
    /// It says that it takes no blob in one PUT.
    needs_patch: AtomicBool,
    /// It failed at a blob in one PUT, and a PATCH has not failed since.
    fails_at_put: AtomicBool,
    /// It has taken a blob in one PUT.
    takes_put: AtomicBool,
    /// The most bytes that it takes at once; none where that is not known to be too little for any blob.
    chunk: AtomicU64,
    ignores_range: AtomicBool,
    gives_whole_blobs: AtomicBool,
}

/// Where a blob is to be mounted from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum MountFrom {
    /// The very repository that it is mounted into, to find out whether it is there.
    Itself,
    /// Another repository.
    Another,
}

// === impl Habits ===

impl Habits {
    /// What the profile of the host says.
    pub(super) fn new(profile: &Profile) -> Self {
        Self {
            refused_mounts: AtomicU32::new(0),
            refused_own_mounts: AtomicU32::new(0),
            needs_patch: AtomicBool::new(profile.upload_mode == UploadMode::PatchPut),
            fails_at_put: AtomicBool::new(false),
            takes_put: AtomicBool::new(false),
            chunk: AtomicU64::new(u64::MAX),
            ignores_range: AtomicBool::new(false),
            gives_whole_blobs: AtomicBool::new(false),
        }
    }

    /// Whether a mount is worth a try.
    pub(super) fn can_mount(&self, from: MountFrom) -> bool {
        self.refused_mounts_of(from).load(Relaxed) < REFUSED_MOUNTS
    }

    /// It understood a mount, granted or not.
    pub(super) fn learn_mount_understood(&self, from: MountFrom) {
        self.refused_mounts_of(from).store(0, Relaxed);
    }

    /// It refused a mount.
    pub(super) fn learn_mount_refused(&self, from: MountFrom) {
        self.refused_mounts_of(from).fetch_add(1, Relaxed);
    }

    /// It knows no mounts at all.
    pub(super) fn learn_no_mounts(&self) {
        for from in [MountFrom::Itself, MountFrom::Another] {
            self.refused_mounts_of(from).store(REFUSED_MOUNTS, Relaxed);
        }
    }

    fn refused_mounts_of(&self, from: MountFrom) -> &AtomicU32 {
        match from {
            MountFrom::Itself => &self.refused_own_mounts,
            MountFrom::Another => &self.refused_mounts,
        }
    }

    /// How it takes blobs.
    pub(super) fn upload_mode(&self) -> UploadMode {
        let fails_at_put = self.fails_at_put.load(Relaxed) && !self.takes_put.load(Relaxed);
        if self.needs_patch.load(Relaxed) || fails_at_put {
            UploadMode::PatchPut
        } else {
            UploadMode::Put
        }
    }

    /// It does not take a blob in one PUT.
    pub(super) fn learn_needs_patch(&self) {
        self.needs_patch.store(true, Relaxed);
    }

    /// It took a blob in one PUT.
    pub(super) fn learn_takes_put(&self) {
        self.takes_put.store(true, Relaxed);
    }

    /// It failed at a blob that came so. Where it never took one in one PUT, the other way is tried next.
    pub(super) fn learn_failed_at(&self, mode: UploadMode) {
        self.fails_at_put.store(mode == UploadMode::Put, Relaxed);
    }

    /// How much of a blob is sent at once, where that is not all of it.
    pub(super) fn chunk(&self) -> Option<u64> {
        Some(self.chunk.load(Relaxed)).filter(|chunk| *chunk < u64::MAX)
    }

    /// It takes no more at once than so many bytes.
    pub(super) fn learn_chunk(&self, chunk: u64) {
        self.chunk.fetch_min(chunk, Relaxed);
    }

    /// Whether it gives a part of a blob when asked for it.
    pub(super) fn understands_range(&self) -> bool {
        !self.ignores_range.load(Relaxed)
    }

    /// It answered a request for a part with another part.
    pub(super) fn learn_ignores_range(&self) {
        self.ignores_range.store(true, Relaxed);
    }

    /// Whether the last byte of a blob costs no more than that.
    pub(super) fn may_give_last_bytes(&self) -> bool {
        self.understands_range() && !self.gives_whole_blobs.load(Relaxed)
    }

    /// It answered a request for the last byte of a blob with all of it.
    pub(super) fn learn_gives_whole_blobs(&self) {
        self.gives_whole_blobs.store(true, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_patch_is_tried_where_no_put_ever_worked() {
        let modes = |learn: &[fn(&Habits)]| {
            let habits = Habits::new(Profile::of("registry.test"));
            let mode = |learn: &fn(&Habits)| {
                learn(&habits);
                habits.upload_mode()
            };
            learn.iter().map(mode).collect::<Vec<_>>()
        };
        let put_fails: fn(&Habits) = |habits| habits.learn_failed_at(UploadMode::Put);
        let patch_fails: fn(&Habits) = |habits| habits.learn_failed_at(UploadMode::PatchPut);
        let (put, patch) = (UploadMode::Put, UploadMode::PatchPut);
        assert_eq!(
            modes(&[put_fails, patch_fails, put_fails]),
            [patch, put, patch]
        );
        assert_eq!(modes(&[Habits::learn_takes_put, put_fails]), [put, put]);
        assert_eq!(modes(&[put_fails, Habits::learn_takes_put]), [patch, put]);
        assert_eq!(
            modes(&[Habits::learn_needs_patch, patch_fails]),
            [patch, patch]
        );
    }
}
