// SPDX-License-Identifier: Apache-2.0

//! What must still be there when a tag has been deleted: some registries delete the manifest with it, and every other tag
//! of it (distribution/distribution#1566, 2026). GitHub deletes the manifest with its only tag, whatever index lists it.

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

    /// Pushes again what went along, and says which tags those were. The manifest itself comes back without a tag where
    /// its registry has no other way to delete one, as it does when a mirror is pruned.
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
        let is_one_deletion = endpoint.deletes_together();
        let may_be_missed = is_one_deletion || !self.tags.is_empty();
        if !may_be_missed || endpoint.resolve(repository, &target, None).await?.is_some() {
            return Ok(Vec::new());
        }
        // An index that stays may list it, which nobody is told of.
        if is_one_deletion {
            endpoint
                .put_manifest(repository, &target, &self.manifest)
                .await?;
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
