// SPDX-License-Identifier: Apache-2.0

//! Descriptors: what a manifest says of the content it refers to.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use serde::Deserialize;

use super::{Digest, MediaType, Platform};

/// The digest of `{}`, the empty descriptor of the image specification.
pub const EMPTY_JSON: &str =
    "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a";

/// A reference to a blob or manifest by digest (image specification, descriptor).
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Descriptor {
    /// What the content is.
    pub media_type: MediaType,
    /// The digest of the content.
    pub digest: Digest,
    /// The length of the content in bytes.
    pub size: u64,
    /// The platform that an index entry runs on.
    #[serde(default)]
    pub platform: Option<Platform>,
    /// The type of the artifact behind the descriptor.
    #[serde(default)]
    pub artifact_type: Option<String>,
    /// Arbitrary facts.
    #[serde(default, deserialize_with = "super::json::null_as_default")]
    pub annotations: BTreeMap<String, String>,
    /// The content itself, base64-encoded.
    #[serde(default)]
    pub data: Option<String>,
}

impl Descriptor {
    /// A descriptor of content that is at hand.
    pub fn of(media_type: MediaType, content: &[u8]) -> Self {
        Self {
            media_type,
            digest: Digest::sha256(content),
            size: content.len() as u64,
            platform: None,
            artifact_type: None,
            annotations: BTreeMap::new(),
            data: None,
        }
    }

    /// The platform, if it says one.
    pub fn own_platform(&self) -> Option<&Platform> {
        self.platform
            .as_ref()
            .filter(|platform| !platform.is_empty())
    }

    /// The digest of the manifest that this attestation entry of an index speaks about.
    pub fn attests(&self) -> Option<&str> {
        self.annotations
            .get("vnd.docker.reference.type")
            .filter(|kind| kind.as_str() == "attestation-manifest")?;
        self.annotations
            .get("vnd.docker.reference.digest")
            .map(String::as_str)
    }

    /// The content, where it is known without a request: the empty object, the empty blob, or
    /// what the descriptor carries itself. It is always of the right digest.
    pub fn embedded_content(&self) -> Option<Bytes> {
        if self.digest.as_str() == EMPTY_JSON {
            return Some(Bytes::from_static(b"{}"));
        }
        if self.size == 0 && self.digest.matches(b"") {
            return Some(Bytes::new());
        }
        let content = BASE64_STANDARD.decode(self.data.as_deref()?).ok()?;
        (content.len() as u64 == self.size && self.digest.matches(&content)).then(|| content.into())
    }
}
