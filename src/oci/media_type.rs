// SPDX-License-Identifier: Apache-2.0

//! Media types of manifests, configs and layers.

use std::fmt;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// OCI image manifest.
pub const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
/// OCI image index.
pub const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
/// OCI artifact manifest, withdrawn from the specification and still met.
pub const OCI_ARTIFACT: &str = "application/vnd.oci.artifact.manifest.v1+json";
/// Docker image manifest, version 2, schema 2.
pub const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
/// Docker manifest list.
pub const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";

/// What every manifest request accepts, as one header value: distribution 2.8 answers 404 for an
/// OCI index to a client that does not name it, and some proxies drop repeated headers.
pub const ACCEPT: &str = "application/vnd.oci.image.index.v1+json, \
    application/vnd.docker.distribution.manifest.list.v2+json, \
    application/vnd.oci.image.manifest.v1+json, \
    application/vnd.docker.distribution.manifest.v2+json, \
    application/vnd.oci.artifact.manifest.v1+json";

/// Longest media type (RFC 6838, section 4.2: 127 characters each before and behind the slash). What is longer names nothing, and is cut.
const LENGTH: usize = 255;

const FOREIGN_LAYERS: [&str; 4] = [
    "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
    "application/vnd.oci.image.layer.nondistributable.v1.tar",
    "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
    "application/vnd.oci.image.layer.nondistributable.v1.tar+zstd",
];

/// A media type without its parameters.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, JsonSchema, Deserialize)]
#[serde(from = "String", into = "String")]
pub struct MediaType(Arc<str>);

impl MediaType {
    /// The text, without parameters.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it names an index or a Docker manifest list.
    pub fn is_index(&self) -> bool {
        matches!(self.as_str(), OCI_INDEX | DOCKER_LIST)
    }

    /// Whether it names a manifest of one image or artifact.
    pub fn is_image(&self) -> bool {
        matches!(self.as_str(), OCI_MANIFEST | DOCKER_MANIFEST | OCI_ARTIFACT)
    }

    /// Whether it names a manifest of the schema 1 of Docker, which no registry of today stores.
    pub fn is_schema1(&self) -> bool {
        self.as_str()
            .starts_with("application/vnd.docker.distribution.manifest.v1+")
    }

    /// Whether it names a manifest or index of any kind.
    pub fn is_manifest(&self) -> bool {
        self.is_index() || self.is_image() || self.is_schema1()
    }

    /// Whether it says nothing about the content, so that the body must.
    pub fn is_unspecific(&self) -> bool {
        matches!(
            self.as_str(),
            "" | "text/plain" | "application/json" | "application/octet-stream"
        )
    }

    /// Whether it names a layer that its publisher does not let others distribute.
    ///
    /// The media type decides, never the presence of `urls`.
    pub fn is_foreign_layer(&self) -> bool {
        FOREIGN_LAYERS.contains(&self.as_str())
    }
}

impl From<&str> for MediaType {
    fn from(text: &str) -> Self {
        let essence = text.split(';').next().unwrap_or_default().trim();
        let end = essence.char_indices().nth(LENGTH);
        let kept = end.and_then(|(end, _)| essence.get(..end));
        Self(kept.unwrap_or(essence).into())
    }
}

impl From<String> for MediaType {
    fn from(text: String) -> Self {
        Self::from(text.as_str())
    }
}

impl From<MediaType> for String {
    fn from(media_type: MediaType) -> Self {
        media_type.as_str().to_owned()
    }
}

impl fmt::Display for MediaType {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(&self.0)
    }
}

impl fmt::Debug for MediaType {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "MediaType({})", self.0)
    }
}
