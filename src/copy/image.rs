// SPDX-License-Identifier: Apache-2.0

//! One image to one destination, in the order that keeps every visible tag complete.
//!
//! Blobs, manifests from the deepest to the root, read back, referrers, and only then the tags.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use futures::future::join_all;
use futures::{FutureExt, StreamExt, stream};

use super::blobs::{Blobs, Request};
use super::deliver::Delivery;
use super::endpoint::Endpoint;
use super::error::Error;
use super::fallback::{Additions, FallbackTags};
use super::graph::Graph;
use super::lag::Lag;
use super::links::Link;
use super::manifests::Manifests;
use super::pipe::Origin;
use super::presence::WORTH_A_LOOK;
use super::referrers::{Attached, Company};
use super::repair::{Parts, Repair};
use super::seen::Seen;
use super::stored::Stored;
use super::{Action, Done, TagPush, Target, Unmoved, telling};
use crate::oci::{Descriptor, Digest, Manifest, Repository, Tag, TagOrDigest};

/// Manifests pushed at once to one repository.
const PUSHES: usize = 8;

/// What is to be copied, read from the source once for all destinations.
pub(super) struct Content {
    pub(super) origin: Origin,
    pub(super) image: Graph,
    /// What refers to it.
    pub(super) company: Company,
    /// What was seen of that at the source.
    pub(super) seen: Option<Seen>,
    /// Whether the image itself is where it should be.
    pub(super) is_late: bool,
}

/// The knowledge of the process that pushing draws on.
pub(super) struct Shared {
    pub(super) blobs: Blobs,
    pub(super) manifests: Stored,
    pub(super) fallback_tags: FallbackTags,
}

/// One destination that is being written.
pub(super) struct Push<'a> {
    pub(super) shared: &'a Shared,
    pub(super) manifests: &'a Manifests,
    pub(super) content: &'a Content,
    pub(super) target: &'a Target,
    pub(super) lag: Lag,
}

/// The blobs that one destination waits for.
pub(super) type Requests = Vec<(Descriptor, Request)>;

// === impl Shared ===

impl Shared {
    /// Asks for what an image is made of in all destinations at once, so that each blob is read once; one list
    /// a destination.
    pub(super) fn request_image(
        &self,
        origin: &Origin,
        image: &Graph,
        targets: &[&Target],
    ) -> Vec<Requests> {
        let bytes: u64 = image.blobs().iter().map(|blob| blob.size).sum();
        if let Some(base) = image.base_layer().filter(|_| bytes >= WORTH_A_LOOK) {
            for target in targets {
                self.blobs.look(&target.endpoint, &target.repository, base);
            }
        }
        self.request(origin, [image], targets, &Parts::All)
    }

    /// The same of parts of anything.
    pub(super) fn request<'a>(
        &self,
        origin: &Origin,
        graphs: impl IntoIterator<Item = &'a Graph>,
        targets: &[&Target],
        parts: &Parts,
    ) -> Vec<Requests> {
        let places: Vec<(Endpoint, Repository)> = targets
            .iter()
            .map(|target| (target.endpoint.clone(), target.repository.clone()))
            .collect();
        let mut lists: Vec<Requests> = targets.iter().map(|_| Vec::new()).collect();
        let blobs = graphs.into_iter().flat_map(Graph::blobs);
        for blob in blobs.filter(|blob| parts.contain(&blob.digest)) {
            let is_afresh = parts.is_afresh();
            let requests = self.blobs.request(origin, blob, &places, is_afresh);
            for (list, request) in lists.iter_mut().zip(requests) {
                list.extend(request.map(|request| (blob.clone(), request)));
            }
        }
        lists
    }
}

// === impl Content ===

impl Content {
    /// What gets other tags in its own repository.
    pub(super) fn retagged(origin: Origin, root: Arc<Manifest>) -> Self {
        Self {
            origin,
            image: Graph::alone(root),
            company: Company::default(),
            seen: None,
            is_late: false,
        }
    }

    /// The digests of all blobs and manifests.
    pub(super) fn digests(&self) -> HashSet<&Digest> {
        let blobs = self
            .graphs()
            .flat_map(Graph::blobs)
            .map(|blob| &blob.digest);
        let manifests = self.graphs().flat_map(Graph::manifests);
        blobs
            .chain(manifests.map(|manifest| manifest.digest()))
            .collect()
    }

    /// What is sent: all that comes to refer to the image, and the image, where it is not there already.
    fn graphs(&self) -> impl Iterator<Item = &Graph> {
        let attached = self.company.attached.iter();
        let attached = attached.map(|attached| &attached.graph);
        attached.chain((!self.is_late).then_some(&self.image))
    }
}

// === impl Push ===

