// SPDX-License-Identifier: Apache-2.0

//! The bytes of an archive: one file, or the numbered parts that it was split into, plain or compressed with zstd.

use std::path::{Path, PathBuf};

use super::frames::Frames;
use super::stored::Stored;
use crate::layout::error::Error;

/// The bytes of an archive, read from anywhere.
#[derive(Debug)]
pub(in crate::layout) struct Volume {
    /// As it was named.
    path: PathBuf,
    stored: Stored,
    /// Where it is compressed.
    frames: Option<Frames>,
}

// === impl Volume ===

impl Volume {
    /// Opens a file; the parts of an archive by the name of the first one, or by what all of their names begin with.
    pub(in crate::layout) fn open(path: &Path) -> Result<Self, Error> {
        let stored = Stored::open(path)?;
        let frames = Frames::read(path, &stored)?;
        Ok(Self {
            path: path.to_owned(),
            stored,
            frames,
        })
    }

    /// As it was named.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// How many bytes there are to read.
    pub(super) fn length(&self) -> u64 {
        match &self.frames {
            Some(frames) => frames.length(),
            None => self.stored.length(),
        }
    }

    /// The files, and how long they are.
    pub(in crate::layout) fn files(&self) -> impl Iterator<Item = (&Path, u64)> {
        self.stored.files()
    }

    /// Reads some bytes; none behind the last.
    pub(in crate::layout) fn read_at(
        &self,
        buffer: &mut [u8],
        offset: u64,
    ) -> Result<usize, Error> {
        match &self.frames {
            Some(frames) => frames.read_at(&self.stored, buffer, offset),
            None => self.stored.read_at(buffer, offset),
        }
    }

    /// Fills a buffer, or says that there are not as many bytes.
    pub(in crate::layout) fn read_exact_at(
        &self,
        buffer: &mut [u8],
        offset: u64,
    ) -> Result<(), Error> {
        let mut read = 0;
        while let Some(rest) = buffer.get_mut(read..).filter(|rest| !rest.is_empty()) {
            let position = offset + read as u64;
            match self.read_at(rest, position)? {
                0 => return Err(self.damaged(position, "the archive ends here".to_owned())),
                some => read += some,
            }
        }
        Ok(())
    }

    /// What is wrong at an offset, with the file and the offset in it where that byte is stored.
    pub(in crate::layout) fn damaged(&self, offset: u64, what: String) -> Error {
        let (path, offset) = self.place(offset);
        Error::Damaged { path, offset, what }
    }

    /// The file that has a byte, and where; of what is compressed, where its frame begins.
    pub(in crate::layout) fn place(&self, offset: u64) -> (PathBuf, u64) {
        let stored = match &self.frames {
            Some(frames) => frames.stored_at(offset),
            None => offset,
        };
        self.stored.place(stored)
    }

    /// The file that has a byte, and where the next one is in it; of what is compressed, where its frame ends.
    pub(in crate::layout) fn place_behind(&self, offset: u64) -> (PathBuf, u64) {
        let stored = match &self.frames {
            Some(frames) => frames.stored_until(offset),
            None => offset,
        };
        let (path, last) = self.stored.place(stored);
        (path, last + 1)
    }
}
