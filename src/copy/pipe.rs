// SPDX-License-Identifier: Apache-2.0

//! One read of a blob, written to every destination that needs it.
//!
//! The bytes are hashed as they pass. The frame that completes the blob is held back until the
//! digest is right, so no destination ever receives a whole wrong blob. A broken download resumes
//! by range inside the running uploads; a destination that stays behind is left for later.

use std::time::Duration;

use bytes::Bytes;
use futures::{StreamExt, stream};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep, timeout};

use super::budget::{self, Budget, Permit};
use super::endpoint::{self, Body, Endpoint, Session};
use super::progress::{Event, Progress};
use super::telling::{Rank, Telling};
use crate::oci::{Descriptor, Digest, Hasher, Repository};

/// How long a destination may take nothing at all, where nobody else waits for it.
const STALL: Duration = Duration::from_secs(60);
/// How often a download is resumed without this much progress in between.
const RESUMES: u32 = 5;
const PROGRESS_BYTES: u64 = 1024 * 1024;
/// Pause before the first resume; it doubles.
const RESUME_DELAY: Duration = Duration::from_millis(200);

/// Where an image is read.
#[derive(Clone, Debug)]
pub struct Origin {
    /// The registry or directory.
    pub endpoint: Endpoint,
    /// The repository there.
    pub repository: Repository,
}

/// Why a blob did not arrive somewhere.
#[derive(Clone, Debug, thiserror::Error)]
pub enum BlobError {
    /// The source could not be read.
    #[error("{0}")]
    Source(endpoint::Error),
    /// The source served other content than its digest says.
    #[error(
        "{origin} serves content with the digest {found} as {expected}: \
         the blob is damaged there, push the image to it again"
    )]
    DigestMismatch {
        /// The repository that served it.
        origin: String,
        /// The digest of what came.
        found: Digest,
        /// The digest that was asked for.
        expected: Digest,
    },
    /// The source served more than the descriptor says.
    #[error("{origin} serves more than the {size} bytes that the manifest says of {digest}")]
    TooLong {
        /// The repository that served it.
        origin: String,
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

impl Telling for BlobError {
    fn rank(&self) -> Rank {
        match self {
            Self::Source(error) | Self::Destination(error) => error.rank(),
            Self::DigestMismatch { .. } | Self::TooLong { .. } => Rank::Lasting,
            Self::Slow => Rank::Passing,
            Self::Cancelled => Rank::Cancelled,
        }
    }
}

/// The half of one destination that the reader fills. Dropped before the blob is complete, it breaks
/// the upload off.
pub(super) struct Lane {
    frames: mpsc::UnboundedSender<Bytes>,
    /// Taken when the upload is told to stop.
    stop: Option<oneshot::Sender<BlobError>>,
    queue: Budget,
    /// Time lost on this lane since it last had room at once.
    waited: Duration,
}

/// The half of one destination that an upload empties.
pub(super) struct Feed {
    frames: mpsc::UnboundedReceiver<Bytes>,
    stopped: oneshot::Receiver<BlobError>,
}

/// The way of a blob from the reader to one destination.
pub(super) fn lane() -> (Lane, Feed) {
    let (frames, received) = mpsc::unbounded_channel();
    let (stop, stopped) = oneshot::channel();
    let lane = Lane {
        frames,
        stop: Some(stop),
        queue: Budget::new(budget::QUEUE_BYTES),
        waited: Duration::ZERO,
    };
    let feed = Feed {
        frames: received,
        stopped,
    };
    (lane, feed)
}

// === impl Origin ===

impl Origin {
    /// The repository, as people write it.
    pub(super) fn name(&self) -> String {
        format!("{}/{}", self.endpoint.name(), self.repository)
    }
}

// === impl Feed ===

impl Feed {
    /// Uploads what comes. An upload that is told to stop is dropped, and its connection with it.
    pub(super) async fn send(
        self,
        session: Session,
        repository: &Repository,
        blob: &Descriptor,
    ) -> Result<(), BlobError> {
        let Self {
            mut frames,
            mut stopped,
        } = self;
        let body = stream::poll_fn(move |context| frames.poll_recv(context)).map(Ok);
        tokio::select! {
            biased;
            Ok(error) = &mut stopped => Err(error),
            sent = session.send(repository, blob, body) => sent.map_err(BlobError::Destination),
        }
    }
}

// === impl Lane ===

impl Lane {
    /// Queues a frame, waiting for room at most as long as `patience` says.
    async fn send(&mut self, frame: &Bytes, process: &Permit, patience: Patience) {
        let patience = match patience {
            Patience::Alone => STALL,
            Patience::AmongOthers(patience) => patience.saturating_sub(self.waited),
        };
        let permit = if let Some(permit) = self.queue.try_take(frame.len()) {
            self.waited = Duration::ZERO;
            permit
        } else {
            let started = Instant::now();
            let Ok(permit) = timeout(patience, self.queue.take(frame.len())).await else {
                self.stop(BlobError::Slow);
                return;
            };
            self.waited += started.elapsed();
            permit
        };
        let frame = budget::account(frame.clone(), [process.clone(), permit]);
        // An upload that has ended says itself why.
        let _ = self.frames.send(frame);
    }

    /// Breaks the upload off and says why.
    fn stop(&mut self, error: BlobError) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(error);
        }
    }

    fn is_open(&self) -> bool {
        self.stop.is_some() && !self.frames.is_closed()
    }
}

/// How long a destination may take nothing.
#[derive(Clone, Copy)]
enum Patience {
    Alone,
    AmongOthers(Duration),
}

/// Reads one blob, over as many connections as it takes.
pub(super) struct Reader<'a> {
    origin: &'a Origin,
    blob: &'a Descriptor,
    process: &'a Budget,
    progress: &'a Progress,
    /// How long one slow destination may hold up the others.
    patience: Duration,
    hasher: Hasher,
    received: u64,
}

// === impl Reader ===

impl<'a> Reader<'a> {
    pub(super) fn new(
        origin: &'a Origin,
        blob: &'a Descriptor,
        process: &'a Budget,
        progress: &'a Progress,
        patience: Duration,
    ) -> Self {
        let hasher = blob.digest.algorithm().hasher();
        Self {
            origin,
            blob,
            process,
            progress,
            patience,
            hasher,
            received: 0,
        }
    }

    /// Sends the whole blob to the lanes, or stops them and tells them what is wrong with the source.
    ///
    /// `body` was opened before any upload began: an upload that runs always has a reader, so that
    /// uploads and downloads never wait for each other's places.
    pub(super) async fn feed(mut self, body: Body, mut lanes: Vec<Lane>) {
        if let Err(error) = self.read_all(body, &mut lanes).await {
            for lane in &mut lanes {
                lane.stop(error.clone());
            }
        }
    }

    async fn read_all(&mut self, body: Body, lanes: &mut [Lane]) -> Result<(), BlobError> {
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
            let patience = match lanes.iter().filter(|lane| lane.is_open()).count() {
                0 | 1 => Patience::Alone,
                _ => Patience::AmongOthers(self.patience),
            };
            for lane in lanes.iter_mut().filter(|lane| lane.is_open()) {
                lane.send(&frame, &permit, patience).await;
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

    /// Opens the blob behind what was received.
    pub(super) async fn open(&self) -> Result<Body, BlobError> {
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
                Ok(Box::pin(stream::once(async { Ok(rest) })))
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
                origin: self.origin.name(),
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
            origin: self.origin.name(),
            found,
            expected: self.blob.digest.clone(),
        })
    }
}
