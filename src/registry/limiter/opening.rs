//! A host that nobody knows yet.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::timeout;

/// So many requests leave at first: as many as nearly every limit lets through at once, or refuses
/// without harm. When all of them are answered, the host is known.
pub(super) const AT_FIRST: usize = 12;
/// How long the others wait for that: one answer may take long.
const PATIENCE: Duration = Duration::from_secs(1);

/// Lets few requests to a host until it has answered them.
#[derive(Debug)]
pub(super) struct Opening {
    first: Semaphore,
    answers: AtomicUsize,
    is_over: AtomicBool,
}

// === impl Opening ===

impl Opening {
    pub(super) fn new() -> Self {
        Self {
            first: Semaphore::new(AT_FIRST),
            answers: AtomicUsize::new(0),
            is_over: AtomicBool::new(false),
        }
    }

    /// Waits until the host is known, unless the request is one of the first.
    pub(super) async fn enter(&self) {
        if self.is_over.load(Relaxed) {
            return;
        }
        match timeout(PATIENCE, self.first.acquire()).await {
            Ok(Ok(first)) => first.forget(),
            // It is over.
            Ok(Err(_)) => {}
            Err(_) => self.end(),
        }
    }

    /// Takes note of an answer.
    pub(super) fn answered(&self) {
        if !self.is_over.load(Relaxed) && self.answers.fetch_add(1, Relaxed) + 1 >= AT_FIRST {
            self.end();
        }
    }

    /// The host is known, or has said what it bears.
    pub(super) fn end(&self) {
        self.is_over.store(true, Relaxed);
        self.first.close();
    }
}
