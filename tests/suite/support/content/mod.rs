// SPDX-License-Identifier: Apache-2.0

//! Images made from a seed: the same seed gives the same bytes.
//!
//! The layers are real (gzip, tar, right diff ids), so that crane, skopeo and oras find nothing to object to.

mod artifact;
mod builder;
mod layer;
mod signed;

use std::collections::BTreeSet;

use bytes::Bytes;
use serde_json::{Value, json};

use super::digest::{fallback_tag, sha256};

pub use builder::{Format, ImageBuilder};
pub use signed::Signer;

/// The media types that content is made of.
pub mod media_type {
    /// OCI image index.
    pub const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
    /// OCI image manifest.
    pub const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
    /// OCI image config.
    pub const OCI_CONFIG: &str = "application/vnd.oci.image.config.v1+json";
    /// OCI layer, gzip.
    pub const OCI_LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";
    /// OCI layer that registries need not hold.
    pub const OCI_FOREIGN_LAYER: &str =
        "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip";
    /// Docker manifest list.
    pub const DOCKER_INDEX: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
    /// Docker manifest, schema 2.
    pub const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
    /// Docker image config.
    pub const DOCKER_CONFIG: &str = "application/vnd.docker.container.image.v1+json";
    /// Docker layer, gzip.
    pub const DOCKER_LAYER: &str = "application/vnd.docker.image.rootfs.diff.tar.gzip";
    /// Docker layer that registries need not hold.
    pub const DOCKER_FOREIGN_LAYER: &str =
        "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip";
    /// The OCI empty descriptor: `{}`.
    pub const EMPTY: &str = "application/vnd.oci.empty.v1+json";
    /// An in-toto statement.
    pub const IN_TOTO: &str = "application/vnd.in-toto+json";
    /// What cosign signs.
    pub const COSIGN_SIGNATURE: &str = "application/vnd.dev.cosign.simplesigning.v1+json";
}

/// Bytes with a name: a layer, a config or a manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blob {
    /// Their digest, `sha256:…` unless asked for otherwise.
    pub digest: String,
    /// The bytes.
    pub bytes: Bytes,
    /// What they are.
    pub media_type: String,
}

/// An image as a registry holds it.
#[derive(Clone, Debug)]
pub struct Image {
    /// The manifest or index that a tag names.
    pub root: Blob,
    /// The manifests and indexes below it, attestations included, in an order in which they can be pushed.
    pub children: Vec<Blob>,
    /// Configs and layers, each digest once.
    pub blobs: Vec<Blob>,
    /// What refers to the image from outside.
    pub referrers: Vec<Referrer>,
}

/// A signature, SBOM or other artifact that refers to a manifest.
#[derive(Clone, Debug)]
pub struct Referrer {
    /// The digest it refers to.
    pub subject: String,
    /// Its manifest.
    pub manifest: Blob,
    /// Its config and layers.
    pub blobs: Vec<Blob>,
    /// How it is found.
    pub found_by: FoundBy,
}

/// How a referrer is found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FoundBy {
    /// By its `subject` field, through the referrers API or the fallback tag.
    Subject,
    /// By a tag made from the digest it signs, as cosign did at first.
    Tag(String),
}

impl Blob {
    /// Bytes of a media type, named by their sha256.
    pub fn new(media_type: &str, bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        Self {
            digest: sha256(&bytes),
            bytes,
            media_type: media_type.to_owned(),
        }
    }

    /// A JSON document of a media type.
    pub fn json(media_type: &str, value: &Value) -> Self {
        Self::new(media_type, value.to_string())
    }

    /// A layer with one file of `size` incompressible bytes.
    pub fn layer(seed: u64, size: usize) -> Self {
        Self::new(media_type::OCI_LAYER, layer::layer(seed, size).compressed)
    }

    /// The descriptor that names it.
    pub fn descriptor(&self) -> Value {
        json!({"mediaType": self.media_type, "digest": self.digest, "size": self.bytes.len()})
    }

    /// Whether it lists other manifests.
    pub fn is_index(&self) -> bool {
        matches!(
            self.media_type.as_str(),
            media_type::OCI_INDEX | media_type::DOCKER_INDEX
        )
    }
}

impl Image {
    /// The digest that a tag resolves to.
    pub fn digest(&self) -> &str {
        &self.root.digest
    }

    /// Everything below the root that a registry stores as a blob: configs and layers, those of referrers too.
    pub fn all_blobs(&self) -> impl Iterator<Item = &Blob> {
        self.blobs
            .iter()
            .chain(self.referrers.iter().flat_map(|referrer| &referrer.blobs))
    }

    /// The referrers of one digest that are found by their subject.
    pub fn referrers_of(&self, digest: &str) -> impl Iterator<Item = &Referrer> {
        self.referrers.iter().filter(move |referrer| {
            referrer.subject == digest && referrer.found_by == FoundBy::Subject
        })
    }

    /// The digests that have referrers found by subject.
    pub fn subjects(&self) -> BTreeSet<&str> {
        let by_subject = self
            .referrers
            .iter()
            .filter(|referrer| referrer.found_by == FoundBy::Subject);
        by_subject
            .map(|referrer| referrer.subject.as_str())
            .collect()
    }

    /// What a registry without a referrers API is given instead: a tag, and the index under it.
    pub fn fallback_index(&self, subject: &str) -> (String, Blob) {
        let manifests: Vec<Value> = self
            .referrers_of(subject)
            .map(Referrer::descriptor)
            .collect();
        let index =
            json!({"schemaVersion": 2, "mediaType": media_type::OCI_INDEX, "manifests": manifests});
        (
            fallback_tag(subject),
            Blob::json(media_type::OCI_INDEX, &index),
        )
    }
}

impl Referrer {
    /// The descriptor under which a list of referrers names it.
    pub fn descriptor(&self) -> Value {
        let manifest: Value = serde_json::from_slice(&self.manifest.bytes).expect("own JSON");
        let mut descriptor = self.manifest.descriptor();
        descriptor["artifactType"] = manifest
            .get("artifactType")
            .unwrap_or(&manifest["config"]["mediaType"])
            .clone();
        if let Some(annotations) = manifest.get("annotations") {
            descriptor["annotations"] = annotations.clone();
        }
        descriptor
    }
}
