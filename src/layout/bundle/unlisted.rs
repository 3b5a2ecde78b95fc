// SPDX-License-Identifier: Apache-2.0

//! What an archive has that its bundle does not name. A layout may have that, and nobody reads it.

use std::collections::HashSet;

use super::open::BundleFile;
use crate::layout::archive::{blob_digest, tar};
use crate::layout::blocking::blocking;
use crate::layout::error::Error;
use crate::layout::marker::{INDEX, MARKER};

/// Most files that are named.
const NAMES: usize = 20;

/// Files of an archive that its bundle does not name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UnlistedFiles {
    /// How many.
    pub count: usize,
    /// How long they are together, in bytes.
    pub bytes: u64,
    /// The names of the first of them, as they stand in the archive.
    pub names: Vec<String>,
}

// === impl BundleFile ===

impl BundleFile {
    /// What is in the archive and not named.
    pub async fn unlisted(&self) -> Result<UnlistedFiles, Error> {
        let bundle = self.clone();
        blocking(move || bundle.find_unlisted()).await
    }

    pub(super) fn find_unlisted(&self) -> Result<UnlistedFiles, Error> {
        let mut unlisted = UnlistedFiles::default();
        let mut seen = HashSet::new();
        for entry in tar::scan(&self.archive.volume)? {
            let is_directory = entry.name.is_empty() || entry.name.ends_with('/');
            let is_own = entry.name == MARKER || entry.name == INDEX;
            let digest = blob_digest(&entry.name);
            let is_named = digest.is_some_and(|digest| self.archive.blobs.contains_key(&digest));
            if is_directory || is_own || is_named || !seen.insert(entry.name.clone()) {
                continue;
            }
            unlisted.count += 1;
            unlisted.bytes = unlisted.bytes.saturating_add(entry.span.length);
            if unlisted.names.len() < NAMES {
                unlisted.names.push(entry.name);
            }
        }
        Ok(unlisted)
    }
}
