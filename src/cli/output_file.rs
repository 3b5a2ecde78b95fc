// SPDX-License-Identifier: Apache-2.0

//! Files that a command writes at its end: whether they can be written is known before it begins.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use crate::page::PAGE_MARK;
use crate::sync::ledger::replace;

/// The first bytes of a file, among which a page says what wrote it.
const HEAD: u64 = 1024;

/// Why a file is not written.
#[derive(Debug, thiserror::Error)]
pub enum OutputFileError {
    /// There is nowhere to write it.
    #[error("cannot write {}: there is no directory {}", path.display(), directory.display())]
    NoDirectory {
        /// The file.
        path: PathBuf,
        /// The directory.
        directory: PathBuf,
    },
    /// It is no regular file.
    #[error("cannot write {}: it is no regular file, name another one", .0.display())]
    NotAFile(PathBuf),
    /// It is somebody else's.
    #[error(
        "{} is there already and is no page of Transship: name another file with --page-file, or take this one away",
        .0.display()
    )]
    NoPage(PathBuf),
    /// It cannot be written.
    #[error("cannot write {}: {source}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// The file of a page: a new one, or one with an earlier page.
#[derive(Clone, Debug)]
pub(super) struct PageFile(PathBuf);

/// Whether a file can be written that is new, or replaced.
pub(super) fn check_writable(path: &Path) -> Result<(), OutputFileError> {
    let directory = path.parent();
    let directory = directory.filter(|directory| !directory.as_os_str().is_empty());
    let directory = directory.unwrap_or(Path::new("."));
    if !directory.is_dir() {
        return Err(OutputFileError::NoDirectory {
            path: path.to_owned(),
            directory: directory.to_owned(),
        });
    }
    let found = fs::symlink_metadata(path);
    if found.is_ok_and(|found| !found.is_file()) {
        return Err(OutputFileError::NotAFile(path.to_owned()));
    }
    let failed = |source| failed(path, source);
    // What may be written there only the file system knows.
    try_in(directory).map_err(failed)
}

/// Makes a file and takes it away again.
fn try_in(directory: &Path) -> io::Result<()> {
    let path = directory.join(format!(".transship-{}", std::process::id()));
    match File::create_new(&path) {
        // An earlier process was killed here.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
        Ok(_) => fs::remove_file(path),
    }
}

fn failed(path: &Path, source: io::Error) -> OutputFileError {
    OutputFileError::Write {
        path: path.to_owned(),
        source,
    }
}

// === impl OutputFileError ===

impl OutputFileError {
    /// Whether another file has to be named.
    pub(super) fn is_wrong_use(&self) -> bool {
        match self {
            Self::NoDirectory { .. } | Self::NotAFile(_) | Self::NoPage(_) => true,
            Self::Write { .. } => false,
        }
    }
}

// === impl PageFile ===

impl PageFile {
    /// The file, if nothing but a page would be lost.
    pub(super) fn at(path: &Path) -> Result<Self, OutputFileError> {
        check_writable(path)?;
        let file = Self(path.to_owned());
        file.check()?;
        Ok(file)
    }

    /// Writes the page, the whole of it or nothing.
    pub(super) fn write(&self, page: &str) -> Result<(), OutputFileError> {
        let Self(path) = self;
        self.check()?;
        replace(path, page.as_bytes()).map_err(|source| failed(path, source))
    }

    fn check(&self) -> Result<(), OutputFileError> {
        let Self(path) = self;
        let head = match read_head(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            head => head.map_err(|source| failed(path, source))?,
        };
        let mark = PAGE_MARK.as_bytes();
        // What is empty, as mktemp makes it, is nobody's loss.
        if head.is_empty() || head.windows(mark.len()).any(|part| part == mark) {
            return Ok(());
        }
        Err(OutputFileError::NoPage(path.clone()))
    }
}

fn read_head(path: &Path) -> io::Result<Vec<u8>> {
    let mut head = Vec::new();
    File::open(path)?.take(HEAD).read_to_end(&mut head)?;
    Ok(head)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_but_a_page_is_written_over() {
        let place = tempfile::tempdir().unwrap();
        let path = |name: &str| place.path().join(name);
        let page = format!("<!doctype html>\n<head>{PAGE_MARK}</head>");
        fs::write(path("notes.html"), "my notes").unwrap();
        fs::write(path("empty.html"), "").unwrap();
        fs::write(path("page.html"), &page).unwrap();
        fs::create_dir(path("directory")).unwrap();
        std::os::unix::fs::symlink(path("page.html"), path("link.html")).unwrap();
        let names = [
            "new.html",
            "page.html",
            "notes.html",
            "empty.html",
            "directory",
            "link.html",
            "none/a.html",
        ];
        let said = names.map(|name| match PageFile::at(&path(name)) {
            Ok(_) => format!("{name}: ok"),
            Err(error) => error.to_string(),
        });
        let said = said
            .join("\n")
            .replace(&place.path().display().to_string(), "PLACE");
        insta::assert_snapshot!(said);

        let file = PageFile::at(&path("new.html")).unwrap();
        file.write(&page).unwrap();
        file.write(&page).unwrap();
        fs::write(path("new.html"), "somebody else's").unwrap();
        file.write(&page).unwrap_err();
        assert_eq!(fs::read(path("new.html")).unwrap(), b"somebody else's");
    }
}
