// SPDX-License-Identifier: Apache-2.0

//! Files that are there as a whole or not at all, also after a kill or a loss of power.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use super::Error;
use super::error::Action;

/// How the names of temporary files start. No repository component starts with a dot.
const TEMPORARY_PREFIX: &str = ".transship-";

/// A file on its way to a name. Dropped, it is removed, unless it was given the name.
#[derive(Debug)]
pub(super) struct TemporaryFile {
    file: File,
    path: PathBuf,
    is_renamed: bool,
}

impl TemporaryFile {
    /// A new file in `directory`, locked so that `remove_leftovers` of any process lets it be.
    pub(super) fn create(directory: &Path) -> Result<Self, Error> {
        loop {
            let name = format!("{TEMPORARY_PREFIX}{:016x}", fastrand::u64(..));
            let path = directory.join(name);
            let file = OpenOptions::new()
                .write(true)
                .create_new(true)
                .open(&path)
                .map_err(Error::io(Action::Create, &path))?;
            let temporary = Self {
                file,
                path,
                is_renamed: false,
            };
            temporary
                .file
                .lock()
                .map_err(Error::io(Action::Lock, &temporary.path))?;
            // Between the making and the locking it may have been taken for a leftover.
            if temporary.path.exists() {
                return Ok(temporary);
            }
        }
    }

    /// Appends bytes.
    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.file
            .write_all(bytes)
            .map_err(Error::io(Action::Write, &self.path))
    }

    /// Gives the file its name, in place of one that has it, once its bytes are safe on the disk.
    pub(super) fn rename(self, target: &Path) -> Result<(), Error> {
        self.file
            .sync_all()
            .map_err(Error::io(Action::Write, &self.path))?;
        self.rename_unsynced(target)?;
        sync_parent(target)
    }

    /// Gives the file its name. A loss of power may take its bytes.
    pub(super) fn rename_unsynced(mut self, target: &Path) -> Result<(), Error> {
        fs::rename(&self.path, target).map_err(Error::io(Action::Rename, target))?;
        self.is_renamed = true;
        Ok(())
    }
}

impl Drop for TemporaryFile {
    fn drop(&mut self) {
        if !self.is_renamed {
            // What cannot be removed now is a leftover for the next run.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Writes a small file as a whole.
pub(super) fn replace(directory: &Path, target: &Path, content: &[u8]) -> Result<(), Error> {
    let mut temporary = TemporaryFile::create(directory)?;
    temporary.write(content)?;
    temporary.rename(target)
}

/// Removes the temporary files of processes that were killed: those that nobody holds a lock on.
pub(super) fn remove_leftovers(directory: &Path) -> Result<(), Error> {
    let entries = fs::read_dir(directory).map_err(Error::io(Action::List, directory))?;
    for entry in entries {
        let entry = entry.map_err(Error::io(Action::List, directory))?;
        let is_temporary = entry
            .file_name()
            .to_str()
            .is_some_and(|name| name.starts_with(TEMPORARY_PREFIX));
        if !is_temporary {
            continue;
        }
        // Gone or not ours to open: then it is not ours to remove either.
        if let Ok(file) = OpenOptions::new().write(true).open(entry.path())
            && file.try_lock().is_ok()
        {
            let _ = fs::remove_file(entry.path());
        }
    }
    Ok(())
}

/// The content of a file of at most `most` bytes, or nothing where there is no file.
pub(super) fn read_bounded(path: &Path, most: usize) -> Result<Option<Vec<u8>>, Error> {
    match open(path)? {
        Some((file, _)) => read_opened(&file, path, most).map(Some),
        None => Ok(None),
    }
}

/// The content of an open file of at most `most` bytes.
pub(super) fn read_opened(file: &File, path: &Path, most: usize) -> Result<Vec<u8>, Error> {
    let mut content = Vec::new();
    file.take(most as u64 + 1)
        .read_to_end(&mut content)
        .map_err(Error::io(Action::Read, path))?;
    if content.len() > most {
        return Err(Error::TooMany {
            path: path.to_owned(),
            what: "bytes",
            most,
        });
    }
    Ok(content)
}

/// Opens a file for reading, or nothing where there is none.
pub(super) fn open(path: &Path) -> Result<Option<(File, Metadata)>, Error> {
    let opened = fs::metadata(path).and_then(|metadata| {
        // Asked before opening: to open a named pipe is to wait for its writer.
        if !metadata.is_file() {
            return Err(io::Error::other("it is not a regular file"));
        }
        Ok((File::open(path)?, metadata))
    });
    match opened {
        Ok(opened) => Ok(Some(opened)),
        Err(cause) if is_absent(&cause) => Ok(None),
        Err(cause) => Err(Error::io(Action::Read, path)(cause)),
    }
}

/// Refuses a symbolic link: what is written below it would land elsewhere.
pub(super) fn refuse_link(path: &Path) -> Result<(), Error> {
    let is_link = fs::symlink_metadata(path).is_ok_and(|found| found.is_symlink());
    if is_link {
        let cause = io::Error::other("it is a symbolic link, which is not followed");
        return Err(Error::io(Action::Write, path)(cause));
    }
    Ok(())
}

/// Whether a file is not there, be it that a directory on the way is missing or a file.
pub(super) fn is_absent(cause: &io::Error) -> bool {
    matches!(
        cause.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
    )
}

/// Makes a new name in a directory survive a loss of power.
pub(super) fn sync_parent(path: &Path) -> Result<(), Error> {
    match path.parent() {
        // A file without a directory in its name is in the one of the process.
        Some(directory) if directory.as_os_str().is_empty() => {
            sync_parent(&Path::new(".").join(path))
        }
        Some(directory) => File::open(directory)
            .and_then(|opened| opened.sync_all())
            .map_err(Error::io(Action::Write, directory)),
        None => Ok(()),
    }
}
