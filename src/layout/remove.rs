// SPDX-License-Identifier: Apache-2.0

//! Taking tags and manifests out of `index.json`.
//!
//! Blobs are never removed, those of manifests included: another tag, another index or a tool of the
//! user may need them, and a tag that is missed is brought back in no time. What nothing leads to
//! any more is for a tool that collects garbage.

use std::sync::Arc;

use super::Error;
use super::blocking::blocking;
use super::index::Index;
use super::marker::{self, INDEX};
use super::store::Store;
use crate::oci::{Descriptor, Digest, Tag};

/// What became of something that was to be deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Deletion {
    /// It is listed no more.
    Deleted,
    /// It was not listed.
    Missing,
    /// The tag stands for another manifest by now: it is left alone.
    Moved,
}

/// Deletes a tag as long as it stands for `expected`.
pub(super) async fn delete_tag(
    store: Arc<Store>,
    tag: Tag,
    expected: Digest,
) -> Result<Deletion, Error> {
    change(store, move |store, index| {
        let entries = index.tagged(&tag).map(|entry| &entry.descriptor.digest);
        match entries.collect::<Vec<_>>().as_slice() {
            [] => return Ok(Deletion::Missing),
            found if found.iter().any(|digest| **digest != expected) => return Ok(Deletion::Moved),
            _ => {}
        }
        // What cannot be read is not thrown out either.
        let is_referrer = |listed: &Descriptor| store.is_referrer(listed).unwrap_or(true);
        index.untag(&tag, is_referrer);
        Ok(Deletion::Deleted)
    })
    .await
}

/// Deletes a manifest and with it every tag that stands for it.
pub(super) async fn delete_manifest(store: Arc<Store>, digest: Digest) -> Result<Deletion, Error> {
    change(store, move |_, index| {
        if !index.lists(&digest) {
            return Ok(Deletion::Missing);
        }
        index.remove(&digest);
        Ok(Deletion::Deleted)
    })
    .await
}

/// Changes the index of a layout that exists; of one that does not, nothing is missed.
async fn change(
    store: Arc<Store>,
    delete: impl FnOnce(&Store, &mut Index) -> Result<Deletion, Error> + Send + 'static,
) -> Result<Deletion, Error> {
    let turn = Arc::clone(&store.turn).lock_owned().await;
    blocking(move || {
        let _turn = turn;
        match store.read_index() {
            Err(Error::NoLayout { .. }) => return Ok(Deletion::Missing),
            listed => drop(listed?),
        }
        store.prepare()?;
        store.require_writable()?;
        let _lock = marker::lock(&store.directory)?;
        let before = store.read_index()?;
        let mut index = Index::clone(&before);
        let deletion = delete(&store, &mut index)?;
        if index != *before {
            let target = store.directory.join(INDEX);
            store.replace(&target, &index.render())?;
        }
        Ok(deletion)
    })
    .await
}
