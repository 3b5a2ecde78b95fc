// SPDX-License-Identifier: Apache-2.0

//! Regular files: what is something else is refused before it is opened.

use std::fs::{self, File, FileType, Metadata, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};

use super::file_error::FileError;

/// Who may read and write a new file: its owner.
const PRIVATE: u32 = 0o600;
/// The bits of a mode that are permissions.
const PERMISSIONS: u32 = 0o777;

/// The path of a file in the same directory, with more at the end of its name.
pub(super) fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(ending);
    path.with_file_name(name)
}

/// Refuses what exists and is no regular file. A link is one: replacing it would leave its target behind.
pub(super) fn refuse_special(path: &Path) -> Result<(), FileError> {
    match fs::symlink_metadata(path) {
        Ok(metadata) => match special(metadata.file_type()) {
            Some(what) => Err(FileError::NotAFile {
                path: path.to_owned(),
                what,
            }),
            None => Ok(()),
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(source) => Err(FileError::Read {
            path: path.to_owned(),
            source,
        }),
    }
}

fn special(found: FileType) -> Option<&'static str> {
    if found.is_file() {
        None
    } else if found.is_symlink() {
        Some("a symbolic link")
    } else if found.is_dir() {
        Some("a directory")
    } else if found.is_fifo() {
        Some("a named pipe")
    } else if found.is_socket() {
        Some("a socket")
    } else {
        Some("a device")
    }
}

/// The content of a file of at most `most` bytes; nothing where there is none.
pub(super) fn read(path: &Path, most: u64) -> Result<Option<Vec<u8>>, FileError> {
    refuse_special(path)?;
    let failed = |source| FileError::Read {
        path: path.to_owned(),
        source,
    };
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(failed(source)),
    };
    let mut bytes = Vec::new();
    let longest = most.saturating_add(1);
    file.take(longest).read_to_end(&mut bytes).map_err(failed)?;
    let found = bytes.len() as u64;
    if found > most {
        let size = fs::metadata(path).map_or(found, |metadata| metadata.len());
        return Err(FileError::TooLarge {
            path: path.to_owned(),
            found: size.max(found),
            most,
        });
    }
    Ok(Some(bytes))
}

/// Writes the whole file or nothing of it, so that it outlives a crash of the machine. It keeps the
/// permissions that it has, and its owner as far as this process may give it away.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let temporary = beside(path, ".new");
    // What an earlier process left behind.
    match fs::remove_file(&temporary) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let written = write_new(&temporary, path, bytes).and_then(|()| fs::rename(&temporary, path));
    if let Err(error) = written {
        // It may be what the disk has no room for.
        let _ = fs::remove_file(&temporary);
        return Err(error);
    }
    let directory = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty());
    File::open(directory.unwrap_or(Path::new(".")))?.sync_all()
}

fn write_new(temporary: &Path, path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(PRIVATE);
    let mut file = options.open(temporary)?;
    // The mode of a link says nothing.
    let before = fs::symlink_metadata(path).ok();
    if let Some(before) = before.filter(Metadata::is_file) {
        // Only root gives files away.
        let _ = fchown(&file, Some(before.uid()), Some(before.gid()));
        file.set_permissions(fs::Permissions::from_mode(before.mode() & PERMISSIONS))?;
    }
    file.write_all(bytes)?;
    file.sync_all()
}
