//! Everything that a manifest reaches, in the order in which it must be pushed.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};

use futures::{StreamExt, stream};
use tokio::sync::OnceCell;

use super::endpoint::{self, Place};
use super::examine::read_config;
use super::pipe::Origin;
use crate::api::{AbsentPlatform, IndexMode};
use crate::oci::subset::{Subset, SubsetError};
use crate::oci::{
    Content, Descriptor, Digest, Manifest, Platform, Repository, TagOrDigest, limits,
};
use crate::plan::Platforms;

/// Manifests read at once for one image.
const READS: usize = 8;
/// Bytes of manifests that are remembered.
const CACHE_BYTES: u64 = 32 * 1024 * 1024;

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
}

/// Why the content of an image cannot be told.
#[derive(Clone, Debug, thiserror::Error)]
pub enum GraphError {
    /// The source could not be read.
    #[error("{0}")]
    Read(#[from] endpoint::Error),
    /// What refers to the image could not be read.
    #[error("{0}; with referrers set to Skip the image is copied without what refers to it")]
    Referrers(endpoint::Error),
    /// What may prove something of the image could not be read.
    #[error("{0}")]
    Evidence(endpoint::Error),
    /// No platform of the list is there.
    #[error("{0}")]
    Subset(Arc<SubsetError>),
    /// A platform of the list is not there.
    #[error("the image has no {}: add it at the source, or set platforms.absent to Skip", join(.0))]
    PlatformAbsent(Vec<Platform>),
    /// The image is for another platform.
    #[error("the image is for {found}, none of {}", join(.wanted))]
    OtherPlatform {
        /// The platform by the image's config.
        found: Platform,
        /// The platforms of the list.
        wanted: Vec<Platform>,
    },
    /// The config cannot be read: it is damaged, too large, or ambiguous.
    #[error("the config of {0} is not one that every program reads alike: build the image again")]
    Config(Digest),
    /// Too deep.
    #[error(
        "the index nests deeper than {} levels: mirror the inner images by tags of their own",
        limits::INDEX_DEPTH
    )]
    TooDeep,
    /// Too much.
    #[error(
        "the image and what refers to it are more than {} manifests: choose platforms, or set referrers to Skip",
        limits::GRAPH_NODES
    )]
    TooMany,
    /// Too much of it.
    #[error(
        "the manifests of the image and of what refers to it have more than {} bytes: \
         choose platforms, or set referrers to Skip",
        limits::GRAPH_BYTES
    )]
    TooLarge,
}

/// How much an image may still reach: a source that makes up more and more must not fill the memory.
pub(super) struct Room {
    manifests: AtomicU64,
    bytes: AtomicU64,
}

/// Manifests that were read, so that no digest is read twice, and never twice at once.
#[derive(Default)]
pub(super) struct Manifests(Mutex<Cache>);

#[derive(Default)]
struct Cache {
    cells: HashMap<(Place, Repository, Digest), Cell>,
    bytes: u64,
}

/// A manifest that is read by whoever asks first; the others wait for it.
type Cell = Arc<OnceCell<Arc<Manifest>>>;

// === impl GraphError ===

impl GraphError {
    /// The same error, of something that refers to the image.
    pub(super) fn of_referrer(self) -> Self {
        if let Self::Read(error) = self {
            return Self::Referrers(error);
        }
        self
    }
}

// === impl Room ===

impl Room {
    pub(super) fn new() -> Self {
        Self {
            manifests: AtomicU64::new(limits::GRAPH_NODES as u64),
            bytes: AtomicU64::new(limits::GRAPH_BYTES),
        }
    }

    /// Makes sure that so many manifests fit in, before they are read.
    fn admit(&self, manifests: usize) -> Result<(), GraphError> {
        take(&self.manifests, manifests as u64).ok_or(GraphError::TooMany)
    }

    /// Accounts for a manifest that was read.
    fn fill(&self, manifest: &Manifest) -> Result<(), GraphError> {
        take(&self.bytes, manifest.size()).ok_or(GraphError::TooLarge)
    }
}

/// Takes so much of what is left, if it is.
fn take(left: &AtomicU64, amount: u64) -> Option<()> {
    let taken = left.fetch_update(Relaxed, Relaxed, |left| left.checked_sub(amount));
    taken.ok().map(drop)
}

// === impl Manifests ===

