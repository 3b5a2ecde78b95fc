// SPDX-License-Identifier: Apache-2.0

//! When the mirrors are due: all of them at the same second, every few minutes.

use std::time::{Duration, Instant};

use jiff::Timestamp;

/// From this many mirrors on, more time is left for a start.
const MANY: usize = 2_000;

/// A time that comes again and again, so that nothing has to be changed for mirrors to be due.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Schedule {
    minutes: u64,
}

impl Schedule {
    /// One that leaves enough time for so many mirrors.
    pub(crate) fn of(mirrors: usize) -> Self {
        Self {
            minutes: if mirrors < MANY { 2 } else { 5 },
        }
    }

    /// As cron writes it.
    pub(crate) fn cron(self) -> String {
        format!("*/{} * * * *", self.minutes)
    }

    /// The next time the mirrors are due.
    #[expect(
        clippy::disallowed_methods,
        reason = "a schedule goes by the clock, and here is an edge"
    )]
    pub(crate) fn next(self) -> Instant {
        let now = (
            Instant::now(),
            Timestamp::now().as_duration().unsigned_abs(),
        );
        let period = Duration::from_secs(self.minutes * 60);
        let periods = now.1.as_secs() / period.as_secs() + 1;
        let next = Duration::from_secs(periods * period.as_secs());
        now.0 + next.saturating_sub(now.1)
    }

    /// Waits until there is enough time before the next one to start a process and to see it rest.
    pub(crate) async fn leave_time(self) {
        let next = self.next();
        if next - Instant::now() < Duration::from_secs(self.minutes * 30) {
            // What is due while no controller runs is not made up for.
            tokio::time::sleep_until((next + Duration::from_secs(1)).into()).await;
        }
    }
}
