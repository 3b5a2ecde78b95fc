// SPDX-License-Identifier: Apache-2.0

//! Whether a round writes.

/// Whether a round writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Do what is to be done.
    Apply,
    /// The same, and look at once what has come to refer to images since they were copied.
    Refresh,
    /// Only say it.
    Plan,
    /// Copy nothing, and prune.
    Prune,
}

impl Mode {
    /// Whether what a round finds out goes on record.
    pub(super) fn writes_records(self) -> bool {
        match self {
            Self::Apply | Self::Refresh | Self::Prune => true,
            Self::Plan => false,
        }
    }
}
