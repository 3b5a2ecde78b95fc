// SPDX-License-Identifier: Apache-2.0

//! Reads what `ls` and `inspect` show of an image.

use std::collections::HashSet;

use futures::{StreamExt, TryStreamExt, stream};
use serde::de::DeserializeOwned;

use super::address::image_name;
use super::config::ImageConfig;
use super::error::Error;
use crate::copy::{Endpoint, endpoint};
use crate::layout::Error::NoManifest;
use crate::oci::{
    Content, Descriptor, Digest, ImageManifest, Manifest, Platform, Repository, TagOrDigest,
};

/// Largest config that is read, in bytes.
const CONFIG_BYTES: u64 = 4 * 1024 * 1024;
/// Manifests of one index that are read at once.
const READS: usize = 8;

/// A repository of a registry, or a layout or archive.
#[derive(Clone, Debug)]
pub(super) struct Source {
    /// The registry, or the directory or file.
    pub(super) endpoint: Endpoint,
    /// The repository there.
    pub(super) repository: Repository,
    /// The repository as people write it.
    pub(super) name: String,
}

/// An image of a source, as it was named.
#[derive(Clone, Debug)]
pub(super) struct Named {
    /// Where it is.
    pub(super) source: Source,
    /// Which one.
    pub(super) target: TagOrDigest,
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
    /// Which digest a tag or digest stands for.
    pub(super) async fn resolve(&self, target: &TagOrDigest) -> Result<Digest, Error> {
        let resolved = self
            .endpoint
            .resolve(&self.repository, target, None)
            .await?;
        match resolved {
            Some(digest) => Ok(digest),
            None => Err(self.missing(target).await),
        }
    }

    /// That there is no such image. What a directory or archive has in its place costs no request.
    pub(super) async fn missing(&self, target: &TagOrDigest) -> Error {
        let mut beside = match &self.endpoint {
            Endpoint::Layout(layout) => {
                let listed = layout.list_tags(&self.repository).await;
                listed.unwrap_or_default()
            }
            Endpoint::Registry(_) => Vec::new(),
        };
        beside.retain(|tag| !tag.is_attached());
        Error::NotFound {
            what: image_name(&self.name, target),
            beside,
        }
    }

    /// Reads a manifest or index.
    pub(super) async fn fetch(&self, target: &TagOrDigest) -> Result<Manifest, Error> {
        Ok(self
            .endpoint
            .fetch_manifest(&self.repository, target)
            .await?)
    }

    /// The same of one that somebody names, and that may not be there.
    pub(super) async fn fetch_named(&self, target: &TagOrDigest) -> Result<Manifest, Error> {
        let fetched = self.fetch(target).await;
        let Err(Error::Endpoint(endpoint::Error::Layout(error))) = &fetched else {
            return fetched;
        };
        if !matches!(**error, NoManifest { .. }) {
            return fetched;
        }
        let missing = self.missing(target).await;
        match (&missing, target) {
            // What is listed is damaged.
            (Error::NotFound { beside, .. }, TagOrDigest::Tag(tag)) if beside.contains(tag) => {
                fetched
            }
            _ => Err(missing),
        }
    }

    /// Reads the image that a manifest or index stands for on a platform: one that is named, else linux on this
    /// processor, else the first. No other is read.
    pub(super) async fn select(
        &self,
        root: &Manifest,
        wanted: Option<&Platform>,
    ) -> Result<Entry, Error> {
        let Content::Index(index) = root.content() else {
            let entries = self.entries(root).await?;
            let names = || entries.iter().map(Entry::kind).collect::<Vec<_>>();
            let platforms: Vec<_> = entries.iter().map(|entry| entry.platform.clone()).collect();
            let place =
                choose(&platforms, wanted).map_err(|wanted| self.lacks(root, wanted, &names()))?;
            let entry = place.and_then(|place| entries.get(place)).cloned();
            return entry.ok_or_else(|| Error::Image(format!("{} has no image", self.name)));
        };
        let children: Vec<_> = index
            .manifests
            .iter()
            .filter(|child| is_image(child))
            .collect();
        let platforms: Vec<_> = children
            .iter()
            .map(|child| child.platform.clone())
            .collect();
        let names = || {
            let named = platforms.iter().flatten();
            named.map(ToString::to_string).collect::<Vec<_>>()
        };
        let place =
            choose(&platforms, wanted).map_err(|wanted| self.lacks(root, wanted, &names()))?;
        let child = place.and_then(|place| children.get(place));
        let child = child.ok_or_else(|| Error::Image(format!("{} has no image", self.name)))?;
        Ok(Entry {
            platform: child.platform.clone(),
            manifest: self.fetch(&child.digest.clone().into()).await?,
        })
    }

