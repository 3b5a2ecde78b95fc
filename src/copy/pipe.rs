//! One read of a blob, written to every destination that needs it.
//!
//! The bytes are hashed as they pass. The frame that completes the blob is held back until the
//! digest is right, so no destination ever receives a whole wrong blob. A broken download resumes
//! by range inside the running uploads; a destination that stays behind is left for later.

use std::time::Duration;

use bytes::Bytes;
use futures::future::{BoxFuture, join_all};
use futures::{FutureExt, StreamExt};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::budget::{self, Budget, Permit};
use super::endpoint::{self, Body, Endpoint, Session};
use super::progress::{Event, Progress};
use crate::oci::{Descriptor, Digest, Hasher, Repository};
use crate::registry::BodyError;

/// How long one slow destination may hold up the others, in sum, before it is detached.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long a destination may take nothing at all.
const STALL: Duration = Duration::from_secs(60);
/// How often a download is resumed without this much progress in between.
const RESUMES: u32 = 5;
const PROGRESS_BYTES: u64 = 1024 * 1024;
/// Pause before the first resume; it doubles.
const RESUME_DELAY: Duration = Duration::from_millis(200);

/// What an upload is told when it is broken off; its own error is never shown.
const STOPPED: &str = "the source of the upload stopped";

/// Where an image is read.
#[derive(Clone, Debug)]
pub struct Origin {
    /// The registry or directory.
    pub endpoint: Endpoint,
    /// The repository there.
    pub repository: Repository,
}

/// A destination that waits for the bytes.
pub(super) struct Sink {
    pub(super) repository: Repository,
    pub(super) session: Session,
    /// Nobody wants the result any more.
    pub(super) abandoned: CancellationToken,
}

/// Why a blob did not arrive somewhere.
#[derive(Clone, Debug, thiserror::Error)]
pub enum BlobError {
    /// The source could not be read.
    #[error("{0}")]
    Source(endpoint::Error),
    /// The source served other content than its digest says.
    #[error(
        "the source serves content with the digest {found} as {expected}: the blob is damaged there"
    )]
    DigestMismatch {
        /// The digest of what came.
        found: Digest,
        /// The digest that was asked for.
        expected: Digest,
    },
    /// The source served more than the descriptor says.
    #[error("the source serves more than the {size} bytes that the manifest says of {digest}")]
    TooLong {
        /// The blob.
        digest: Digest,
        /// Its size by its descriptor.
        size: u64,
    },
    /// The destination did not take it.
    #[error("{0}")]
    Destination(endpoint::Error),
    /// The destination stayed behind the others.
    #[error("the destination takes the upload too slowly")]
    Slow,
    /// Nobody wants the result any more.
    #[error("cancelled")]
    Cancelled,
}

/// The sending half of one destination.
struct Lane {
    frames: mpsc::UnboundedSender<Result<Bytes, BodyError>>,
    queue: Budget,
    /// Time lost on this lane since it last had room at once.
    waited: Duration,
    state: LaneState,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum LaneState {
    Open,
    Closed,
    Slow,
}

/// Reads `blob` once and sends it to all `sinks`; one result each, in their order.
///
/// The source is opened before any upload begins: an upload that runs always has a reader, so
/// that uploads and downloads never wait for each other's places.
pub(super) async fn pipe(
    origin: &Origin,
    blob: &Descriptor,
    sinks: Vec<Sink>,
    process: &Budget,
    progress: &Progress,
) -> Vec<Result<(), BlobError>> {
    let mut reader = Reader::new(origin, blob, process, progress);
    let body = match reader.open().await {
        Ok(body) => body,
        Err(error) => return sinks.iter().map(|_| Err(error.clone())).collect(),
    };
    let (mut lanes, uploads): (Vec<_>, Vec<_>) = sinks
        .into_iter()
        .map(|sink| open_lane(sink, blob, progress))
        .unzip();
    let read = async move {
        let result = reader.feed(body, &mut lanes).await;
        if result.is_err() {
            lanes.iter_mut().for_each(Lane::stop);
        }
        // Dropping the lanes ends the bodies of the uploads.
        (
            result,
            lanes.into_iter().map(|lane| lane.state).collect::<Vec<_>>(),
        )
    };
    let ((read, states), uploads) = tokio::join!(read, join_all(uploads));
    uploads
        .into_iter()
        .zip(states)
        .map(|(upload, state)| match (upload, &read, state) {
            (Ok(()), ..) => Ok(()),
            (Err(BlobError::Cancelled), ..) => Err(BlobError::Cancelled),
            (Err(_), _, LaneState::Slow) => Err(BlobError::Slow),
            (Err(_), Err(error), LaneState::Closed) => Err(error.clone()),
            (Err(error), Ok(()), _) | (Err(error), Err(_), LaneState::Open) => Err(error),
        })
        .collect()
}

fn open_lane<'a>(
    sink: Sink,
    blob: &'a Descriptor,
    progress: &'a Progress,
) -> (Lane, BoxFuture<'a, Result<(), BlobError>>) {
    let (frames, mut received) = mpsc::unbounded_channel();
    let lane = Lane {
        frames,
        queue: Budget::new(budget::QUEUE_BYTES),
        waited: Duration::ZERO,
        state: LaneState::Open,
    };
    let upload = async move {
        let Sink {
            repository,
            session,
            abandoned,
        } = sink;
        let body = futures::stream::poll_fn(move |context| received.poll_recv(context));
        tokio::select! {
            () = abandoned.cancelled() => Err(BlobError::Cancelled),
            sent = session.send(&repository, blob, body) => {
                sent.map_err(BlobError::Destination)?;
                progress.report(&Event::Uploaded { bytes: blob.size });
                Ok(())
            }
        }
    };
    (lane, upload.boxed())
}

