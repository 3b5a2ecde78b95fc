// SPDX-License-Identifier: Apache-2.0

//! A root after a choice of platforms.
//!
//! The platform of an image is what the entry of the index says, or else what its config says. An index
//! within an index is for the platforms of all its images. What has no platform at all is no image that
//! a machine runs, such as a chart: no choice concerns it.

use std::collections::HashMap;
use std::sync::Arc;

use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt, stream};

use super::config::read_config;
use super::graph_error::GraphError;
use super::manifests::{Manifests, Room};
use super::pipe::Origin;
use super::telling;
use crate::api::{AbsentPlatform, Attestations, IndexMode};
use crate::oci::subset::{Inside, Subset, SubsetError};
use crate::oci::{Content, Descriptor, Digest, ImageIndex, Manifest, Platform, limits};
use crate::plan::Platforms;

/// Entries without a platform that are looked into at once.
const READS: usize = 8;

/// A root after a choice of platforms.
pub(super) struct Reduced {
    /// What the tag will name.
    pub(super) root: Arc<Manifest>,
    /// The entries that are kept.
    pub(super) entries: Vec<Descriptor>,
    /// Whether the root lists manifests that are left out.
    pub(super) is_sparse: bool,
    /// Whether the root is an index that the source does not have.
    pub(super) is_rewritten: bool,
}

/// Where entries are looked into.
struct Reader<'a> {
    manifests: &'a Manifests,
    origin: &'a Origin,
    room: Room,
}

// === impl Reduced ===

impl Reduced {
    /// Reads the root, and what says the platforms of its entries where it does not.
    pub(super) async fn read(
        manifests: &Manifests,
        origin: &Origin,
        digest: &Digest,
        platforms: &Platforms,
    ) -> Result<Self, GraphError> {
        let root = manifests.fetch(origin, digest).await?;
        let Platforms::List {
            platforms: wanted,
            absent,
            index: mode,
            attestations,
        } = platforms
        else {
            return Ok(Self::whole(root));
        };
        match root.content() {
            Content::Image(_) if wanted.is_empty() => Ok(Self::whole(root)),
            Content::Image(_) => {
                let found = platform_of_image(origin, &root).await?;
                check_image(found, wanted, *absent)?;
                Ok(Self::whole(root))
            }
            Content::Index(index) => {
                let reader = Reader {
                    manifests,
                    origin,
                    room: Room::new(),
                };
                let inside = match wanted.as_slice() {
                    [] => Inside::new(),
                    _ => reader.look_inside(index).await?,
                };
                let with_attestations = *attestations == Attestations::Copy;
                let subset = Subset::choose(&root, &inside, wanted, with_attestations);
                let subset = subset.map_err(refused)?;
                check_absent(*absent, subset.absent.clone())?;
                match mode {
                    IndexMode::Rewrite => Self::rewritten(&root, subset),
                    IndexMode::Preserve => Ok(Self::preserved(root, subset)),
                    IndexMode::Unwrap => {
                        let image = reader.unwrap(root, subset.first, wanted).await?;
                        Ok(Self::whole(image))
                    }
                }
            }
        }
    }

    fn whole(root: Arc<Manifest>) -> Self {
        Self {
            entries: root.entries().to_vec(),
            root,
            is_sparse: false,
            is_rewritten: false,
        }
    }

    fn rewritten(root: &Manifest, subset: Subset) -> Result<Self, GraphError> {
        Ok(Self {
            root: Arc::new(subset.rewrite(root).map_err(refused)?),
            is_sparse: false,
            is_rewritten: subset.is_partial(),
            entries: subset.kept,
        })
    }

    fn preserved(root: Arc<Manifest>, subset: Subset) -> Self {
        Self {
            root,
            is_sparse: subset.is_partial(),
            is_rewritten: false,
            entries: subset.kept,
        }
    }
}

// === impl Reader ===

