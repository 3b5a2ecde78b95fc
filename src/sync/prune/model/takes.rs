// SPDX-License-Identifier: Apache-2.0

//! What registries of the made-up world take along when a tag is deleted.

use super::random::Random;

/// What goes when a tag is deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Takes {
    /// The tag alone.
    Tag,
    /// The manifest, if that was its last tag.
    Manifest,
    /// The manifest, and every other tag of it.
    OtherTags,
}

// === impl Takes ===

impl Takes {
    pub(super) fn any(random: &mut Random) -> Self {
        [Self::Tag, Self::Tag, Self::Manifest, Self::OtherTags][random.index(4)]
    }
}
