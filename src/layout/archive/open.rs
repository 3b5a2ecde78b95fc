// SPDX-License-Identifier: Apache-2.0

//! Tells which kind an archive is of.

use std::path::Path;
use std::sync::Arc;

use super::docker;
use super::file::{Archive, Files, INDEX_BYTES, blob_digest};
use super::volume::Volume;
use crate::layout::error::Error;
use crate::layout::index::Index;
use crate::layout::marker::{INDEX, MARKER};

// === impl Archive ===

impl Archive {
    /// Reads what an archive has.
    pub(in crate::layout) fn open(path: &Path) -> Result<Self, Error> {
        let files = Files::scan(Volume::open(path)?)?;
        if files.find(INDEX).is_some() && files.find(MARKER).is_some() {
            return Self::of_layout(&files);
        }
        if files.find(docker::MANIFEST).is_some() {
            return docker::read(&files);
        }
        let what =
            "it has neither the index.json of an image layout nor the manifest.json of docker save";
        Err(Error::bad_file(path.to_owned(), what))
    }

    fn of_layout(files: &Files) -> Result<Self, Error> {
        let text = files.read(INDEX, INDEX_BYTES)?;
        let index = Index::parse(&text).map_err(|cause| {
            let reason = format!("its index.json makes no sense: {cause}");
            Error::bad_file(files.path().to_owned(), reason)
        })?;
        let names = files.spans.keys().chain(files.links.keys());
        let blobs = names.filter_map(|name| Some((blob_digest(name)?, files.find(name)?)));
        Ok(Self {
            volume: Arc::clone(&files.volume),
            index: Arc::new(index),
            blobs: Arc::new(blobs.collect()),
            made: Arc::default(),
            elsewhere: Arc::default(),
        })
    }
}
