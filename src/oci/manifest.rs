// SPDX-License-Identifier: Apache-2.0

//! Manifests and indexes: the bytes as they came, and a strict view of them.
//!
//! The bytes are what is pushed; they are never serialised again, because the digest is over them.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde::Deserialize;

use super::digest::Algorithm;
use super::json::null_as_default;
use super::{Descriptor, Digest, MediaType, json, limits, media_type};

/// A manifest or index whose digest, form and kind have been checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    bytes: Bytes,
    media_type: MediaType,
    digest: Digest,
    content: Content,
}

/// What a manifest describes. The kind is decided once, here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// One image or artifact.
    Image(Box<ImageManifest>),
    /// Several manifests, one for each platform.
    Index(Box<ImageIndex>),
}

/// One image or artifact (image specification, image manifest).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageManifest {
    /// The config; the withdrawn artifact manifest has none.
    pub config: Option<Descriptor>,
    /// The layers, lowest first.
    pub layers: Vec<Descriptor>,
    /// The manifest that this one refers to, as signatures do.
    pub subject: Option<Descriptor>,
    /// The type of an artifact.
    pub artifact_type: Option<String>,
    /// Arbitrary facts.
    pub annotations: BTreeMap<String, String>,
}

/// Several manifests (image specification, image index).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageIndex {
    /// The entries.
    pub manifests: Vec<Descriptor>,
    /// The manifest that this one refers to.
    pub subject: Option<Descriptor>,
    /// The type of an artifact.
    pub artifact_type: Option<String>,
    /// Arbitrary facts.
    pub annotations: BTreeMap<String, String>,
}

/// Why bytes are not accepted as a manifest.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// The body is larger than any registry takes.
    #[error("the manifest is larger than {} bytes", limits::MANIFEST_BYTES)]
    TooLarge,
    /// The bytes are not the ones that were asked for.
    #[error("the manifest has the digest {found}, expected {expected}")]
    DigestMismatch {
        /// The digest of the bytes.
        found: Digest,
        /// The digest that was asked for.
        expected: Digest,
    },
    /// The JSON is malformed or ambiguous.
    #[error("the manifest is not acceptable JSON: {0}")]
    Json(serde_json::Error),
    /// Schema 1 is gone from every registry and client.
    #[error(
        "the manifest is of Docker's schema 1, which no registry stores any more: rebuild the image or pull and push it with a current Docker"
    )]
    Schema1,
    /// The header and the body name different types.
    #[error("the manifest is served as {header} but says {body} of itself")]
    MediaTypeConflict {
        /// What the Content-Type header says.
        header: MediaType,
        /// What `mediaType` says.
        body: MediaType,
    },
    /// The type is not one of a manifest.
    #[error("{0:?} is not the media type of a manifest or index")]
    UnknownMediaType(String),
    /// Both an image and an index (CVE-2021-41190).
    #[error("the manifest has both {0:?} and {1:?}: it could be read as an image and as an index")]
    Ambiguous(&'static str, &'static str),
    /// A part that the kind needs is missing.
    #[error("the manifest has no {0:?}")]
    Missing(&'static str),
    /// Too many entries.
    #[error(
        "the manifest has {found} {field}, at most {} are accepted",
        limits::DESCRIPTORS
    )]
    TooMany {
        /// Which list.
        field: &'static str,
        /// How many there are.
        found: usize,
    },
    /// A size that no blob has.
    #[error(
        "{digest} is said to have {size} bytes, at most {} are accepted",
        limits::BLOB_BYTES
    )]
    BlobTooLarge {
        /// Whose size.
        digest: Digest,
        /// The size that the descriptor names.
        size: u64,
    },
    /// One blob with two sizes.
    #[error("{digest} is said to have {first} bytes and {second} bytes")]
    SizeConflict {
        /// Whose size.
        digest: Digest,
        /// The size at its first mention.
        first: u64,
        /// The size at a later mention.
        second: u64,
    },
}

/// The document as it is written, of whatever kind.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    schema_version: Option<u64>,
    media_type: Option<MediaType>,
    config: Option<Descriptor>,
    layers: Option<Vec<Descriptor>>,
    blobs: Option<Vec<Descriptor>>,
    manifests: Option<Vec<Descriptor>>,
    subject: Option<Descriptor>,
    artifact_type: Option<String>,
    #[serde(default, deserialize_with = "null_as_default")]
    annotations: BTreeMap<String, String>,
}

