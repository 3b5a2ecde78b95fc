// SPDX-License-Identifier: Apache-2.0

//! What the index of a layout is read by, for the fuzz targets.

use super::index::Index;

/// The index as it is written again; nothing where it is none.
pub fn rewrite_index(text: &[u8]) -> Option<Vec<u8>> {
    Index::parse(text).ok().map(|index| index.render())
}
