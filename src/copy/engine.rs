// SPDX-License-Identifier: Apache-2.0

//! What copying shares in the process.

use std::time::Duration;

use super::blobs::Blobs;
use super::endpoint::Place;
use super::fallback::FallbackTags;
use super::image::Shared;
use super::manifests::Manifests;
use super::pipe::Origin;
use super::progress::Progress;
use super::referrers::Finder;
use super::stored::Stored;
use crate::oci::{Repository, Tag};

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

    /// Forgets what may have changed in one repository since the last round. What the rounds that run know of others
    /// stays.
    pub fn look_anew(&self, place: &Place, repository: &Repository) {
        self.finder.forget_in(place, repository);
        self.shared.manifests.forget_in(place, repository);
    }

    /// Takes over the tag list of a source repository, so that it is not read again for referrers.
    pub fn learn_tags(&self, origin: &Origin, tags: &[Tag]) {
        self.finder.lists.learn(origin, tags);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::copy::Endpoint;
    use crate::layout::Layout;
    use crate::oci::Digest;

    fn origin(repository: &str) -> Origin {
        Origin {
            endpoint: Endpoint::Layout(Layout::open("/nowhere".into())),
            repository: repository.parse().unwrap(),
        }
    }

    #[tokio::test]
    async fn a_look_at_one_repository_leaves_what_is_known_of_others() {
        let engine = Engine::new(Progress::none());
        let digest: Digest = format!("sha256:{}", "a".repeat(64)).parse().unwrap();
        let tag = Tag::of_referrers(&digest, ".sig").unwrap();
        let (own, other) = (origin("own"), origin("other"));
        for origin in [&own, &other] {
            engine.learn_tags(origin, std::slice::from_ref(&tag));
            engine.finder.named.learn(origin, &tag, &digest);
            let place = origin.endpoint.place();
            let slot = engine
                .shared
                .manifests
                .slot(&place, &origin.repository, &digest);
            *slot.lock().await = Some(true);
        }
        engine.look_anew(&own.endpoint.place(), &own.repository);
        for (origin, is_known) in [(&own, false), (&other, true)] {
            assert_eq!(engine.finder.lists.known(origin).is_some(), is_known);
            let named = engine.finder.named.get(origin, &tag);
            assert_eq!(named.is_some(), is_known);
            let place = origin.endpoint.place();
            let slot = engine
                .shared
                .manifests
                .slot(&place, &origin.repository, &digest);
            assert_eq!(slot.lock().await.is_some(), is_known);
        }
        // What somebody writes keeps its one task.
        let place = other.endpoint.place();
        let slot = engine
            .shared
            .manifests
            .slot(&place, &other.repository, &digest);
        engine.look_anew(&place, &other.repository);
        let again = engine
            .shared
            .manifests
            .slot(&place, &other.repository, &digest);
        assert!(std::sync::Arc::ptr_eq(&slot, &again));
    }
}
