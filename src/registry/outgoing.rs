// SPDX-License-Identifier: Apache-2.0

//! The body of an upload on its way out: counted, and watched for a standstill.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use futures::Stream;
use futures::stream::{self, BoxStream};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use super::guard::{Lapsed, WriteGuard};
use super::traffic::Counters;
use crate::oci::limits;

/// The longest time that a registry may take for the next bytes.
const STANDSTILL: Duration = Duration::from_secs(60);

/// How fast a body goes out over a slow connection, in bytes per second.
const SLOW: u64 = 1024 * 1024;

/// Why the body of an upload ends early. It aborts the request, so that no registry takes the part
/// for the whole.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{0}")]
pub struct BodyError(pub String);

/// Why the body of a request ends early.
#[derive(Debug, thiserror::Error)]
pub(super) enum Ended {
    /// Its source says so, or has another length than announced.
    #[error(transparent)]
    Source(#[from] BodyError),
    /// This process may write no more.
    #[error(transparent)]
    Lapsed(#[from] Lapsed),
}

/// The body of an upload.
pub(super) struct Outgoing {
    frames: Frames,
    progress: Progress,
}

/// Where an upload stands, for the one who waits for the answer.
#[derive(Clone)]
pub(super) struct Progress(watch::Receiver<Phase>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Waiting for bytes to send.
    Source,
    /// The connection has bytes to send.
    Registry,
    /// Everything has been handed to the connection.
    Sent,
}

struct Frames {
    source: BoxStream<'static, Result<Bytes, BodyError>>,
    left: u64,
    phase: watch::Sender<Phase>,
    counters: Arc<Counters>,
    write_guard: WriteGuard,
}

/// A small body that is there as a whole. It leaves only where this process may write when the connection takes it:
/// it may have waited for one.
pub(super) fn guarded(body: Bytes, write_guard: WriteGuard) -> reqwest::Body {
    let frame = async move { write_guard.check().map(|()| body).map_err(Ended::from) };
    reqwest::Body::wrap_stream(stream::once(frame))
}

// === impl Outgoing ===

impl Outgoing {
    /// A body of exactly `size` bytes.
    pub(super) fn new<S>(
        size: u64,
        source: S,
        counters: Arc<Counters>,
        write_guard: WriteGuard,
    ) -> Self
    where
        S: Stream<Item = Result<Bytes, BodyError>> + Send + 'static,
    {
        let phase = if size == 0 {
            Phase::Sent
        } else {
            Phase::Source
        };
        let (phase, progress) = watch::channel(phase);
        let frames = Frames {
            source: Box::pin(source),
            left: size,
            phase,
            counters,
            write_guard,
        };
        Self {
            frames,
            progress: Progress(progress),
        }
    }

    /// The number of bytes.
    pub(super) fn size(&self) -> u64 {
        self.frames.left
    }

    /// How long it may well take.
    pub(super) fn lasting(&self) -> Duration {
        Duration::from_secs(self.size() / SLOW)
    }

    /// Where the upload stands.
    pub(super) fn progress(&self) -> Progress {
        self.progress.clone()
    }

    /// The body for the request, and where it stands.
    pub(super) fn into_parts(self) -> (reqwest::Body, Progress) {
        let Self { frames, progress } = self;
        (reqwest::Body::wrap_stream(frames), progress)
    }
}

// === impl Progress ===

impl Progress {
    /// Whether the registry was sent everything.
    pub(super) fn is_sent(&self) -> bool {
        *self.0.borrow() == Phase::Sent
    }

    /// Returns when the registry has not taken a byte, or not answered, for too long.
    pub(super) async fn stalled(mut self) {
        loop {
            let patience = match *self.0.borrow_and_update() {
                Phase::Registry => STANDSTILL,
                Phase::Source | Phase::Sent => limits::COMMIT_TIMEOUT,
            };
            match timeout(patience, self.0.changed()).await {
                Ok(Ok(())) => {}
                // The connection needs the body no more: only the answer is missing.
                Ok(Err(_)) => return sleep(patience).await,
                Err(_) => return,
            }
        }
    }
}

// === impl Frames ===

impl Stream for Frames {
    type Item = Result<Bytes, Ended>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.phase.send_replace(if self.left == 0 {
            Phase::Sent
        } else {
            Phase::Source
        });
        let frame = match ready!(self.source.as_mut().poll_next(context)) {
            Some(Ok(frame)) => frame,
            Some(Err(error)) => return Poll::Ready(Some(Err(error.into()))),
            None if self.left > 0 => {
                let missing = format!("it ended {} bytes early", self.left);
                return Poll::Ready(Some(Err(BodyError(missing).into())));
            }
            None => return Poll::Ready(None),
        };
        if let Err(lapsed) = self.write_guard.check() {
            return Poll::Ready(Some(Err(lapsed.into())));
        }
        let Some(left) = self.left.checked_sub(frame.len() as u64) else {
            let error = BodyError("it has more bytes than its descriptor says".to_owned());
            return Poll::Ready(Some(Err(error.into())));
        };
        self.left = left;
        self.counters.count_written(frame.len());
        self.phase.send_replace(if left == 0 {
            Phase::Sent
        } else {
            Phase::Registry
        });
        Poll::Ready(Some(Ok(frame)))
    }
}

#[cfg(test)]
mod tests {
    use futures::StreamExt;
    use tokio::time::Instant;

    use super::*;

    fn frames(size: u64, parts: &[&'static str]) -> Frames {
        let parts: Vec<_> = parts
            .iter()
            .map(|part| Ok(Bytes::from_static(part.as_bytes())))
            .collect();
        outgoing(size, parts).frames
    }

    fn outgoing(size: u64, parts: Vec<Result<Bytes, BodyError>>) -> Outgoing {
        let counters = Arc::new(Counters::new());
        Outgoing::new(size, stream::iter(parts), counters, WriteGuard::default())
    }

    #[tokio::test]
    async fn a_body_of_another_length_than_announced_is_an_error() {
        let cases: [(&str, u64, &[&'static str], usize, bool); 5] = [
            ("as announced", 5, &["he", "llo"], 2, true),
            ("empty", 0, &[], 0, true),
            ("too short", 5, &["he"], 1, false),
            ("too long", 4, &["he", "llo"], 1, false),
            ("not empty", 0, &["he"], 0, false),
        ];
        for (name, size, parts, taken, complete) in cases {
            let found: Vec<_> = frames(size, parts).take(3).collect().await;
            let good = found.iter().take_while(|frame| frame.is_ok()).count();
            assert_eq!((good, good == found.len()), (taken, complete), "{name}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_registry_that_takes_nothing_is_given_up_sooner_than_a_slow_source_or_commit() {
        let cases: [(&str, u64, usize, u64); 4] = [
            ("before the first byte", 5, 0, 900),
            ("the first bytes are stuck", 5, 1, 60),
            ("everything is sent", 5, 2, 900),
            ("nothing to send", 0, 0, 900),
        ];
        for (name, size, polls, seconds) in cases {
            let body = outgoing(size, Vec::new());
            let progress = body.progress();
            let mut frames = frames(size, &["he", "llo"]);
            frames.phase = body.frames.phase;
            for _ in 0..polls {
                frames.next().await;
            }
            let start = Instant::now();
            progress.stalled().await;
            assert_eq!(start.elapsed().as_secs(), seconds, "{name}");
        }
    }
}
