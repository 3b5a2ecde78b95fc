//! Skeleton of the tree: the signatures, bodies follow.
#![expect(clippy::todo, clippy::unused_async, reason = "bodies follow")]

use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use futures::Stream;
use futures::stream::BoxStream;

use super::Error;
use crate::oci::{Descriptor, Digest, Manifest, MediaType, Repository, Tag, TagOrDigest};

/// A directory tree of image layouts. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Layout(Arc<PathBuf>);

/// The bytes of a blob, in frames of at most 256 KiB.
pub type BlobBody = BoxStream<'static, Result<Bytes, Error>>;

/// What a tag or digest stands for in a layout.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolved {
    /// The digest of the manifest.
    pub digest: Digest,
    /// Its media type.
    pub media_type: MediaType,
    /// Its length in bytes.
    pub size: u64,
}

impl Layout {
    /// The tree below `directory`. Nothing is read or made yet.
    pub fn open(directory: PathBuf) -> Self {
        Self(Arc::new(directory))
    }

    /// The directory.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// The repositories, sorted.
    pub async fn list_repositories(&self) -> Result<Vec<Repository>, Error> {
        todo!()
    }

    /// The tags of a repository, sorted.
    pub async fn list_tags(&self, _repository: &Repository) -> Result<Vec<Tag>, Error> {
        todo!()
    }

    /// What a tag or digest stands for, or nothing where the manifest does not exist.
    pub async fn resolve(
        &self,
        _repository: &Repository,
        _target: &TagOrDigest,
    ) -> Result<Option<Resolved>, Error> {
        todo!()
    }

    /// A manifest, verified.
    pub async fn fetch_manifest(
        &self,
        _repository: &Repository,
        _target: &TagOrDigest,
    ) -> Result<Manifest, Error> {
        todo!()
    }

    /// Stores a manifest and lists it under a tag, or untagged unless an index lists it.
    pub async fn put_manifest(
        &self,
        _repository: &Repository,
        _target: &TagOrDigest,
        _manifest: &Manifest,
    ) -> Result<(), Error> {
        todo!()
    }

    /// Whether a layout has a blob.
    pub async fn has_blob(
        &self,
        _repository: &Repository,
        _digest: &Digest,
    ) -> Result<bool, Error> {
        todo!()
    }

    /// The bytes of a blob from `offset` on. Their hash is for the reader to check.
    pub async fn fetch_blob(
        &self,
        _repository: &Repository,
        _blob: &Descriptor,
        _offset: u64,
    ) -> Result<BlobBody, Error> {
        todo!()
    }

    /// Stores a blob once all of its bytes have come and have the digest. One that is there
    /// already is left alone, and `body` is dropped unread.
    pub async fn write_blob<B, E>(
        &self,
        _repository: &Repository,
        _digest: &Digest,
        _size: u64,
        _body: B,
    ) -> Result<(), Error>
    where
        B: Stream<Item = Result<Bytes, E>> + Send,
        E: Into<Box<dyn std::error::Error + Send + Sync>> + Send,
    {
        todo!()
    }

    /// Lets a repository share the blob of another one by a hard link, and says whether it now
    /// has it: not where `from` lacks the blob, or the file system cannot link.
    pub async fn link_blob(
        &self,
        _digest: &Digest,
        _from: &Repository,
        _to: &Repository,
    ) -> Result<bool, Error> {
        todo!()
    }

    /// The manifests whose subject is `digest`, with their artifact types and annotations.
    pub async fn referrers(
        &self,
        _repository: &Repository,
        _digest: &Digest,
    ) -> Result<Vec<Descriptor>, Error> {
        todo!()
    }
}
