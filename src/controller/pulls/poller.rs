// SPDX-License-Identifier: Apache-2.0

//! Polls one queue. A message leads to a look at most, and is gone once that is waited for.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use secrecy::SecretString;
use tokio::sync::mpsc::UnboundedSender;
use tokio::time::sleep;

use super::seen::{Polled, Seen};
use super::work::{LeadsNow, ReceiverRef, Work};
use crate::api::Reason;
use crate::controller::hinted::Hinted;
use crate::controller::hooks::{Doors, Measure, Outcome};
use crate::controller::metrics::ControllerMetrics;
use crate::events::{self, Delivery, Hint};
use crate::identity::{self, Batch, Wait};
use crate::registry::IssueFault;
use crate::runtime::clock;

/// Time until a queue is asked again that had nothing: some do not wait for something to come.
const PAUSE: Duration = Duration::from_millis(500);
/// Time until there may be room for more hints.
const ROOM: Duration = Duration::from_millis(500);
/// Time until a queue is asked again that failed, at first and at last.
const BACKOFF: Duration = Duration::from_secs(1);
const LONGEST_BACKOFF: Duration = Duration::from_secs(60);
/// So many failures in a row are told that may pass.
const PASSING: u32 = 3;
/// Shortest time between two looks at a receiver because messages came.
const TELL_EVERY: Duration = Duration::from_secs(60);

/// Polls one queue.
pub(super) struct Poller {
    pub(super) work: Arc<Work>,
    pub(super) seen: Arc<Mutex<Seen>>,
    pub(super) looker: Option<UnboundedSender<ReceiverRef>>,
    pub(super) receiver: ReceiverRef,
    pub(super) namespace: String,
    pub(super) measure: Measure,
    pub(super) hinted: Arc<Hinted>,
    pub(super) doors: Arc<Doors>,
    pub(super) metrics: Arc<ControllerMetrics>,
    pub(super) leads: LeadsNow,
}

/// What one request for messages came to.
enum Round {
    /// There were none.
    Empty,
    /// They were taken, and are gone.
    Taken,
    /// They were taken, and come again.
    Kept(identity::Error),
}

impl Poller {
    /// Polls until dropped.
    pub(super) async fn run(self) {
        let (mut failures, mut told) = (0_u32, None);
        // What cannot be deleted is told until something was.
        let mut undeleted = None;
        let mut wait = Wait::AtOnce;
        loop {
            let batch = if failures > 0 {
                Batch::One
            } else {
                Batch::Many
            };
            let failed = match self.take(batch, wait).await {
                Ok(Round::Empty) => None,
                Ok(Round::Taken) => {
                    undeleted = None;
                    self.note_message(&mut told);
                    None
                }
                Ok(Round::Kept(error)) => {
                    undeleted = Some(describe(&error));
                    self.note_message(&mut told);
                    Some(error)
                }
                Err(error) => Some(error),
            };
            let Some(error) = failed else {
                self.tell(undeleted.clone().unwrap_or(Polled::Well));
                (failures, wait) = (0, Wait::Long);
                continue;
            };
            failures = failures.saturating_add(1);
            if !may_pass(&error) || failures >= PASSING {
                self.tell(describe(&error));
            }
            wait = Wait::AtOnce;
            sleep(backoff(failures)).await;
        }
    }

    /// Takes some messages: each leads to a look at most, and none comes again.
    async fn take(&self, batch: Batch, wait: Wait) -> Result<Round, identity::Error> {
        let began = Instant::now();
        let messages = self.work.puller.receive(batch, wait).await?;
        if messages.is_empty() {
            if began.elapsed() < PAUSE {
                sleep(PAUSE).await;
            }
            return Ok(Round::Empty);
        }
        for message in &messages {
            self.read(&message.body).await;
        }
        // What waits for a look here is looked at by nobody once another process leads: that one gets them again.
        if !(self.leads)() {
            return std::future::pending().await;
        }
        let receipts = messages.into_iter().map(|message| message.receipt);
        let receipts: Vec<SecretString> = receipts.collect();
        Ok(match self.work.puller.done(&receipts).await {
            Ok(()) => Round::Taken,
            Err(error) => Round::Kept(error),
        })
    }

