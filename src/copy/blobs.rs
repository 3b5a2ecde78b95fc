//! The blobs that are on their way: who needs what, gathered until a worker takes it.
//!
//! Needs for one blob of one source wait in one queue, so that the worker serves them together:
//! one read of the source, whoever needs it. See [`super::deliver`] for what it does with them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Semaphore, oneshot};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::deliver::{Deliverer, Delivery, Need};
use super::endpoint::{Endpoint, Place};
use super::pipe::{BlobError, Origin};
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
    queues: Mutex<HashMap<Key, Vec<Need>>>,
    deliverer: Deliverer,
    large: Semaphore,
    small: Semaphore,
    workers: CancellationToken,
}

/// One blob of one source.
type Key = (Place, Digest);

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
    pub(super) fn new(progress: Progress) -> Self {
        let workers = CancellationToken::new();
        let inner = Inner {
            queues: Mutex::default(),
            deliverer: Deliverer::new(progress),
            large: Semaphore::new(LARGE_SLOTS),
            small: Semaphore::new(SMALL_SLOTS),
            workers: workers.clone(),
        };
        Self {
            inner: Arc::new(inner),
            _workers: workers.drop_guard(),
        }
    }

    /// Asks for a blob in several repositories at once; one request each, in their order.
    ///
    /// `None` stands for a repository that is known to have it.
    pub(super) fn request(
        &self,
        origin: &Origin,
        blob: &Descriptor,
        targets: &[(Endpoint, Repository)],
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
                needs.push(Need {
                    endpoint: endpoint.clone(),
                    place,
                    repository: repository.clone(),
                    reply: sender,
                    abandoned,
                    failures: 0,
                });
                Some(Request {
                    reply,
                    _abandon: abandon,
                })
            })
            .collect();
        self.queue((source, blob.digest.clone()), origin, blob, needs);
        requests
    }

    /// Forgets what was believed of a repository: a manifest was refused for a missing blob.
    pub(super) fn forget(&self, endpoint: &Endpoint, repository: &Repository) {
        self.inner
            .deliverer
            .places
            .forget(&endpoint.place(), repository);
    }

    fn queue(&self, key: Key, origin: &Origin, blob: &Descriptor, needs: Vec<Need>) {
        if needs.is_empty() {
            return;
        }
        let mut queues = self.inner.lock();
        if let Some(queue) = queues.get_mut(&key) {
            queue.extend(needs);
            return;
        }
        queues.insert(key.clone(), needs);
        drop(queues);
        let work = self.inner.clone().work(key, origin.clone(), blob.clone());
        tokio::spawn(self.inner.workers.clone().run_until_cancelled_owned(work));
    }
}

// === impl Inner ===

impl Inner {
    fn lock(&self) -> MutexGuard<'_, HashMap<Key, Vec<Need>>> {
        self.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Serves the needs for one blob until there are none left.
    async fn work(self: Arc<Self>, key: Key, origin: Origin, blob: Descriptor) {
        let slots = if blob.size >= LARGE_BYTES {
            &self.large
        } else {
            &self.small
        };
        let _slot = slots.acquire().await;
        while let Some(needs) = self.take(&key) {
            self.deliverer.settle(&origin, &blob, needs).await;
        }
    }

    /// The needs that have gathered. With none the queue is closed: a later need opens a new one.
    fn take(&self, key: &Key) -> Option<Vec<Need>> {
        let mut queues = self.lock();
        let needs = queues
            .get_mut(key)
            .map(std::mem::take)
            .filter(|needs| !needs.is_empty());
        if needs.is_none() {
            queues.remove(key);
        }
        needs
    }
}
