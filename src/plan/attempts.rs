// SPDX-License-Identifier: Apache-2.0

//! When a mirror is tried again. Time and chance are parameters.

use std::time::Duration;

use jiff::Timestamp;

use crate::policy::Schedule;

/// The wait after the first failed round; it doubles with each further one.
const FIRST_WAIT: Duration = Duration::from_secs(10);
/// The longest such wait.
pub(super) const LONGEST_WAIT: Duration = Duration::from_secs(15 * 60);
/// How much chance moves such a wait at most: mirrors that failed together are not tried together.
const JITTER: f64 = 0.2;

/// The rounds of a mirror so far.
#[derive(Clone, Copy, Debug, Default)]
pub struct Attempts {
    /// When the last one began.
    last: Option<Timestamp>,
    /// How many failed since one succeeded.
    failures: u32,
    /// Registries asked to be left alone until then.
    not_before: Option<Timestamp>,
    /// A policy lets an image through then.
    admission: Option<Timestamp>,
}

/// What the end of a round says about the next one.
#[derive(Clone, Copy, Debug, Default)]
pub struct Outlook {
    /// Whether something failed that time may heal.
    pub failed: bool,
    /// When registries may be asked again.
    pub not_before: Option<Timestamp>,
    /// When a policy lets the first image through that waits for its time.
    pub admission: Option<Timestamp>,
}

impl Attempts {
    /// Takes note of a round.
    pub fn record(&mut self, began: Timestamp, outlook: Outlook) {
        let Outlook {
            failed,
            not_before,
            admission,
        } = outlook;
        *self = Self {
            last: Some(began),
            failures: if failed {
                self.failures.saturating_add(1)
            } else {
                0
            },
            not_before,
            admission,
        };
    }

    /// When the next round begins, not before `now`: on schedule, earlier after a failure or to let an
    /// image through, and never while a registry wants to be left alone. None where the schedule names no time any more.
    ///
    /// `jitter` is a random number from -1.0 to 1.0.
    pub fn next(&self, schedule: &Schedule, now: Timestamp, jitter: f64) -> Option<Timestamp> {
        let regular = schedule.next_after(self.last, now, jitter);
        let retry = (self.failures > 0).then(|| {
            let wait = wait(self.failures).mul_f64(JITTER.mul_add(jitter.clamp(-1.0, 1.0), 1.0));
            now.checked_add(wait).unwrap_or(Timestamp::MAX)
        });
        let admission = self.admission.map(|time| time.max(now));
        let next = [regular, retry, admission].into_iter().flatten().min();
        next.map(|next| next.max(self.not_before.unwrap_or(next)))
    }
}

/// The wait after so many failures in a row.
fn wait(failures: u32) -> Duration {
    let doublings = failures.saturating_sub(1).min(16);
    FIRST_WAIT.saturating_mul(1 << doublings).min(LONGEST_WAIT)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::schedule::{CronTimes, Interval};

    const BEGAN: &str = "2026-03-28T12:00:00Z";
    const NOW: &str = "2026-03-28T12:01:00Z";

    fn time(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn after(failures: u32, not_before: Option<&str>) -> Attempts {
        Attempts {
            last: Some(time(BEGAN)),
            failures,
            not_before: not_before.map(time),
            admission: None,
        }
    }

    fn admitting(admission: &str) -> Attempts {
        Attempts {
            admission: Some(time(admission)),
            ..after(0, None)
        }
    }

    #[test]
    fn failures_bring_the_next_round_forward_and_registries_put_it_off() {
        let hourly = Schedule::Every(Interval::new("1h".parse().unwrap()).unwrap());
        let minutely = Schedule::Every(Interval::new("1m30s".parse().unwrap()).unwrap());
        let nightly = Schedule::Cron(Box::new(CronTimes::parse("0 3 * * *", "UTC").unwrap()));
        let cases = [
            ("the first round", &hourly, Attempts::default(), Some(NOW)),
            (
                "on schedule",
                &hourly,
                after(0, None),
                Some("2026-03-28T13:00:00Z"),
            ),
            (
                "soon after a failure",
                &hourly,
                after(1, None),
                Some("2026-03-28T12:01:10Z"),
            ),
            (
                "later after another",
                &hourly,
                after(2, None),
                Some("2026-03-28T12:01:20Z"),
            ),
            (
                "at most a quarter of an hour",
                &hourly,
                after(u32::MAX, None),
                Some("2026-03-28T12:16:00Z"),
            ),
            (
                "never later than on schedule",
                &minutely,
                after(9, None),
                Some("2026-03-28T12:01:30Z"),
            ),
            (
                "not before a registry allows",
                &hourly,
                after(1, Some("2026-03-28T12:30:00Z")),
                Some("2026-03-28T12:30:00Z"),
            ),
            (
                "not on schedule either",
                &hourly,
                after(1, Some("2026-03-28T18:00:00Z")),
                Some("2026-03-28T18:00:00Z"),
            ),
            (
                "what registries said is over",
                &hourly,
                after(0, Some("2026-03-28T12:00:30Z")),
                Some("2026-03-28T13:00:00Z"),
            ),
            (
                "a failure at night",
                &nightly,
                after(1, None),
                Some("2026-03-28T12:01:10Z"),
            ),
            (
                "when a quarantine ends",
                &hourly,
                admitting("2026-03-28T12:20:00Z"),
                Some("2026-03-28T12:20:00Z"),
            ),
            (
                "a quarantine that ended meanwhile",
                &nightly,
                admitting("2026-03-28T12:00:30Z"),
                Some(NOW),
            ),
            (
                "a quarantine that ends after the next round",
                &hourly,
                admitting("2026-03-28T18:00:00Z"),
                Some("2026-03-28T13:00:00Z"),
            ),
        ];
        for (name, schedule, attempts, expected) in cases {
            let next = attempts.next(schedule, time(NOW), 0.0);
            assert_eq!(next, expected.map(time), "{name}");
        }
    }

    #[test]
    fn a_success_makes_up_for_all_failures() {
        let mut attempts = Attempts::default();
        let failed = Outlook {
            failed: true,
            ..Outlook::default()
        };
        let throttled = Outlook {
            not_before: Some(time(NOW)),
            ..failed
        };
        attempts.record(time(BEGAN), failed);
        attempts.record(time(BEGAN), throttled);
        assert_eq!(
            (attempts.failures, attempts.not_before),
            (2, Some(time(NOW)))
        );
        attempts.record(time(NOW), Outlook::default());
        assert_eq!(
            (attempts.failures, attempts.not_before, attempts.last),
            (0, None, Some(time(NOW)))
        );
    }
}