impl Push<'_> {
    /// Brings the image to the destination.
    pub(super) async fn run(&self, requests: Requests) -> Result<Done, Error> {
        let root = &self.content.image.root;
        let moving = self.target.moving(root.digest());
        let done = |action, bytes, unmoved| Done {
            digest: root.digest().clone(),
            action,
            bytes,
            unmoved,
            seen: self.content.seen,
            attached: match action {
                Action::Copied | Action::Completed => self.content.company.digests(),
                Action::Unchanged | Action::Retagged => Vec::new(),
            },
        };
        if moving.is_empty() && !self.target.tags.is_empty() {
            return Ok(done(Action::Unchanged, 0, Unmoved::new()));
        }
        if self.target.is_at(&self.content.origin) {
            return Ok(done(Action::Retagged, 0, self.move_tags(&moving).await?));
        }
        let (sent, unmoved) = self.give(requests, &moving).await?;
        Ok(done(Action::Copied, sent, unmoved))
    }

    /// Brings what refers to the image to a destination that has the image.
    pub(super) async fn run_late(&self) -> Result<Done, Error> {
        let Content {
            image,
            company,
            seen,
            ..
        } = self.content;
        let requests = self.request(&Parts::All);
        let (bytes, unmoved) = self.give(requests, &[]).await?;
        Ok(Done {
            digest: image.root.digest().clone(),
            action: if company.attached.is_empty() {
                Action::Unchanged
            } else {
                Action::Completed
            },
            bytes,
            unmoved,
            seen: *seen,
            attached: company.digests(),
        })
    }

    /// Waits for the blobs, pushes what names them, and gives again what the destination turns out to miss: the
    /// number of bytes that were sent, and the tags that did not move.
    async fn give(&self, requests: Requests, moving: &[&TagPush]) -> Result<(u64, Unmoved), Error> {
        let mut sent = self.receive(requests).await?;
        let mut repair = Repair::default();
        loop {
            // On the heap: what waits for a registry lies deep enough.
            let error = match self.push(moving).boxed().await {
                Ok(unmoved) => return Ok((sent, unmoved)),
                Err(error) => error,
            };
            let parts = error
                .missing()
                .and_then(|missing| repair.next(&self.content.digests(), missing));
            let Some(parts) = parts else {
                return Err(error);
            };
            sent += self.give_again(&parts).await?;
        }
    }

    async fn push(&self, moving: &[&TagPush]) -> Result<Unmoved, Error> {
        if self.content.is_late {
            self.attach(&self.content.company.attached).await?;
            return Ok(Unmoved::new());
        }
        self.push_all(moving).await
    }

    /// Asks for parts of the content.
    fn request(&self, parts: &Parts) -> Requests {
        let Content { origin, .. } = self.content;
        let graphs = self.content.graphs();
        let requests = self.shared.request(origin, graphs, &[self.target], parts);
        requests.into_iter().flatten().collect()
    }

    /// Waits for the blobs; the number of bytes that were sent.
    async fn receive(&self, requests: Requests) -> Result<u64, Error> {
        let deliveries = join_all(requests.into_iter().map(|(blob, request)| async move {
            match request.wait().await {
                Ok(Delivery::Uploaded) => Ok(blob.size),
                Ok(Delivery::Known | Delivery::Mounted) => Ok(0),
                Err(error) => Err(Error::Blob {
                    destination: self.target.name(),
                    digest: blob.digest,
                    error,
                }),
            }
        }));
        let sent = telling::of(deliveries.await)?;
        Ok(sent.into_iter().sum())
    }

    /// The destination misses something although all of it was confirmed: what was believed of that is
    /// wrong. Whether it is there is asked afresh, unless that was done already, and what is not is sent; the
    /// number of bytes of it.
    async fn give_again(&self, parts: &Parts) -> Result<u64, Error> {
        let Target {
            endpoint,
            repository,
            ..
        } = self.target;
        let Shared {
            blobs, manifests, ..
        } = self.shared;
        blobs.forget(endpoint, repository, |digest| parts.contain(digest));
        manifests.forget(&self.place(), repository, |digest| parts.contain(digest));
        let sent = self.receive(self.request(parts)).await?;
        self.lag.begin_again(sent > 0);
        Ok(sent)
    }

    async fn push_all(&self, moving: &[&TagPush]) -> Result<Unmoved, Error> {
        let Content { image, company, .. } = self.content;
        self.push_levels(image).await?;
        if let [only @ TagPush { current: None, .. }] = moving
            && company.attached.is_empty()
            && !self.is_doubted()
        {
            // Nobody sees this tag yet, so there is no working tag to protect: one PUT and one read.
            self.put_tag(&only.tag, &image.root, None).await?;
            return Ok(Unmoved::new());
        }
        self.push_root(image).await?;
        self.attach(&company.attached).await?;
        self.move_tags(moving).await
    }

    async fn push_levels(&self, graph: &Graph) -> Result<(), Error> {
        for level in &graph.levels {
            let pushes: Vec<_> = level
                .iter()
                .map(|manifest| self.put_by_digest(manifest))
                .collect();
            telling::all(stream::iter(pushes).buffer_unordered(PUSHES)).await?;
        }
        Ok(())
    }

    /// Stores the root under its digest and looks whether the destination serves it.
    async fn push_root(&self, graph: &Graph) -> Result<(), Error> {
        let root = &graph.root;
        if self.slot(root).lock().await.is_some() {
            return Ok(());
        }
        self.put_by_digest(root).await?;
        let target = root.digest().clone().into();
        self.read_back(&target, root, None).await
    }

    /// Signatures and the like, before any tag names the image.
    async fn attach(&self, attached: &[Attached]) -> Result<(), Error> {
        let pushes: Vec<_> = attached
            .iter()
            .map(|attached| self.attach_one(attached))
            .collect();
        let unlisted: Vec<Option<(Digest, Arc<Manifest>)>> =
            telling::all(stream::iter(pushes).buffered(PUSHES)).await?;
        let mut by_subject: BTreeMap<Digest, Vec<Arc<Manifest>>> = BTreeMap::new();
        for (subject, referrer) in unlisted.into_iter().flatten() {
            by_subject.entry(subject).or_default().push(referrer);
        }
        let lists = stream::iter(by_subject)
            .map(|(subject, referrers)| self.list_referrers(subject, referrers))
            .buffered(PUSHES);
        telling::all(lists).await.map(drop)
    }

    /// Stores one referrer. It comes back, with its subject, where the registry does not list it.
    async fn attach_one(
        &self,
        attached: &Attached,
    ) -> Result<Option<(Digest, Arc<Manifest>)>, Error> {
        let Attached { graph, by } = attached;
        self.push_levels(graph).await?;
        match by {
            Link::Tag(tag) => {
                self.put_tag(tag, &graph.root, None).await?;
                Ok(None)
            }
            Link::Subject(subject) => {
                let is_listed = self.put_by_digest(&graph.root).await?;
                Ok((!is_listed).then(|| (subject.clone(), graph.root.clone())))
            }
        }
    }

    async fn list_referrers(
        &self,
        subject: Digest,
        referrers: Vec<Arc<Manifest>>,
    ) -> Result<(), Error> {
        let Target {
            endpoint,
            repository,
            tags,
        } = self.target;
        let name = Tag::of_referrers(&subject, "");
        if tags.iter().any(|push| Some(&push.tag) == name.as_ref()) {
            // That tag is the only one of the image.
            return Ok(());
        }
        let there = Origin {
            endpoint: endpoint.clone(),
            repository: repository.clone(),
        };
        let list = self.content.company.lists.get(&subject);
        let additions = Additions {
            subject: &subject,
            referrers: &referrers,
            list: list.map(Arc::as_ref),
        };
        let fallback_tags = &self.shared.fallback_tags;
        let listed = fallback_tags.add(self.manifests, &there, additions);
        listed.await.map_err(|error| Error::Referrers {
            destination: self.target.name(),
            error,
        })
    }

    /// Moves the tags, the last thing that becomes visible. One that the registry keeps as it is does
    /// not hold up the others.
    async fn move_tags(&self, moving: &[&TagPush]) -> Result<Unmoved, Error> {
        let mut unmoved = Unmoved::new();
        for push in moving {
            match self.move_tag(push).await {
                Ok(()) => {}
                Err(error) if error.is_of_one_tag() => {
                    unmoved.insert(push.tag.clone(), error);
                }
                Err(error) => return Err(error),
            }
        }
        if unmoved.len() < moving.len() {
            return Ok(unmoved);
        }
        // Then it may not be about the tags.
        unmoved.into_values().next().map_or(Ok(Unmoved::new()), Err)
    }

    async fn move_tag(&self, push: &TagPush) -> Result<(), Error> {
        let TagPush {
            tag,
            current,
            previous,
        } = push;
        if let (Some(current), Some(previous)) = (current, previous) {
            self.keep_previous(&TagOrDigest::Digest(current.clone()), previous)
                .await?;
        }
        let root = &self.content.image.root;
        self.put_tag(tag, root, current.as_ref()).await
    }

    async fn keep_previous(&self, current: &TagOrDigest, previous: &Tag) -> Result<(), Error> {
        let Target {
            endpoint,
            repository,
            ..
        } = self.target;
        let manifest = endpoint
            .fetch_manifest(repository, current)
            .await
            .map_err(|error| self.failed(current, error))?;
        self.put_tag(previous, &manifest, None).await
    }
}
