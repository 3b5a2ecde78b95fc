// SPDX-License-Identifier: Apache-2.0

//! The blobs of a layout: read in frames, written under their name only once they are complete.

use std::fs;
use std::io;
use std::path::Path;
use std::pin::pin;
use std::sync::Arc;

use bytes::Bytes;
use futures::stream::{self, BoxStream};
use futures::{Stream, StreamExt};

use super::archive::{Opened, Reading};
use super::blocking::blocking;
use super::error::{Action, Error};
use super::files::{self, TemporaryFile};
use super::store::Store;

use crate::oci::{Descriptor, Digest, Hasher};

/// How much of a blob is read at once, in bytes.
const FRAME_BYTES: u64 = 256 * 1024;
/// How many frames that have come already are written in one go.
const READY_FRAMES: usize = 16;

/// The bytes of a blob, in frames of at most 256 KiB.
pub type BlobBody = BoxStream<'static, Result<Bytes, Error>>;

/// A blob that is being read.
#[derive(Debug)]
struct BlobReader {
    opened: Opened,
    store: Arc<Store>,
    blob: Descriptor,
    position: u64,
    /// Hashes what is read of an archive, all of it: then what is damaged is named by its place.
    hasher: Option<Hasher>,
}

/// A blob that is being written.
#[derive(Debug)]
struct BlobWriter {
    temporary: TemporaryFile,
    store: Arc<Store>,
    hasher: Hasher,
    digest: Digest,
    size: u64,
    written: u64,
}

/// The bytes of a blob from `offset` on.
pub(super) async fn fetch_blob(
    store: Arc<Store>,
    blob: Descriptor,
    offset: u64,
) -> Result<BlobBody, Error> {
    let reader = blocking(move || BlobReader::open(store, blob, offset)).await?;
    let frames = stream::try_unfold(reader, |reader| blocking(|| reader.next_frame()));
    Ok(frames.boxed())
}

/// Writes a blob, unless it is there.
pub(super) async fn write_blob<B, E>(
    store: Arc<Store>,
    digest: Digest,
    size: u64,
    body: B,
) -> Result<(), Error>
where
    B: Stream<Item = Result<Bytes, E>> + Send,
    E: Into<Box<dyn std::error::Error + Send + Sync>> + Send,
{
    let started = blocking(move || BlobWriter::start(store, digest, size)).await?;
    let Some(mut writer) = started else {
        return Ok(());
    };
    let body = body.map(|frame| frame.map_err(|cause| Error::Body(Arc::from(cause.into()))));
    let mut body = pin!(body.ready_chunks(READY_FRAMES));
    while let Some(frames) = body.next().await {
        let frames = frames.into_iter().collect::<Result<Vec<_>, _>>()?;
        writer = blocking(move || writer.write(&frames)).await?;
    }
    blocking(|| writer.finish()).await
}

// === impl Store ===

impl Store {
    /// Whether there is a file for the blob. Only complete ones get there.
    pub(super) fn has_blob(&self, digest: &Digest) -> Result<bool, Error> {
        Ok(self.is_elsewhere(digest) || self.open_blob(digest)?.is_some())
    }

    /// Whether that file has the size of the blob: a file system may have lost a part of it.
    pub(super) fn has_whole_blob(&self, blob: &Descriptor) -> Result<bool, Error> {
        let found = self.open_blob(&blob.digest)?;
        let is_there = found.is_some_and(|opened| opened.length == blob.size);
        Ok(is_there || self.is_elsewhere(&blob.digest))
    }

    /// Shares the file of a blob, and says whether that was possible.
    pub(super) fn link_blob_from(&self, other: &Self, digest: &Digest) -> Result<bool, Error> {
        if other.require_writable().is_err() {
            return Ok(false);
        }
        let (original, link) = (other.blob_path(digest), self.blob_path(digest));
        // The link must be to the file itself, not to a link to it.
        if !fs::symlink_metadata(&original).is_ok_and(|metadata| metadata.is_file()) {
            return Ok(false);
        }
        self.prepare()?;
        self.make_blob_directory(digest)?;
        match fs::hard_link(&original, &link) {
            Ok(()) if self.is_passing => Ok(true),
            Ok(()) => files::sync_parent(&link).map(|()| true),
            // One of another length is damaged: a whole one has to be written over it.
            Err(cause) if cause.kind() == io::ErrorKind::AlreadyExists => {
                let length = |path: &Path| fs::metadata(path).map(|metadata| metadata.len()).ok();
                Ok(length(&original) == length(&link))
            }
            Err(cause) if cannot_link(&cause) => Ok(false),
            Err(cause) => Err(Error::io(Action::Link, &link)(cause)),
        }
    }