impl Reader<'_> {
    /// The platforms of the entries that do not say theirs.
    async fn look_inside(&self, index: &ImageIndex) -> Result<Inside, GraphError> {
        let silent: HashMap<&Digest, &Descriptor> = index
            .manifests
            .iter()
            .filter(|entry| is_silent(entry))
            .map(|entry| (&entry.digest, entry))
            .collect();
        let reads: Vec<_> = silent
            .into_keys()
            .map(|digest| {
                let platforms = self.platforms_of(digest, 1);
                platforms.map(move |platforms| Ok::<_, GraphError>((digest.clone(), platforms?)))
            })
            .collect();
        let read = telling::all(stream::iter(reads).buffered(READS)).await?;
        Ok(read.into_iter().collect())
    }

    /// The image behind an entry, and behind one of each index on the way to it. An index of what is for no platform,
    /// such as charts, stays what it is.
    async fn unwrap(
        &self,
        index: Arc<Manifest>,
        first: Option<Descriptor>,
        wanted: &[Platform],
    ) -> Result<Arc<Manifest>, GraphError> {
        let (mut found, mut next) = (index, first);
        for _ in 0..=limits::INDEX_DEPTH {
            let Some(entry) = next else {
                return Ok(found);
            };
            self.room.admit(1)?;
            found = self.manifests.fetch(self.origin, &entry.digest).await?;
            self.room.fill(&found)?;
            let Content::Index(index) = found.content() else {
                return Ok(found);
            };
            let inside = self.look_inside(index).await?;
            next = Subset::choose(&found, &inside, wanted, false)
                .map_err(refused)?
                .first;
        }
        Err(GraphError::TooDeep)
    }

    /// The platforms of a manifest so many levels below the root.
    fn platforms_of<'a>(
        &'a self,
        digest: &'a Digest,
        depth: usize,
    ) -> BoxFuture<'a, Result<Vec<Platform>, GraphError>> {
        async move {
            self.room.admit(1)?;
            let manifest = self.manifests.fetch(self.origin, digest).await?;
            self.room.fill(&manifest)?;
            let Content::Index(index) = manifest.content() else {
                let platform = platform_of_image(self.origin, &manifest).await?;
                return Ok(platform.into_iter().collect());
            };
            if depth >= limits::INDEX_DEPTH && !index.manifests.is_empty() {
                return Err(GraphError::TooDeep);
            }
            let mut platforms = Vec::new();
            for entry in &index.manifests {
                match entry.own_platform() {
                    Some(platform) => platforms.push(platform.clone()),
                    None if is_silent(entry) => {
                        platforms.extend(self.platforms_of(&entry.digest, depth + 1).await?);
                    }
                    None => {}
                }
            }
            Ok(platforms)
        }
        .boxed()
    }
}

fn refused(error: SubsetError) -> GraphError {
    GraphError::Subset(Arc::new(error))
}

/// Whether only what is behind an entry says its platform. What is neither image nor index has none, and
/// an attestation follows its image.
fn is_silent(entry: &Descriptor) -> bool {
    let is_manifest = entry.media_type.is_image() || entry.media_type.is_index();
    is_manifest && entry.own_platform().is_none() && entry.attests().is_none()
}

/// The platform of an image without an index, by its config. Other artifacts have none.
async fn platform_of_image(
    origin: &Origin,
    image: &Manifest,
) -> Result<Option<Platform>, GraphError> {
    let config = read_config(origin, image).await?;
    let platform = config.map(|config| config.platform);
    Ok(platform.filter(|platform| !platform.is_empty() && !platform.is_unknown()))
}

fn check_image(
    found: Option<Platform>,
    wanted: &[Platform],
    absent: AbsentPlatform,
) -> Result<(), GraphError> {
    let Some(found) = found else {
        return Ok(());
    };
    let missing: Vec<Platform> = wanted
        .iter()
        .filter(|wanted| !wanted.covers(&found))
        .cloned()
        .collect();
    if missing.len() == wanted.len() {
        return Err(GraphError::OtherPlatform {
            found: Box::new(found),
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
