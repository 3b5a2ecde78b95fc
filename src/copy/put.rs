// SPDX-License-Identifier: Apache-2.0

//! Manifests and tags at one destination: stored, and looked at again before anything builds on them.

use futures::stream;

use super::Target;
use super::endpoint::{self, Place, Start};
use super::error::Error;
use super::image::{Content, Push};
use super::stored::Slot;
use crate::oci::{Descriptor, Digest, Manifest, Tag, TagOrDigest};

// === impl Push ===

impl Push<'_> {
    /// Stores a manifest, unless this process did. Says whether the destination lists it among the
    /// referrers of its subject.
    pub(super) async fn put_by_digest(&self, manifest: &Manifest) -> Result<bool, Error> {
        let slot = self.slot(manifest);
        let mut stored = slot.lock().await;
        if let Some(indexed) = *stored {
            return Ok(indexed);
        }
        let target = manifest.digest().clone().into();
        let indexed = self.put(&target, manifest).await?;
        if self.is_doubted() && !self.is_served(&target, manifest).await? {
            self.store_as_blob(manifest).await?;
            self.put(&target, manifest).await?;
        }
        *stored = Some(indexed);
        Ok(indexed)
    }

    /// Stores a manifest, with patience for a registry that does not know yet what it names.
    async fn put(&self, target: &TagOrDigest, manifest: &Manifest) -> Result<bool, Error> {
        let Target {
            endpoint,
            repository,
            ..
        } = self.target;
        let Content { image, .. } = self.content;
        let is_sparse_root = image.is_sparse && manifest.digest() == image.root.digest();
        let mut looks = 0;
        loop {
            let refused = endpoint.put_manifest(repository, target, manifest).await;
            let error = match refused {
                Ok(indexed) => return Ok(indexed),
                Err(error) => error,
            };
            if is_sparse_root && error.is_rejected() {
                return Err(Error::SparseIndex {
                    destination: self.target.name(),
                    error,
                });
            }
            if error.missing().is_none() || !self.lag.pause(looks).await {
                return Err(self.failed(target, error));
            }
            looks += 1;
        }
    }

    /// Lets a tag name a manifest, in place of what it named `before`. An answer of success is not proof:
    /// the tag must be there.
    pub(super) async fn put_tag(
        &self,
        tag: &Tag,
        manifest: &Manifest,
        before: Option<&Digest>,
    ) -> Result<(), Error> {
        let target = TagOrDigest::Tag(tag.clone());
        let slot = self.slot(manifest);
        let mut stored = slot.lock().await;
        *stored = Some(self.put(&target, manifest).await?);
        drop(stored);
        self.read_back(&target, manifest, before).await
    }

    /// Looks whether the destination serves what it confirmed, with patience for one that needs some
    /// seconds until it does.
    pub(super) async fn read_back(
        &self,
        target: &TagOrDigest,
        manifest: &Manifest,
        before: Option<&Digest>,
    ) -> Result<(), Error> {
        let mut looks = 0;
        loop {
            let found = self.find(target).await?;
            if found.as_ref() == Some(manifest.digest()) {
                return Ok(());
            }
            if !self.lag.pause(looks).await {
                return Err(Error::ReadBack {
                    destination: self.target.name(),
                    target: target.clone(),
                    // What was there before says no more than nothing.
                    found: found.filter(|found| Some(found) != before),
                });
            }
            looks += 1;
        }
    }

    async fn is_served(&self, target: &TagOrDigest, manifest: &Manifest) -> Result<bool, Error> {
        Ok(self.find(target).await?.as_ref() == Some(manifest.digest()))
    }

    /// What a tag or digest stands for at the destination that has confirmed it.
    async fn find(&self, target: &TagOrDigest) -> Result<Option<Digest>, Error> {
        let Target {
            endpoint,
            repository,
            ..
        } = self.target;
        endpoint
            .resolve_stored(repository, target)
            .await
            .map_err(|error| self.failed(target, error))
    }

    /// Uploads a manifest like a blob, which distribution writes even where its cache believes that
    /// the content is there: a manifest it only links then.
    async fn store_as_blob(&self, manifest: &Manifest) -> Result<(), Error> {
        let Target {
            endpoint,
            repository,
            ..
        } = self.target;
        let blob = Descriptor::of(manifest.media_type().clone(), manifest.bytes());
        let blob = Descriptor {
            digest: manifest.digest().clone(),
            ..blob
        };
        let stored = async {
            match endpoint
                .start_upload(repository, &blob.digest, None)
                .await?
            {
                Start::Present => Ok(()),
                Start::Session(session) => {
                    let bytes = manifest.bytes().clone();
                    session
                        .send(repository, &blob, stream::iter([Ok(bytes)]))
                        .await
                }
            }
        };
        stored
            .await
            .map_err(|error| self.failed(&blob.digest.clone().into(), error))
    }

    /// Whether the destination confirmed what it does not serve.
    pub(super) fn is_doubted(&self) -> bool {
        let Target {
            endpoint,
            repository,
            ..
        } = self.target;
        self.shared.blobs.is_doubted(endpoint, repository)
    }

    pub(super) fn failed(&self, target: &TagOrDigest, error: endpoint::Error) -> Error {
        Error::Destination {
            destination: self.target.name(),
            target: target.clone(),
            error,
        }
    }

    pub(super) fn slot(&self, manifest: &Manifest) -> Slot {
        let Target { repository, .. } = self.target;
        self.shared
            .manifests
            .slot(&self.place(), repository, manifest.digest())
    }

    pub(super) fn place(&self) -> Place {
        self.target.endpoint.place()
    }
}
