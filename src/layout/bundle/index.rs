// SPDX-License-Identifier: Apache-2.0

//! The index of a bundle: what is in it, and what it leaves out.

use std::collections::HashSet;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::layout::index::Index;
use crate::oci::descriptor::EMPTY_JSON;
use crate::oci::{Descriptor, Digest, MediaType, Tag, media_type};

/// The type of the manifest of a bundle.
pub(super) const BUNDLE_TYPE: &str = "application/vnd.transship.bundle.v1";
/// The type of its layer, the index.
pub(super) const INDEX_TYPE: &str = "application/vnd.transship.bundle.index.v1+json";
/// The version that is written, and the only one that is read.
pub(super) const VERSION: u32 = 1;

/// Largest index that is written and read, in bytes: that of more than a hundred thousand blobs.
pub(super) const INDEX_BYTES: usize = 16 * 1024 * 1024;

/// Largest signature that is read, in bytes.
pub(super) const SIGNATURE_BYTES: usize = 1024 * 1024;

/// What is in a bundle.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BundleIndex {
    /// The version of this format.
    pub version: u32,
    /// When the bundle was made.
    pub created: Timestamp,
    /// The digest of the index of the bundle before it, where it leaves out what that one brings.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<Digest>,
    /// What is in it, by where it goes.
    pub repositories: Vec<BundledRepository>,
}

/// A signature of the index of a bundle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BundleSignature {
    /// Its form.
    pub media_type: String,
    /// It.
    pub content: Vec<u8>,
}

/// What goes to one repository.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BundledRepository {
    /// The repository at the first destination of its mirrors, with the registry.
    pub name: String,
    /// Images, and what refers to them.
    pub entries: Vec<BundledEntry>,
    /// All of their manifests.
    pub manifests: Vec<BundledManifest>,
    /// All of their configs and layers.
    pub blobs: Vec<BundledBlob>,
    /// What an index of its images lists and no mirror wanted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<Digest>,
}

/// An image, or something that refers to one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BundledEntry {
    /// Its tag at the destination.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tag: Option<Tag>,
    /// The type of its manifest.
    pub media_type: MediaType,
    /// The type of the artifact that refers to an image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact_type: Option<String>,
    /// The digest of its manifest.
    pub digest: Digest,
    /// The length of its manifest in bytes.
    pub size: u64,
    /// Whose image it is; nothing of what refers to one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub origins: Vec<BundledOrigin>,
}

/// Where an image comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BundledOrigin {
    /// The mirror, `namespace/name`.
    pub mirror: String,
    /// The image at its source.
    pub source: String,
}

/// A manifest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BundledManifest {
    /// Its digest.
    pub digest: Digest,
    /// Its length in bytes.
    pub size: u64,
}

/// A config or layer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BundledBlob {
    /// Its digest.
    pub digest: Digest,
    /// Its length in bytes.
    pub size: u64,
    /// Whether an earlier bundle brings it, so that it is not in this one.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub elsewhere: bool,
}

// === impl BundleIndex ===

impl BundleIndex {
    /// Reads what was written; says why not.
    pub(super) fn parse(text: &[u8]) -> Result<Self, String> {
        let index: Self = serde_json::from_slice(text)
            .map_err(|cause| format!("it is no index of a bundle: {cause}"))?;
        if index.version != VERSION {
            let found = index.version;
            return Err(format!(
                "it is an index of version {found}, and only {VERSION} is known: update transship"
            ));
        }
        index.require_sound()?;
        Ok(index)
    }

    /// What is written, and signed.
    pub fn render(&self) -> Vec<u8> {
        // It has nothing that JSON has no words for.
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// By what others know it: the digest of what is written.
    pub fn digest(&self) -> Digest {
        Digest::sha256(&self.render())
    }

    /// The manifest of a bundle with this index, and with the signature of it.
    pub(super) fn manifest(&self, signature: Option<&BundleSignature>) -> Vec<u8> {
        let text = self.render();
        let layer = |media_type: &str, content: &[u8]| {
            let digest = Digest::sha256(content);
            json!({"mediaType": media_type, "digest": digest.as_str(), "size": content.len()})
        };
        let mut layers = vec![layer(INDEX_TYPE, &text)];
        layers.extend(signature.map(|one| layer(&one.media_type, &one.content)));
        let document = json!({
            "schemaVersion": 2,
            "mediaType": media_type::OCI_MANIFEST,
            "artifactType": BUNDLE_TYPE,
            "config": {"mediaType": "application/vnd.oci.empty.v1+json", "digest": EMPTY_JSON, "size": 2},
            "layers": layers,
        });
        document.to_string().into_bytes()
    }

    /// The `index.json` of a bundle with this manifest.
    pub(super) fn layout(&self, manifest: &[u8]) -> Index {
        let mut index = Index::empty();
        for repository in &self.repositories {
            for entry in &repository.entries {
                let name = entry.tag.as_ref();
                let name = name.map(|tag| format!("{}:{tag}", repository.name));
                index.list(&entry.descriptor(), name.as_deref());
            }
        }
        let mut descriptor = Descriptor::of(media_type::OCI_MANIFEST.into(), manifest);
        descriptor.artifact_type = Some(BUNDLE_TYPE.to_owned());
        index.list(&descriptor, None);
        index
    }

    /// Every manifest and blob that is in the bundle, each once: the manifests first.
    pub fn carried(&self) -> Vec<(&Digest, u64)> {
        let repositories = self.repositories.iter();
        let manifests = repositories.clone().flat_map(|one| &one.manifests);
        let blobs = repositories.flat_map(|one| &one.blobs);
        let blobs = blobs.filter(|blob| !blob.elsewhere);
        let mut seen = HashSet::new();
        manifests
            .map(|manifest| (&manifest.digest, manifest.size))
            .chain(blobs.map(|blob| (&blob.digest, blob.size)))
            .filter(|(digest, _)| seen.insert(*digest))
            .collect()
    }

    /// Every blob that an earlier bundle brings, each once.
    pub fn elsewhere(&self) -> Vec<(&Digest, u64)> {
        let blobs = self.repositories.iter().flat_map(|one| &one.blobs);
        let mut seen = HashSet::new();
        blobs
            .filter(|blob| blob.elsewhere && seen.insert(&blob.digest))
            .map(|blob| (&blob.digest, blob.size))
            .collect()
    }
}

// === impl BundledEntry ===

impl BundledEntry {
    pub(super) fn descriptor(&self) -> Descriptor {
        Descriptor {
            media_type: self.media_type.clone(),
            digest: self.digest.clone(),
            size: self.size,
            platform: None,
            artifact_type: self.artifact_type.clone(),
            annotations: std::collections::BTreeMap::new(),
            data: None,
        }
    }
}

/// What stands in for a value that is compared.
pub(super) fn as_value(text: &[u8]) -> Option<Value> {
    serde_json::from_slice(text).ok()
}
