// SPDX-License-Identifier: Apache-2.0

//! What copying shares in the process.

use std::time::Duration;

use super::blobs::Blobs;
use super::fallback::FallbackTags;
use super::image::Shared;
use super::manifests::Manifests;
use super::pipe::Origin;
use super::progress::Progress;
use super::referrers::Finder;
use super::stored::Stored;
use crate::oci::Tag;

/// How long one slow destination may hold up the others with a blob, before it is left to itself.
const PATIENCE: Duration = Duration::from_secs(10);

/// Copies images. One for each process, so that everything is shared that may be.
pub struct Engine {
    pub(super) shared: Shared,
    pub(super) manifests: Manifests,
    pub(super) finder: Finder,
}

// === impl Engine ===

impl Engine {
    /// An engine that reports what it does to `progress`.
    pub fn new(progress: Progress) -> Self {
        Self::with_patience(progress, PATIENCE)
    }

    /// The same, in which one slow destination holds up the others for at most so long, blob by blob.
    pub fn with_patience(progress: Progress, patience: Duration) -> Self {
        Self {
            shared: Shared {
                blobs: Blobs::new(progress, patience),
                manifests: Stored::default(),
                fallback_tags: FallbackTags::default(),
            },
            manifests: Manifests::default(),
            finder: Finder::default(),
        }
    }

    /// Forgets what may have changed at sources and destinations since the last round.
    pub fn begin_round(&self) {
        self.finder.forget();
        self.shared.manifests.forget_all();
    }

    /// Takes over the tag list of a source repository, so that it is not read again for referrers.
    pub fn learn_tags(&self, origin: &Origin, tags: &[Tag]) {
        self.finder.learn_tags(origin, tags);
    }
}
