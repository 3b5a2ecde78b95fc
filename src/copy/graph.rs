// SPDX-License-Identifier: Apache-2.0

//! Everything that a manifest reaches, in the order in which it must be pushed.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use futures::{StreamExt, stream};

use super::graph_error::GraphError;
use super::manifests::{Manifests, Room};
use super::pipe::Origin;
use super::reduced::Reduced;
use super::telling;
use crate::oci::{Content, Descriptor, Digest, Manifest, limits};
use crate::plan::Platforms;

/// Manifests read at once for one image.
const READS: usize = 8;

/// A manifest and what it reaches.
#[derive(Clone, Debug)]
pub(super) struct Graph {
    /// What the tag will name. Its digest differs from the source's where an index was rewritten.
    pub(super) root: Arc<Manifest>,
    /// What the root reaches, by depth: the deepest first.
    pub(super) levels: Vec<Vec<Arc<Manifest>>>,
    /// Index entries that are no manifests.
    opaque: Vec<Descriptor>,
    /// Whether the root lists manifests that are left out.
    pub(super) is_sparse: bool,
    /// Whether the root is an index that the source does not have.
    pub(super) is_rewritten: bool,
}

// === impl Graph ===

impl Graph {
    /// Reads what `digest` reaches, reduced to `platforms`.
    pub(super) async fn read(
        manifests: &Manifests,
        origin: &Origin,
        digest: &Digest,
        platforms: &Platforms,
        room: &Room,
    ) -> Result<Self, GraphError> {
        room.admit(1)?;
        let Reduced {
            root,
            mut entries,
            is_sparse,
            is_rewritten,
        } = Reduced::read(manifests, origin, digest, platforms).await?;
        room.fill(&root)?;
        let mut levels = Vec::new();
        let mut opaque = Vec::new();
        while !entries.is_empty() {
            room.admit(entries.len())?;
            if levels.len() >= limits::INDEX_DEPTH {
                return Err(GraphError::TooDeep);
            }
            let level = read_level(manifests, origin, &entries, &mut opaque, room).await?;
            entries = level
                .iter()
                .flat_map(|manifest| manifest.entries().iter().cloned())
                .collect();
            levels.push(level);
        }
        levels.reverse();
        keep_deepest(&mut levels);
        let graph = Self {
            root,
            levels,
            opaque,
            is_sparse,
            is_rewritten,
        };
        graph.check_sizes()?;
        Ok(graph)
    }

    /// A manifest whose content is where it should be.
    pub(super) fn alone(root: Arc<Manifest>) -> Self {
        Self {
            root,
            levels: Vec::new(),
            opaque: Vec::new(),
            is_sparse: false,
            is_rewritten: false,
        }
    }

    /// The manifests below the root and the root, in the order in which they must be pushed.
    pub(super) fn manifests(&self) -> impl Iterator<Item = &Arc<Manifest>> {
        self.levels.iter().flatten().chain([&self.root])
    }

    /// Whether all manifests agree on the size of each blob: where they do not, one of them is of an image
    /// that nobody can pull.
    fn check_sizes(&self) -> Result<(), GraphError> {
        let mut sizes = HashMap::new();
        for blob in self.manifests().flat_map(|manifest| manifest.blobs()) {
            let first = *sizes.entry(&blob.digest).or_insert(blob.size);
            if first != blob.size {
                return Err(GraphError::SizeConflict {
                    digest: blob.digest.clone(),
                    first,
                    second: blob.size,
                });
            }
        }
        Ok(())
    }

    /// The lowest layer: what an image most likely has in common with an earlier one.
    pub(super) fn base_layer(&self) -> Option<&Descriptor> {
        let lowest = self
            .manifests()
            .find_map(|manifest| match manifest.content() {
                Content::Image(image) => image.layers.first(),
                Content::Index(_) => None,
            });
        lowest.filter(|layer| !layer.media_type.is_foreign_layer())
    }

    /// The blobs, each once, the largest first: a large one that starts last would be waited for.
    pub(super) fn blobs(&self) -> Vec<&Descriptor> {
        let mut seen = HashSet::new();
        let mut blobs: Vec<&Descriptor> = self
            .manifests()
            .flat_map(|manifest| manifest.blobs())
            .chain(&self.opaque)
            .filter(|blob| !blob.media_type.is_foreign_layer() && seen.insert(&blob.digest))
            .collect();
        blobs.sort_by_key(|blob| std::cmp::Reverse(blob.size));
        blobs
    }
}

/// The digest of the root for a choice of platforms.
pub(super) async fn read_root(
    manifests: &Manifests,
    origin: &Origin,
    digest: &Digest,
    platforms: &Platforms,
) -> Result<Digest, GraphError> {
    let Reduced { root, .. } = Reduced::read(manifests, origin, digest, platforms).await?;
    Ok(root.digest().clone())
}

async fn read_level(
    manifests: &Manifests,
    origin: &Origin,
    entries: &[Descriptor],
    opaque: &mut Vec<Descriptor>,
    room: &Room,
) -> Result<Vec<Arc<Manifest>>, GraphError> {
    let mut seen = HashSet::new();
    let distinct: Vec<&Descriptor> = entries
        .iter()
        .filter(|entry| seen.insert(&entry.digest))
        .collect();
    let reads: Vec<_> = distinct
        .into_iter()
        .map(|entry| async move { (entry, manifests.fetch(origin, &entry.digest).await) })
        .collect();
    let reads = stream::iter(reads).buffered(READS);
    let level = reads.map(|(entry, read)| match read {
        Ok(manifest) => {
            room.fill(&manifest)?;
            Ok(Some(manifest))
        }
        // An entry of another type may be a blob: the index is only a list.
        Err(error) if error.is_not_found() && !is_manifest(entry) => {
            opaque.push(entry.clone());
            Ok(None)
        }
        Err(error) => Err(GraphError::Read(error)),
    });
    let level = telling::all(level).await?;
    Ok(level.into_iter().flatten().collect())
}

fn is_manifest(entry: &Descriptor) -> bool {
    entry.media_type.is_image() || entry.media_type.is_index()
}

/// A manifest that occurs at two depths is pushed at the deeper one, before all that list it.
fn keep_deepest(levels: &mut [Vec<Arc<Manifest>>]) {
    let mut seen = HashSet::new();
    for level in levels {
        level.retain(|manifest| seen.insert(manifest.digest().clone()));
    }
}
