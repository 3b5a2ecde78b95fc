// SPDX-License-Identifier: Apache-2.0

//! Those who ask one repository for the same kind of thing.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::Instant;

use crate::registry::class::Class;
use crate::registry::request::Request;
use crate::registry::turnstile::{Passage, Paused, Turnstile};

/// A request that was not answered for so long may hang.
pub(in crate::registry) const PATIENCE: Duration = Duration::from_secs(2);

/// So many lines are remembered in which nobody stands.
const LINES: usize = 4_096;

/// The lines of those who ask for the same.
#[derive(Debug, Default)]
pub(in crate::registry) struct Lines(Mutex<HashMap<Subject, Arc<Line>>>);

/// What a request asks for, as far as it may hang there and nowhere else.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Subject {
    /// None for what is of no repository.
    repository: Option<String>,
    class: Class,
}

/// One line.
#[derive(Debug)]
struct Line {
    turnstile: Arc<Turnstile>,
    /// When something was answered last.
    answered: Mutex<Option<Instant>>,
    doubts: watch::Sender<Doubts>,
    /// For the one that leaves while there are doubts.
    next: Arc<Semaphore>,
}

/// Requests that may hang.
#[derive(Clone, Copy, Debug, Default)]
struct Doubts {
    count: usize,
    /// How often all doubts came to an end at once.
    round: u64,
}

/// A place in a line, and leave to go when it is one's turn.
#[derive(Debug)]
pub(in crate::registry) struct InLine {
    lines: Arc<Lines>,
    subject: Subject,
    line: Arc<Line>,
    passage: Option<Passage>,
    /// Kept by the one that leaves while there are doubts.
    ahead: Option<OwnedSemaphorePermit>,
    /// The round of doubts in which this one began to count among them.
    doubted: Option<u64>,
}

// === impl Lines ===

impl Lines {
    /// Joins those who ask for the same.
    pub(in crate::registry) fn join(self: &Arc<Self>, request: &Request) -> InLine {
        let subject = Subject::of(request);
        let mut lines = self.lines();
        if lines.len() >= LINES && !lines.contains_key(&subject) {
            lines.retain(|_, line| Arc::strong_count(line) > 1);
        }
        let line = Arc::clone(lines.entry(subject.clone()).or_default());
        drop(lines);
        InLine {
            lines: Arc::clone(self),
            subject,
            line,
            passage: None,
            ahead: None,
            doubted: None,
        }
    }

    /// Forgets a line in which nobody stands and of which there is nothing to remember.
    fn leave(&self, subject: &Subject, line: &Arc<Line>) {
        let mut lines = self.lines();
        // Its own one, and that of whoever leaves.
        if Arc::strong_count(line) <= 2 && line.is_calm() {
            lines.remove(subject);
        }
    }

    fn lines(&self) -> MutexGuard<'_, HashMap<Subject, Arc<Line>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Subject ===

impl Subject {
    fn of(request: &Request) -> Self {
        Self {
            repository: request.scope.repository().map(str::to_owned),
            class: request.class,
        }
    }
}

// === impl Line ===

impl Default for Line {
    fn default() -> Self {
        Self {
            turnstile: Arc::new(Turnstile::unpaced()),
            answered: Mutex::default(),
            doubts: watch::Sender::default(),
            next: Arc::new(Semaphore::new(1)),
        }
    }
}

impl Line {
    /// Whether there is nothing to remember.
    fn is_calm(&self) -> bool {
        self.turnstile.is_calm()
    }

    fn is_in_doubt(&self) -> bool {
        self.doubts.borrow().count > 0
    }

    fn has_answered_since(&self, sent: Instant) -> bool {
        let answered = self.answered.lock();
        let answered = *answered.unwrap_or_else(PoisonError::into_inner);
        answered.is_some_and(|answered| answered >= sent)
    }
}

// === impl InLine ===

impl InLine {
    pub(in crate::registry) fn repository(&self) -> Option<&str> {
        self.subject.repository.as_deref()
    }

    /// Waits for a turn: until nothing may hang, or until this is the one more that leaves. Where others wait for
    /// what it asks, it only does not ask in vain.
    pub(in crate::registry) async fn pass(&mut self, is_urgent: bool) -> Result<(), Paused> {
        (self.passage, self.ahead) = (None, None);
        if !is_urgent && self.line.is_in_doubt() {
            let mut doubts = self.line.doubts.subscribe();
            tokio::select! {
                biased;
                // An error would say that the line is gone, which it is not.
                _ = doubts.wait_for(|doubts| doubts.count == 0) => {}
                ahead = Arc::clone(&self.line.next).acquire_owned() => self.ahead = ahead.ok(),
            }
        }
        self.passage = Some(self.line.turnstile.pass().await?);
        Ok(())
    }

    /// Whether it may still go as it was told, after it waited for something else.
    pub(in crate::registry) fn may_go(&self, is_urgent: bool) -> bool {
        let is_ahead = is_urgent || self.ahead.is_some() || !self.line.is_in_doubt();
        let is_probe = self.passage.as_ref().is_some_and(Passage::is_probe);
        is_ahead && (is_probe || self.line.turnstile.lets_through())
    }

    /// Lets another one go ahead in its place.
    pub(in crate::registry) fn stand_aside(&mut self) {
        if let Some(passage) = &mut self.passage {
            passage.stand_aside();
        }
    }

    /// The request leaves only now.
    pub(in crate::registry) fn leave(&mut self) {
        if let Some(passage) = &mut self.passage {
            passage.leave();
        }
    }

    /// There is no answer yet. Says whether that is a reason for doubts: not while others in the line get answers.
    pub(in crate::registry) fn doubt(&mut self) -> bool {
        let lately = Instant::now().checked_sub(PATIENCE);
        if lately.is_some_and(|lately| self.line.has_answered_since(lately)) {
            return false;
        }
        let doubted = &mut self.doubted;
        self.line.doubts.send_modify(|doubts| {
            doubts.count += 1;
            *doubted = Some(doubts.round);
        });
        // The next one may see whether it is better off.
        self.ahead = None;
        true
    }

    /// There was an answer.
    pub(in crate::registry) fn answered(&self) {
        if let Some(passage) = &self.passage {
            passage.answered();
        }
        let answered = self.line.answered.lock();
        *answered.unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
        self.line.doubts.send_if_modified(|doubts| {
            let were_there = doubts.count > 0;
            if were_there {
                doubts.count = 0;
                doubts.round += 1;
            }
            were_there
        });
    }

    /// There was none in time.
    pub(super) fn hung(&self) {
        if let Some(passage) = &self.passage
            && !self.line.has_answered_since(passage.sent_at())
        {
            passage.failed(None);
        }
    }
}

impl Drop for InLine {
    fn drop(&mut self) {
        if let Some(round) = self.doubted {
            self.line.doubts.send_if_modified(|doubts| {
                let counts = doubts.round == round && doubts.count > 0;
                if counts {
                    doubts.count -= 1;
                }
                counts
            });
        }
        self.passage = None;
        self.lines.leave(&self.subject, &self.line);
    }
}
