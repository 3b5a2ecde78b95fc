// SPDX-License-Identifier: Apache-2.0

//! The files of an archive as they are on the disk: one, or numbered parts.

use std::fs::File;
use std::io::{self, ErrorKind};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use crate::layout::error::{Action, Error};
use crate::layout::files;

/// Most parts of one archive: each of them is an open file.
pub(in crate::layout) const PARTS: usize = 500;

/// The bytes as they are on the disk.
#[derive(Debug)]
pub(super) struct Stored {
    parts: Vec<Part>,
    length: u64,
}

/// A file with some of the bytes.
#[derive(Debug)]
struct Part {
    file: File,
    path: PathBuf,
    /// How many bytes are in the parts before it.
    start: u64,
    length: u64,
}

/// The path of a part by its number, from 1 on.
pub(in crate::layout) fn part_path(path: &Path, number: usize) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{number:03}"));
    name.into()
}

// === impl Stored ===

impl Stored {
    pub(super) fn open(path: &Path) -> Result<Self, Error> {
        let mut stored = Self {
            parts: Vec::new(),
            length: 0,
        };
        let whole = path.to_str().and_then(|name| name.strip_suffix(".001"));
        if whole.is_none() && stored.add(path)? {
            return Ok(stored);
        }
        let whole = whole.map_or(path, Path::new);
        while stored.add(&part_path(whole, stored.parts.len() + 1))? {
            if stored.parts.len() > PARTS {
                return Err(Error::TooMany {
                    path: path.to_owned(),
                    what: "parts",
                    most: PARTS,
                });
            }
        }
        if stored.parts.is_empty() {
            return Err(Error::NoArchive {
                path: path.to_owned(),
            });
        }
        Ok(stored)
    }

    /// Adds a file, if it is there.
    fn add(&mut self, path: &Path) -> Result<bool, Error> {
        let Some((file, metadata)) = files::open(path)? else {
            return Ok(false);
        };
        self.parts.push(Part {
            file,
            path: path.to_owned(),
            start: self.length,
            length: metadata.len(),
        });
        self.length += metadata.len();
        Ok(true)
    }

    /// The files, and how long they are.
    pub(super) fn files(&self) -> impl Iterator<Item = (&Path, u64)> {
        let parts = self.parts.iter();
        parts.map(|part| (part.path.as_path(), part.length))
    }

    /// How many bytes there are.
    pub(super) fn length(&self) -> u64 {
        self.length
    }

    fn part(&self, offset: u64) -> Option<&Part> {
        let number = self.parts.partition_point(|part| part.start <= offset);
        self.parts.get(number.checked_sub(1)?)
    }

    pub(super) fn read_at(&self, buffer: &mut [u8], offset: u64) -> Result<usize, Error> {
        let Some(part) = self.part(offset) else {
            return Ok(0);
        };
        let within = offset - part.start;
        let room = usize::try_from(part.length.saturating_sub(within)).unwrap_or(usize::MAX);
        let length = buffer.len().min(room);
        let wanted = buffer.get_mut(..length).unwrap_or_default();
        if wanted.is_empty() {
            return Ok(0);
        }
        match part.file.read_at(wanted, within) {
            Ok(read) => Ok(read),
            Err(cause) if cause.kind() == ErrorKind::Interrupted => self.read_at(buffer, offset),
            Err(cause) => Err(Error::io(Action::Read, &part.path)(cause)),
        }
    }

    /// All of a stretch; an error where there is less.
    pub(super) fn read_all(&self, offset: u64, length: usize) -> Result<Vec<u8>, Error> {
        let mut bytes = vec![0; length];
        let mut read = 0;
        while let Some(rest) = bytes.get_mut(read..).filter(|rest| !rest.is_empty()) {
            match self.read_at(rest, offset + read as u64)? {
                0 => {
                    let (path, _) = self.place(offset);
                    let cause = io::Error::from(ErrorKind::UnexpectedEof);
                    return Err(Error::io(Action::Read, &path)(cause));
                }
                some => read += some,
            }
        }
        Ok(bytes)
    }

    /// The file that has a byte, and where.
    pub(super) fn place(&self, offset: u64) -> (PathBuf, u64) {
        match self.part(offset) {
            Some(part) => (part.path.clone(), offset - part.start),
            None => (PathBuf::new(), offset),
        }
    }
}
