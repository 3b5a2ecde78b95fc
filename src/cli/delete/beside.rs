// SPDX-License-Identifier: Apache-2.0

//! What must still be there when a tag has been deleted: some registries delete the manifest with it, and every other tag
//! of it (distribution/distribution#1566, 2026). GitHub deletes the manifest with its only tag, whatever index lists it.

use std::collections::BTreeSet;

use tokio::time::Instant;

use crate::cli::error::Error;
use crate::cli::image::Source;
use crate::oci::{Digest, Manifest, Tag};

/// A manifest and the tags of its repository, as they were before one of them was deleted.
#[derive(Debug)]
pub(super) struct Beside {
    manifest: Manifest,
    tags: BTreeSet<Tag>,
    /// When the manifest was asked for.
    pub(super) seen: Instant,
}

/// What was gone after a tag was deleted.
#[derive(Debug, Default)]
pub(super) struct Along {
    /// Tags that were seen to name the image: they were pushed again.
    pub(super) back: Vec<Tag>,
    /// Tags of which nobody saw what they named: somebody else may have deleted them meanwhile. The image is there
    /// again by its digest.
    pub(super) unsure: Vec<Tag>,
}

// === impl Beside ===

impl Beside {
    /// Reads them, the manifest last, by the tag: what the tag stands for is what is looked at right before it goes.
    /// None where there is no such tag.
    pub(super) async fn read(source: &Source, tag: &Tag) -> Result<Option<Self>, Error> {
        let Source {
            endpoint,
            repository,
            ..
        } = source;
        let listed = list(source).await;
        let target = tag.clone().into();
        let seen = Instant::now();
        let manifest = match endpoint.fetch_manifest(repository, &target).await {
            Ok(manifest) => manifest,
            Err(error) if error.is_not_found() => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let mut tags = listed?;
        tags.remove(tag);
        Ok(Some(Self {
            manifest,
            tags,
            seen,
        }))
    }

    /// What the tag stands for.
    pub(super) fn digest(&self) -> &Digest {
        self.manifest.digest()
    }

    /// Pushes again what went along, as far as it was `seen` to name the image. The manifest itself comes back without a
    /// tag where its registry has no other way to delete one, as it does when a mirror is pruned.
    pub(super) async fn bring_back(&self, source: &Source, seen: &[Tag]) -> Result<Along, Error> {
        let Source {
            endpoint,
            repository,
            ..
        } = source;
        let target = self.digest().clone().into();
        let is_one_deletion = endpoint.deletes_together();
        let may_be_missed = is_one_deletion || !self.tags.is_empty();
        if !may_be_missed || endpoint.resolve(repository, &target, None).await?.is_some() {
            return Ok(Along::default());
        }
        let left = list(source).await?;
        let gone = self.tags.difference(&left).cloned();
        let (back, unsure): (Vec<Tag>, Vec<Tag>) = gone.partition(|tag| seen.contains(tag));
        // An index that stays may list it, which nobody is told of.
        if is_one_deletion || !unsure.is_empty() {
            endpoint
                .put_manifest(repository, &target, &self.manifest)
                .await?;
        }
        for tag in &back {
            let target = tag.clone().into();
            endpoint
                .put_manifest(repository, &target, &self.manifest)
                .await?;
        }
        Ok(Along { back, unsure })
    }
}

async fn list(source: &Source) -> Result<BTreeSet<Tag>, Error> {
    let tags = source.endpoint.list_tags(&source.repository).await?;
    Ok(tags.into_iter().collect())
}