impl Manifests {
    /// Reads a manifest by digest.
    pub(super) async fn fetch(
        &self,
        origin: &Origin,
        digest: &Digest,
    ) -> Result<Arc<Manifest>, endpoint::Error> {
        let Origin {
            endpoint,
            repository,
        } = origin;
        let key = (endpoint.place(), repository.clone(), digest.clone());
        let cell = self.lock().cells.entry(key).or_default().clone();
        let manifest = cell
            .get_or_try_init(|| async {
                let target = TagOrDigest::Digest(digest.clone());
                let manifest = endpoint.fetch_manifest(repository, &target).await?;
                self.lock().account(manifest.size());
                Ok::<_, endpoint::Error>(Arc::new(manifest))
            })
            .await?;
        Ok(manifest.clone())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Cache> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Cache {
    fn account(&mut self, bytes: u64) {
        self.bytes += bytes;
        if self.bytes > CACHE_BYTES {
            self.cells.clear();
            self.bytes = bytes;
        }
    }
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
                .flat_map(|manifest| self::entries(manifest))
                .collect();
            levels.push(level);
        }
        levels.reverse();
        keep_deepest(&mut levels);
        Ok(Self {
            root,
            levels,
            opaque,
            is_sparse,
        })
    }

    /// The manifests below the root and the root, in the order in which they must be pushed.
    pub(super) fn manifests(&self) -> impl Iterator<Item = &Arc<Manifest>> {
        self.levels.iter().flatten().chain([&self.root])
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

fn entries(manifest: &Manifest) -> Vec<Descriptor> {
    match manifest.content() {
        Content::Index(index) => index.manifests.clone(),
        Content::Image(_) => Vec::new(),
    }
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
    let mut reads = stream::iter(reads).buffered(READS);
    let mut level = Vec::new();
    while let Some((entry, read)) = reads.next().await {
        match read {
            Ok(manifest) => {
                room.fill(&manifest)?;
                level.push(manifest);
            }
            // An entry of another type may be a blob: the index is only a list.
            Err(error) if error.is_not_found() && !is_manifest(entry) => opaque.push(entry.clone()),
            Err(error) => return Err(error.into()),
        }
    }
    Ok(level)
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

/// A root after a choice of platforms.
struct Reduced {
    root: Arc<Manifest>,
    entries: Vec<Descriptor>,
    is_sparse: bool,
}

impl Reduced {
    async fn read(
        manifests: &Manifests,
        origin: &Origin,
        digest: &Digest,
        platforms: &Platforms,
    ) -> Result<Self, GraphError> {
        let root = manifests.fetch(origin, digest).await?;
        match (platforms, root.content()) {
            (Platforms::All, _) => Ok(Self {
                entries: entries(&root),
                root,
                is_sparse: false,
            }),
            (
                Platforms::List {
                    platforms, absent, ..
                },
                Content::Image(_),
            ) => {
                check_image(origin, &root, platforms, *absent).await?;
                Ok(Self {
                    root,
                    entries: Vec::new(),
                    is_sparse: false,
                })
            }
            (
                Platforms::List {
                    platforms,
                    absent,
                    index,
                },
                Content::Index(_),
            ) => Self::choose(&root, platforms, *absent, *index),
        }
    }

    fn choose(
        root: &Arc<Manifest>,
        wanted: &[Platform],
        absent: AbsentPlatform,
        mode: IndexMode,
    ) -> Result<Self, GraphError> {
        let refused = |error| GraphError::Subset(Arc::new(error));
        let subset = Subset::choose(root, wanted).map_err(refused)?;
        check_absent(absent, subset.absent.clone())?;
        match mode {
            IndexMode::Preserve => Ok(Self {
                root: root.clone(),
                entries: subset.kept,
                is_sparse: subset.is_partial,
            }),
            IndexMode::Rewrite => {
                let root = Arc::new(subset.rewrite(root).map_err(refused)?);
                Ok(Self {
                    root,
                    entries: subset.kept,
                    is_sparse: false,
                })
            }
        }
    }
}

/// An image without an index is judged by its config.
async fn check_image(
    origin: &Origin,
    image: &Manifest,
    wanted: &[Platform],
    absent: AbsentPlatform,
) -> Result<(), GraphError> {
    let config = read_config(origin, image).await?;
    let found = config.unwrap_or_default().platform;
    let missing: Vec<Platform> = wanted
        .iter()
        .filter(|wanted| !wanted.covers(&found))
        .cloned()
        .collect();
    if missing.len() == wanted.len() {
        return Err(GraphError::OtherPlatform {
            found,
            wanted: missing,
        });
    }
    check_absent(absent, missing)
}

fn check_absent(absent: AbsentPlatform, missing: Vec<Platform>) -> Result<(), GraphError> {
    match absent {
        AbsentPlatform::Fail if !missing.is_empty() => Err(GraphError::PlatformAbsent(missing)),
        AbsentPlatform::Fail | AbsentPlatform::Skip => Ok(()),
    }
}

fn join(platforms: &[Platform]) -> String {
    platforms
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(", ")
}