// === impl Lane ===

impl Lane {
    /// Queues a frame, waiting for room at most as long as `alone` says.
    async fn send(&mut self, frame: &Bytes, process: &Permit, alone: bool) {
        let patience = if alone {
            STALL
        } else {
            PATIENCE.saturating_sub(self.waited)
        };
        let permit = if let Some(permit) = self.queue.try_take(frame.len()) {
            self.waited = Duration::ZERO;
            permit
        } else {
            let started = Instant::now();
            let Ok(permit) = timeout(patience, self.queue.take(frame.len())).await else {
                self.state = LaneState::Slow;
                let _ = self.frames.send(Err(BodyError(STOPPED.to_owned())));
                return;
            };
            self.waited += started.elapsed();
            permit
        };
        let frame = budget::account(frame.clone(), [process.clone(), permit]);
        if self.frames.send(Ok(frame)).is_err() {
            self.state = LaneState::Closed;
        }
    }

    /// Breaks the upload off: the source has failed.
    fn stop(&mut self) {
        if self.state == LaneState::Open {
            self.state = LaneState::Closed;
            let _ = self.frames.send(Err(BodyError(STOPPED.to_owned())));
        }
    }

    fn is_open(&self) -> bool {
        self.state == LaneState::Open && !self.frames.is_closed()
    }
}

/// Reads one blob, over as many connections as it takes.
struct Reader<'a> {
    origin: &'a Origin,
    blob: &'a Descriptor,
    process: &'a Budget,
    progress: &'a Progress,
    hasher: Hasher,
    received: u64,
}

// === impl Reader ===

impl<'a> Reader<'a> {
    fn new(
        origin: &'a Origin,
        blob: &'a Descriptor,
        process: &'a Budget,
        progress: &'a Progress,
    ) -> Self {
        let hasher = blob.digest.algorithm().hasher();
        Self {
            origin,
            blob,
            process,
            progress,
            hasher,
            received: 0,
        }
    }

    /// Sends the whole blob to the lanes, or says what is wrong with the source.
    async fn feed(&mut self, body: Body, lanes: &mut [Lane]) -> Result<(), BlobError> {
        let mut body = Ok(body);
        let mut resumes = 0;
        let mut resumed_at = 0;
        loop {
            let outcome = match body {
                Ok(body) => self.read(body, lanes).await,
                Err(error) => Err(error),
            };
            let Err(error) = outcome else { return Ok(()) };
            if self.received >= resumed_at + PROGRESS_BYTES {
                resumes = 0;
            }
            let is_passing = matches!(&error, BlobError::Source(source) if source.is_transient());
            if !is_passing || resumes >= RESUMES {
                return Err(error);
            }
            sleep(RESUME_DELAY * 2_u32.pow(resumes)).await;
            resumes += 1;
            resumed_at = self.received;
            body = self.open().await;
        }
    }

    /// Reads over one connection, from where the last one broke.
    async fn read(&mut self, mut body: Body, lanes: &mut [Lane]) -> Result<(), BlobError> {
        while let Some(frame) = body.next().await {
            let frame = frame.map_err(BlobError::Source)?;
            self.accept(&frame)?;
            let permit = self.process.take(frame.len()).await;
            let open = lanes.iter().filter(|lane| lane.is_open()).count();
            for lane in &mut *lanes {
                if lane.is_open() {
                    lane.send(&frame, &permit, open == 1).await;
                }
            }
            if !lanes.iter().any(Lane::is_open) {
                return Ok(());
            }
        }
        if self.blob.size == 0 {
            self.verify()
        } else {
            Ok(())
        }
    }

    async fn open(&self) -> Result<Body, BlobError> {
        let Origin {
            endpoint,
            repository,
        } = self.origin;
        match self.blob.embedded_content() {
            Some(content) => {
                let rest = content.slice(
                    usize::try_from(self.received)
                        .unwrap_or(usize::MAX)
                        .min(content.len())..,
                );
                Ok(Box::pin(futures::stream::once(async { Ok(rest) })))
            }
            None => endpoint
                .fetch_blob(repository, self.blob, self.received)
                .await
                .map_err(BlobError::Source),
        }
    }

    /// Counts and hashes a frame. The one that completes the blob passes only if the digest is right.
    fn accept(&mut self, frame: &Bytes) -> Result<(), BlobError> {
        let Descriptor { digest, size, .. } = self.blob;
        self.received += frame.len() as u64;
        if self.received > *size {
            return Err(BlobError::TooLong {
                digest: digest.clone(),
                size: *size,
            });
        }
        self.hasher.update(frame);
        self.progress.report(&Event::Downloaded {
            bytes: frame.len() as u64,
        });
        if self.received == *size {
            self.verify()
        } else {
            Ok(())
        }
    }

    fn verify(&self) -> Result<(), BlobError> {
        let found = self.hasher.clone().finish();
        if found == self.blob.digest {
            return Ok(());
        }
        Err(BlobError::DigestMismatch {
            found,
            expected: self.blob.digest.clone(),
        })
    }
}
