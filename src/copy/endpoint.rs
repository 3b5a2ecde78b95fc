// SPDX-License-Identifier: Apache-2.0

//! The two kinds of places that images are copied between, behind one set of operations.

mod error;

use std::path::PathBuf;
use std::pin::Pin;

use bytes::Bytes;
use futures::{Stream, StreamExt};
use tokio::time::Instant;

pub use self::error::Error;
use crate::layout::{self, Layout};
use crate::oci::{Descriptor, Digest, Manifest, MediaType, Repository, Tag, TagOrDigest};
use crate::registry::{self, BodyError, Client, Stored, Upload};
use crate::runtime::memory;

/// A place that holds images: a registry with the credentials to use there, or a directory.
#[derive(Clone, Debug)]
pub enum Endpoint {
    /// A registry.
    Registry(Client),
    /// A directory tree of OCI layouts.
    Layout(Layout),
}

/// What makes two endpoints one place: knowledge about blobs is shared under this key and no other,
/// so that it never crosses credentials.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Place {
    /// A registry as one credential sees it.
    Registry(registry::Identity),
    /// A directory.
    Layout(PathBuf),
}

/// The bytes of a blob as they come.
pub type Body = Pin<Box<dyn Stream<Item = Result<Bytes, Error>> + Send>>;

/// What came of asking an endpoint to take a blob.
#[derive(Debug)]
pub enum Start {
    /// It has the blob in that repository now.
    Present,
    /// It waits for the bytes.
    Session(Session),
}

/// An upload that was begun.
#[derive(Debug)]
pub enum Session {
    /// At a registry.
    Registry(Client, registry::Session),
    /// In a directory: nothing is there before the first byte.
    Layout(Layout),
}

/// What a tag or digest stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Described {
    /// The digest of the manifest.
    pub digest: Digest,
    /// Its media type, where the endpoint said it.
    pub media_type: Option<MediaType>,
}

/// What an endpoint says of referrers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Referrers {
    /// All of them.
    Listed(Vec<Descriptor>),
    /// It cannot say: the fallback tags must be looked at.
    Unsupported,
}

/// What became of something that was to be deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Deletion {
    /// It is gone, by this operation.
    Deleted,
    /// It was gone before.
    Missing,
    /// The tag stands for another manifest by now: it is left alone.
    Moved,
    /// The endpoint cannot delete such a thing: it is left alone.
    Unsupported,
    /// It has other tags that are to stay, and the endpoint deletes all of them at once or none: it is left alone.
    Shared,
    /// An index lists its manifest, which the endpoint deletes with its last tag: it is left alone.
    Needed,
    /// The time until which it might be deleted had passed: it is left alone.
    TooLate,
}

// === impl Endpoint ===

impl Endpoint {
    /// The key for knowledge about this place.
    pub fn place(&self) -> Place {
        match self {
            Self::Registry(client) => Place::Registry(client.identity().clone()),
            Self::Layout(layout) => Place::Layout(layout.path().to_owned()),
        }
    }

    /// Whether it is a registry, and not a directory that stands in for one.
    pub fn is_registry(&self) -> bool {
        match self {
            Self::Registry(_) => true,
            Self::Layout(_) => false,
        }
    }

    /// The name that people know it by.
    pub fn name(&self) -> String {
        match self {
            Self::Registry(client) => client.registry().to_string(),
            Self::Layout(layout) => layout.path().display().to_string(),
        }
    }

    /// Lists the repositories.
    pub async fn list_repositories(&self) -> Result<Vec<Repository>, Error> {
        self.list_repositories_matching(None, |_| true).await
    }

    /// Lists the repositories that `keep` wants, all of one namespace where it is known.
    pub async fn list_repositories_matching(
        &self,
        namespace: Option<&str>,
        keep: impl Fn(&Repository) -> bool + Sync,
    ) -> Result<Vec<Repository>, Error> {
        Ok(match self {
            Self::Registry(client) => client.list_repositories_matching(namespace, keep).await?,
            Self::Layout(layout) => {
                let all = layout.list_repositories().await?;
                all.into_iter().filter(keep).collect()
            }
        })
    }

    /// Lists the tags of a repository, all of them or an error.
    pub async fn list_tags(&self, repository: &Repository) -> Result<Vec<Tag>, Error> {
        self.list_tags_matching(repository, |_| true).await
    }

    /// Lists the tags of a repository that `keep` wants, all of those or an error.
    pub async fn list_tags_matching(
        &self,
        repository: &Repository,
        keep: impl Fn(&Tag) -> bool + Sync,
    ) -> Result<Vec<Tag>, Error> {
        Ok(match self {
            Self::Registry(client) => client.list_tags_matching(repository, keep).await?,
            Self::Layout(layout) => {
                let all = layout.list_tags(repository).await?;
                all.into_iter().filter(keep).collect()
            }
        })
    }

    /// Asks which digest a tag or digest stands for, without reading it. `None`: it does not exist.
    pub async fn resolve(
        &self,
        repository: &Repository,
        target: &TagOrDigest,
        known: Option<&Digest>,
    ) -> Result<Option<Digest>, Error> {
        let found = self.describe(repository, target, known).await?;
        Ok(found.map(|found| found.digest))
    }

