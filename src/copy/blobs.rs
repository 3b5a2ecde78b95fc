//! Brings blobs to destinations: each read once from its source, whoever needs it.
//!
//! Needs for one blob of one source gather in a queue until a worker takes them together: it asks
//! every destination to take or mount the blob, reads the source once for all that must be sent,
//! and lets the repositories that share a registry with a writer mount from it afterwards.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::TryStreamExt;
use futures::future::join_all;
use tokio::sync::{Semaphore, oneshot, watch};
use tokio::time::sleep;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::budget::{self, Budget};
use super::endpoint::{Endpoint, Place, Session, Start};
use super::pipe::{self, BlobError, Origin, Sink};
use super::places::{Claim, Places, Writing};
use super::progress::{Event, Progress};
use crate::oci::{Descriptor, Digest, Repository};

/// From this size on a blob takes one of the few slots for large ones, so that small ones,
/// whose cost is latency, never wait behind it.
const LARGE_BYTES: u64 = 1024 * 1024;
const LARGE_SLOTS: usize = 6;
const SMALL_SLOTS: usize = 48;
/// How often one destination is tried with a fresh upload.
const ATTEMPTS: u32 = 3;
/// Pause before the second try; it doubles.
const RETRY_DELAY: Duration = Duration::from_millis(500);

/// How a destination came to have a blob.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Delivery {
    /// This process knew that it was there.
    Known,
    /// It was there, or could be mounted: no bytes were sent.
    Mounted,
    /// The bytes were sent.
    Uploaded,
}

/// All blobs that are on their way. Dropped, everything that is under way stops.
pub(super) struct Blobs {
    inner: Arc<Inner>,
    _workers: DropGuard,
}

struct Inner {
    queues: Mutex<HashMap<Key, Vec<Need>>>,
    places: Places,
    process: Budget,
    large: Semaphore,
    small: Semaphore,
    progress: Progress,
    workers: CancellationToken,
}

/// One blob of one source.
type Key = (Place, Digest);

/// A repository that needs a blob.
struct Need {
    endpoint: Endpoint,
    place: Place,
    repository: Repository,
    reply: oneshot::Sender<Result<Delivery, BlobError>>,
    abandoned: CancellationToken,
    failures: u32,
}

/// A blob that was asked for. Dropped, it is no longer needed.
pub(super) struct Request {
    reply: oneshot::Receiver<Result<Delivery, BlobError>>,
    _abandon: DropGuard,
}

