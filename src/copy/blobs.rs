// SPDX-License-Identifier: Apache-2.0

//! The blobs that are on their way: who needs what, gathered until a worker takes it.
//!
//! Needs for one blob of one source wait in one queue, so that the worker serves them together:
//! one read of the source, whoever needs it. Nobody waits long for a destination that is slower than
//! another: it is left to a task of its own, and comes back into the queue if it needs the worker again.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::future::{BoxFuture, join_all};
use futures::stream::FuturesUnordered;
use futures::{FutureExt, StreamExt};
use tokio::sync::{Semaphore, oneshot};
use tokio::time::{sleep, timeout};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::budget::{self, Budget};
use super::deliver::{Deliverer, Delivery, Need, Step, Upload};
use super::endpoint::{Endpoint, Place};
use super::pipe::{self, BlobError, Feed, Origin, Reader};
use super::progress::{Event, Progress};
use crate::oci::{Descriptor, Digest, Repository};

/// From this size on a blob takes one of the few slots for large ones, so that small ones,
/// whose cost is latency, never wait behind it.
const LARGE_BYTES: u64 = 8 * 1024 * 1024;
const LARGE_SLOTS: usize = 6;
const SMALL_SLOTS: usize = 64;

/// All blobs that are on their way. Dropped, everything that is under way stops.
pub(super) struct Blobs {
    inner: Arc<Inner>,
    _workers: DropGuard,
}

struct Inner {
    queues: Mutex<HashMap<Key, Vec<Waiting>>>,
    deliverer: Deliverer,
    process: Budget,
    large: Semaphore,
    small: Semaphore,
    patience: Duration,
    workers: CancellationToken,
}

/// One blob of one source.
type Key = (Place, Digest);

/// A blob and where it is read.
struct Source {
    key: Key,
    origin: Origin,
    blob: Descriptor,
}

/// Who waits for a worker.
enum Waiting {
    /// A destination that is to be asked.
    Need(Need),
    /// A destination that was asked and waits for the bytes.
    Upload(Upload),
}

/// Destinations that are asked or sent to, each with what comes back to the worker.
type Pending<T> = FuturesUnordered<BoxFuture<'static, Option<T>>>;

/// A blob that was asked for. Dropped, it is no longer needed.
pub(super) struct Request {
    reply: oneshot::Receiver<Result<Delivery, BlobError>>,
    _abandon: DropGuard,
}

// === impl Request ===

impl Request {
    pub(super) async fn wait(self) -> Result<Delivery, BlobError> {
        self.reply.await.unwrap_or(Err(BlobError::Cancelled))
    }
}

// === impl Blobs ===

impl Blobs {
    /// With `patience` for a destination that is slower than another one.
    pub(super) fn new(progress: Progress, patience: Duration) -> Self {
        let workers = CancellationToken::new();
        let inner = Inner {
            queues: Mutex::default(),
            deliverer: Deliverer::new(progress),
            process: Budget::new(budget::PROCESS_BYTES),
            large: Semaphore::new(LARGE_SLOTS),
            small: Semaphore::new(SMALL_SLOTS),
            patience,
            workers: workers.clone(),
        };
        Self {
            inner: Arc::new(inner),
            _workers: workers.drop_guard(),
        }
    }

    /// Asks for a blob in several repositories at once; one request each, in their order.
    ///
    /// `None` stands for a repository that is known to have it. With `is_afresh` it is sent to all others, whether
    /// it is there or not.
    pub(super) fn request(
        &self,
        origin: &Origin,
        blob: &Descriptor,
        targets: &[(Endpoint, Repository)],
        is_afresh: bool,
    ) -> Vec<Option<Request>> {
        let Deliverer {
            places, progress, ..
        } = &self.inner.deliverer;
        let source = origin.endpoint.place();
        let mut needs = Vec::new();
        let requests = targets
            .iter()
            .map(|(endpoint, repository)| {
                let place = endpoint.place();
                if place == source {
                    places.add(&place, &blob.digest, &origin.repository);
                }
                if places.has(&place, &blob.digest, repository) {
                    return None;
                }
                progress.report(&Event::Expected { bytes: blob.size });
                let (sender, reply) = oneshot::channel();
                let abandoned = CancellationToken::new();
                let abandon = abandoned.clone().drop_guard();
                needs.push(Waiting::Need(Need {
                    endpoint: endpoint.clone(),
                    place,
                    repository: repository.clone(),
                    reply: sender,
                    abandoned,
                    failures: 0,
                    failed: None,
                    is_afresh,
                }));
                Some(Request {
                    reply,
                    _abandon: abandon,
                })
            })
            .collect();
        let source = Source {
            key: (source, blob.digest.clone()),
            origin: origin.clone(),
            blob: blob.clone(),
        };
        self.inner.queue(&Arc::new(source), needs);
        requests
    }

