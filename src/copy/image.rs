// SPDX-License-Identifier: Apache-2.0

//! One image to one destination, in the order that keeps every visible tag complete.
//!
//! A manifest is pushed when all is there that it names, and a referrer after its subject; the root is read back; and
//! only then come the tags.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::future::{BoxFuture, Shared, join_all};
use futures::{FutureExt, StreamExt};

use super::arrivals::{Arrivals, Requests};
use super::deliver::Delivery;
use super::error::Error;
use super::fallback::Additions;
use super::graph::Graph;
use super::links::Link;
use super::order::Order;
use super::pipe::Origin;
use super::push::{self, Content, Push};
use super::referrers::Attached;
use super::repair::{Parts, Repair};
use super::{Action, Done, TagPush, Target, Unmoved, telling};
use crate::oci::{Digest, Manifest, Tag, TagOrDigest};

/// The root of an image that is being stored.
type Root<'a> = Shared<BoxFuture<'a, Result<(), Error>>>;

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

    /// Pushes everything as soon as the blobs are there that it names, and gives again what the destination turns out
    /// to miss: the number of bytes that were sent, and the tags that did not move.
    async fn give(&self, requests: Requests, moving: &[&TagPush]) -> Result<(u64, Unmoved), Error> {
        let arrivals = Arrivals::of(requests);
        // On the heap: what waits for a registry lies deep enough.
        let pushing = self.push(moving, &arrivals).boxed();
        let (received, mut pushed) = tokio::join!(self.receive(&arrivals), pushing);
        let mut sent = match (received, pushed.as_ref().err()) {
            (Ok(sent), _) => sent,
            (Err(lost), refused) => return Err(telling::better(lost, refused.cloned())),
        };
        let mut repair = Repair::default();
        loop {
            let error = match pushed {
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
            pushed = self.push(moving, &Arrivals::default()).boxed().await;
        }
    }

    /// Asks for parts of the content.
    fn request(&self, parts: &Parts) -> Requests {
        let Content { origin, turn, .. } = self.content;
        let graphs = self.content.graphs();
        let from = (origin, *turn);
        let requests = self.shared.request(from, graphs, &[self.target], parts);
        requests.into_iter().flatten().collect()
    }

    /// Waits for the blobs; the number of bytes that were sent.
    async fn receive(&self, arrivals: &Arrivals) -> Result<u64, Error> {
        let sizes = arrivals.each().map(|arrived| match arrived {
            Ok((size, Delivery::Uploaded)) => {
                self.lag.begin_again(true);
                Ok(size)
            }
            Ok((_, Delivery::Known | Delivery::Mounted)) => Ok(0),
            Err(lost) => Err(self.lost(lost)),
        });
        let sizes = telling::of(sizes.collect::<Vec<_>>().await)?;
        Ok(sizes.into_iter().sum())
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
        let push::Shared {
            blobs, manifests, ..
        } = self.shared;
        blobs.forget(endpoint, repository, |digest| parts.contain(digest));
        manifests.forget(&self.place(), repository, |digest| parts.contain(digest));
        let arrivals = Arrivals::of(self.request(parts));
        let sent = self.receive(&arrivals).await?;
        self.lag.begin_again(sent > 0);
        Ok(sent)
    }

    async fn push(&self, moving: &[&TagPush], arrivals: &Arrivals) -> Result<Unmoved, Error> {
        let Content { image, company, .. } = self.content;
        let was_doubted = self.is_doubted();
        let order = Order::of(self, arrivals);
        if let [only @ TagPush { current: None, .. }] = moving
            && company.attached.is_empty()
        {
            order.ready(&image.root).await?;
            if !self.is_doubted() {
                // Nobody sees this tag yet, so there is no working tag to protect: one PUT and one read.
                self.put_tag(&only.tag, &image.root, None).await?;
                return Ok(Unmoved::new());
            }
        }
        self.store(&order).await?;
        if !was_doubted && self.is_doubted() {
            // What was stored while the destination was believed may not be there.
            self.store(&Order::of(self, arrivals)).await?;
        }
        self.move_tags(moving).await
    }

    /// Stores everything but the tags of the image.
    async fn store(&self, order: &Order<'_>) -> Result<(), Error> {
        let root = self.push_root(order).boxed().shared();
        let (root, attached) = tokio::join!(root.clone(), self.attach(order, &root));
        telling::of([root, attached]).map(drop)
    }

    /// Stores the root under its digest and looks whether the destination serves it, unless it is where it should be.
    async fn push_root(&self, order: &Order<'_>) -> Result<(), Error> {
        if self.content.is_late {
            return Ok(());
        }
        let root = &self.content.image.root;
        let was_stored = self.slot(root).lock().await.is_some();
        order.stored(root).await?;
        if was_stored {
            return Ok(());
        }
        let target = root.digest().clone().into();
        self.read_back(&target, root, None).await
    }

    /// Signatures and the like, before any tag names the image. What others may have written, too, is only written once
    /// the `root` was read back.
    async fn attach(&self, order: &Order<'_>, root: &Root<'_>) -> Result<(), Error> {
        let mut by_subject: BTreeMap<&Digest, Vec<&Arc<Manifest>>> = BTreeMap::new();
        let mut tagged = Vec::new();
        for Attached { graph, by } in &self.content.company.attached {
            match by {
                Link::Tag(tag) => tagged.push(self.attach_tag((order, root), tag, graph)),
                Link::Subject(subject) => by_subject.entry(subject).or_default().push(&graph.root),
            }
        }
        let by_subject = by_subject.into_iter();
        let listed =
            by_subject.map(|(subject, roots)| self.attach_to((order, root), subject, roots));
        let (tagged, listed) = tokio::join!(join_all(tagged), join_all(listed));
        telling::of(tagged.into_iter().chain(listed)).map(drop)
    }

    /// Stores something under a tag that is named after the image, once that is there.
    async fn attach_tag(
        &self,
        (order, root): (&Order<'_>, &Root<'_>),
        tag: &Tag,
        graph: &Graph,
    ) -> Result<(), Error> {
        order.ready(&graph.root).await?;
        root.clone().await?;
        order.in_turn(self.put_tag(tag, &graph.root, None)).await
    }

    /// Stores what refers to one manifest, and lists it where the registry does not.
    async fn attach_to(
        &self,
        (order, root): (&Order<'_>, &Root<'_>),
        subject: &Digest,
        referrers: Vec<&Arc<Manifest>>,
    ) -> Result<(), Error> {
        let stores = referrers.into_iter().map(|referrer| async move {
            let is_listed = order.stored(referrer).await?;
            Ok((!is_listed).then(|| referrer.clone()))
        });
        let unlisted = telling::of(join_all(stores).await)?.into_iter().flatten();
        let unlisted: Vec<Arc<Manifest>> = unlisted.collect();
        if unlisted.is_empty() {
            return Ok(());
        }
        root.clone().await?;
        order.in_turn(self.list_referrers(subject, &unlisted)).await
    }

    async fn list_referrers(
        &self,
        subject: &Digest,
        referrers: &[Arc<Manifest>],
    ) -> Result<(), Error> {
        let Target {
            endpoint,
            repository,
            tags,
        } = self.target;
        let name = Tag::of_referrers(subject, "");
        if tags.iter().any(|push| Some(&push.tag) == name.as_ref()) {
            // That tag is the only one of the image.
            return Ok(());
        }
        let there = Origin {
            endpoint: endpoint.clone(),
            repository: repository.clone(),
        };
        let list = self.content.company.lists.get(subject);
        let additions = Additions {
            subject,
            referrers,
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
