// SPDX-License-Identifier: Apache-2.0

//! What a run that was killed left where images wait for a bundle: whole configs and layers are gone on from. What it
//! listed, and the manifests that lead on from there, may be more than the next run wants: it puts there again what it
//! does.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use super::check::hash;
use crate::layout::archive::{Opened, Reading};
use crate::layout::blocking::blocking;
use crate::layout::error::{Action, Error};
use crate::layout::files;
use crate::layout::marker::{BLOBS, INDEX};
use crate::oci::{Digest, Manifest, limits};

/// Removes from the layouts below a directory what is no whole config or layer.
pub async fn keep_blobs(directory: PathBuf) -> Result<(), Error> {
    blocking(move || sweep(directory)).await
}

fn sweep(directory: PathBuf) -> Result<(), Error> {
    let mut pending = vec![directory];
    while let Some(directory) = pending.pop() {
        let entries = fs::read_dir(&directory).map_err(Error::io(Action::List, &directory))?;
        for entry in entries {
            let entry = entry.map_err(Error::io(Action::List, &directory))?;
            let path = entry.path();
            let kind = entry.file_type().map_err(Error::io(Action::List, &path))?;
            if kind.is_dir() {
                pending.push(path);
            } else if entry.file_name() == INDEX || is_unfit(&path)? {
                fs::remove_file(&path).map_err(Error::io(Action::Write, &path))?;
            }
        }
    }
    Ok(())
}

/// Whether a file is a blob that nobody goes on from.
fn is_unfit(path: &Path) -> Result<bool, Error> {
    let Some(digest) = digest_of(path) else {
        return Ok(false);
    };
    let Some((file, metadata)) = files::open(path)? else {
        return Ok(false);
    };
    let opened = Opened {
        reading: Reading::File(file, path.to_owned()),
        start: 0,
        length: metadata.len(),
    };
    Ok(hash(&digest, &opened)? != digest || is_manifest(&opened)?)
}

/// The digest of a blob by its path in a layout.
fn digest_of(path: &Path) -> Option<Digest> {
    let directory = path.parent()?;
    let name = |path: &Path| path.file_name().and_then(OsStr::to_str).map(str::to_owned);
    let is_blob = name(directory.parent()?)? == BLOBS;
    let digest = format!("{}:{}", name(directory)?, name(path)?);
    digest.parse().ok().filter(|_| is_blob)
}

/// Whether a blob is a manifest. What begins otherwise is not read as one.
fn is_manifest(opened: &Opened) -> Result<bool, Error> {
    if opened.length > limits::MANIFEST_BYTES as u64 {
        return Ok(false);
    }
    let mut first = [0];
    opened.fill(&mut first, 0)?;
    let [first] = first;
    if !b"{ \t\r\n".contains(&first) {
        return Ok(false);
    }
    let text = opened.read(limits::MANIFEST_BYTES)?;
    Ok(Manifest::parse(text.into(), None, None).is_ok())
}
