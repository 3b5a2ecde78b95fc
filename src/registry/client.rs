// SPDX-License-Identifier: Apache-2.0

//! The operations of a registry.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use futures::{FutureExt, Stream};
use tokio::time::Instant;

use super::blobs::{self, BlobBody};
use super::cause::Cause;
use super::connection::Connection;
use super::deletes::{self, Doomed};
use super::deletion::Deletion;
use super::error::{Action, Error};
use super::kind::Side;
use super::lists;
use super::manifests::{self, Resolved, Stored};
use super::outgoing::BodyError;
use super::own::{Means, create};
use super::ping;
use super::referrers::{self, Referrers};
use super::search::{self, FoundRepository};
use super::settings::Settings;
use super::traffic::Traffic;
use super::uploads::{self, Session, Upload};
use crate::oci::{Descriptor, Digest, Manifest, Registry, Repository, Tag, TagOrDigest};

/// A registry, spoken to with one set of settings. Cheap to clone.
///
/// Requests that only ask, and writes that can be repeated, are tried again where that may help: up to
/// five times, and longer where the host refuses some requests and answers others.
#[derive(Clone)]
pub struct Client {
    inner: Arc<Inner>,
    side: Option<Side>,
}

struct Inner {
    identity: Identity,
    connection: Connection,
}

/// A registry and everything that decides what it lets us see and do: the key under which
/// knowledge about its content may be shared.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Identity {
    registry: Registry,
    /// Over secrets too, so never shown.
    settings: Digest,
}

// === impl Identity ===

impl Identity {
    pub(super) fn new(registry: &Registry, settings: &Settings) -> Self {
        Self {
            registry: registry.clone(),
            settings: settings.fingerprint(),
        }
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Identity({})", self.registry)
    }
}

// === impl Client ===

impl Client {
    pub(super) fn new(identity: Identity, connection: Connection) -> Self {
        Self {
            inner: Arc::new(Inner {
                identity,
                connection,
            }),
            side: None,
        }
    }

    /// The same client for one side of a copy: its errors say what to do there.
    #[must_use]
    pub fn on(self, side: Side) -> Self {
        Self {
            side: Some(side),
            ..self
        }
    }

    /// The registry.
    pub fn registry(&self) -> &Registry {
        &self.inner.connection.registry
    }

    /// The key under which knowledge about the registry may be shared.
    pub fn identity(&self) -> &Identity {
        &self.inner.identity
    }

    /// What went over the wire so far.
    pub fn traffic(&self) -> Traffic {
        self.inner.connection.counters.read()
    }

    /// The repositories that the credential may see, sorted. Many registries do not tell.
    pub async fn list_repositories(&self) -> Result<Vec<Repository>, Error> {
        self.list_repositories_matching(None, |_| true).await
    }

    /// Those of them that `keep` wants; the others are dropped while they are read. Some registries list only those of
    /// one namespace, which is `team` for what begins with `team/`.
    pub async fn list_repositories_matching(
        &self,
        namespace: Option<&str>,
        keep: impl Fn(&Repository) -> bool + Sync,
    ) -> Result<Vec<Repository>, Error> {
        // Boxed, because what asks for lists lies deep in other futures.
        let listed = lists::repositories(&self.inner.connection, namespace, &keep).boxed();
        let listed = listed.await;
        self.explain(listed, Action::ListRepositories, None, None)
    }

    /// At most `most` repositories that words lead to, in the registry's order; None where it has no search.
    pub async fn search(
        &self,
        words: &str,
        most: usize,
    ) -> Result<Option<Vec<FoundRepository>>, Error> {
        let found = search::search(&self.inner.connection, words, most).await;
        self.explain(found, Action::Search, None, None)
    }

    /// Asks for nothing but whether the registry takes the credential.
    pub async fn ping(&self) -> Result<(), Error> {
        let taken = ping::ping(&self.inner.connection).await;
        self.explain(taken, Action::LogIn, None, None)
    }

    /// The tags of a repository, sorted: all of them, or an error.
    pub async fn list_tags(&self, repository: &Repository) -> Result<Vec<Tag>, Error> {
        self.list_tags_matching(repository, |_| true).await
    }

    /// Those of them that `keep` wants; the others are dropped while they are read.
    pub async fn list_tags_matching(
        &self,
        repository: &Repository,
        keep: impl Fn(&Tag) -> bool + Sync,
    ) -> Result<Vec<Tag>, Error> {
        let listed = lists::tags(&self.inner.connection, repository, keep).await;
        self.explain(listed, Action::ListTags, Some(repository), None)
    }