/// What became of asking a destination.
enum Step {
    Settled(Need, Result<Delivery, BlobError>),
    Upload(Need, Session, Option<Writing>),
    Wait(Need, watch::Receiver<()>),
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
            places: Places::default(),
            process: Budget::new(budget::PROCESS_BYTES),
            large: Semaphore::new(LARGE_SLOTS),
            small: Semaphore::new(SMALL_SLOTS),
            progress,
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
        let Inner {
            places, progress, ..
        } = &*self.inner;
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
                let (need, request) = Need::new(endpoint.clone(), place, repository.clone());
                needs.push(need);
                Some(request)
            })
            .collect();
        self.queue((source, blob.digest.clone()), origin, blob, needs);
        requests
    }

    /// Forgets what was believed of a repository: a manifest was refused for a missing blob.
    pub(super) fn forget(&self, endpoint: &Endpoint, repository: &Repository) {
        self.inner.places.forget(&endpoint.place(), repository);
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

// === impl Need ===

impl Need {
    fn new(endpoint: Endpoint, place: Place, repository: Repository) -> (Self, Request) {
        let (sender, reply) = oneshot::channel();
        let abandoned = CancellationToken::new();
        let request = Request {
            reply,
            _abandon: abandoned.clone().drop_guard(),
        };
        (
            Self {
                endpoint,
                place,
                repository,
                reply: sender,
                abandoned,
                failures: 0,
            },
            request,
        )
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
            self.settle(&origin, &blob, needs).await;
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

    async fn settle(&self, origin: &Origin, blob: &Descriptor, mut needs: Vec<Need>) {
        while !needs.is_empty() {
            needs.retain(|need| !need.abandoned.is_cancelled());
            let steps = join_all(needs.drain(..).map(|need| self.begin(need, blob))).await;
            let (mut uploads, mut waits) = (Vec::new(), Vec::new());
            for step in steps {
                match step {
                    Step::Settled(need, result) => self.reply(need, blob, result),
                    Step::Upload(need, session, writing) => uploads.push((need, session, writing)),
                    Step::Wait(need, done) => waits.push((need, done)),
                }
            }
            needs = self.upload(origin, blob, uploads).await;
            for (need, mut done) in waits {
                tokio::select! {
                    // An error says that the writer is gone, which is what is waited for.
                    _ = done.changed() => needs.push(need),
                    () = need.abandoned.cancelled() => {}
                }
            }
        }
    }

    /// Asks one destination to take the blob, in the way that costs least.
    async fn begin(&self, need: Need, blob: &Descriptor) -> Step {
        let Need {
            endpoint,
            place,
            repository,
            ..
        } = &need;
        match self.places.claim(place, &blob.digest, repository) {
            Claim::Present => Step::Settled(need, Ok(Delivery::Known)),
            Claim::Wait(done) => Step::Wait(need, done),
            Claim::Mount(from) => {
                match endpoint
                    .start_upload(repository, &blob.digest, Some(&from))
                    .await
                {
                    Ok(Start::Present) => {
                        self.places.add(place, &blob.digest, repository);
                        Step::Settled(need, Ok(Delivery::Mounted))
                    }
                    Ok(Start::Session(session)) => {
                        self.places.cannot_mount(place);
                        Step::Upload(need, session, None)
                    }
                    Err(error) => Step::Settled(need, Err(BlobError::Destination(error))),
                }
            }
            Claim::Write(writing) => match self.open(endpoint, repository, blob).await {
                Ok(Start::Present) => {
                    writing.finish(repository);
                    Step::Settled(need, Ok(Delivery::Mounted))
                }
                Ok(Start::Session(session)) => Step::Upload(need, session, Some(writing)),
                Err(error) => Step::Settled(need, Err(BlobError::Destination(error))),
            },
        }
    }

    /// Opens an upload, unless the repository proves that it has the blob from earlier.
    ///
    /// Mounting from the repository itself costs nothing more than opening the upload. A registry
    /// may answer it from a cache that outlived the blob, so the last byte must come, too.
    async fn open(
        &self,
        endpoint: &Endpoint,
        repository: &Repository,
        blob: &Descriptor,
    ) -> Result<Start, super::endpoint::Error> {
        match endpoint
            .start_upload(repository, &blob.digest, Some(repository))
            .await?
        {
            Start::Present if !proves(endpoint, repository, blob).await => {
                endpoint.start_upload(repository, &blob.digest, None).await
            }
            start => Ok(start),
        }
    }

    /// Sends the blob to all that wait for it; returns those that should be asked again.
    async fn upload(
        &self,
        origin: &Origin,
        blob: &Descriptor,
        uploads: Vec<(Need, Session, Option<Writing>)>,
    ) -> Vec<Need> {
        if uploads.is_empty() {
            return Vec::new();
        }
        let (mut waiting, mut sinks) = (Vec::new(), Vec::new());
        for (need, session, writing) in uploads {
            sinks.push(Sink {
                repository: need.repository.clone(),
                session,
                abandoned: need.abandoned.clone(),
            });
            waiting.push((need, writing));
        }
        let results = pipe::pipe(origin, blob, sinks, &self.process, &self.progress).await;
        let mut again = Vec::new();
        for ((need, writing), result) in waiting.into_iter().zip(results) {
            match self.judge(&need, blob, result).await {
                Judgement::Settled(result) => {
                    if result.is_ok() {
                        match writing {
                            Some(writing) => writing.finish(&need.repository),
                            None => self.places.add(&need.place, &blob.digest, &need.repository),
                        }
                    }
                    self.reply(need, blob, result);
                }
                Judgement::Again => again.push(Need {
                    failures: need.failures + 1,
                    ..need
                }),
            }
        }
        if let Some(failures) = again.iter().map(|need| need.failures).min() {
            sleep(RETRY_DELAY * 2_u32.pow(failures.saturating_sub(1))).await;
        }
        again
    }

    /// Decides whether a failed upload is final.
    async fn judge(
        &self,
        need: &Need,
        blob: &Descriptor,
        result: Result<(), BlobError>,
    ) -> Judgement {
        let Err(error) = result else {
            return Judgement::Settled(Ok(Delivery::Uploaded));
        };
        let may_repeat = match &error {
            BlobError::Destination(refused) => {
                // The registry may have kept the blob and lost only its answer.
                if refused.is_transient() && proves(&need.endpoint, &need.repository, blob).await {
                    return Judgement::Settled(Ok(Delivery::Uploaded));
                }
                (refused.is_transient() || refused.is_not_found()) && need.failures + 1 < ATTEMPTS
            }
            BlobError::Slow => need.failures + 1 < ATTEMPTS,
            BlobError::DigestMismatch { .. } | BlobError::TooLong { .. } => need.failures == 0,
            BlobError::Source(_) | BlobError::Cancelled => false,
        };
        if may_repeat {
            Judgement::Again
        } else {
            Judgement::Settled(Err(error))
        }
    }

    fn reply(&self, need: Need, blob: &Descriptor, result: Result<Delivery, BlobError>) {
        if matches!(result, Ok(Delivery::Known | Delivery::Mounted)) {
            self.progress.report(&Event::Skipped { bytes: blob.size });
        }
        // Nobody listens any more if the copy was cancelled.
        let _ = need.reply.send(result);
    }
}

/// What becomes of a need after an upload.
enum Judgement {
    Settled(Result<Delivery, BlobError>),
    Again,
}

/// Whether a repository serves the last byte of a blob: an answer without a body is not enough.
async fn proves(endpoint: &Endpoint, repository: &Repository, blob: &Descriptor) -> bool {
    let Some(last) = blob.size.checked_sub(1) else {
        return true;
    };
    let Ok(body) = endpoint.fetch_blob(repository, blob, last).await else {
        return false;
    };
    let read = body.try_fold(0, |sum, frame| async move { Ok(sum + frame.len()) });
    matches!(read.await, Ok(1))
}
