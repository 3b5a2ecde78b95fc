// SPDX-License-Identifier: Apache-2.0

//! An archive that is open, and the files in it.

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io::ErrorKind;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;

use super::names;
use super::tar::{self, Span};
use super::volume::Volume;
use crate::layout::error::{Action, Error};
use crate::layout::index::Index;
use crate::layout::marker::BLOBS;
use crate::oci::{Digest, limits};

/// Largest `index.json` or `manifest.json` that is read, in bytes.
pub(super) const INDEX_BYTES: u64 = 16 * 1024 * 1024;

/// An archive of images. Cheap to clone.
#[derive(Clone, Debug)]
pub(in crate::layout) struct Archive {
    pub(in crate::layout) volume: Arc<Volume>,
    pub(in crate::layout) index: Arc<Index>,
    pub(in crate::layout) blobs: Arc<HashMap<Digest, Span>>,
    /// Manifests that are not in the file: they are made of what `docker save` wrote before it wrote manifests.
    pub(in crate::layout) made: Arc<HashMap<Digest, Bytes>>,
    /// What is not in the file, and has to be where its images go.
    pub(in crate::layout) elsewhere: Arc<HashSet<Digest>>,
}

/// The files of an archive by their names.
pub(super) struct Files {
    pub(super) volume: Arc<Volume>,
    pub(super) spans: HashMap<String, Span>,
    pub(super) links: HashMap<String, String>,
}

/// Where bytes are read.
#[derive(Debug)]
pub(in crate::layout) enum Reading {
    /// A file of its own, by its path.
    File(File, PathBuf),
    /// An archive.
    Volume(Arc<Volume>),
}

/// What was asked for, open.
#[derive(Debug)]
pub(in crate::layout) struct Opened {
    pub(in crate::layout) reading: Reading,
    /// Where what was asked for begins.
    pub(in crate::layout) start: u64,
    /// How long it is.
    pub(in crate::layout) length: u64,
}

// === impl Archive ===

impl Archive {
    /// A manifest that is not in the file.
    pub(in crate::layout) fn made(&self, digest: &Digest) -> Option<&Bytes> {
        self.made.get(digest)
    }

    /// A blob, or nothing where there is none.
    pub(in crate::layout) fn open_blob(&self, digest: &Digest) -> Option<Opened> {
        let Span { start, length } = self.blobs.get(digest).copied()?;
        Some(Opened {
            reading: Reading::Volume(Arc::clone(&self.volume)),
            start,
            length,
        })
    }
}

// === impl Opened ===

impl Opened {
    /// Reads some bytes from `position` of it on; none behind its end.
    pub(in crate::layout) fn read_at(
        &self,
        buffer: &mut [u8],
        position: u64,
    ) -> Result<usize, Error> {
        let rest = usize::try_from(self.length.saturating_sub(position)).unwrap_or(usize::MAX);
        let length = buffer.len().min(rest);
        let wanted = buffer.get_mut(..length).unwrap_or_default();
        let offset = self.start + position;
        match &self.reading {
            _ if wanted.is_empty() => Ok(0),
            Reading::Volume(volume) => volume.read_at(wanted, offset),
            Reading::File(file, path) => match file.read_at(wanted, offset) {
                Err(cause) if cause.kind() == ErrorKind::Interrupted => {
                    self.read_at(buffer, position)
                }
                read => read.map_err(Error::io(Action::Read, path)),
            },
        }
    }

    /// Fills a buffer as far as there are bytes, and says how far.
    pub(in crate::layout) fn fill(&self, buffer: &mut [u8], position: u64) -> Result<usize, Error> {
        let mut filled = 0;
        while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            match self.read_at(rest, position + filled as u64)? {
                0 => break,
                some => filled += some,
            }
        }
        Ok(filled)
    }

    /// All of it, at most so many bytes.
    pub(in crate::layout) fn read(&self, most: usize) -> Result<Vec<u8>, Error> {
        if self.length > most as u64 {
            return Err(Error::TooMany {
                path: self.path().to_owned(),
                what: "bytes",
                most,
            });
        }
        let mut content = vec![0; usize::try_from(self.length).unwrap_or_default()];
        let filled = self.fill(&mut content, 0)?;
        content.truncate(filled);
        Ok(content)
    }

    /// That its bytes are not those of its digest: where in an archive that is. Nothing of a file of its own, whose
    /// name says it.
    pub(in crate::layout) fn damaged(&self, digest: &Digest) -> Option<Error> {
        let Reading::Volume(volume) = &self.reading else {
            return None;
        };
        let (path, offset) = volume.place(self.start);
        let last = self.start + self.length.saturating_sub(1);
        let (end_path, end) = volume.place_behind(last);
        Some(Error::DamagedBlob {
            path,
            offset,
            end_path,
            end,
            digest: digest.clone(),
        })
    }

    fn path(&self) -> &Path {
        match &self.reading {
            Reading::File(_, path) => path,
            Reading::Volume(volume) => volume.path(),
        }
    }
}

// === impl Files ===

impl Files {
    pub(super) fn scan(volume: Volume) -> Result<Self, Error> {
        let (mut spans, mut links) = (HashMap::new(), HashMap::new());
        for tar::Entry { name, link, span } in tar::scan(&volume)? {
            // Of what stands twice the last counts, as where it is unpacked.
            if let Some(target) = link {
                links.insert(name, target);
            } else {
                spans.insert(name, span);
            }
        }
        Ok(Self {
            volume: Arc::new(volume),
            spans,
            links,
        })
    }

    /// Where the bytes of a file are, also of one that is a link to another.
    pub(super) fn find(&self, name: &str) -> Option<Span> {
        let mut name = name.to_owned();
        for _ in 0..limits::REDIRECTS {
            if let Some(span) = self.spans.get(&name) {
                return Some(*span);
            }
            name = names::follow(&name, self.links.get(&name)?);
        }
        None
    }

    pub(super) fn read(&self, name: &str, most: u64) -> Result<Vec<u8>, Error> {
        let span = self.find(name).ok_or_else(|| self.missing(name))?;
        tar::read(&self.volume, span, most)
    }

    pub(super) fn missing(&self, name: &str) -> Error {
        let reason = format!("it lacks {name:?}, which it names");
        Error::bad_file(self.path().to_owned(), reason)
    }

    pub(super) fn path(&self) -> &Path {
        self.volume.path()
    }
}

/// The digest of a blob by its path in a layout.
pub(in crate::layout) fn blob_digest(name: &str) -> Option<Digest> {
    let rest = name.strip_prefix(BLOBS)?.strip_prefix('/')?;
    let (algorithm, encoded) = rest.split_once('/')?;
    format!("{algorithm}:{encoded}").parse().ok()
}