    /// What a tag or digest stands for, or nothing where the manifest does not exist.
    ///
    /// One HEAD, which no registry counts as a pull; GET only where HEAD cannot be relied on. With
    /// the digest that is `known` already, the registry may answer that nothing has changed; media
    /// type and size are unknown then.
    pub async fn resolve(
        &self,
        repository: &Repository,
        target: &TagOrDigest,
        known: Option<&Digest>,
    ) -> Result<Option<Resolved>, Error> {
        let (connection, side) = (&self.inner.connection, self.side);
        let resolved = manifests::resolve_on(side, connection, repository, target, known).await;
        self.explain(resolved, Action::Resolve, Some(repository), Some(target))
    }

    /// What a tag or digest stands for under which the registry has confirmed a manifest: as
    /// [`resolve`](Self::resolve), but a HEAD that says that there is none is checked with a GET.
    pub async fn resolve_stored(
        &self,
        repository: &Repository,
        target: &TagOrDigest,
    ) -> Result<Option<Resolved>, Error> {
        let resolved = manifests::resolve_stored(&self.inner.connection, repository, target).await;
        self.explain(resolved, Action::Resolve, Some(repository), Some(target))
    }

    /// A manifest or index, verified.
    pub async fn fetch_manifest(
        &self,
        repository: &Repository,
        target: &TagOrDigest,
    ) -> Result<Manifest, Error> {
        let fetched = manifests::fetch(&self.inner.connection, repository, target).await;
        self.explain(
            fetched,
            Action::FetchManifest,
            Some(repository),
            Some(target),
        )
    }

    /// Stores a manifest or index under a tag or its digest.
    pub async fn put_manifest(
        &self,
        repository: &Repository,
        target: &TagOrDigest,
        manifest: &Manifest,
    ) -> Result<Stored, Error> {
        let connection = &self.inner.connection;
        let put = || manifests::put(connection, repository, target, manifest);
        let stored = create::making(connection, repository, put).await;
        self.explain(stored, Action::PutManifest, Some(repository), Some(target))
    }

    /// Deletes a tag that stands for the manifest `expected`; the manifest stays. One that stands for
    /// another manifest by now is left alone: that is looked up right before every try.
    ///
    /// Never by digest, which would take every other tag of the manifest along: where the registry
    /// cannot delete a tag, nothing is deleted.
    ///
    /// Where the registry deletes all tags of a manifest or none, that is done where the others are among those
    /// that may go `also`.
    ///
    /// No try leaves after `until`, however long the registry takes to be looked at.
    pub async fn delete_tag(
        &self,
        repository: &Repository,
        tag: &Tag,
        expected: &Digest,
        also: &[Tag],
        until: Option<Instant>,
    ) -> Result<Deletion, Error> {
        self.delete(&Doomed {
            repository,
            tag,
            expected,
            also,
            until,
            seen: None,
        })
        .await
    }

    /// The same of a tag that stood for `expected` when it was asked for at `seen`, right before: where the registry deletes it in one
    /// request, that is the first one, and a look comes before each other try.
    pub async fn delete_seen_tag(
        &self,
        repository: &Repository,
        tag: &Tag,
        expected: &Digest,
        seen: Instant,
    ) -> Result<Deletion, Error> {
        self.delete(&Doomed {
            repository,
            tag,
            expected,
            also: &[],
            until: None,
            seen: Some(seen),
        })
        .await
    }

    async fn delete(&self, doomed: &Doomed<'_>) -> Result<Deletion, Error> {
        let connection = &self.inner.connection;
        // Boxed, because what deletes lies deep in other futures.
        let deleted = deletes::delete_tag(connection, doomed).boxed().await;
        let target = TagOrDigest::Tag(doomed.tag.clone());
        let repository = Some(doomed.repository);
        self.explain(deleted, Action::DeleteTag, repository, Some(&target))
    }

    /// Whether all tags of a manifest are deleted at once or none, as versions of packages of GitHub are.
    pub fn deletes_together(&self) -> bool {
        matches!(Means::of(self.registry()), Means::GitHub { .. })
    }

    /// Whether no manifest without a tag is kept, unless an index names it: Amazon ECR deletes an image with its
    /// last tag (API reference, `BatchDeleteImage`).
    pub fn drops_untagged(&self) -> bool {
        Means::of(self.registry()) == Means::Signed
    }

    /// Deletes a manifest **and every tag that stands for it**. For what has no tag of its own, such
    /// as referrers: whoever calls this has made sure of it. No try leaves after `until`.
    pub async fn delete_manifest(
        &self,
        repository: &Repository,
        digest: &Digest,
        until: Option<Instant>,
    ) -> Result<Deletion, Error> {
        let connection = &self.inner.connection;
        let deleted = deletes::delete_manifest(connection, repository, digest, until).await;
        let target = TagOrDigest::Digest(digest.clone());
        self.explain(
            deleted,
            Action::DeleteManifest,
            Some(repository),
            Some(&target),
        )
    }

