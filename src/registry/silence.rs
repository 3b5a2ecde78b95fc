// SPDX-License-Identifier: Apache-2.0

//! What does not answer: a host, or one of its repositories.
//!
//! That no connection can be made is told of the host. That a request is not answered is told of what it asks
//! for: some registries hang for one repository and answer for all others. Only when nothing answers, whichever
//! repository is asked for, it is the host, and then one asks `/v2/` for all.
//!
//! Requests that are not answered keep no place that others could use, and only one more of their kind leaves
//! at a time until something is answered.

mod hangs;
mod line;

use std::fmt::Display;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use super::turnstile::{Passage, Paused, Turnstile};
use hangs::Hangs;
pub(super) use line::{InLine, Lines, PATIENCE};

/// So many requests that are not answered leave their places to others; further ones keep theirs.
const LENT: usize = 256;

/// What does not answer on a way to a host.
#[derive(Debug)]
pub(super) struct Silence {
    host: Arc<Turnstile>,
    hangs: Mutex<Hangs>,
    /// What came of the first request since the host answered last.
    why: Mutex<Option<Arc<str>>>,
    /// Where those stand who ask for the same.
    pub(super) lines: Arc<Lines>,
    lent: Arc<Semaphore>,
}

// === impl Silence ===

impl Silence {
    pub(super) fn new() -> Self {
        Self {
            host: Arc::new(Turnstile::unpaced()),
            hangs: Mutex::default(),
            why: Mutex::default(),
            lines: Arc::default(),
            lent: Arc::new(Semaphore::new(LENT)),
        }
    }

    /// Waits for a turn of the host. Whoever goes ahead may have to ask `/v2/` first.
    pub(super) async fn pass(&self) -> Result<(Passage, bool), Paused> {
        let passage = self.host.pass().await?;
        let asks_host = passage.is_probe() && self.hangs().next_probe_asks_host();
        Ok((passage, asks_host))
    }

    /// Leave to give a place back before there is an answer.
    pub(super) fn lend(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.lent).try_acquire_owned().ok()
    }

    /// Takes note of an answer of the host, whatever it was asked for.
    pub(super) fn answered(&self, passage: &Passage) {
        passage.answered();
        self.hangs().answered(Instant::now());
        *self.reason() = None;
    }

    /// Takes note of a request that did not come to an answer, and of why.
    pub(super) fn failed(&self, passage: &Passage, why: impl Display) {
        self.reason().get_or_insert_with(|| why.to_string().into());
        passage.failed(None);
    }

    /// What came of the first request since the host answered last.
    pub(super) fn why(&self) -> Option<Arc<str>> {
        self.reason().clone()
    }

    /// Takes note of a request that was not answered in time. Says whether that is told of the host.
    pub(super) fn hung(&self, passage: &Passage, line: &InLine) -> bool {
        line.hung();
        let failures = self
            .hangs()
            .hung(Instant::now(), line.repository(), passage.sent_at());
        for _ in 0..failures {
            self.failed(passage, "no answer in time");
        }
        failures > 0
    }

    fn reason(&self) -> MutexGuard<'_, Option<Arc<str>>> {
        self.why.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn hangs(&self) -> MutexGuard<'_, Hangs> {
        self.hangs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
