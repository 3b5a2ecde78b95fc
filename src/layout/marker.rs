// SPDX-License-Identifier: Apache-2.0

//! The file `oci-layout` of a layout: its version, and the lock for those who change the layout.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::Path;

use serde::Deserialize;

use super::error::Action;
use super::index::Index;
use super::{Error, files};

/// The file that makes a directory a layout.
pub(super) const MARKER: &str = "oci-layout";
/// The file that lists what a layout has.
pub(super) const INDEX: &str = "index.json";
/// The directory of the blobs.
pub(super) const BLOBS: &str = "blobs";

/// What stands in the marker of a new layout.
pub(super) const CONTENT: &[u8] = br#"{"imageLayoutVersion":"1.0.0"}"#;
/// Largest marker that is read, in bytes.
const MARKER_BYTES: usize = 4096;

/// Keeps other processes, and other tasks of this one, from changing a layout while it lives.
#[derive(Debug)]
pub(super) struct Lock {
    _marker: File,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Marker {
    image_layout_version: String,
}

/// Whether a directory is a layout. An empty marker is one that is just being written.
pub(super) fn is_layout(directory: &Path) -> bool {
    fs::symlink_metadata(directory.join(MARKER))
        .is_ok_and(|metadata| metadata.is_file() && metadata.len() > 0)
}

/// Refuses a directory that is no layout, or one of a version that is not known.
pub(super) fn check(directory: &Path) -> Result<(), Error> {
    let path = directory.join(MARKER);
    let text = files::read_bounded(&path, MARKER_BYTES)?.unwrap_or_default();
    if text.is_empty() {
        return Err(Error::NoLayout {
            path: directory.to_owned(),
        });
    }
    let marker: Marker =
        serde_json::from_slice(&text).map_err(|cause| Error::bad_file(path.clone(), cause))?;
    let major = marker.image_layout_version.split('.').next();
    if major != Some("1") {
        return Err(Error::UnknownVersion {
            path,
            found: marker.image_layout_version,
        });
    }
    Ok(())
}

/// Takes the lock of a layout, and makes the layout where there is none.
///
/// The marker itself is what is locked: it is never replaced, so that everyone locks the same
/// file. It is filled last, so that nobody sees a layout without an index.
pub(super) fn lock(directory: &Path) -> Result<Lock, Error> {
    let blobs = directory.join(BLOBS);
    files::refuse_link(&blobs)?;
    fs::create_dir_all(&blobs).map_err(Error::io(Action::Create, &blobs))?;
    let path = directory.join(MARKER);
    files::refuse_link(&path)?;
    let mut marker = OpenOptions::new()
        .read(true)
        .append(true)
        .create(true)
        .open(&path)
        .map_err(Error::io(Action::Create, &path))?;
    marker.lock().map_err(Error::io(Action::Lock, &path))?;

    let metadata = marker.metadata().map_err(Error::io(Action::Read, &path))?;
    if metadata.len() > 0 {
        check(directory)?;
    }
    let index = directory.join(INDEX);
    if !index.exists() {
        files::replace(directory, &index, &Index::empty().render())?;
    }
    if metadata.len() == 0 {
        marker
            .write_all(CONTENT)
            .and_then(|()| marker.sync_all())
            .map_err(Error::io(Action::Write, &path))?;
        files::sync_parent(&path)?;
    }
    Ok(Lock { _marker: marker })
}