    /// Finds out whether mounts tell what a repository has, where that is unknown and may save sending
    /// a lot: what is sent now waits for it. `blob` is what an earlier image in the repository has most likely.
    pub(super) fn look(&self, endpoint: &Endpoint, repository: &Repository, blob: &Descriptor) {
        let (places, place) = (&self.inner.deliverer.places, endpoint.place());
        if !matches!(endpoint, Endpoint::Registry(_))
            || places.has(&place, &blob.digest, repository)
        {
            return;
        }
        let Some(look) = places.begin_look(&place, repository) else {
            return;
        };
        let (endpoint, repository) = (endpoint.clone(), repository.clone());
        let (inner, blob) = (self.inner.clone(), blob.clone());
        self.inner.spawn(async move {
            let deliverer = &inner.deliverer;
            deliverer.look(&endpoint, &repository, &blob, look).await;
        });
    }

    /// Forgets some of what was believed of a repository: a manifest was refused for a missing blob.
    pub(super) fn forget(
        &self,
        endpoint: &Endpoint,
        repository: &Repository,
        is_it: impl Fn(&Digest) -> bool,
    ) {
        let places = &self.inner.deliverer.places;
        places.forget(&endpoint.place(), repository, is_it);
    }

    /// Whether a repository confirmed what it does not serve.
    pub(super) fn is_doubted(&self, endpoint: &Endpoint, repository: &Repository) -> bool {
        let places = &self.inner.deliverer.places;
        places.is_doubted(&endpoint.place(), repository)
    }
}

// === impl Inner ===