    /// The bytes of a blob from `offset` on, in one request.
    ///
    /// The length that the registry announces is checked before the first byte. A blob that breaks
    /// off is resumed by calling again with a greater offset. The body keeps a place in the window of
    /// the host until it is dropped: have it before sending uploads that wait for it. A resumed read
    /// does not wait long for a place, because uploads may be waiting for it already.
    pub async fn fetch_blob(
        &self,
        repository: &Repository,
        blob: &Descriptor,
        offset: u64,
    ) -> Result<BlobBody, Error> {
        let target = TagOrDigest::Digest(blob.digest.clone());
        let fetched = blobs::fetch(&self.inner.connection, repository, blob, offset).await;
        let body = self.explain(fetched, Action::FetchBlob, Some(repository), Some(&target))?;
        let operation = Action::FetchBlob.at(self.registry(), Some(repository), Some(&target));
        Ok(BlobBody::new(body, operation))
    }

    /// Whether a repository says that it has a blob. After a registry's garbage collection that is
    /// no proof.
    pub async fn has_blob(&self, repository: &Repository, digest: &Digest) -> Result<bool, Error> {
        let found = blobs::has(&self.inner.connection, repository, digest).await;
        let target = TagOrDigest::Digest(digest.clone());
        self.explain(found, Action::FindBlob, Some(repository), Some(&target))
    }

    /// Whether a repository serves a blob, as far as that can be told without reading more than some
    /// kilobytes of it.
    pub async fn proves_blob(
        &self,
        repository: &Repository,
        blob: &Descriptor,
    ) -> Result<bool, Error> {
        let proven = blobs::proves(&self.inner.connection, repository, blob).await;
        let target = TagOrDigest::Digest(blob.digest.clone());
        self.explain(proven, Action::FindBlob, Some(repository), Some(&target))
    }

    /// Announces a blob: mounts it from another repository of the registry, or opens an upload.
    pub async fn start_upload(
        &self,
        repository: &Repository,
        digest: &Digest,
        mount_from: Option<&Repository>,
    ) -> Result<Upload, Error> {
        let connection = &self.inner.connection;
        let start = || uploads::start(connection, repository, digest, mount_from);
        let started = create::making(connection, repository, start).await;
        let target = TagOrDigest::Digest(digest.clone());
        self.explain(
            started,
            Action::StartUpload,
            Some(repository),
            Some(&target),
        )
    }

    /// Gives up an upload of which nothing was sent.
    pub async fn give_up_upload(&self, repository: &Repository, session: Session) {
        uploads::give_up(&self.inner.connection, repository, &session).await;
    }

    /// Sends the bytes of a blob: exactly `size` of them.
    ///
    /// Tried once, because the body exists once: after a transient error start a new upload. The
    /// registry checks the digest, but whoever makes the body must check it too, before its last byte.
    pub async fn upload<S>(
        &self,
        repository: &Repository,
        session: Session,
        digest: &Digest,
        size: u64,
        body: S,
    ) -> Result<(), Error>
    where
        S: Stream<Item = Result<Bytes, BodyError>> + Send + 'static,
    {
        let sent = uploads::send(
            &self.inner.connection,
            repository,
            session,
            digest,
            size,
            body,
        )
        .await;
        let target = TagOrDigest::Digest(digest.clone());
        self.explain(sent, Action::Upload, Some(repository), Some(&target))
    }

    /// Finds out whether the registry can list referrers at all, where nobody knows: whoever asks meanwhile
    /// waits for that.
    pub async fn probe_referrers(&self, repository: &Repository) {
        referrers::probe(&self.inner.connection, repository).await;
    }

    /// The manifests that refer to `digest`, as far as the registry lists them.
    pub async fn referrers(
        &self,
        repository: &Repository,
        digest: &Digest,
    ) -> Result<Referrers, Error> {
        let listed = referrers::list(&self.inner.connection, repository, digest).await;
        let target = TagOrDigest::Digest(digest.clone());
        self.explain(
            listed,
            Action::ListReferrers,
            Some(repository),
            Some(&target),
        )
    }

    /// Says of an error what was being done.
    fn explain<T>(
        &self,
        outcome: Result<T, Cause>,
        action: Action,
        repository: Option<&Repository>,
        target: Option<&TagOrDigest>,
    ) -> Result<T, Error> {
        outcome.map_err(|cause| {
            let operation = action.at(self.registry(), repository, target);
            Error::new(&operation, cause.on(self.side))
        })
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Client({})", self.registry())
    }
}
