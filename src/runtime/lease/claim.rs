// SPDX-License-Identifier: Apache-2.0

//! The right to act, which ends by itself.
//!
//! Nobody has to be told that a claim is over: it is asked, and it compares the clock with the
//! deadline. So a process that was stopped and goes on finds it over before any task has run.

use std::sync::Arc;

use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

/// Until when somebody may act, by one clock. Once it is over it stays so.
#[derive(Clone, Copy, Debug)]
pub(super) struct Term(Instant);

/// The right to act as the holder of the lease. Once it is over it never comes back.
#[derive(Clone, Debug)]
pub struct Claim {
    until: watch::Receiver<Term>,
}

/// The end of a claim, kept by who renews it. Dropping it ends the claim.
#[derive(Debug)]
pub(super) struct Expiry {
    until: watch::Sender<Term>,
}

// === impl Term ===

impl Term {
    /// Until then.
    pub(super) fn new(until: Instant) -> Self {
        Self(until)
    }

    /// Whether it is not over.
    pub(super) fn is_current(self, now: Instant) -> bool {
        now < self.0
    }

    /// Moves its end. False: it is over already.
    pub(super) fn extend(&mut self, until: Instant, now: Instant) -> bool {
        let lives = self.is_current(now);
        if lives {
            self.0 = until;
        }
        lives
    }
}

// === impl Claim ===

impl Claim {
    /// Whether this process may act now.
    pub fn is_current(&self) -> bool {
        // Without its keeper nobody renews it.
        self.until.has_changed().is_ok() && self.until.borrow().is_current(Instant::now())
    }

    /// The question of [`Claim::is_current`], to ask before every write.
    pub fn guard(&self) -> Arc<dyn Fn() -> bool + Send + Sync> {
        let claim = self.clone();
        Arc::new(move || claim.is_current())
    }

    /// Waits until it is over.
    pub async fn lost(&self) {
        let mut until = self.until.clone();
        while self.is_current() {
            let Term(deadline) = *until.borrow_and_update();
            tokio::select! {
                () = sleep_until(deadline) => {}
                // Extended or ended: look again.
                _ = until.changed() => {}
            }
        }
    }
}

// === impl Expiry ===

impl Expiry {
    /// A claim until this time.
    pub(super) fn new(until: Instant) -> (Self, Claim) {
        let (sender, receiver) = watch::channel(Term::new(until));
        (Self { until: sender }, Claim { until: receiver })
    }

    /// When the claim ends.
    pub(super) fn at(&self) -> Instant {
        self.until.borrow().0
    }

    /// Moves the end of the claim. False: it is over already, and stays so.
    pub(super) fn extend(&self, until: Instant) -> bool {
        self.until
            .send_if_modified(|term| term.extend(until, Instant::now()))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::advance;

    use super::*;

    const DEADLINE: Duration = Duration::from_secs(10);

    #[tokio::test(start_paused = true)]
    async fn a_stopped_process_finds_its_claim_over_before_any_task_has_run() {
        let (expiry, claim) = Expiry::new(Instant::now() + DEADLINE);
        let guard = claim.guard();
        assert!(guard());
        advance(DEADLINE * 3).await;
        assert!(!guard());
        assert!(
            !expiry.extend(Instant::now() + DEADLINE),
            "an answer that was under way does not bring it back"
        );
        assert!(!guard());
    }

    #[tokio::test(start_paused = true)]
    async fn a_claim_ends_with_its_keeper() {
        let (expiry, claim) = Expiry::new(Instant::now() + DEADLINE);
        let began = Instant::now();
        let lost = tokio::spawn({
            let claim = claim.clone();
            async move { claim.lost().await }
        });
        drop(expiry);
        assert!(!claim.is_current());
        lost.await.unwrap();
        assert_eq!(Instant::now(), began);
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_for_the_end_waits_for_the_last_extension() {
        let began = Instant::now();
        let (expiry, claim) = Expiry::new(began + DEADLINE);
        let waiting = tokio::spawn(async move {
            claim.lost().await;
            Instant::now()
        });
        advance(DEADLINE / 2).await;
        assert!(expiry.extend(began + DEADLINE * 2));
        assert_eq!(expiry.at(), began + DEADLINE * 2);
        let ended = waiting.await.unwrap();
        assert_eq!(ended - began, DEADLINE * 2);
    }
}
