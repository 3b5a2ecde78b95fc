// SPDX-License-Identifier: Apache-2.0

//! Reads what the tags of a repository lead to.

use std::collections::{HashMap, HashSet};

use futures::{StreamExt, TryStreamExt, stream};

use super::usage::{Content, Piece, Weighed};
use crate::copy::endpoint::Error;
use crate::copy::{self, Endpoint};
use crate::oci::{Digest, Repository, Tag, TagOrDigest};

/// Tags that are looked at together. What a registry bears is decided by its own limits.
const LOOKS: usize = 32;

/// The tags of a repository with everything that they lead to: one lookup for each tag, and one read for
/// each manifest. Tags that go away meanwhile are left out.
pub(in super::super) async fn weigh(
    endpoint: &Endpoint,
    repository: &Repository,
) -> Result<Vec<Weighed>, Error> {
    let tags = endpoint.list_tags(repository).await?;
    let resolved: Vec<Option<(Tag, Digest)>> = stream::iter(tags)
        .map(|tag| async move {
            let target = TagOrDigest::Tag(tag.clone());
            let digest = endpoint.resolve(repository, &target, None).await?;
            Ok::<_, Error>(digest.map(|digest| (tag, digest)))
        })
        .buffered(LOOKS)
        .try_collect()
        .await?;
    let resolved: Vec<(Tag, Digest)> = resolved.into_iter().flatten().collect();
    let distinct: HashSet<Digest> = resolved.iter().map(|(_, digest)| digest.clone()).collect();
    let contents: HashMap<Digest, Content> = stream::iter(distinct)
        .map(|digest| async move {
            let content = read_content(endpoint, repository, &digest).await?;
            Ok::<_, Error>((digest, content))
        })
        .buffer_unordered(LOOKS)
        .try_collect()
        .await?;
    let weighed = resolved.into_iter().filter_map(|(tag, digest)| {
        let content = contents.get(&digest)?.clone();
        Some(Weighed {
            tag,
            digest,
            content,
        })
    });
    Ok(weighed.collect())
}

/// Children that are not there take no room: some indexes are kept without all of theirs.
async fn read_content(
    endpoint: &Endpoint,
    repository: &Repository,
    root: &Digest,
) -> Result<Content, Error> {
    let mut pieces: HashMap<Digest, u64> = HashMap::new();
    for manifest in copy::walk(endpoint, repository, root, |_| true).await? {
        pieces.insert(manifest.digest().clone(), manifest.size());
        for blob in manifest.blobs() {
            pieces.insert(blob.digest.clone(), blob.size);
        }
    }
    let mut pieces: Vec<Piece> = pieces
        .into_iter()
        .map(|(digest, size)| Piece { digest, size })
        .collect();
    pieces.sort_by(|left, right| left.digest.cmp(&right.digest));
    Ok(pieces.into())
}
