// SPDX-License-Identifier: Apache-2.0

//! Manifests of a source, each read once, and how many of them one image may reach.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::OnceCell;

use super::endpoint::{self, Place};
use super::graph_error::GraphError;
use super::pipe::Origin;
use crate::oci::{Digest, Manifest, Repository, TagOrDigest, limits};
use crate::runtime::memory;

/// Bytes that remembered manifests take, about.
const CACHE_BYTES: usize = 16 * 1024 * 1024;

/// How much an image may still reach: a source that makes up more and more must not fill the memory.
pub(super) struct Room {
    manifests: AtomicU64,
    bytes: AtomicU64,
}

/// Manifests that were read, so that no digest is read twice, and never twice at once.
#[derive(Default)]
pub(super) struct Manifests(Mutex<Cache>);

#[derive(Default)]
struct Cache {
    cells: HashMap<(Place, Repository, Digest), Cell>,
    bytes: usize,
}

/// A manifest that is read by whoever asks first; the others wait for it.
type Cell = Arc<OnceCell<Arc<Manifest>>>;

// === impl Room ===

impl Room {
    pub(super) fn new() -> Self {
        Self {
            manifests: AtomicU64::new(limits::GRAPH_NODES as u64),
            bytes: AtomicU64::new(limits::GRAPH_BYTES),
        }
    }

    /// Makes sure that so many manifests fit in, before they are read.
    pub(super) fn admit(&self, manifests: usize) -> Result<(), GraphError> {
        take(&self.manifests, manifests as u64).ok_or(GraphError::TooMany)
    }

    /// Accounts for a manifest that was read.
    pub(super) fn fill(&self, manifest: &Manifest) -> Result<(), GraphError> {
        take(&self.bytes, manifest.size()).ok_or(GraphError::TooLarge)
    }
}

/// Takes so much of what is left, if it is.
fn take(left: &AtomicU64, amount: u64) -> Option<()> {
    let taken = left.fetch_update(Relaxed, Relaxed, |left| left.checked_sub(amount));
    taken.ok().map(drop)
}

// === impl Manifests ===

impl Manifests {
    /// Reads a manifest by digest.
    pub(super) async fn fetch(
        &self,
        origin: &Origin,
        digest: &Digest,
    ) -> Result<Arc<Manifest>, endpoint::Error> {
        let Origin {
            endpoint,
            repository,
        } = origin;
        let key = (endpoint.place(), repository.clone(), digest.clone());
        let cell = self.lock().cells.entry(key).or_default().clone();
        let mut is_read = false;
        let manifest = cell
            .get_or_try_init(|| async {
                let target = TagOrDigest::Digest(digest.clone());
                let manifest = endpoint.fetch_manifest(repository, &target).await?;
                self.lock().account(manifest.weight());
                is_read = true;
                Ok::<_, endpoint::Error>(Arc::new(manifest))
            })
            .await?;
        if !is_read {
            memory::keep(manifest.weight())?;
        }
        Ok(manifest.clone())
    }

    /// Takes over a manifest that was read by a tag.
    pub(super) fn learn(&self, origin: &Origin, manifest: &Arc<Manifest>) {
        let Origin {
            endpoint,
            repository,
        } = origin;
        let digest = manifest.digest().clone();
        let key = (endpoint.place(), repository.clone(), digest);
        let mut cache = self.lock();
        cache.account(manifest.weight());
        // An error says that it is known already.
        let _ = cache.cells.entry(key).or_default().set(manifest.clone());
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Cache> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Cache {
    fn account(&mut self, bytes: usize) {
        self.bytes += bytes;
        if self.bytes > CACHE_BYTES {
            self.cells.clear();
            self.bytes = bytes;
        }
    }
}
