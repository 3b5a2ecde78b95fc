// SPDX-License-Identifier: Apache-2.0

//! What a manifest leads to at one endpoint: the manifests that an index lists, and the configs. Nodes
//! tell of the images that they run by any of these digests.

use std::collections::{BTreeSet, HashSet};

use super::Endpoint;
use super::endpoint::Error;
use crate::oci::{Content, Descriptor, Digest, Manifest, Repository, TagOrDigest, limits};
use crate::runtime::memory;

/// The digests of manifests and configs below a manifest. What is not there leads nowhere.
pub async fn closure(
    endpoint: &Endpoint,
    repository: &Repository,
    digest: &Digest,
) -> Result<Vec<Digest>, Error> {
    let mut found = BTreeSet::new();
    for manifest in walk(endpoint, repository, digest, |_| true).await? {
        match manifest.content() {
            Content::Image(image) => {
                found.extend(image.config.iter().map(|config| config.digest.clone()));
            }
            Content::Index(index) => {
                found.extend(index.manifests.iter().map(|child| child.digest.clone()));
            }
        }
    }
    Ok(found.into_iter().collect())
}

/// A manifest and those below it, each once, level by level; of what an index lists, those that `is_read`
/// chooses. What is not there is left out: some indexes are kept without all of their images.
pub async fn walk(
    endpoint: &Endpoint,
    repository: &Repository,
    root: &Digest,
    is_read: fn(&Descriptor) -> bool,
) -> Result<Vec<Manifest>, Error> {
    let (read, _) = memory::with_room(|| read(endpoint, repository, root, is_read)).await;
    read
}

async fn read(
    endpoint: &Endpoint,
    repository: &Repository,
    root: &Digest,
    is_read: fn(&Descriptor) -> bool,
) -> Result<Vec<Manifest>, Error> {
    let mut seen = HashSet::from([root.clone()]);
    let mut level = vec![root.clone()];
    let mut read = Vec::new();
    for _ in 0..=limits::INDEX_DEPTH {
        let mut below = Vec::new();
        for digest in level {
            let target = TagOrDigest::Digest(digest);
            let manifest = match endpoint.fetch_manifest(repository, &target).await {
                Ok(manifest) => manifest,
                Err(error) if error.is_not_found() => continue,
                Err(error) => return Err(error),
            };
            if let Content::Index(index) = manifest.content() {
                let children = index.manifests.iter().filter(|child| is_read(child));
                let children = children.map(|child| child.digest.clone());
                below.extend(children.filter(|child| seen.insert(child.clone())));
            }
            read.push(manifest);
        }
        level = below;
    }
    Ok(read)
}
