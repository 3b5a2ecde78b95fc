// SPDX-License-Identifier: Apache-2.0

//! What is compressed with zstd in frames that can be read each by itself (zstd seekable format 0.1.0): a table of them
//! stands at the end, in a frame that other readers pass over. So `unzstd` reads it, and a blob is read from anywhere.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use super::stored::Stored;
use crate::layout::error::Error;

/// How a frame of zstd begins.
const ZSTD: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
/// How the frame with the table begins.
const TABLE: u32 = 0x184d_2a5e;
/// How the table ends.
const SEEKABLE: u32 = 0x8f92_eab1;
/// What stands before the table, and behind it.
const HEADER: u64 = 8;
const FOOTER: u64 = 9;
/// How long an entry of the table is: two lengths.
const ENTRY: u64 = 8;
/// How many bytes of content we put into a frame.
const CONTENT: usize = 1024 * 1024;
/// Most bytes of content of a frame that are read.
const CONTENT_MOST: u32 = 8 * 1024 * 1024;
/// Most frames: 64 GiB of blobs and more, with ours.
const FRAMES: u64 = 1024 * 1024;
/// Frames that are kept: several blobs are read at once.
const KEPT: usize = 8;
/// How much we compress: layers are compressed already, what is not gains most by the first levels.
const LEVEL: i32 = 3;

/// The frames of a volume.
#[derive(Debug)]
pub(super) struct Frames {
    table: Vec<Frame>,
    length: u64,
    kept: Mutex<VecDeque<(usize, Arc<Vec<u8>>)>>,
}

#[derive(Clone, Copy, Debug)]
struct Frame {
    /// Where it is stored.
    stored: u64,
    stored_length: u32,
    /// Where its content is in all of the content.
    start: u64,
    length: u32,
}

/// Compresses what passes.
pub(super) struct Compressor {
    inner: zstd::bulk::Compressor<'static>,
    pending: Vec<u8>,
    table: Vec<u8>,
    count: u32,
}

// === impl Frames ===

impl Frames {
    /// The frames of what is stored; nothing where it is not compressed in this way.
    pub(super) fn read(path: &Path, stored: &Stored) -> Result<Option<Self>, Error> {
        let (length, least) = (stored.length(), HEADER + FOOTER);
        if length < least || stored.read_all(0, ZSTD.len())? != ZSTD {
            return Ok(None);
        }
        let footer = stored.read_all(length - FOOTER, 9)?;
        if number(&footer, 5) != Some(SEEKABLE) {
            return Ok(None);
        }
        let damaged = |what: &str| {
            let (path, offset) = stored.place(length - FOOTER);
            let what = format!("the table of its frames {what}");
            Error::Damaged { path, offset, what }
        };
        let count = u64::from(number(&footer, 0).unwrap_or_default());
        let has_sums = footer.get(4).is_some_and(|flags| flags & 0x80 != 0);
        let entry = if has_sums { ENTRY + 4 } else { ENTRY };
        if count > FRAMES {
            return Err(Error::TooMany {
                path: path.to_owned(),
                what: "frames",
                most: usize::try_from(FRAMES).unwrap_or(usize::MAX),
            });
        }
        let table_length = count * entry;
        let begin = length.checked_sub(FOOTER + table_length + HEADER);
        let begin = begin.ok_or_else(|| damaged("is longer than the file"))?;
        let rest = usize::try_from(length - begin).unwrap_or_default();
        let table = stored.read_all(begin, rest)?;
        if number(&table, 0) != Some(TABLE)
            || number(&table, 4).map(u64::from) != Some(table_length + FOOTER)
        {
            return Err(damaged("does not begin where it should"));
        }
        let (mut frames, mut at, mut start) = (Vec::new(), 0_u64, 0_u64);
        let step = usize::try_from(entry).unwrap_or_default();
        let entries = table.get(8..).unwrap_or_default().chunks_exact(step);
        for entry in entries.take(usize::try_from(count).unwrap_or_default()) {
            let sizes = number(entry, 0).zip(number(entry, 4));
            let Some((stored_length, length)) = sizes.filter(|(_, most)| *most <= CONTENT_MOST)
            else {
                return Err(damaged("names a frame that is too large"));
            };
            frames.push(Frame {
                stored: at,
                stored_length,
                start,
                length,
            });
            at += u64::from(stored_length);
            start += u64::from(length);
        }
        if at != begin {
            return Err(damaged("does not name all of the bytes before it"));
        }
        Ok(Some(Self {
            table: frames,
            length: start,
            kept: Mutex::default(),
        }))
    }

    /// How long the content is.
    pub(super) fn length(&self) -> u64 {
        self.length
    }

