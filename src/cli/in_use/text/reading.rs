// SPDX-License-Identifier: Apache-2.0

//! What is gathered from the objects of a file.

use super::error::TextError;
use super::lines::add_words;
use crate::controller::workloads::Gather;
use crate::plan::in_use::InUse;

/// What is gathered from a file.
pub(in crate::cli) trait Reading: Gather {
    /// A document of the file begins, counted from 1.
    fn begin(&mut self, _document: usize) {}

    /// Whether an object of this kind says nothing, and may stand there.
    fn passes_over(&self, _kind: &str) -> bool {
        false
    }

    /// Takes note of a text that stands in a list in place of an object.
    fn add_text(&mut self, _text: &str, _file: &str) -> Result<(), TextError> {
        Err(TextError::NoObject)
    }
}

impl Reading for InUse {
    fn add_text(&mut self, text: &str, file: &str) -> Result<(), TextError> {
        add_words(self, text, file, 1)
    }
}