impl Inner {
    fn lock(&self) -> MutexGuard<'_, HashMap<Key, Vec<Waiting>>> {
        self.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        tokio::spawn(self.workers.clone().run_until_cancelled_owned(task));
    }

    /// Hands destinations to the worker of a blob; it begins to work if there is none.
    fn queue(self: &Arc<Self>, source: &Arc<Source>, waiting: Vec<Waiting>) {
        if waiting.is_empty() {
            return;
        }
        let mut queues = self.lock();
        if let Some(queue) = queues.get_mut(&source.key) {
            queue.extend(waiting);
            return;
        }
        queues.insert(source.key.clone(), waiting);
        drop(queues);
        self.spawn(self.clone().work(source.clone()));
    }

    /// Who has gathered. With nobody the queue is closed: whoever comes later opens a new one.
    fn take(&self, key: &Key) -> Option<Vec<Waiting>> {
        let mut queues = self.lock();
        let waiting = queues
            .get_mut(key)
            .map(std::mem::take)
            .filter(|waiting| !waiting.is_empty());
        if waiting.is_none() {
            queues.remove(key);
        }
        waiting
    }

    /// Serves all who wait for one blob until there is nobody left.
    async fn work(self: Arc<Self>, source: Arc<Source>) {
        let slots = if source.blob.size >= LARGE_BYTES {
            &self.large
        } else {
            &self.small
        };
        let _slot = slots.acquire().await;
        while let Some(waiting) = self.take(&source.key) {
            let uploads = self.announce(&source, waiting).await;
            let again = self.transfer(&source, uploads).await;
            self.queue(&source, again.into_iter().map(Waiting::Need).collect());
        }
    }

    /// Asks all who wait to take the blob; returns the uploads of those that are ready together.
    async fn announce(
        self: &Arc<Self>,
        source: &Arc<Source>,
        waiting: Vec<Waiting>,
    ) -> Vec<Upload> {
        let (mut uploads, asked) = (Vec::new(), Pending::new());
        let mut seen = HashSet::new();
        for waiting in waiting {
            match waiting {
                Waiting::Upload(upload) => uploads.push(upload),
                Waiting::Need(need)
                    if seen.insert((need.place.clone(), need.repository.clone())) =>
                {
                    asked.push(self.clone().ask(source.clone(), need));
                }
                // It finds the blob there afterwards.
                Waiting::Need(_) => self.queue(source, vec![waiting]),
            }
        }
        uploads.extend(self.gather(source, asked).await);
        uploads
    }

    /// Asks one destination to take the blob. One that must wait for another upload to that place is
    /// asked again when that is over.
    fn ask(self: Arc<Self>, source: Arc<Source>, need: Need) -> BoxFuture<'static, Option<Upload>> {
        let abandoned = need.abandoned.clone();
        let ask = async move {
            match self.deliverer.begin(need, &source.blob).await {
                Step::Settled(need, result) => {
                    self.deliverer.reply(need, &source.blob, result);
                    None
                }
                Step::Upload(upload) => Some(upload),
                Step::Wait(need, mut done) => {
                    let (this, blob) = (self.clone(), source.clone());
                    let again = async move {
                        // An error says that the writer is gone, which is what is waited for.
                        let _ = done.changed().await;
                        this.ask(blob, need).await
                    };
                    self.come_back(&source, again.boxed());
                    None
                }
            }
        };
        async move { abandoned.run_until_cancelled(ask).await? }.boxed()
    }

    /// Reads the blob once and sends it to all; returns those that are to be asked again.
    async fn transfer(self: &Arc<Self>, source: &Arc<Source>, uploads: Vec<Upload>) -> Vec<Need> {
        if uploads.is_empty() {
            return Vec::new();
        }
        let abandoned: Vec<CancellationToken> = uploads
            .iter()
            .map(|upload| upload.need.abandoned.clone())
            .collect();
        tokio::select! {
            again = self.send_all(source, uploads) => again,
            _ = join_all(abandoned.iter().map(CancellationToken::cancelled)) => Vec::new(),
        }
    }

    async fn send_all(self: &Arc<Self>, source: &Arc<Source>, uploads: Vec<Upload>) -> Vec<Need> {
        let Source { origin, blob, .. } = &**source;
        let progress = &self.deliverer.progress;
        let reader = Reader::new(origin, blob, &self.process, progress, self.patience);
        let body = match reader.open().await {
            Ok(body) => body,
            Err(error) => {
                let failed = uploads.into_iter().map(|Upload { need, writing, .. }| {
                    let error = Err(error.clone());
                    self.deliverer.conclude(need, writing, blob, error)
                });
                return join_all(failed).await.into_iter().flatten().collect();
            }
        };
        let (mut lanes, sent) = (Vec::new(), Pending::new());
        let read = CancellationToken::new();
        for upload in uploads {
            let (lane, feed) = pipe::lane();
            lanes.push(lane);
            let sending = self
                .clone()
                .send(source.clone(), upload, feed, read.clone());
            sent.push(sending.boxed());
        }
        let reading = async {
            reader.feed(body, lanes).await;
            read.cancel();
        };
        tokio::join!(reading, self.gather(source, sent)).1
    }

    /// Sends the blob to one destination. What became of it counts when the blob is `read`: a
    /// destination that fails early starts nobody's clock.
    async fn send(
        self: Arc<Self>,
        source: Arc<Source>,
        upload: Upload,
        feed: Feed,
        read: CancellationToken,
    ) -> Option<Need> {
        let Upload {
            need,
            session,
            writing,
        } = upload;
        let abandoned = need.abandoned.clone();
        let work = async {
            let sent = feed.send(session, &need.repository, &source.blob).await;
            read.cancelled().await;
            let again = self
                .deliverer
                .conclude(need, writing, &source.blob, sent)
                .await?;
            sleep(again.delay()).await;
            Some(again)
        };
        abandoned.run_until_cancelled(work).await?
    }

    /// Waits for all, but for slow ones only a while after the first: those come back into the queue.
    async fn gather<T>(self: &Arc<Self>, source: &Arc<Source>, mut pending: Pending<T>) -> Vec<T>
    where
        T: Into<Waiting> + Send + 'static,
    {
        let mut done = Vec::new();
        if let Some(first) = pending.next().await {
            done.extend(first);
        }
        let others = async {
            while let Some(next) = pending.next().await {
                done.extend(next);
            }
        };
        if timeout(self.patience, others).await.is_err() {
            for late in pending {
                self.come_back(source, late);
            }
        }
        done
    }

    /// Lets something end by itself and queues what comes of it.
    fn come_back<T>(self: &Arc<Self>, source: &Arc<Source>, late: BoxFuture<'static, Option<T>>)
    where
        T: Into<Waiting> + Send + 'static,
    {
        let (this, source) = (self.clone(), source.clone());
        self.spawn(async move {
            if let Some(waiting) = late.await {
                this.queue(&source, vec![waiting.into()]);
            }
        });
    }
}

// === impl Waiting ===

impl From<Need> for Waiting {
    fn from(need: Need) -> Self {
        Self::Need(need)
    }
}

impl From<Upload> for Waiting {
    fn from(upload: Upload) -> Self {
        Self::Upload(upload)
    }
}
