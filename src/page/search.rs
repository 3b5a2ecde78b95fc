// SPDX-License-Identifier: Apache-2.0

//! What is searched on a page, and what was found.

use crate::plan::why::{AskedImageError, ImageAnswer};

/// Longest text that is searched, in bytes: more than any name of an image.
pub const TYPED_LENGTH: usize = 1024;

/// What is searched, and what was found.
#[derive(Clone, Debug)]
pub enum Search<'a> {
    /// The page is a file, with answers about the images that were asked for when it was made.
    File(&'a [ImageAnswer]),
    /// The page comes from a server, and nothing was typed.
    Nothing,
    /// This was typed into its box.
    Typed {
        /// The text.
        text: &'a str,
        /// What is said of the image of that name.
        found: &'a Result<ImageAnswer, AskedImageError>,
    },
}

// === impl Search ===

impl Search<'_> {
    pub(super) fn is_file(&self) -> bool {
        matches!(self, Self::File(_))
    }

    pub(super) fn typed(&self) -> &str {
        match self {
            Self::File(_) | Self::Nothing => "",
            Self::Typed { text, .. } => text,
        }
    }

    pub(super) fn answers(&self) -> &[ImageAnswer] {
        match self {
            Self::File(answers) => answers,
            Self::Nothing => &[],
            Self::Typed { found, .. } => found.as_ref().map_or(&[], std::slice::from_ref),
        }
    }

    /// Why what was typed is no image.
    pub(super) fn complaint(&self) -> Option<String> {
        match self {
            Self::File(_) | Self::Nothing => None,
            Self::Typed { text: _, found } => {
                let error = found.as_ref().err()?;
                Some(format!("That is not the name of an image: {error}"))
            }
        }
    }

    /// The words that were typed, as names of mirrors are written.
    pub(super) fn words(&self) -> Vec<String> {
        let words = self.typed().split_whitespace();
        words.map(str::to_lowercase).collect()
    }
}
