//! Skeleton of the client: the signatures, bodies follow.
#![expect(clippy::todo, clippy::unused_async, reason = "bodies follow")]

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures::Stream;
use futures::stream::BoxStream;

use super::{Error, Settings};
use crate::oci::{Descriptor, Digest, Manifest, MediaType, Registry, Repository, Tag, TagOrDigest};

/// Makes clients. One for each process.
#[derive(Clone, Debug)]
pub struct Pool;

/// A registry, spoken to with one set of settings. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Client(Registry, Identity);

/// A registry and everything that decides what it lets us see.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Identity(Registry, Digest);

/// What a tag or digest stands for at a registry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolved {
    /// The digest of the manifest.
    pub digest: Digest,
    /// Its media type, where the registry said it.
    pub media_type: Option<MediaType>,
    /// Its length in bytes, where the registry said it.
    pub size: Option<u64>,
}

/// What the registry said of a manifest that it stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stored {
    /// Whether it listed the manifest among the referrers of its subject.
    pub subject_indexed: bool,
}

/// The bytes of a blob, from the offset that was asked for to its end.
pub struct BlobBody(BoxStream<'static, Result<Bytes, Error>>);

/// What a registry answered to the announcement of a blob.
#[derive(Debug)]
pub enum Upload {
    /// The blob is there: taken over from another repository.
    Mounted,
    /// It waits for the bytes.
    Session(Session),
}

/// An open upload.
#[derive(Debug)]
pub struct Session(url::Url);

/// Why the body of an upload ends early. It aborts the request, so that no registry takes the part for the whole.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{0}")]
pub struct BodyError(pub String);

/// The manifests that refer to another one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Referrers {
    /// What the registry lists.
    Listed(Vec<Descriptor>),
    /// The registry keeps no list: look at the referrers tag.
    Unsupported,
}

/// What went over the wire so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Requests sent, redirects and repetitions included.
    pub requests: u64,
    /// GETs of manifests: what Docker Hub counts as pulls.
    pub pulls: u64,
    /// Bytes of bodies read.
    pub bytes_read: u64,
    /// Bytes of bodies written.
    pub bytes_written: u64,
}

impl Pool {
    /// A pool whose clients name themselves `user_agent`.
    pub fn new(_user_agent: &str) -> Self {
        todo!()
    }

    /// The client for a registry and settings: the same one for the same settings.
    pub fn client(&self, _registry: &Registry, _settings: &Settings) -> Result<Client, Error> {
        todo!()
    }
}

impl Client {
    /// The registry.
    pub fn registry(&self) -> &Registry {
        &self.0
    }

    /// The key under which knowledge about the registry may be shared.
    pub fn identity(&self) -> &Identity {
        &self.1
    }

    /// What went over the wire so far.
    pub fn traffic(&self) -> Traffic {
        todo!()
    }

    /// The repositories that the credential may see.
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
        _known: Option<&Digest>,
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

    /// Stores a manifest.
    pub async fn put_manifest(
        &self,
        _repository: &Repository,
        _target: &TagOrDigest,
        _manifest: &Manifest,
    ) -> Result<Stored, Error> {
        todo!()
    }

    /// The bytes of a blob from `offset` on.
    pub async fn fetch_blob(
        &self,
        _repository: &Repository,
        _blob: &Descriptor,
        _offset: u64,
    ) -> Result<BlobBody, Error> {
        todo!()
    }

    /// Whether a repository says that it has a blob.
    pub async fn has_blob(
        &self,
        _repository: &Repository,
        _digest: &Digest,
    ) -> Result<bool, Error> {
        todo!()
    }

    /// Announces a blob: mounts it from another repository, or opens an upload.
    pub async fn start_upload(
        &self,
        _repository: &Repository,
        _digest: &Digest,
        _mount_from: Option<&Repository>,
    ) -> Result<Upload, Error> {
        todo!()
    }

    /// Sends the bytes of a blob.
    pub async fn upload<B>(
        &self,
        _repository: &Repository,
        _session: Session,
        _digest: &Digest,
        _size: u64,
        _body: B,
    ) -> Result<(), Error>
    where
        B: Stream<Item = Result<Bytes, BodyError>> + Send + 'static,
    {
        todo!()
    }

    /// The manifests that refer to `digest`.
    pub async fn referrers(
        &self,
        _repository: &Repository,
        _digest: &Digest,
    ) -> Result<Referrers, Error> {
        todo!()
    }
}

impl Stream for BlobBody {
    type Item = Result<Bytes, Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.as_mut().poll_next(context)
    }
}
