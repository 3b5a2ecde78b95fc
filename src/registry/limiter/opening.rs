// SPDX-License-Identifier: Apache-2.0

//! A host that nobody knows yet.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};

/// So many requests leave at first. When as many are answered, the host is known.
pub(super) const AT_FIRST: u32 = 12;
/// So many leave until then, the others one by one. A limit that lets five through at once refuses no more
/// than the rest of them, and the host of a distant registry is not waited for.
const UNKNOWN: u32 = 24;
/// Between two of those: the first refusal of a host that is near comes before most of them have left.
const SPACING: Duration = Duration::from_micros(500);
/// How long all further ones wait: one answer may take long.
const PATIENCE: Duration = Duration::from_secs(1);

/// Lets few requests to a host until it has answered some.
#[derive(Debug)]
pub(super) struct Opening {
    sent: AtomicU32,
    answered: AtomicU32,
    is_over: AtomicBool,
    /// Closed when it is over; never has a place.
    over: Semaphore,
}

// === impl Opening ===

impl Opening {
    pub(super) fn new() -> Self {
        Self {
            sent: AtomicU32::new(0),
            answered: AtomicU32::new(0),
            is_over: AtomicBool::new(false),
            over: Semaphore::new(0),
        }
    }

    /// Waits until the host is known, unless the request is one of the first.
    pub(super) async fn enter(&self) {
        if self.is_over.load(Relaxed) {
            return;
        }
        match self.sent.fetch_add(1, Relaxed) {
            ..AT_FIRST => {}
            number @ ..UNKNOWN => sleep(SPACING * (number + 1 - AT_FIRST)).await,
            _ => {
                if timeout(PATIENCE, self.over.acquire()).await.is_err() {
                    self.end();
                }
            }
        }
    }

    /// Takes note of an answer.
    pub(super) fn answered(&self) {
        if !self.is_over.load(Relaxed) && self.answered.fetch_add(1, Relaxed) + 1 >= AT_FIRST {
            self.end();
        }
    }

    /// The host is known, or has said what it bears.
    pub(super) fn end(&self) {
        self.is_over.store(true, Relaxed);
        self.over.close();
    }
}
