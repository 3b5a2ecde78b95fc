// SPDX-License-Identifier: Apache-2.0

//! A tag, as it is listed.

use schemars::JsonSchema;
use serde::Serialize;

use crate::oci::{Digest, Tag};

/// One tag.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(super) struct TagRow {
    pub(super) tag: Tag,
    pub(super) digest: Digest,
    /// Platforms, or the types of artifacts.
    pub(super) platforms: Vec<String>,
    /// Bytes of configs and layers of all platforms, each blob counted once.
    pub(super) size: u64,
}
