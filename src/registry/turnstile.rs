// SPDX-License-Identifier: Apache-2.0

//! Where every request to a host passes, whoever sends it: how fast, and whether now at all.
//!
//! While nothing was refused, nobody waits here. Else requests wait in the order of their coming, and
//! only the first of them looks at the clock.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{self, Notify};
use tokio::time::{Instant, timeout_at};

use super::pace::Pace;
use super::rest::{Failure, Next, Rest, Rules, Sent};

/// A host that refuses: it rests at once, a second first.
pub(super) const REFUSALS: Rules = Rules {
    tolerated: 0,
    first: Duration::from_secs(1),
    longest: Duration::from_secs(60),
    patience: Duration::from_secs(60),
};

/// A host that cannot be reached or does not answer: three in a row, which are no accident.
pub(super) const SILENCE: Rules = Rules {
    tolerated: 2,
    first: Duration::from_millis(500),
    longest: Duration::from_secs(60),
    patience: Duration::from_secs(10),
};

/// The host is to be left alone for longer than we wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Paused {
    /// How long from now.
    pub(super) wait: Duration,
}

/// The way to a host. What is called so in the [module](self).
#[derive(Debug)]
pub(super) struct Turnstile {
    /// Held by the first of those who wait.
    first: sync::Mutex<()>,
    /// Whether nobody has to wait.
    is_open: AtomicBool,
    /// Tells the first of those who wait that the state has changed.
    changed: Notify,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    rest: Rest,
    /// None where only rests count.
    pace: Option<Pace>,
}

/// A request that has passed. What came of it is to be said before it is dropped.
#[derive(Debug)]
pub(super) struct Passage {
    turnstile: Arc<Turnstile>,
    sent: Sent,
}

// === impl Turnstile ===

impl Turnstile {
    /// For a host whose rate is learned from what it refuses.
    pub(super) fn paced() -> Self {
        Self::new(REFUSALS, Some(Pace::new(Instant::now())))
    }

    /// For a way on which nothing but silence counts.
    pub(super) fn unpaced() -> Self {
        Self::new(SILENCE, None)
    }

    fn new(rules: Rules, pace: Option<Pace>) -> Self {
        Self {
            first: sync::Mutex::default(),
            is_open: AtomicBool::new(true),
            changed: Notify::new(),
            state: Mutex::new(State {
                rest: Rest::new(rules),
                pace,
            }),
        }
    }

    /// Waits for a turn.
    pub(super) async fn pass(self: &Arc<Self>) -> Result<Passage, Paused> {
        if self.is_open.load(Relaxed) {
            return Ok(self.passage(Instant::now(), false));
        }
        let _first = self.first.lock().await;
        let mut waited = false;
        loop {
            let now = Instant::now();
            let next = self.state().next(now, waited);
            match next {
                Next::Go => return Ok(self.passage(now, false)),
                Next::Probe => return Ok(self.passage(now, true)),
                Next::GiveBack(wait) => return Err(Paused { wait }),
                Next::Wait(until) => {
                    waited = true;
                    // Whether the time or the news came first does not matter.
                    let _ = timeout_at(until, self.changed.notified()).await;
                }
            }
        }
    }

    /// Whether nobody has to wait, and there is nothing to remember.
    pub(super) fn is_calm(&self) -> bool {
        self.is_open.load(Relaxed)
    }

    /// Whether one of many may go now, as far as rests are concerned.
    pub(super) fn lets_through(&self) -> bool {
        self.is_calm() || !self.state().rest.is_held()
    }

    /// Takes note of a request that leaves without having waited, and is answered.
    pub(super) fn spend(&self) {
        let now = Instant::now();
        if let Some(pace) = &mut self.state().pace {
            pace.spend(now, false);
            pace.answered(now);
        }
    }

    fn passage(self: &Arc<Self>, at: Instant, is_probe: bool) -> Passage {
        Passage {
            turnstile: Arc::clone(self),
            sent: Sent { at, is_probe },
        }
    }

    fn fail(&self, sent: Sent, asked: Option<Duration>) -> Duration {
        let now = Instant::now();
        let mut state = self.state();
        let (failure, longer) = state.rest.failed(now, sent, asked, fastrand::f64());
        if let Some(pace) = &mut state.pace
            && failure == Failure::First
        {
            pace.refused(now);
        }
        self.publish(&state);
        longer
    }

    /// Lets those who come and the one who waits know of a change.
    fn publish(&self, state: &State) {
        self.is_open.store(state.is_open(), Relaxed);
        self.changed.notify_one();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl State ===

impl State {
    fn is_open(&self) -> bool {
        self.rest.is_calm() && self.pace.as_ref().is_none_or(Pace::is_free)
    }

    /// What the next request may do. One that may go has gone, as far as the pace is concerned.
    fn next(&mut self, now: Instant, waited: bool) -> Next {
        if let Some(pace) = &mut self.pace {
            let slot = pace.next_slot(now);
            if slot > now && self.rest.is_calm() {
                return Next::Wait(slot);
            }
        }
        let next = self.rest.next(now);
        if let (Some(pace), Next::Go | Next::Probe) = (&mut self.pace, next) {
            pace.spend(now, waited);
        }
        next
    }
}

// === impl Passage ===

impl Passage {
    /// When the request left.
    pub(super) fn sent_at(&self) -> Instant {
        self.sent.at
    }

    /// Whether it goes ahead of all others.
    pub(super) fn is_probe(&self) -> bool {
        self.sent.is_probe
    }

    /// Lets another one go ahead in its place: this one waits for what comes of that.
    pub(super) fn stand_aside(&mut self) {
        if !self.sent.is_probe {
            return;
        }
        let mut state = self.turnstile.state();
        state.rest.abandoned(Instant::now(), self.sent);
        self.turnstile.publish(&state);
        drop(state);
        self.sent.is_probe = false;
    }

    /// The request leaves only now.
    pub(super) fn leave(&mut self) {
        if !self.sent.is_probe {
            self.sent.at = Instant::now();
        }
    }

    /// There was an answer that is none of the failures that count here.
    pub(super) fn answered(&self) {
        let now = Instant::now();
        let mut state = self.turnstile.state();
        if let Some(pace) = &mut state.pace {
            pace.answered(now);
        }
        if !self.turnstile.is_open.load(Relaxed) {
            state.rest.answered(now, self.sent);
            self.turnstile.publish(&state);
        }
    }

    /// The host refused, or did not answer, and may have asked to be left alone. Says how much longer
    /// it is left alone now than before.
    pub(super) fn failed(&self, asked: Option<Duration>) -> Duration {
        self.turnstile.fail(self.sent, asked)
    }
}

impl Drop for Passage {
    fn drop(&mut self) {
        self.stand_aside();
    }
}
