// SPDX-License-Identifier: Apache-2.0

//! Patience with registries that do not know at once what they were just given.
//!
//! GHCR and Docker Hub answer for some seconds that a new tag does not exist, or that a child is unknown
//! that they have confirmed (oras-project/oras-go#1212). It comes by itself, so nothing is sent again before.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep};

/// How long one pass over an image waits for what the registry has confirmed, all in all.
const LONGEST: Duration = Duration::from_secs(10);
/// The first pause; it doubles.
const FIRST: Duration = Duration::from_millis(300);

/// What is left of the patience of one pass.
#[derive(Debug, Default)]
pub(super) struct Lag(Mutex<Left>);

#[derive(Clone, Copy, Debug, Default)]
enum Left {
    /// Nothing was waited for.
    #[default]
    All,
    /// The first wait began.
    Until(Instant),
    /// Nothing is waited for: whatever is missing now has been waited for already.
    Nothing,
}

// === impl Lag ===

impl Lag {
    /// Begins another pass; where nothing was given to the registry since the last one, nothing is waited for.
    pub(super) fn begin_again(&self, is_something_new: bool) {
        *self.left() = if is_something_new {
            Left::All
        } else {
            Left::Nothing
        };
    }

    /// Waits after so many looks in vain, and says whether another one is worth it.
    pub(super) async fn pause(&self, looks: u32) -> bool {
        let now = Instant::now();
        let until = {
            let mut left = self.left();
            match *left {
                Left::Nothing => return false,
                Left::Until(until) => until,
                Left::All => {
                    let until = now + LONGEST;
                    *left = Left::Until(until);
                    until
                }
            }
        };
        let pause = FIRST.saturating_mul(2_u32.saturating_pow(looks));
        if now + pause > until {
            return false;
        }
        sleep(pause).await;
        true
    }

    fn left(&self) -> std::sync::MutexGuard<'_, Left> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn pauses_grow_and_end() {
        let (lag, start) = (Lag::default(), Instant::now());
        let mut looks = Vec::new();
        while lag.pause(u32::try_from(looks.len()).unwrap()).await {
            looks.push(start.elapsed().as_millis());
        }
        assert_eq!(looks, [300, 900, 2_100, 4_500, 9_300]);
        assert!(lag.pause(0).await, "others have what is left");
        assert!(!lag.pause(2).await);
        lag.begin_again(true);
        assert!(lag.pause(4).await);
        lag.begin_again(false);
        assert!(!lag.pause(0).await);
    }
}
