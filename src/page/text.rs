// SPDX-License-Identifier: Apache-2.0

//! Texts of strangers.

use std::fmt;

use crate::api::text::{one_line, shorten};

/// Longest text in a cell, in characters.
const LENGTH: usize = 2048;

/// A text that turns nothing around and hides nothing. The template escapes its markup.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Text(String);

// === impl Text ===

impl Text {
    pub(super) fn of(text: &str) -> Self {
        Self(one_line(&shorten(text, LENGTH)))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Display for Text {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}