/// The kind of a document, and the type under which it is pushed.
enum Kind {
    Image(MediaType),
    Index(MediaType),
}

// === impl Manifest ===

impl Manifest {
    /// Checks bytes that a registry served under `content_type`.
    ///
    /// `expected` is the digest that was asked for; without one the sha256 digest of the bytes is taken.
    pub fn parse(
        bytes: Bytes,
        content_type: Option<&MediaType>,
        expected: Option<&Digest>,
    ) -> Result<Self, ManifestError> {
        if bytes.len() > limits::MANIFEST_BYTES {
            return Err(ManifestError::TooLarge);
        }
        let digest = check_digest(&bytes, expected)?;
        json::check(&bytes).map_err(unreadable)?;
        let document: Document = serde_json::from_slice(&bytes).map_err(unreadable)?;
        let kind = document.kind(content_type)?;
        let (media_type, content) = document.into_content(kind)?;
        let manifest = Self {
            bytes,
            media_type,
            digest,
            content,
        };
        manifest.check_sizes()?;
        Ok(manifest)
    }

    /// The bytes as they came.
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// The media type to push it with.
    pub fn media_type(&self) -> &MediaType {
        &self.media_type
    }

    /// The digest of the bytes.
    pub fn digest(&self) -> &Digest {
        &self.digest
    }

    /// The length in bytes.
    pub fn size(&self) -> u64 {
        self.bytes.len() as u64
    }

    /// What it takes in memory, in bytes, about.
    pub fn weight(&self) -> usize {
        json::weigh(&self.bytes)
    }

    /// What it describes.
    pub fn content(&self) -> &Content {
        &self.content
    }

    /// A descriptor that refers to it.
    pub fn descriptor(&self) -> Descriptor {
        Descriptor {
            digest: self.digest.clone(),
            ..Descriptor::of(self.media_type.clone(), &self.bytes)
        }
    }

    /// The config and layers, each once. An index has none of its own. What is named both as a layer and as
    /// one that registries need not hold is the former.
    pub fn blobs(&self) -> Vec<&Descriptor> {
        let Content::Image(image) = &self.content else {
            return Vec::new();
        };
        let mut seen = std::collections::HashSet::new();
        let blobs = image.config.iter().chain(&image.layers);
        let (foreign, own): (Vec<_>, Vec<_>) =
            blobs.partition(|descriptor| descriptor.media_type.is_foreign_layer());
        own.into_iter()
            .chain(foreign)
            .filter(|descriptor| seen.insert(&descriptor.digest))
            .collect()
    }

    /// The manifests that an index lists. An image lists none.
    pub fn entries(&self) -> &[Descriptor] {
        match &self.content {
            Content::Image(_) => &[],
            Content::Index(index) => &index.manifests,
        }
    }

    /// The manifest that this one refers to.
    pub fn subject(&self) -> Option<&Descriptor> {
        match &self.content {
            Content::Image(image) => image.subject.as_ref(),
            Content::Index(index) => index.subject.as_ref(),
        }
    }

    /// The artifact type under which a referrer is listed: its own, else that of its config.
    pub fn artifact_type(&self) -> Option<&str> {
        match &self.content {
            Content::Image(image) => image.artifact_type.as_deref().or(image
                .config
                .as_ref()
                .map(|config| config.media_type.as_str())),
            Content::Index(index) => index.artifact_type.as_deref(),
        }
    }

    /// Arbitrary facts.
    pub fn annotations(&self) -> &BTreeMap<String, String> {
        match &self.content {
            Content::Image(image) => &image.annotations,
            Content::Index(index) => &index.annotations,
        }
    }

    fn check_sizes(&self) -> Result<(), ManifestError> {
        let mut sizes = std::collections::HashMap::new();
        let entries: Box<dyn Iterator<Item = &Descriptor>> = match &self.content {
            Content::Image(image) => Box::new(image.config.iter().chain(&image.layers)),
            Content::Index(index) => Box::new(index.manifests.iter()),
        };
        for Descriptor { digest, size, .. } in entries {
            if *size > limits::BLOB_BYTES {
                return Err(ManifestError::BlobTooLarge {
                    digest: digest.clone(),
                    size: *size,
                });
            }
            let first = *sizes.entry(digest).or_insert(*size);
            if first != *size {
                return Err(ManifestError::SizeConflict {
                    digest: digest.clone(),
                    first,
                    second: *size,
                });
            }
        }
        Ok(())
    }
}

