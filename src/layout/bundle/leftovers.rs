// SPDX-License-Identifier: Apache-2.0

//! What a run that was killed left where images wait for a bundle: its blobs are gone on from. What it listed, and the
//! manifests that lead on from there, may be more than the next run wants: it puts there again what it does.

use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use crate::layout::blocking::blocking;
use crate::layout::error::{Action, Error};
use crate::layout::files;
use crate::layout::marker::INDEX;
use crate::oci::{Manifest, limits};

/// Removes everything from the layouts below a directory that is no config or layer.
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
            } else if entry.file_name() == INDEX || is_manifest(&path)? {
                fs::remove_file(&path).map_err(Error::io(Action::Write, &path))?;
            }
        }
    }
    Ok(())
}

/// Whether a file has a manifest. Whatever is longer than one, or begins otherwise, is not read.
fn is_manifest(path: &Path) -> Result<bool, Error> {
    let Some((file, metadata)) = files::open(path)? else {
        return Ok(false);
    };
    if metadata.len() > limits::MANIFEST_BYTES as u64 {
        return Ok(false);
    }
    let mut start = [0];
    let read = (&file).read(&mut start);
    read.map_err(Error::io(Action::Read, path))?;
    if !start
        .first()
        .is_some_and(|first| b"{ \t\r\n".contains(first))
    {
        return Ok(false);
    }
    let text = files::read_bounded(path, limits::MANIFEST_BYTES)?;
    Ok(text.is_some_and(|text| Manifest::parse(text.into(), None, None).is_ok()))
}