    /// The same of what the endpoint has confirmed.
    pub async fn resolve_stored(
        &self,
        repository: &Repository,
        target: &TagOrDigest,
    ) -> Result<Option<Digest>, Error> {
        match self {
            Self::Registry(client) => {
                let found = client.resolve_stored(repository, target).await?;
                Ok(found.map(|found| found.digest))
            }
            Self::Layout(_) => self.resolve(repository, target, None).await,
        }
    }

    /// As [`resolve`](Self::resolve), with the media type of what it stands for.
    pub async fn describe(
        &self,
        repository: &Repository,
        target: &TagOrDigest,
        known: Option<&Digest>,
    ) -> Result<Option<Described>, Error> {
        Ok(match self {
            Self::Registry(client) => {
                let found = client.resolve(repository, target, known).await?;
                found.map(|found| Described {
                    digest: found.digest,
                    media_type: found.media_type,
                })
            }
            Self::Layout(layout) => {
                let found = layout.resolve(repository, target).await?;
                found.map(|found| Described {
                    digest: found.digest,
                    media_type: Some(found.media_type),
                })
            }
        })
    }

    /// Reads a manifest.
    pub async fn fetch_manifest(
        &self,
        repository: &Repository,
        target: &TagOrDigest,
    ) -> Result<Manifest, Error> {
        let manifest = match self {
            Self::Registry(client) => client.fetch_manifest(repository, target).await?,
            Self::Layout(layout) => layout.fetch_manifest(repository, target).await?,
        };
        memory::keep(manifest.weight())?;
        Ok(manifest)
    }

    /// Writes a manifest. Says whether the endpoint lists it among the referrers of its subject.
    pub async fn put_manifest(
        &self,
        repository: &Repository,
        target: &TagOrDigest,
        manifest: &Manifest,
    ) -> Result<bool, Error> {
        let stored = self.store_manifest(repository, target, manifest).await?;
        Ok(stored.subject_indexed)
    }

    /// The same, with all that the endpoint says of it.
    pub async fn store_manifest(
        &self,
        repository: &Repository,
        target: &TagOrDigest,
        manifest: &Manifest,
    ) -> Result<Stored, Error> {
        Ok(match self {
            Self::Registry(client) => client.put_manifest(repository, target, manifest).await?,
            Self::Layout(layout) => {
                layout.put_manifest(repository, target, manifest).await?;
                Stored {
                    subject_indexed: true,
                    is_confirmed: true,
                }
            }
        })
    }

    /// Deletes a tag that stands for the manifest `expected`; the manifest and its blobs stay. One
    /// that stands for another manifest by now is left alone. No request leaves after `until`.
    ///
    /// Where the endpoint deletes all tags of a manifest at once or none, that is done where the others are among
    /// those that may go `also`.
    pub async fn delete_tag(
        &self,
        repository: &Repository,
        tag: &Tag,
        expected: &Digest,
        also: &[Tag],
        until: Option<Instant>,
    ) -> Result<Deletion, Error> {
        Ok(match self {
            Self::Registry(client) => {
                let deleted = client.delete_tag(repository, tag, expected, also, until);
                deleted.await?.into()
            }
            Self::Layout(layout) => layout.delete_tag(repository, tag, expected).await?.into(),
        })
    }

    /// The same of a tag that was seen to stand for `expected` right before: the first try asks no more, where nothing
    /// else is asked before it.
    pub async fn delete_seen_tag(
        &self,
        repository: &Repository,
        tag: &Tag,
        expected: &Digest,
        seen: Instant,
    ) -> Result<Deletion, Error> {
        Ok(match self {
            Self::Registry(client) => {
                let deleted = client.delete_seen_tag(repository, tag, expected, seen);
                deleted.await?.into()
            }
            Self::Layout(layout) => layout.delete_tag(repository, tag, expected).await?.into(),
        })
    }

    /// Whether all tags of a manifest are deleted at once or none.
    pub fn deletes_together(&self) -> bool {
        match self {
            Self::Registry(client) => client.deletes_together(),
            Self::Layout(_) => false,
        }
    }

    /// Whether no manifest without a tag is kept, unless an index names it.
    pub fn drops_untagged(&self) -> bool {
        match self {
            Self::Registry(client) => client.drops_untagged(),
            Self::Layout(_) => false,
        }
    }

    /// Deletes a manifest **and every tag that stands for it**. For what has no tag of its own, such
    /// as referrers: whoever calls this has made sure of it. No request leaves after `until`.
    pub async fn delete_manifest(
        &self,
        repository: &Repository,
        digest: &Digest,
        until: Option<Instant>,
    ) -> Result<Deletion, Error> {
        Ok(match self {
            Self::Registry(client) => {
                let deleted = client.delete_manifest(repository, digest, until).await?;
                deleted.into()
            }
            Self::Layout(layout) => layout.delete_manifest(repository, digest).await?.into(),
        })
    }

