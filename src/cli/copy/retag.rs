// SPDX-License-Identifier: Apache-2.0

//! Another tag for an image in its own repository: the image is read by its name, and stored under the tag.

use super::super::error::Error;
use super::super::image::Source;
use crate::copy::endpoint;
use crate::oci::{Digest, Tag, TagOrDigest};

/// An image of a repository, and a tag that is to name it there.
pub(super) struct Retag<'a> {
    pub(super) source: &'a Source,
    pub(super) from: &'a TagOrDigest,
    pub(super) tag: &'a Tag,
}

/// What became of the tag.
pub(super) struct Retagged {
    /// The image.
    pub(super) digest: Digest,
    /// Whether the tag names it. It may need some seconds until it does.
    pub(super) is_there: Result<bool, endpoint::Error>,
}

// === impl Retag ===

impl Retag<'_> {
    /// Two requests: what the tag names before is written over in any case, so it is not looked up, and what the
    /// registry says that it stored under the tag is not read back.
    pub(super) async fn run(&self) -> Result<Retagged, Error> {
        let Source {
            endpoint,
            repository,
            ..
        } = self.source;
        let manifest = match self.source.fetch(self.from).await {
            Err(Error::Endpoint(error)) if error.is_not_found() => {
                return Err(self.source.missing(self.from).await);
            }
            fetched => fetched?,
        };
        let digest = manifest.digest().clone();
        let target = self.tag.clone().into();
        let is_there = async {
            let stored = endpoint.store_manifest(repository, &target, &manifest);
            if stored.await?.is_confirmed {
                return Ok(true);
            }
            let found = endpoint.resolve_stored(repository, &target).await?;
            Ok(found.as_ref() == Some(&digest))
        };
        Ok(Retagged {
            is_there: is_there.await,
            digest,
        })
    }
}
