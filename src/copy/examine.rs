// SPDX-License-Identifier: Apache-2.0

//! What an image is like, without its layers: its manifests and configs.

use std::collections::HashMap;
use std::sync::Arc;

use futures::{TryStreamExt, stream};
use jiff::Timestamp;

use super::config::read_config;
use super::graph::Graph;
use super::graph_error::GraphError;
use super::manifests::{Manifests, Room};
use super::pipe::Origin;
use crate::oci::{Content, Descriptor, Digest, ImageConfig, Manifest, Platform, limits};
use crate::plan::Platforms;

/// Images of one tag that are examined at once.
const READS: usize = 4;

/// One image that would be copied: the only one of a tag, or that of one platform.
#[derive(Clone, Debug)]
pub struct Examined {
    /// The platform, by the index or else by the config.
    pub platform: Option<Platform>,
    /// What it is made of.
    pub manifest: Arc<Manifest>,
    /// What it says of itself; nothing where it is no image, but another artifact.
    pub config: Option<ImageConfig>,
}

/// Examines all images that would be copied of `digest`.
pub(super) async fn examine(
    manifests: &Manifests,
    origin: &Origin,
    digest: &Digest,
    platforms: &Platforms,
) -> Result<Vec<Examined>, GraphError> {
    let graph = Graph::read(manifests, origin, digest, platforms, &Room::new()).await?;
    let reads: Vec<_> = images(&graph)
        .into_iter()
        .map(|(platform, manifest)| Ok(examine_one(origin, platform, manifest)))
        .collect();
    stream::iter(reads).try_buffered(READS).try_collect().await
}

/// When an image was built, by the config of one of its images: that for linux/amd64, or else the first one.
/// Nothing where that does not say.
pub(super) async fn created(
    manifests: &Manifests,
    origin: &Origin,
    digest: &Digest,
) -> Result<Option<Timestamp>, GraphError> {
    let mut manifest = manifests.fetch(origin, digest).await?;
    for _ in 0..limits::INDEX_DEPTH {
        let Content::Index(index) = manifest.content() else {
            break;
        };
        let Some(next) = most_usual(&index.manifests) else {
            return Ok(None);
        };
        manifest = manifests.fetch(origin, &next.digest).await?;
    }
    let config = read_config(origin, &manifest).await?;
    Ok(config.and_then(|config| config.created))
}

fn most_usual(entries: &[Descriptor]) -> Option<&Descriptor> {
    let is_usual = |platform: &Platform| {
        platform.os == "linux" && platform.architecture == "amd64" && platform.variant.is_none()
    };
    let images = || entries.iter().filter(|entry| !only_attests(entry));
    let usual = images().find(|entry| entry.platform.as_ref().is_some_and(is_usual));
    usual.or_else(|| images().next())
}

/// The images among the manifests, with the platforms that indexes give them. What only attests something of an
/// image is none, unless a node would run it.
pub(super) fn images(graph: &Graph) -> Vec<(Option<Platform>, Arc<Manifest>)> {
    let mut listed: HashMap<Digest, Option<Platform>> = HashMap::new();
    for manifest in graph.manifests() {
        if let Content::Index(index) = manifest.content() {
            let entries = index.manifests.iter().filter(|entry| !only_attests(entry));
            listed.extend(entries.map(|entry| (entry.digest.clone(), entry.platform.clone())));
        }
    }
    let is_image = |manifest: &&Arc<Manifest>| match manifest.content() {
        Content::Image(_) => {
            let is_listed = listed.contains_key(manifest.digest());
            manifest.digest() == graph.root.digest() || is_listed || manifest.can_run()
        }
        Content::Index(_) => false,
    };
    let images = graph.manifests().filter(is_image);
    images
        .map(|manifest| {
            let platform = listed.get(manifest.digest()).cloned().flatten();
            (platform, manifest.clone())
        })
        .collect()
}

/// Whether no program runs what an entry names: attestations have a platform that no machine is.
fn only_attests(entry: &Descriptor) -> bool {
    let is_unknown = entry.platform.as_ref().is_some_and(Platform::is_unknown);
    is_unknown && entry.attests().is_some()
}

async fn examine_one(
    origin: &Origin,
    platform: Option<Platform>,
    manifest: Arc<Manifest>,
) -> Result<Examined, GraphError> {
    let config = read_config(origin, &manifest).await?;
    let of_config = config.as_ref().map(|config| &config.platform);
    let of_config = of_config.filter(|platform| !platform.os.is_empty());
    Ok(Examined {
        platform: platform.or_else(|| of_config.cloned()),
        manifest,
        config,
    })
}
