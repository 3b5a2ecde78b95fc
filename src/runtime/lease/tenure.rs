// SPDX-License-Identifier: Apache-2.0

//! A claim for as long as somebody else says so: whoever has one asks every few seconds, and may act for a while after
//! each answer. Who gave it and takes it back waits for [`FENCE`] before it acts itself.

use std::time::Duration;

use tokio::time::{Instant, sleep};
use tokio_util::task::AbortOnDropHandle;

use super::claim::{Claim, Expiry};

/// How often is asked.
const ASK: Duration = Duration::from_secs(3);
/// For how long an answer is good, counted from before it was asked for.
const VALID: Duration = Duration::from_secs(15);
/// How long it takes until nobody acts any more from whom the right was taken.
pub const FENCE: Duration = Duration::from_secs(20);

/// What is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Permission {
    /// It may act.
    Granted,
    /// It may not act, and may come to.
    NotYet,
    /// It may not act, and never will.
    Over,
}

/// A claim, and who asks for it. Dropping it ends the claim.
#[derive(Debug)]
pub struct Tenure {
    claim: Claim,
    _asking: AbortOnDropHandle<()>,
}

// === impl Tenure ===

impl Tenure {
    /// Asks until the right is given, for so long at most. None: it was not, or will not be. Where there is no answer, it
    /// is asked again.
    pub async fn begin<A, F>(ask: A, patience: Duration) -> Option<Self>
    where
        A: Fn() -> F + Send + Sync + 'static,
        F: Future<Output = Option<Permission>> + Send + 'static,
    {
        let latest = Instant::now() + patience;
        let (expiry, claim) = loop {
            let asked = Instant::now();
            match ask().await {
                Some(Permission::Granted) => break Expiry::new(asked + VALID),
                Some(Permission::Over) => return None,
                Some(Permission::NotYet) | None => {}
            }
            if Instant::now() >= latest {
                return None;
            }
            sleep(ASK).await;
        };
        let asking = tokio::spawn(keep(ask, expiry));
        Some(Self {
            claim,
            _asking: AbortOnDropHandle::new(asking),
        })
    }

    /// The claim.
    pub fn claim(&self) -> Claim {
        self.claim.clone()
    }
}

/// Extends the claim for as long as that is answered. An answer that does not come ends nothing but in its time.
async fn keep<A, F>(ask: A, expiry: Expiry)
where
    A: Fn() -> F,
    F: Future<Output = Option<Permission>>,
{
    loop {
        sleep(ASK).await;
        let asked = Instant::now();
        let goes_on = match ask().await {
            Some(Permission::Granted) => expiry.extend(asked + VALID),
            Some(Permission::NotYet | Permission::Over) => false,
            None => Instant::now() < expiry.at(),
        };
        if !goes_on {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::ready;
    use std::sync::{Arc, Mutex};

    use tokio::time::advance;

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(60);

    /// Answers in this order, the last one for ever.
    fn answers(
        answers: &[Option<Permission>],
    ) -> impl Fn() -> std::future::Ready<Option<Permission>> + Send + Sync + 'static {
        let left = Arc::new(Mutex::new(answers.to_vec()));
        move || {
            let mut left = left.lock().unwrap();
            let next = if left.len() > 1 {
                left.remove(0)
            } else {
                left[0]
            };
            ready(next)
        }
    }

    #[tokio::test(start_paused = true)]
    async fn it_lasts_for_as_long_as_it_is_answered() {
        let granted = Some(Permission::Granted);
        let cases = [
            ("at once", vec![granted], Some(true)),
            (
                "after a while",
                vec![Some(Permission::NotYet), None, granted],
                Some(true),
            ),
            (
                "taken back",
                vec![granted, Some(Permission::NotYet)],
                Some(false),
            ),
            ("over", vec![granted, Some(Permission::Over)], Some(false)),
            ("no answer for too long", vec![granted, None], Some(false)),
            ("never given", vec![Some(Permission::NotYet)], None),
            ("refused", vec![Some(Permission::Over)], None),
        ];
        for (name, answered, expected) in cases {
            let tenure = Tenure::begin(answers(&answered), PATIENCE).await;
            if let Some(tenure) = &tenure {
                assert!(tenure.claim().is_current(), "{name}");
                sleep(FENCE).await;
            }
            let current = tenure.map(|tenure| tenure.claim().is_current());
            assert_eq!(current, expected, "{name}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_that_is_lost_ends_nothing() {
        let answered = [
            Some(Permission::Granted),
            None,
            None,
            Some(Permission::Granted),
        ];
        let tenure = Tenure::begin(answers(&answered), PATIENCE).await.unwrap();
        let claim = tenure.claim();
        sleep(VALID * 3).await;
        assert!(claim.is_current());
        drop(tenure);
        tokio::task::yield_now().await;
        assert!(!claim.is_current(), "it ends with its keeper");
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_acts_once_the_fence_has_passed_however_slow_the_answers_are() {
        let ask = || async {
            sleep(VALID.mul_f64(0.9)).await;
            Some(Permission::Granted)
        };
        let claim = {
            let tenure = Tenure::begin(ask, PATIENCE).await.unwrap();
            let claim = tenure.claim();
            assert!(claim.is_current());
            // A process that hangs asks nobody.
            advance(FENCE).await;
            claim.is_current()
        };
        assert!(!claim);
    }
}