    /// Opens a blob at `offset`.
    pub async fn fetch_blob(
        &self,
        repository: &Repository,
        blob: &Descriptor,
        offset: u64,
    ) -> Result<Body, Error> {
        Ok(match self {
            Self::Registry(client) => {
                let body = client.fetch_blob(repository, blob, offset).await?;
                Box::pin(body.map(|frame| frame.map_err(Error::from)))
            }
            Self::Layout(layout) => {
                let body = layout.fetch_blob(repository, blob, offset).await?;
                Box::pin(body.map(|frame| frame.map_err(Error::from)))
            }
        })
    }

    /// Whether a repository says that it has a blob.
    pub async fn has_blob(&self, repository: &Repository, digest: &Digest) -> Result<bool, Error> {
        Ok(match self {
            Self::Registry(client) => client.has_blob(repository, digest).await?,
            Self::Layout(layout) => layout.has_blob(repository, digest).await?,
        })
    }

    /// Whether a repository serves a blob, as far as that can be told without reading more than some
    /// kilobytes of it: an answer without a body is not enough.
    pub async fn proves_blob(
        &self,
        repository: &Repository,
        blob: &Descriptor,
    ) -> Result<bool, Error> {
        Ok(match self {
            Self::Registry(client) => client.proves_blob(repository, blob).await?,
            Self::Layout(layout) => layout.has_whole_blob(repository, blob).await?,
        })
    }

    /// The same, where what cannot be told is no proof.
    pub(super) async fn serves(&self, repository: &Repository, blob: &Descriptor) -> bool {
        matches!(self.proves_blob(repository, blob).await, Ok(true))
    }

    /// Asks the endpoint to take a blob, or to mount it from another of its repositories.
    pub async fn start_upload(
        &self,
        repository: &Repository,
        digest: &Digest,
        mount_from: Option<&Repository>,
    ) -> Result<Start, Error> {
        match self {
            Self::Registry(client) => Ok(
                match client.start_upload(repository, digest, mount_from).await? {
                    Upload::Mounted => Start::Present,
                    Upload::Session(session) => {
                        Start::Session(Session::Registry(client.clone(), session))
                    }
                },
            ),
            Self::Layout(layout) => {
                let linked = match mount_from {
                    _ if layout.has_blob(repository, digest).await? => true,
                    Some(from) => layout.link_blob(digest, from, repository).await?,
                    None => false,
                };
                Ok(if linked {
                    Start::Present
                } else {
                    Start::Session(Session::Layout(layout.clone()))
                })
            }
        }
    }

    /// Finds out whether it can list referrers at all, where nobody knows. Whoever asks waits for that.
    pub async fn probe_referrers(&self, repository: &Repository) {
        match self {
            Self::Registry(client) => client.probe_referrers(repository).await,
            Self::Layout(_) => {}
        }
    }

    /// Lists what refers to a manifest: signatures, SBOMs, attestations.
    pub async fn referrers(
        &self,
        repository: &Repository,
        digest: &Digest,
    ) -> Result<Referrers, Error> {
        Ok(match self {
            Self::Registry(client) => match client.referrers(repository, digest).await? {
                registry::Referrers::Listed(list) => Referrers::Listed(list),
                registry::Referrers::Unsupported => Referrers::Unsupported,
            },
            Self::Layout(layout) => Referrers::Listed(layout.referrers(repository, digest).await?),
        })
    }
}

// === impl Session ===

impl Session {
    /// Gives up an upload of which nothing was sent.
    pub async fn give_up(self, repository: &Repository) {
        match self {
            Self::Registry(client, session) => client.give_up_upload(repository, session).await,
            Self::Layout(_) => {}
        }
    }

    /// Sends the bytes of the blob. There is no second try inside: the bytes come only once.
    pub async fn send<S>(
        self,
        repository: &Repository,
        blob: &Descriptor,
        body: S,
    ) -> Result<(), Error>
    where
        S: Stream<Item = Result<Bytes, BodyError>> + Send + 'static,
    {
        let Descriptor { digest, size, .. } = blob;
        match self {
            Self::Registry(client, session) => {
                client
                    .upload(repository, session, digest, *size, body)
                    .await?;
            }
            Self::Layout(layout) => layout.write_blob(repository, digest, *size, body).await?,
        }
        Ok(())
    }
}

// === impl Deletion ===

impl From<registry::Deletion> for Deletion {
    fn from(deletion: registry::Deletion) -> Self {
        match deletion {
            registry::Deletion::Deleted => Self::Deleted,
            registry::Deletion::Missing => Self::Missing,
            registry::Deletion::Moved => Self::Moved,
            registry::Deletion::Unsupported => Self::Unsupported,
            registry::Deletion::Shared => Self::Shared,
            registry::Deletion::Needed => Self::Needed,
            registry::Deletion::TooLate => Self::TooLate,
        }
    }
}

impl From<layout::Deletion> for Deletion {
    fn from(deletion: layout::Deletion) -> Self {
        match deletion {
            layout::Deletion::Deleted => Self::Deleted,
            layout::Deletion::Missing => Self::Missing,
            layout::Deletion::Moved => Self::Moved,
        }
    }
}
