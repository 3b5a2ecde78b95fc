// SPDX-License-Identifier: Apache-2.0

//! Brings back the manifests of a deleted tag from what is on record: a registry's garbage collection may have
//! taken them.

use std::collections::{BTreeMap, BTreeSet};

use futures::{StreamExt, TryStreamExt, stream};

use super::survey::LOOKS;
use crate::copy::Endpoint;
use crate::copy::endpoint::Error;
use crate::oci::manifest::ManifestError;
use crate::oci::{Digest, Manifest, Repository, TagOrDigest};
use crate::sync::ledger::{Keepsakes, Tombstone, needed};

/// Manifests that could not be brought back.
#[derive(Debug, thiserror::Error)]
pub(super) enum UndoError {
    /// The registry failed, or refused them.
    #[error("{0}")]
    Endpoint(#[from] Error),
    /// What they are made of is gone.
    #[error("the blob {0} is gone")]
    BlobGone(Digest),
    /// What is on record is not what it says.
    #[error("what is on record of {0} is damaged: {1}")]
    Damaged(Digest, ManifestError),
    /// It was pushed again, and is not there.
    #[error("{0} was pushed again and is not there")]
    Unseen(TagOrDigest),
}

impl UndoError {
    /// Whether the registry does not have all that the manifests need.
    pub(super) fn is_lost(&self) -> bool {
        match self {
            Self::BlobGone(_) => true,
            Self::Endpoint(error) => error.is_not_found() || error.missing().is_some(),
            Self::Damaged(..) | Self::Unseen(_) => false,
        }
    }
}

/// Pushes what is missing of the manifests of a deleted tag, by their digests, and gives the one that the tag
/// named. Of what is not on record the registry may still have all.
///
/// Blobs are looked up first: some registries take a manifest whose blobs they have no more. What an index
/// lists is not: of one that is kept with some of its platforms only, others are missing by right.
pub(super) async fn bring_back(
    endpoint: &Endpoint,
    repository: &Repository,
    tombstone: &Tombstone,
    keepsakes: &Keepsakes,
) -> Result<Manifest, UndoError> {
    let mut known = BTreeMap::new();
    let mut missing = Vec::new();
    for (digest, keepsake) in needed(tombstone, keepsakes) {
        let name = TagOrDigest::Digest(digest.clone());
        let is_there = endpoint.resolve(repository, &name, None).await?.is_some();
        match keepsake.manifest(digest) {
            Ok(manifest) => {
                if !is_there {
                    missing.push((name, manifest.clone()));
                }
                known.insert(digest, manifest);
            }
            Err(_) if is_there => {}
            Err(error) => return Err(UndoError::Damaged(digest.clone(), error)),
        }
    }
    look_for_blobs(endpoint, repository, known.values()).await?;
    for (name, manifest) in &missing {
        endpoint.put_manifest(repository, name, manifest).await?;
    }
    if let Some(manifest) = known.remove(&tombstone.digest) {
        return Ok(manifest);
    }
    let name = TagOrDigest::Digest(tombstone.digest.clone());
    Ok(endpoint.fetch_manifest(repository, &name).await?)
}

async fn look_for_blobs(
    endpoint: &Endpoint,
    repository: &Repository,
    manifests: impl Iterator<Item = &Manifest>,
) -> Result<(), UndoError> {
    let stored = manifests
        .flat_map(Manifest::blobs)
        .filter(|blob| !blob.media_type.is_foreign_layer());
    let blobs: BTreeSet<&Digest> = stored.map(|blob| &blob.digest).collect();
    let looks: Vec<_> = blobs
        .into_iter()
        .map(|digest| async move {
            if endpoint.has_blob(repository, digest).await? {
                Ok(())
            } else {
                Err(UndoError::BlobGone(digest.clone()))
            }
        })
        .collect();
    stream::iter(looks)
        .buffer_unordered(LOOKS)
        .try_collect()
        .await
}