    pub(super) fn make_blob_directory(&self, digest: &Digest) -> Result<(), Error> {
        match self.blob_path(digest).parent() {
            Some(directory) => {
                files::refuse_link(directory)?;
                fs::create_dir_all(directory).map_err(Error::io(Action::Create, directory))
            }
            None => Ok(()),
        }
    }
}

/// Whether the file system has no link to offer where it may well have room for a copy.
fn cannot_link(cause: &io::Error) -> bool {
    matches!(
        cause.kind(),
        io::ErrorKind::CrossesDevices
            | io::ErrorKind::Unsupported
            | io::ErrorKind::PermissionDenied
            | io::ErrorKind::TooManyLinks
            | io::ErrorKind::NotFound
    )
}

// === impl BlobReader ===

impl BlobReader {
    fn open(store: Arc<Store>, blob: Descriptor, offset: u64) -> Result<Self, Error> {
        let Some(opened) = store.open_blob(&blob.digest)? else {
            return Err(store.lacks_blob(blob.digest));
        };
        store.check_size(&blob, opened.length)?;
        let is_checked = offset == 0 && matches!(opened.reading, Reading::Volume(_));
        Ok(Self {
            opened,
            store,
            hasher: is_checked.then(|| blob.digest.algorithm().hasher()),
            blob,
            position: offset,
        })
    }

    fn next_frame(mut self) -> Result<Option<(Bytes, Self)>, Error> {
        let length = FRAME_BYTES.min(self.blob.size.saturating_sub(self.position));
        if length == 0 {
            return Ok(None);
        }
        let mut frame = vec![0; usize::try_from(length).unwrap_or_default()];
        let filled = self.opened.fill(&mut frame, self.position)?;
        frame.truncate(filled);
        self.position += frame.len() as u64;
        if frame.is_empty() {
            // Somebody has cut the file off since it was opened.
            self.store.check_size(&self.blob, self.position)?;
        }
        if let Some(mut hasher) = self.hasher.take() {
            hasher.update(&frame);
            if self.position < self.blob.size {
                self.hasher = Some(hasher);
            } else if hasher.finish() != self.blob.digest
                && let Some(damaged) = self.opened.damaged(&self.blob.digest)
            {
                return Err(damaged);
            }
        }
        Ok(Some((frame.into(), self)))
    }
}

// === impl BlobWriter ===

impl BlobWriter {
    /// Begins a blob, or nothing where it is there already.
    fn start(store: Arc<Store>, digest: Digest, size: u64) -> Result<Option<Self>, Error> {
        let is_there = files::open(&store.blob_path(&digest))?
            .is_some_and(|(_, metadata)| metadata.len() == size);
        if is_there {
            return Ok(None);
        }
        store.prepare()?;
        store.make_blob_directory(&digest)?;
        Ok(Some(Self {
            temporary: TemporaryFile::create(&store.directory)?,
            store,
            hasher: digest.algorithm().hasher(),
            digest,
            size,
            written: 0,
        }))
    }

    fn write(mut self, frames: &[Bytes]) -> Result<Self, Error> {
        for frame in frames {
            self.written += frame.len() as u64;
            if self.written > self.size {
                return Err(self.wrong_size());
            }
            self.hasher.update(frame);
            self.temporary.write(frame)?;
        }
        Ok(self)
    }

    fn finish(self) -> Result<(), Error> {
        if self.written != self.size {
            return Err(self.wrong_size());
        }
        let found = self.hasher.finish();
        if found != self.digest {
            return Err(Error::WrongDigest {
                path: self.store.directory.clone(),
                found,
                expected: self.digest,
            });
        }
        let target = self.store.blob_path(&self.digest);
        self.store.rename(self.temporary, &target)
    }

    fn wrong_size(&self) -> Error {
        Error::WrongSize {
            path: self.store.directory.clone(),
            digest: self.digest.clone(),
            found: self.written,
            expected: self.size,
        }
    }
}
