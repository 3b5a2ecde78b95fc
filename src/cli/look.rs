// SPDX-License-Identifier: Apache-2.0

//! How a result looks to people.

use crate::oci::Digest;

/// How a result looks to people.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Look {
    /// Whether everything is said, however wide it gets.
    pub(super) is_wide: bool,
    /// The most characters of a line; none where lines may be of any length.
    pub(super) width: Option<usize>,
}

// === impl Look ===

impl Look {
    /// A digest: the first characters of it, or all of them.
    pub(super) fn digest(self, digest: &Digest) -> String {
        if self.is_wide {
            return digest.to_string();
        }
        format!("{}:{}", digest.algorithm().as_str(), digest.short())
    }

    /// Nothing is left out.
    pub(super) fn everything() -> Self {
        Self {
            is_wide: true,
            width: None,
        }
    }
}