fn unreadable(error: serde_json::Error) -> ManifestError {
    ManifestError::Json(json::shorten(error))
}

fn check_digest(bytes: &[u8], expected: Option<&Digest>) -> Result<Digest, ManifestError> {
    let algorithm = expected.map_or(Algorithm::Sha256, Digest::algorithm);
    let found = algorithm.digest(bytes);
    match expected {
        Some(expected) if *expected != found => Err(ManifestError::DigestMismatch {
            found,
            expected: expected.clone(),
        }),
        _ => Ok(found),
    }
}

// === impl Document ===

impl Document {
    /// The kind by header, else by `mediaType`, else by shape. A header that names no type of a manifest says
    /// nothing: storage behind registries serves them as anything, such as `binary/octet-stream`.
    fn kind(&self, content_type: Option<&MediaType>) -> Result<Kind, ManifestError> {
        let header = content_type.filter(|header| header.is_manifest());
        if self.schema_version == Some(1) || header.is_some_and(MediaType::is_schema1) {
            return Err(ManifestError::Schema1);
        }
        let has_shape = self.config.is_some() || self.layers.is_some();
        let media_type = match (header, &self.media_type) {
            (Some(header), Some(body)) if header != body => {
                return Err(ManifestError::MediaTypeConflict {
                    header: header.clone(),
                    body: body.clone(),
                });
            }
            (Some(known), _) | (None, Some(known)) => known.clone(),
            (None, None) if self.manifests.is_some() => media_type::OCI_INDEX.into(),
            (None, None) => match content_type.filter(|header| !header.is_unspecific()) {
                Some(header) if !has_shape => header.clone(),
                Some(_) | None => media_type::OCI_MANIFEST.into(),
            },
        };
        if media_type.is_index() {
            Ok(Kind::Index(media_type))
        } else if media_type.is_image() {
            Ok(Kind::Image(media_type))
        } else {
            Err(ManifestError::UnknownMediaType(media_type.into()))
        }
    }

    fn into_content(self, kind: Kind) -> Result<(MediaType, Content), ManifestError> {
        let Self {
            config,
            layers,
            blobs,
            manifests,
            subject,
            artifact_type,
            annotations,
            ..
        } = self;
        match kind {
            Kind::Index(media_type) => {
                if layers.is_some() {
                    return Err(ManifestError::Ambiguous("manifests", "layers"));
                }
                if config.is_some() {
                    return Err(ManifestError::Ambiguous("manifests", "config"));
                }
                let manifests = at_most(
                    "manifests",
                    manifests.ok_or(ManifestError::Missing("manifests"))?,
                )?;
                Ok((
                    media_type,
                    Content::Index(Box::new(ImageIndex {
                        manifests,
                        subject,
                        artifact_type,
                        annotations,
                    })),
                ))
            }
            Kind::Image(media_type) => {
                if manifests.is_some() {
                    return Err(ManifestError::Ambiguous("layers", "manifests"));
                }
                let is_artifact = media_type.as_str() == media_type::OCI_ARTIFACT;
                if !is_artifact && config.is_none() {
                    return Err(ManifestError::Missing("config"));
                }
                let layers = if is_artifact { blobs } else { layers };
                let layers = at_most("layers", layers.unwrap_or_default())?;
                Ok((
                    media_type,
                    Content::Image(Box::new(ImageManifest {
                        config,
                        layers,
                        subject,
                        artifact_type,
                        annotations,
                    })),
                ))
            }
        }
    }
}

fn at_most(field: &'static str, list: Vec<Descriptor>) -> Result<Vec<Descriptor>, ManifestError> {
    match list.len() {
        found if found > limits::DESCRIPTORS => Err(ManifestError::TooMany { field, found }),
        _ => Ok(list),
    }
}

#[cfg(test)]
#[path = "manifest_tests.rs"]
mod tests;
