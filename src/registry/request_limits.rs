// SPDX-License-Identifier: Apache-2.0

//! What a person allows us to ask of a host, below what we would ask by ourselves.

use std::num::NonZeroU32;
use std::str::FromStr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::sharers::RequestSharers;

/// How much is asked of each host, whoever asks.
#[derive(Clone, Copy, Debug, Default)]
pub struct RequestLimits {
    /// Most requests of a class, such as bodies that are read, at once; what we choose without it.
    pub concurrency: Option<NonZeroU32>,
    /// Most requests in a time; without it, what the host bears.
    pub rate: Option<Rate>,
}

/// So many requests in a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    requests: NonZeroU32,
    per: Duration,
}

/// A text that is no rate.
#[derive(Debug, thiserror::Error)]
#[error(
    "expected a number of requests from 1 on, a second, or with /m a minute, or with /h an hour, such as 20 or 100/m"
)]
pub struct RateError;

/// The moments at which requests may leave, in even distances.
#[derive(Debug)]
pub(super) struct Slots {
    spacing: Duration,
    /// All of them together leave in these distances.
    sharers: RequestSharers,
    next: Mutex<Option<Instant>>,
}

// === impl Rate ===

impl Rate {
    /// The time between two requests.
    pub(super) fn spacing(self) -> Duration {
        self.per / self.requests.get()
    }
}

impl FromStr for Rate {
    type Err = RateError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (requests, unit) = text.split_once('/').unwrap_or((text, "s"));
        let per = Duration::from_secs(match unit {
            "s" => 1,
            "m" => 60,
            "h" => 60 * 60,
            _ => return Err(RateError),
        });
        let requests = requests.parse().map_err(|_| RateError)?;
        Ok(Self { requests, per })
    }
}

// === impl Slots ===

impl Slots {
    pub(super) fn every(spacing: Duration, sharers: &RequestSharers) -> Self {
        Self {
            spacing,
            sharers: sharers.clone(),
            next: Mutex::default(),
        }
    }

    /// The next moment at which a request may leave; it is ours then.
    pub(super) fn take(&self) -> Instant {
        let now = Instant::now();
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        let slot = next.map_or(now, |next| next.max(now));
        let sharers = u32::try_from(self.sharers.count()).unwrap_or(u32::MAX);
        *next = Some(slot + self.spacing.saturating_mul(sharers));
        slot
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_as_they_are_written() {
        let spacing = |text: &str| text.parse::<Rate>().ok().map(Rate::spacing);
        for (text, milliseconds) in [("20", 50), ("20/s", 50), ("100/m", 600), ("3600/h", 1_000)] {
            let expected = Duration::from_millis(milliseconds);
            assert_eq!(spacing(text), Some(expected), "{text}");
        }
        for text in [
            "",
            "0",
            "0/m",
            "-1",
            "1.5",
            "20/d",
            "20/",
            "/s",
            " 20",
            "4294967296",
        ] {
            assert_eq!(spacing(text), None, "{text}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn slots_lie_evenly_and_none_is_saved_up() {
        let sharers = RequestSharers::default();
        let slots = Slots::every(Duration::from_millis(100), &sharers);
        let start = Instant::now();
        let taken = || slots.take().duration_since(start).as_millis();
        assert_eq!([taken(), taken(), taken()], [0, 100, 200]);
        tokio::time::advance(Duration::from_secs(10)).await;
        assert_eq!([taken(), taken()], [10_000, 10_100]);
        // Three processes take turns at them.
        sharers.set(3);
        assert_eq!([taken(), taken()], [10_200, 10_500]);
    }
}
