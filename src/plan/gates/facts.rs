// SPDX-License-Identifier: Apache-2.0

//! What an image is like.

use crate::oci::{ImageConfig, Platform};

/// One image that would be copied: the only one of a tag, or that of one platform.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageFacts {
    /// The platform, by the index or else by the config.
    pub platform: Option<Platform>,
    /// Bytes of its config and layers, as they are stored.
    pub size: u64,
    /// What it says of itself; nothing where it is no image, but another artifact.
    pub config: Option<ImageConfig>,
}

impl ImageFacts {
    /// The name of the image among those of its tag.
    pub fn name(&self) -> String {
        self.platform
            .as_ref()
            .map_or_else(|| "the image".to_owned(), ToString::to_string)
    }
}
