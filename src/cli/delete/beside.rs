// SPDX-License-Identifier: Apache-2.0

//! What must still be there when a tag has been deleted: some registries delete the manifest with it, and every other tag
//! of it (distribution/distribution#1566, 2026).

use std::collections::BTreeSet;

use crate::cli::error::Error;
use crate::cli::image::Source;
use crate::oci::{Digest, Manifest, Tag};

/// A manifest and the tags of its repository, as they were before one of them was deleted.
pub(super) struct Beside {
    manifest: Manifest,
    tags: BTreeSet<Tag>,
}

// === impl Beside ===

impl Beside {
    /// Reads them.
    pub(super) async fn read(source: &Source, tag: &Tag, digest: &Digest) -> Result<Self, Error> {
        let manifest = source.fetch(&digest.clone().into()).await?;
        let mut tags: BTreeSet<Tag> = list(source).await?;
        tags.remove(tag);
        Ok(Self { manifest, tags })
    }

    /// Pushes again what went along, and says which tags those were.
    pub(super) async fn bring_back(
        &self,
        source: &Source,
        digest: &Digest,
    ) -> Result<Vec<Tag>, Error> {
        let Source {
            endpoint,
            repository,
            ..
        } = source;
        let target = digest.clone().into();
        if self.tags.is_empty() || endpoint.resolve(repository, &target, None).await?.is_some() {
            return Ok(Vec::new());
        }
        let left = list(source).await?;
        let gone: Vec<Tag> = self.tags.difference(&left).cloned().collect();
        for tag in &gone {
            let target = tag.clone().into();
            endpoint
                .put_manifest(repository, &target, &self.manifest)
                .await?;
        }
        Ok(gone)
    }
}

async fn list(source: &Source) -> Result<BTreeSet<Tag>, Error> {
    let tags = source.endpoint.list_tags(&source.repository).await?;
    Ok(tags.into_iter().collect())
}
