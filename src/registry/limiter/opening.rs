//! A host that nobody knows yet.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Requests at a time to a host that has not answered yet.
pub(super) const AT_FIRST: usize = 12;
/// Further ones with each answer.
const WITH_EACH: usize = 2;
/// After so many answers the host is known.
pub(super) const KNOWN: usize = 16;

/// Lets few requests to a host at first, and thrice as many with each round trip (slow start, as TCP does).
#[derive(Debug)]
pub(super) struct Opening {
    places: Arc<Semaphore>,
    answers: AtomicUsize,
    is_over: AtomicBool,
}

// === impl Opening ===

impl Opening {
    pub(super) fn new() -> Self {
        Self {
            places: Arc::new(Semaphore::new(AT_FIRST)),
            answers: AtomicUsize::new(0),
            is_over: AtomicBool::new(false),
        }
    }

    /// Waits until the host may be asked one thing more; nothing to keep where it is known.
    pub(super) async fn enter(&self) -> Option<OwnedSemaphorePermit> {
        if self.is_over.load(Relaxed) {
            return None;
        }
        // An error says that it is over.
        Arc::clone(&self.places).acquire_owned().await.ok()
    }

    /// Takes note of an answer to a request that had entered.
    pub(super) fn answered(&self, entered: Option<OwnedSemaphorePermit>) {
        if entered.is_none() || self.is_over.load(Relaxed) {
            return;
        }
        if self.answers.fetch_add(1, Relaxed) + 1 >= KNOWN {
            self.is_over.store(true, Relaxed);
            self.places.close();
        } else {
            self.places.add_permits(WITH_EACH);
        }
    }
}