    /// The digest of the image for a platform. The manifest of an index tells it without another request.
    pub(super) async fn select_digest(
        &self,
        root: &Manifest,
        wanted: &Platform,
    ) -> Result<Digest, Error> {
        if let Content::Index(index) = root.content() {
            let mut children = index.manifests.iter().filter(|child| is_image(child));
            let covers = |child: &&Descriptor| {
                child
                    .platform
                    .as_ref()
                    .is_some_and(|found| wanted.covers(found))
            };
            if let Some(child) = children.find(covers) {
                return Ok(child.digest.clone());
            }
        }
        Ok(self
            .select(root, Some(wanted))
            .await?
            .manifest
            .digest()
            .clone())
    }

    /// That an image is for other platforms than the one that is wanted.
    pub(super) fn lacks(&self, root: &Manifest, wanted: &Platform, platforms: &[String]) -> Error {
        let name = image_name(&self.name, &root.digest().clone().into());
        Error::Image(format!(
            "{name} is for {}, not for {wanted}",
            platforms.join(", ")
        ))
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
        self.read_json(descriptor).await.map(Some)
    }

    /// Reads a config as what its JSON says.
    pub(super) async fn read_json<T: DeserializeOwned>(
        &self,
        config: &Descriptor,
    ) -> Result<T, Error> {
        let bytes = self.read(config).await?;
        let unreadable = |error| {
            let digest = &config.digest;
            Error::Image(format!("config {digest} cannot be read: {error}"))
        };
        serde_json::from_slice(&bytes).map_err(unreadable)
    }

    /// Reads the bytes of the config of an image.
    pub(super) async fn config_bytes(&self, manifest: &Manifest) -> Result<Vec<u8>, Error> {
        let config = match manifest.content() {
            Content::Image(image) => image.config.as_ref(),
            Content::Index(_) => None,
        };
        let digest = manifest.digest();
        let none = || Error::Image(format!("{digest} has no config: it is no image"));
        self.read(config.ok_or_else(none)?).await
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
        let mut body = self.endpoint.fetch_blob(&self.repository, blob, 0).await?;
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

/// The place of the platform that is wanted: without a wish that of linux on this processor, else the first.
pub(super) fn choose<'a>(
    platforms: &[Option<Platform>],
    wanted: Option<&'a Platform>,
) -> Result<Option<usize>, &'a Platform> {
    let find = |wanted: &Platform| {
        let covers = |platform: &Option<Platform>| {
            platform.as_ref().is_some_and(|found| wanted.covers(found))
        };
        platforms.iter().position(covers)
    };
    match wanted {
        None => Ok(find(&own_platform()).or((!platforms.is_empty()).then_some(0))),
        Some(wanted) => find(wanted).map(Some).ok_or(wanted),
    }
}

/// Linux on the processor of this machine.
pub(super) fn own_platform() -> Platform {
    Platform {
        os: "linux".to_owned(),
        architecture: match std::env::consts::ARCH {
            "x86_64" => "amd64",
            "aarch64" => "arm64",
            other => other,
        }
        .to_owned(),
        ..Platform::default()
    }
}

/// Whether an entry of an index is an image, not an attestation about one.
fn is_image(child: &Descriptor) -> bool {
    let is_unknown = child.platform.as_ref().is_some_and(Platform::is_unknown);
    (child.media_type.is_image() || child.media_type.is_index()) && !is_unknown
}

/// Whether a config is that of an image, not of an artifact.
pub(super) fn is_config(config: &Descriptor) -> bool {
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
