//! What a manifest leads to at one endpoint: the manifests that an index lists, and the configs. Nodes
//! tell of the images that they run by any of these digests.

use std::collections::BTreeSet;

use super::Endpoint;
use super::endpoint::Error;
use crate::oci::Content;
use crate::oci::{Digest, Repository, TagOrDigest, limits};

/// The digests of manifests and configs below a manifest. What is not there leads nowhere.
pub async fn closure(
    endpoint: &Endpoint,
    repository: &Repository,
    digest: &Digest,
) -> Result<Vec<Digest>, Error> {
    let mut found = BTreeSet::new();
    let mut level = vec![digest.clone()];
    for _ in 0..=limits::INDEX_DEPTH {
        let mut below = Vec::new();
        for digest in level {
            let target = TagOrDigest::Digest(digest);
            let manifest = match endpoint.fetch_manifest(repository, &target).await {
                Ok(manifest) => manifest,
                Err(error) if error.is_not_found() => continue,
                Err(error) => return Err(error),
            };
            match manifest.content() {
                Content::Image(image) => {
                    found.extend(image.config.iter().map(|config| config.digest.clone()));
                }
                Content::Index(index) => {
                    let children = index.manifests.iter();
                    let children = children.map(|child| child.digest.clone());
                    below.extend(children.filter(|child| found.insert(child.clone())));
                }
            }
        }
        level = below;
    }
    Ok(found.into_iter().collect())
}
