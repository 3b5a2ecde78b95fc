// SPDX-License-Identifier: Apache-2.0

//! Storing manifests: the blob first, then the entry in `index.json`.
//!
//! Every change of the index writes and syncs the whole file. So whoever has the turn stores what
//! the others wait to store as well, and a thousand tags that are put at once cost a few writes.

use std::mem;
use std::sync::{Arc, PoisonError};

use tokio::sync::oneshot;

use super::blocking::blocking;
use super::index::Index;
use super::marker::{self, INDEX};
use super::store::{Put, Store};
use super::{Error, files};
use crate::oci::{Content, Descriptor, Digest, Manifest, TagOrDigest, limits};

/// Stores a manifest, perhaps along with those of others. Where the caller stops waiting before
/// it began, it is not stored.
pub(super) async fn put_manifest(
    store: Arc<Store>,
    target: TagOrDigest,
    manifest: Manifest,
) -> Result<(), Error> {
    let (done, mut result) = oneshot::channel();
    store.queue().push(Put {
        target,
        manifest,
        done,
    });
    let turn = Arc::clone(&store.turn).lock_owned().await;
    if let Ok(result) = result.try_recv() {
        return result;
    }
    blocking(move || {
        // Held to the end of the job, which goes on where the caller does not wait for it.
        let _turn = turn;
        store.store_queued();
        Ok(())
    })
    .await?;
    result.await.unwrap_or(Err(Error::Stopped))
}

impl Store {
    fn store_queued(&self) {
        let queued = mem::take(&mut *self.queue());
        let wanted: Vec<Put> = queued
            .into_iter()
            .filter(|put| !put.done.is_closed())
            .collect();
        let outcome = self.store_all(&wanted);
        for (place, put) in wanted.into_iter().enumerate() {
            let result = match &outcome {
                Ok(results) => results.get(place).cloned().unwrap_or(Ok(())),
                Err(error) => Err(error.clone()),
            };
            // Nobody waits any more: then nobody asks either.
            let _ = put.done.send(result);
        }
    }

    /// One result for each manifest, or the error that all of them met.
    fn store_all(&self, wanted: &[Put]) -> Result<Vec<Result<(), Error>>, Error> {
        self.prepare()?;
        self.require_writable()?;
        let _lock = marker::lock(&self.directory)?;
        let before = self.read_index()?;
        let mut index = Index::clone(&before);
        let results = wanted
            .iter()
            .map(|put| self.store(&mut index, &put.target, &put.manifest))
            .collect();
        if index != *before {
            let target = self.directory.join(INDEX);
            self.replace(&target, &index.render())?;
        }
        Ok(results)
    }

    fn store(
        &self,
        index: &mut Index,
        target: &TagOrDigest,
        manifest: &Manifest,
    ) -> Result<(), Error> {
        let is_new = self.write_manifest(manifest)?;
        // What cannot be read is not thrown out either.
        let is_referrer = |listed: &Descriptor| self.is_referrer(listed).unwrap_or(true);
        match target {
            TagOrDigest::Tag(tag) => index.tag(manifest, tag, is_referrer),
            TagOrDigest::Digest(digest) if index.lists(digest) => {}
            TagOrDigest::Digest(digest) => {
                // A manifest that came just now cannot be below an index that is complete.
                let is_root =
                    is_new || manifest.subject().is_some() || !self.is_below_any(index, digest)?;
                if is_root {
                    index.append(manifest);
                }
            }
        }
        if let Content::Index(content) = manifest.content() {
            index.remove_untagged(|listed| {
                let mut children = content.manifests.iter();
                children.any(|child| child.digest == listed.digest) && !is_referrer(listed)
            });
        }
        Ok(())
    }

    /// Writes the blob of a manifest, and says whether it was not there.
    fn write_manifest(&self, manifest: &Manifest) -> Result<bool, Error> {
        let path = self.blob_path(manifest.digest());
        // A damaged one may be longer than any manifest: it is replaced.
        let is_there = files::read_bounded(&path, limits::MANIFEST_BYTES)
            .is_ok_and(|found| found.is_some_and(|found| found == *manifest.bytes()));
        if !is_there {
            self.make_blob_directory(manifest.digest())?;
            self.replace(&path, manifest.bytes())?;
        }
        Ok(!is_there)
    }

    fn is_below_any(&self, index: &Index, digest: &Digest) -> Result<bool, Error> {
        for entry in index.entries() {
            if self.is_below(&entry.descriptor, digest, limits::INDEX_DEPTH)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn is_below(&self, parent: &Descriptor, digest: &Digest, depth: usize) -> Result<bool, Error> {
        if depth == 0 || !parent.media_type.is_index() {
            return Ok(false);
        }
        let parent = self.read_manifest(&parent.digest, Some(&parent.media_type))?;
        let Some(Content::Index(content)) = parent.as_ref().map(Manifest::content) else {
            return Ok(false);
        };
        for child in &content.manifests {
            if child.digest == *digest || self.is_below(child, digest, depth - 1)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn queue(&self) -> std::sync::MutexGuard<'_, Vec<Put>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
