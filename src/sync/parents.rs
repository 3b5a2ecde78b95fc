// SPDX-License-Identifier: Apache-2.0

//! Which images on record list one after whose digest a tag is named: a signature of one platform leads to its index.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures::{StreamExt, stream};
use jiff::Timestamp;

use super::connect::Connect;
use super::input::RoundInput;
use super::ledger::{Page, Record};
use super::only::is_named_after;
use super::prune::Closures;
use super::state::State;
use crate::copy;
use crate::oci::{Content, Descriptor, Digest, Repository, Tag};
use crate::plan::SourceImage;

/// Most indexes whose lists are read for one look: those that were copied last.
const MOST: usize = 128;
/// How many of them are read at once.
const AT_ONCE: usize = 8;

/// An image at its source.
type Parent = (Repository, Digest);

/// An index as a destination has it.
struct KeptIndex {
    page: Page,
    digest: Digest,
    copied_at: Option<Timestamp>,
}

/// The images on record that list what some of these tags are named after. Their lists are read at a destination, where a
/// read is no pull, and each once in the life of the process. What cannot be read is left to a round.
pub(super) async fn find_parents<C: Connect>(
    state: &State,
    input: &RoundInput<C>,
    tags: &[(Repository, Tag)],
) -> Vec<Parent> {
    if tags.is_empty() {
        return Vec::new();
    }
    let indexes = indexes(state, input, tags).into_iter();
    let looks: Vec<_> = indexes
        .map(|(parent, index)| async move {
            let parts = parts(&state.parts, input, &index).await;
            let is_parent = tags.iter().any(|(repository, tag)| {
                *repository == parent.0 && parts.iter().any(|part| is_named_after(tag, part))
            });
            is_parent.then_some(parent)
        })
        .collect();
    let found = stream::iter(looks).buffer_unordered(AT_ONCE);
    found.filter_map(std::future::ready).collect().await
}

/// The images of the repositories of these tags that may be indexes.
fn indexes<C>(
    state: &State,
    input: &RoundInput<C>,
    tags: &[(Repository, Tag)],
) -> Vec<(Parent, KeptIndex)> {
    let repositories = tags.iter().map(|(repository, _)| repository);
    let repositories: BTreeSet<&Repository> = repositories.collect();
    let mut indexes = BTreeMap::new();
    for (page, leaf) in state.ledger.leaves(&input.mirror.name) {
        for record in leaf.records.into_values().filter(may_be_index) {
            let Some(source) = SourceImage::read(&record.source) else {
                continue;
            };
            let is_own = source.registry == input.mirror.source.registry;
            if is_own && repositories.contains(&source.repository) {
                let parent = (source.repository, record.source_digest);
                indexes.entry(parent).or_insert_with(|| KeptIndex {
                    page: page.clone(),
                    digest: record.digest,
                    copied_at: record.copied_at,
                });
            }
        }
    }
    let mut indexes: Vec<_> = indexes.into_iter().collect();
    indexes.sort_by_key(|(_, index)| std::cmp::Reverse(index.copied_at));
    indexes.truncate(MOST);
    indexes
}

fn may_be_index(record: &Record) -> bool {
    let looked = record.referrers.as_ref();
    !record.is_pending() && looked.is_none_or(|looked| looked.seen.is_index)
}

/// The images that an index lists; none where it cannot be read.
async fn parts<C: Connect>(
    known: &Closures,
    input: &RoundInput<C>,
    index: &KeptIndex,
) -> Arc<[Digest]> {
    let KeptIndex { page, digest, .. } = index;
    if let Some(parts) = known.read(digest) {
        return parts;
    }
    let Some(destination) = input.mirror.destination(&page.destination) else {
        return Arc::default();
    };
    let endpoint = input.connection.destination(destination, &page.repository);
    let Ok(endpoint) = endpoint.await else {
        return Arc::default();
    };
    let nests = |entry: &Descriptor| entry.media_type.is_index();
    let manifests = copy::walk(&endpoint, &page.repository, digest, nests).await;
    let manifests = manifests.unwrap_or_default();
    if manifests.is_empty() {
        return Arc::default();
    }
    let lists = manifests
        .iter()
        .filter_map(|manifest| match manifest.content() {
            Content::Index(index) => Some(&index.manifests),
            Content::Image(_) => None,
        });
    let parts = lists.flatten().map(|entry| entry.digest.clone());
    let parts: Arc<[Digest]> = parts.collect();
    known.write(digest, parts.clone());
    parts
}
