// SPDX-License-Identifier: Apache-2.0

//! What comes of a file: documents, and what has no counterpart.

use std::fmt;

use crate::api::document::Position;

/// Documents of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conversion {
    /// The documents, as YAML.
    pub yaml: String,
    /// What has no counterpart, in the order of the file.
    pub gaps: Vec<Gap>,
}

/// Something in the file that the documents do not say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gap {
    /// The place in the file.
    pub position: Position,
    /// The path of the field, such as `sync[0].hooks`.
    pub path: String,
    /// Why, and what to do.
    pub message: String,
}

// === impl Gap ===

impl fmt::Display for Gap {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            position,
            path,
            message,
        } = self;
        if path.is_empty() {
            return write!(formatter, "line {}: {message}", position.line);
        }
        write!(formatter, "line {}: {path}: {message}", position.line)
    }
}
