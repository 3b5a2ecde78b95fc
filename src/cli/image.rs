//! Reads what `ls` and `inspect` show of an image.

use std::collections::HashSet;

use futures::{StreamExt, TryStreamExt, stream};

use super::address::image_name;
use super::config::ImageConfig;
use super::error::Error;
use crate::oci::{
    Content, Descriptor, Digest, ImageManifest, Manifest, Platform, Repository, TagOrDigest,
};
use crate::registry::Client;

/// Largest config that is read, in bytes.
const CONFIG_BYTES: u64 = 4 * 1024 * 1024;
/// Manifests of one index that are read at once.
const READS: usize = 8;

/// A repository of a registry.
#[derive(Clone, Debug)]
pub(super) struct Source {
    /// The registry.
    pub(super) client: Client,
    /// The repository.
    pub(super) repository: Repository,
}

/// One image of those that a tag stands for.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    /// The platform; none where the image is an artifact that runs nowhere.
    pub(super) platform: Option<Platform>,
    /// Its manifest.
    pub(super) manifest: Manifest,
}

// === impl Source ===

impl Source {
    /// The repository as people write it.
    pub(super) fn name(&self) -> String {
        format!("{}/{}", self.client.registry(), self.repository)
    }

    /// Which digest a tag or digest stands for.
    pub(super) async fn resolve(&self, target: &TagOrDigest) -> Result<Digest, Error> {
        let resolved = self.client.resolve(&self.repository, target, None).await?;
        let missing = || Error::NotFound(image_name(&self.name(), target));
        Ok(resolved.ok_or_else(missing)?.digest)
    }

    /// Reads a manifest or index.
    pub(super) async fn fetch(&self, target: &TagOrDigest) -> Result<Manifest, Error> {
        Ok(self.client.fetch_manifest(&self.repository, target).await?)
    }

    /// Reads the images that a manifest or index stands for, without attestations.
    pub(super) async fn entries(&self, root: &Manifest) -> Result<Vec<Entry>, Error> {
        match root.content() {
            Content::Image(image) => Ok(vec![Entry {
                platform: self.platform(image).await?,
                manifest: root.clone(),
            }]),
            Content::Index(index) => {
                let children = index.manifests.iter().filter(|child| is_image(child));
                stream::iter(children)
                    .map(|child| async move {
                        let manifest = self.fetch(&child.digest.clone().into()).await?;
                        Ok(Entry {
                            platform: child.platform.clone(),
                            manifest,
                        })
                    })
                    .buffered(READS)
                    .try_collect()
                    .await
            }
        }
    }

    /// Reads the config of an image; none where the manifest is that of an artifact.
    pub(super) async fn config(&self, image: &ImageManifest) -> Result<Option<ImageConfig>, Error> {
        let Some(descriptor) = image.config.as_ref().filter(|config| is_config(config)) else {
            return Ok(None);
        };
        let bytes = self.read(descriptor).await?;
        let config = serde_json::from_slice(&bytes);
        config.map(Some).map_err(|error| {
            Error::Image(format!(
                "config {} cannot be read: {error}",
                descriptor.digest
            ))
        })
    }

    async fn platform(&self, image: &ImageManifest) -> Result<Option<Platform>, Error> {
        let config = self.config(image).await?;
        Ok(config.map(|config| config.platform))
    }

    async fn read(&self, blob: &Descriptor) -> Result<Vec<u8>, Error> {
        let Descriptor { digest, size, .. } = blob;
        if *size > CONFIG_BYTES {
            return Err(Error::Image(format!(
                "config {digest} has {size} bytes, at most {CONFIG_BYTES} are read"
            )));
        }
        let mut bytes = Vec::new();
        let mut body = self.client.fetch_blob(&self.repository, blob, 0).await?;
        while let Some(frame) = body.next().await {
            bytes.extend_from_slice(&frame?);
            if bytes.len() as u64 > *size {
                break;
            }
        }
        if !digest.matches(&bytes) {
            return Err(Error::Image(format!(
                "config {digest} is damaged: its content has another digest"
            )));
        }
        Ok(bytes)
    }
}

/// Whether an entry of an index is an image, not an attestation about one.
fn is_image(child: &Descriptor) -> bool {
    let is_unknown = child.platform.as_ref().is_some_and(Platform::is_unknown);
    (child.media_type.is_image() || child.media_type.is_index()) && !is_unknown
}

/// Whether a config is that of an image, not of an artifact.
fn is_config(config: &Descriptor) -> bool {
    matches!(
        config.media_type.as_str(),
        "application/vnd.oci.image.config.v1+json"
            | "application/vnd.docker.container.image.v1+json"
    )
}

// === impl Entry ===

impl Entry {
    /// What it runs on, or else what it is.
    pub(super) fn kind(&self) -> String {
        match &self.platform {
            Some(platform) => platform.to_string(),
            None => self
                .manifest
                .artifact_type()
                .unwrap_or("unknown")
                .to_owned(),
        }
    }
}

/// The bytes of the configs and layers of images, each blob counted once.
pub(super) fn size<'a>(entries: impl IntoIterator<Item = &'a Entry>) -> u64 {
    let mut seen = HashSet::new();
    let blobs = entries.into_iter().flat_map(|entry| entry.manifest.blobs());
    blobs
        .filter(|blob| seen.insert(blob.digest.clone()))
        .map(|blob| blob.size)
        .sum()
}
