// SPDX-License-Identifier: Apache-2.0

//! What a layout or archive has.

use crate::oci::{Digest, Tag};

/// An image of a layout or archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Its name, as whoever wrote it called it: a reference, or only a tag.
    pub name: Option<String>,
    /// The tag in it.
    pub tag: Option<Tag>,
    /// Its manifest.
    pub digest: Digest,
}
