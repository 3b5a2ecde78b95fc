// SPDX-License-Identifier: Apache-2.0

//! Writes an archive from its first byte to its last: whole or in numbered parts, plain or compressed. Under its name
//! it appears as a whole or not at all.

use std::fs::{self, File};
use std::io::Read as _;
use std::path::{Path, PathBuf};

use super::frames::Compressor;
use super::stored::{PARTS, part_path};
use super::tar;

use crate::layout::error::{Action, Error};
use crate::layout::files::{self, TemporaryFile};

/// How much of a file is read at once, in bytes.
const FRAME: usize = 256 * 1024;

/// How an archive is laid down.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ArchiveForm {
    /// Whether it is compressed with zstd.
    pub is_compressed: bool,
    /// Most bytes of one file; no bound where absent.
    pub split: Option<u64>,
}

/// An archive that is being written.
pub(in crate::layout) struct Writer {
    /// Where its files are until they get their names.
    directory: PathBuf,
    compressor: Option<Compressor>,
    split: Option<u64>,
    parts: Vec<TemporaryFile>,
    /// How long the last part is.
    filled: u64,
    /// How long all parts are.
    length: u64,
}

// === impl Writer ===

impl Writer {
    /// Begins an archive in a directory of the file system that it is to be on.
    pub(in crate::layout) fn create(directory: &Path, form: ArchiveForm) -> Result<Self, Error> {
        let ArchiveForm {
            is_compressed,
            split,
        } = form;
        let compressor = is_compressed.then(Compressor::new).transpose();
        Ok(Self {
            directory: directory.to_owned(),
            compressor: compressor.map_err(Error::io(Action::Create, directory))?,
            split,
            parts: vec![TemporaryFile::create(directory)?],
            filled: 0,
            length: 0,
        })
    }

    /// Adds a file with this content.
    pub(in crate::layout) fn add(&mut self, name: &str, content: &[u8]) -> Result<(), Error> {
        let length = content.len() as u64;
        self.write(&tar::header(name, length))?;
        self.write(content)?;
        self.write(&vec![0; tar::padding(length)])
    }

    /// Adds a file with the content of another one.
    pub(in crate::layout) fn add_file(&mut self, name: &str, path: &Path) -> Result<(), Error> {
        let mut file = File::open(path).map_err(Error::io(Action::Read, path))?;
        let length = file
            .metadata()
            .map_err(Error::io(Action::Read, path))?
            .len();
        self.write(&tar::header(name, length))?;
        let mut frame = vec![0; FRAME];
        loop {
            let read = file
                .read(&mut frame)
                .map_err(Error::io(Action::Read, path))?;
            let Some(part) = frame.get(..read).filter(|part| !part.is_empty()) else {
                break;
            };
            self.write(part)?;
        }
        self.write(&vec![0; tar::padding(length)])
    }

    /// Ends the archive and gives it its name: the file `target`, or its parts. What had the name before is gone.
    /// Returns how long it is.
    pub(in crate::layout) fn finish(mut self, target: &Path) -> Result<u64, Error> {
        self.write(&[0; tar::END])?;
        if let Some(compressor) = self.compressor.take() {
            let rest = compressor.finish();
            self.store(&rest.map_err(Error::io(Action::Write, &self.directory))?)?;
        }
        let Self {
            split,
            parts,
            length,
            ..
        } = self;
        if split.is_none() {
            for part in parts {
                part.rename(target)?;
            }
            remove_parts(target, 1)?;
            return Ok(length);
        }
        // The first part comes last: without it nothing is taken for the archive.
        remove(&part_path(target, 1))?;
        let count = parts.len();
        for (number, part) in parts.into_iter().enumerate().rev() {
            part.rename(&part_path(target, number + 1))?;
        }
        remove_parts(target, count + 1)?;
        remove(target)?;
        Ok(length)
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), Error> {
        match &mut self.compressor {
            None => self.store(bytes),
            Some(compressor) => {
                let packed = compressor.take(bytes);
                let packed = packed.map_err(Error::io(Action::Write, &self.directory))?;
                self.store(&packed)
            }
        }
    }

    /// Puts bytes on the disk.
    fn store(&mut self, mut bytes: &[u8]) -> Result<(), Error> {
        while !bytes.is_empty() {
            let room = self.split.map(|most| most.saturating_sub(self.filled));
            let room = room.map_or(bytes.len(), |room| {
                usize::try_from(room).unwrap_or(usize::MAX)
            });
            if room == 0 {
                self.begin_part()?;
                continue;
            }
            let (now, later) = bytes.split_at(room.min(bytes.len()));
            if let Some(part) = self.parts.last_mut() {
                part.write(now)?;
            }
            self.filled += now.len() as u64;
            self.length += now.len() as u64;
            bytes = later;
        }
        Ok(())
    }

    fn begin_part(&mut self) -> Result<(), Error> {
        if self.parts.len() >= PARTS {
            return Err(Error::TooMany {
                path: self.directory.clone(),
                what: "parts: split into larger ones",
                most: PARTS,
            });
        }
        self.parts.push(TemporaryFile::create(&self.directory)?);
        self.filled = 0;
        Ok(())
    }
}

/// Removes the parts of an archive that was there before, from a number on.
fn remove_parts(target: &Path, first: usize) -> Result<(), Error> {
    let mut number = first;
    while remove(&part_path(target, number))? {
        number += 1;
    }
    Ok(())
}

/// Removes a file, and says whether it was there.
fn remove(path: &Path) -> Result<bool, Error> {
    match fs::remove_file(path) {
        Ok(()) => Ok(true),
        Err(cause) if files::is_absent(&cause) => Ok(false),
        Err(cause) => Err(Error::io(Action::Write, path)(cause)),
    }
}