    /// What a message says is looked at, if any mirror may want it. One that is not understood says nothing, however
    /// often it comes.
    async fn read(&self, body: &str) {
        let outcome = match self.hints(body) {
            None => Outcome::Malformed,
            Some(hints) if hints.is_empty() => Outcome::Ignored,
            Some(hints) => {
                let has_room = || {
                    self.doors
                        .take_of(&self.measure, hints.len(), Instant::now())
                };
                while !has_room() {
                    sleep(ROOM).await;
                }
                let now = clock::now();
                let hints = hints.iter();
                let noted = hints.map(|hint| self.hinted.note(&self.namespace, hint, now));
                if noted.sum::<usize>() > 0 {
                    Outcome::Accepted
                } else {
                    Outcome::Unmatched
                }
            }
        };
        let kind = self.work.sender.kind.as_str();
        self.metrics.count_event(kind, outcome.as_str());
    }

    /// What a message says; nothing where it is not understood.
    fn hints(&self, body: &str) -> Option<Vec<Hint>> {
        let Work { sender, .. } = &*self.work;
        let delivery = Delivery {
            header: &|_| None,
            body: body.as_bytes(),
        };
        let hints = events::read(sender, &delivery);
        let told = hints.inspect_err(|error| {
            let (namespace, kind) = (&self.namespace, sender.kind.as_str());
            tracing::debug!(namespace, kind, %error, "a message is not understood");
        });
        told.ok()
    }

    fn note_message(&self, told: &mut Option<Instant>) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.last = Some(clock::now());
        drop(seen);
        if told.is_none_or(|told| told.elapsed() >= TELL_EVERY) {
            *told = Some(Instant::now());
            self.look_again();
        }
    }

    /// Has the status of the receiver say how it is, where that changed.
    fn tell(&self, state: Polled) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let has_changed = seen.state != state;
        seen.state = state;
        drop(seen);
        if has_changed {
            self.look_again();
        }
    }

    fn look_again(&self) {
        if let Some(looker) = &self.looker {
            // The receiver ends with the process only.
            let _ = looker.send(self.receiver.clone());
        }
    }
}

/// Whether it may well be otherwise a little later.
fn may_pass(error: &identity::Error) -> bool {
    matches!(
        error.fault(),
        IssueFault::Unreachable | IssueFault::RateLimited
    )
}

fn describe(error: &identity::Error) -> Polled {
    let reason = match (error, error.fault()) {
        (identity::Error::NoQueue { .. }, _) => Reason::DependencyNotReady,
        (_, IssueFault::Identity) => Reason::AuthenticationFailed,
        (_, IssueFault::Forbidden | IssueFault::Rejected | IssueFault::NoRepository) => {
            Reason::AccessDenied
        }
        (_, IssueFault::RateLimited) => Reason::RateLimited,
        (_, IssueFault::Unreachable | IssueFault::Answer) => Reason::Unreachable,
    };
    Polled::Failing(reason, format!("spec.pull.from: {error}"))
}

/// The time until a queue is asked again that failed so often in a row, with some chance in it.
fn backoff(failures: u32) -> Duration {
    let doubled = BACKOFF.saturating_mul(1 << failures.saturating_sub(1).min(16));
    doubled
        .min(LONGEST_BACKOFF)
        .mul_f64(0.75 + fastrand::f64() / 4.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_with_failures_and_end_at_a_minute() {
        for failures in 1..=100 {
            let longest = BACKOFF.as_secs_f64() * 2_f64.powi(failures - 1);
            let longest = longest.min(LONGEST_BACKOFF.as_secs_f64());
            let pause = backoff(failures.unsigned_abs()).as_secs_f64();
            assert!(
                (longest * 0.75..=longest).contains(&pause),
                "{failures}: {pause}"
            );
        }
        assert!(backoff(u32::MAX) <= LONGEST_BACKOFF);
    }
}
