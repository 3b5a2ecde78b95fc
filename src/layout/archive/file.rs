// SPDX-License-Identifier: Apache-2.0

//! An archive that is open, and the files in it.

use std::collections::HashMap;
use std::fs::File;
use std::io::{Read as _, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;

use super::names;
use super::tar::{self, Span};
use crate::layout::error::{Action, Error};
use crate::layout::files;
use crate::layout::index::Index;
use crate::layout::marker::BLOBS;
use crate::oci::{Digest, limits};

/// Largest `index.json` or `manifest.json` that is read, in bytes.
pub(super) const INDEX_BYTES: u64 = 16 * 1024 * 1024;

/// An archive of images.
#[derive(Debug)]
pub(in crate::layout) struct Archive {
    pub(super) path: PathBuf,
    pub(in crate::layout) index: Arc<Index>,
    pub(super) blobs: HashMap<Digest, Span>,
    /// Manifests that are not in the file: they are made of what `docker save` wrote before it wrote manifests.
    pub(super) made: HashMap<Digest, Bytes>,
}

/// The files of an archive by their names.
pub(super) struct Files<'a> {
    pub(super) file: &'a File,
    pub(super) path: &'a Path,
    pub(super) spans: HashMap<String, Span>,
    pub(super) links: HashMap<String, String>,
}

/// An open file, at the beginning of what was asked for.
#[derive(Debug)]
pub(in crate::layout) struct Opened {
    pub(in crate::layout) file: File,
    pub(in crate::layout) path: PathBuf,
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
    pub(in crate::layout) fn open_blob(&self, digest: &Digest) -> Result<Option<Opened>, Error> {
        let Some(Span { start, length }) = self.blobs.get(digest).copied() else {
            return Ok(None);
        };
        let Some((mut file, _)) = files::open(&self.path)? else {
            return Err(Error::NoArchive {
                path: self.path.clone(),
            });
        };
        file.seek(SeekFrom::Start(start))
            .map_err(Error::io(Action::Read, &self.path))?;
        Ok(Some(Opened {
            file,
            path: self.path.clone(),
            start,
            length,
        }))
    }
}

// === impl Opened ===

impl Opened {
    /// All of it, at most so many bytes.
    pub(in crate::layout) fn read(&self, most: usize) -> Result<Vec<u8>, Error> {
        let mut content = Vec::new();
        let length = self.length.min(most as u64 + 1);
        let mut part = (&self.file).take(length);
        part.read_to_end(&mut content)
            .map_err(Error::io(Action::Read, &self.path))?;
        if content.len() > most {
            return Err(Error::TooMany {
                path: self.path.clone(),
                what: "bytes",
                most,
            });
        }
        Ok(content)
    }
}

// === impl Files ===

impl<'a> Files<'a> {
    pub(super) fn scan(file: &'a File, path: &'a Path) -> Result<Self, Error> {
        let (mut spans, mut links) = (HashMap::new(), HashMap::new());
        for tar::Entry { name, link, span } in tar::scan(file, path)? {
            // Of what stands twice the last counts, as where it is unpacked.
            if let Some(target) = link {
                links.insert(name, target);
            } else {
                spans.insert(name, span);
            }
        }
        Ok(Self {
            file,
            path,
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
        tar::read(self.file, self.path, span, most)
    }

    pub(super) fn missing(&self, name: &str) -> Error {
        let reason = format!("it lacks {name:?}, which it names");
        Error::bad_file(self.path.to_owned(), reason)
    }
}

/// The digest of a blob by its path in a layout.
pub(super) fn blob_digest(name: &str) -> Option<Digest> {
    let rest = name.strip_prefix(BLOBS)?.strip_prefix('/')?;
    let (algorithm, encoded) = rest.split_once('/')?;
    format!("{algorithm}:{encoded}").parse().ok()
}