    fn find(&self, offset: u64) -> Option<(usize, Frame)> {
        let behind = self.table.partition_point(|frame| frame.start <= offset);
        let number = behind.checked_sub(1)?;
        Some((number, *self.table.get(number)?))
    }

    /// Where the frame is stored that has a byte of the content.
    pub(super) fn stored_at(&self, offset: u64) -> u64 {
        self.find(offset).map_or(0, |(_, frame)| frame.stored)
    }

    /// Where the last byte of that frame is stored.
    pub(super) fn stored_until(&self, offset: u64) -> u64 {
        self.find(offset).map_or(0, |(_, frame)| {
            frame.stored + u64::from(frame.stored_length.saturating_sub(1))
        })
    }

    pub(super) fn read_at(
        &self,
        stored: &Stored,
        buffer: &mut [u8],
        offset: u64,
    ) -> Result<usize, Error> {
        let Some((number, frame)) = self.find(offset).filter(|_| offset < self.length) else {
            return Ok(0);
        };
        let content = self.content(stored, number, frame)?;
        let within = usize::try_from(offset - frame.start).unwrap_or(usize::MAX);
        let rest = content.get(within..).unwrap_or_default();
        let length = rest.len().min(buffer.len());
        let (to, from) = (buffer.get_mut(..length), rest.get(..length));
        if let (Some(to), Some(from)) = (to, from) {
            to.copy_from_slice(from);
        }
        Ok(length)
    }

    fn content(&self, stored: &Stored, number: usize, frame: Frame) -> Result<Arc<Vec<u8>>, Error> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, content)) = kept.iter().find(|(known, _)| *known == number) {
            return Ok(Arc::clone(content));
        }
        let most = zstd::zstd_safe::compress_bound(usize::try_from(frame.length).unwrap_or(0));
        let length = usize::try_from(frame.stored_length).unwrap_or(usize::MAX);
        let content = if length > most {
            None
        } else {
            let bytes = stored.read_all(frame.stored, length)?;
            let content = usize::try_from(frame.length).unwrap_or_default();
            zstd::bulk::decompress(&bytes, content).ok()
        };
        let is_whole = |content: &Vec<u8>| content.len() as u64 == u64::from(frame.length);
        let Some(content) = content.filter(is_whole).map(Arc::new) else {
            let (path, offset) = stored.place(frame.stored);
            let what = format!("frame {} cannot be unpacked", number + 1);
            return Err(Error::Damaged { path, offset, what });
        };
        if kept.len() >= KEPT {
            kept.pop_front();
        }
        kept.push_back((number, Arc::clone(&content)));
        Ok(content)
    }
}

/// A number, the lowest byte first.
fn number(bytes: &[u8], at: usize) -> Option<u32> {
    let field = bytes.get(at..at + 4)?;
    Some(u32::from_le_bytes(field.try_into().ok()?))
}

// === impl Compressor ===

impl Compressor {
    pub(super) fn new() -> std::io::Result<Self> {
        let mut inner = zstd::bulk::Compressor::new(LEVEL)?;
        inner.include_checksum(true)?;
        Ok(Self {
            inner,
            pending: Vec::with_capacity(CONTENT),
            table: Vec::new(),
            count: 0,
        })
    }

    /// Takes content, and gives what there is to write.
    pub(super) fn take(&mut self, mut content: &[u8]) -> std::io::Result<Vec<u8>> {
        let mut written = Vec::new();
        while !content.is_empty() {
            let room = CONTENT - self.pending.len();
            let (now, later) = content.split_at(room.min(content.len()));
            self.pending.extend_from_slice(now);
            content = later;
            if self.pending.len() == CONTENT {
                written.extend(self.end_frame()?);
            }
        }
        Ok(written)
    }

    fn end_frame(&mut self) -> std::io::Result<Vec<u8>> {
        let frame = self.inner.compress(&self.pending)?;
        for length in [frame.len(), self.pending.len()] {
            let length = u32::try_from(length).map_err(std::io::Error::other)?;
            self.table.extend(length.to_le_bytes());
        }
        self.count += 1;
        self.pending.clear();
        Ok(frame)
    }

    /// The last frame, and the table.
    pub(super) fn finish(mut self) -> std::io::Result<Vec<u8>> {
        let mut written = Vec::new();
        if !self.pending.is_empty() {
            written = self.end_frame()?;
        }
        let length = u32::try_from(self.table.len()).map_err(std::io::Error::other)?;
        let length = length.saturating_add(9);
        written.extend(TABLE.to_le_bytes());
        written.extend(length.to_le_bytes());
        written.extend(&self.table);
        written.extend(self.count.to_le_bytes());
        written.push(0);
        written.extend(SEEKABLE.to_le_bytes());
        Ok(written)
    }
}
