// SPDX-License-Identifier: Apache-2.0

//! When the next round starts.

use croner::Cron;
use croner::errors::CronError;
use croner::parser::{CronParser, Seconds, Year};
use jiff::Timestamp;
use jiff::tz::{TimeZone, TimeZoneDatabase};

use super::Duration;

/// Shortest interval between two rounds.
pub const SHORTEST_INTERVAL: Duration = Duration::from_secs(30);
/// Longest cron expression, in bytes.
pub const CRON_LENGTH: usize = 100;
/// Fields of a cron expression; names such as `@daily` stand for all of them.
const CRON_FIELDS: usize = 5;
/// How much of an interval jitter moves a round at most: mirrors created together drift apart.
const JITTER: f64 = 0.1;

/// When rounds start.
#[derive(Clone, Debug)]
pub enum Schedule {
    /// A time after the last round began.
    Every(Interval),
    /// At times of the clock.
    Cron(Box<CronTimes>),
}

/// Time between two rounds, at least [`SHORTEST_INTERVAL`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interval(Duration);

/// Times of the clock in a time zone.
#[derive(Clone, Debug)]
pub struct CronTimes {
    cron: Cron,
    zone: TimeZone,
}

/// Why a schedule is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScheduleError {
    /// The interval is too short.
    #[error("interval {0} is too short: the shortest is {shortest}", shortest = SHORTEST_INTERVAL)]
    TooShort(Duration),
    /// The cron expression is too long.
    #[error("the cron expression has {found} characters, at most {most} are allowed", most = CRON_LENGTH)]
    CronTooLong {
        /// Its length in bytes.
        found: usize,
    },
    /// The cron expression is not one.
    #[error(
        "cron expression {text:?} is not understood ({message}): write minute, hour, day of month, month and day of week, such as 0 3 * * *"
    )]
    Cron {
        /// The expression.
        text: String,
        /// What is wrong with it.
        message: String,
    },
    /// The time zone does not exist.
    #[error(
        "time zone {0:?} does not exist: use a name of the IANA database, such as Europe/Berlin"
    )]
    TimeZone(String),
}

// === impl ScheduleError ===

impl ScheduleError {
    fn cron(text: &str, error: CronError) -> Self {
        let message = match error {
            CronError::InvalidPattern(message)
            | CronError::IllegalCharacters(message)
            | CronError::ComponentError(message) => message,
            CronError::EmptyPattern => "it is empty".to_owned(),
            CronError::InvalidDate
            | CronError::InvalidTime
            | CronError::TimeSearchLimitExceeded => "it names no time".to_owned(),
        };
        Self::Cron {
            text: text.to_owned(),
            message: message.trim_end_matches('.').to_owned(),
        }
    }
}

// === impl Interval ===

impl Interval {
    /// An interval, if it is long enough.
    pub fn new(duration: Duration) -> Result<Self, ScheduleError> {
        if duration < SHORTEST_INTERVAL {
            return Err(ScheduleError::TooShort(duration));
        }
        Ok(Self(duration))
    }

    /// Its length without jitter.
    pub fn duration(self) -> Duration {
        self.0
    }

    /// The first time after `now` that lies a whole number of intervals after `time`.
    pub fn continue_from(self, time: Timestamp, now: Timestamp) -> Timestamp {
        let length = i64::try_from(self.0.as_std().as_secs()).unwrap_or(i64::MAX);
        let passed = now.as_second().saturating_sub(time.as_second());
        // The schema and `new` keep an interval from being zero.
        let intervals = passed.checked_div(length).unwrap_or_default() + 1;
        let next = intervals
            .checked_mul(length)
            .and_then(|seconds| seconds.checked_add(time.as_second()));
        next.and_then(|second| Timestamp::from_second(second).ok())
            .unwrap_or(Timestamp::MAX)
    }
}

// === impl CronTimes ===

impl CronTimes {
    /// Reads five cron fields and the name of a time zone.
    pub fn parse(cron: &str, zone: &str) -> Result<Self, ScheduleError> {
        if cron.len() > CRON_LENGTH {
            return Err(ScheduleError::CronTooLong { found: cron.len() });
        }
        let fields = cron.split_whitespace().count();
        if fields != CRON_FIELDS && !cron.starts_with('@') {
            return Err(ScheduleError::Cron {
                text: cron.to_owned(),
                message: format!("it has {fields} fields"),
            });
        }
        let times = Self {
            cron: CronParser::builder()
                .seconds(Seconds::Disallowed)
                .year(Year::Disallowed)
                .build()
                .parse(cron)
                .map_err(|error| ScheduleError::cron(cron, error))?,
            zone: TimeZoneDatabase::bundled()
                .get(zone)
                .map_err(|_| ScheduleError::TimeZone(zone.to_owned()))?,
        };
        // What comes around at all comes around from any time on.
        match times.first_after(Timestamp::UNIX_EPOCH) {
            Some(_) => Ok(times),
            None => Err(ScheduleError::cron(cron, CronError::InvalidDate)),
        }
    }

    /// The first time after `time`, if there is any.
    fn first_after(&self, time: Timestamp) -> Option<Timestamp> {
        self.cron
            .find_next_occurrence(&time.to_zoned(self.zone.clone()), false)
            .ok()
            .map(|time| time.timestamp())
    }
}

// === impl Schedule ===

impl Schedule {
    /// When the next round starts, never before `now`. None where a cron expression names no time.
    ///
    /// `last` is the start of the last round. Without one an interval starts now and a cron expression
    /// waits for its time. A time that passed while nothing ran is made up for once, now.
    /// `jitter` is a random number from -1.0 to 1.0 and moves an interval by up to 10 %.
    pub fn next_after(
        &self,
        last: Option<Timestamp>,
        now: Timestamp,
        jitter: f64,
    ) -> Option<Timestamp> {
        match self {
            Self::Every(Interval(duration)) => {
                let Some(last) = last else { return Some(now) };
                let wait = duration
                    .as_std()
                    .mul_f64(JITTER.mul_add(jitter.clamp(-1.0, 1.0), 1.0));
                let next = last.checked_add(wait).unwrap_or(Timestamp::MAX);
                Some(next.max(now))
            }
            Self::Cron(times) => times
                .first_after(last.unwrap_or(now))
                .map(|next| next.max(now)),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn time(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn every(interval: &str) -> Schedule {
        Schedule::Every(Interval::new(interval.parse().unwrap()).unwrap())
    }

    fn cron(cron: &str, zone: &str) -> Schedule {
        Schedule::Cron(Box::new(CronTimes::parse(cron, zone).unwrap()))
    }

    #[test]
    fn when_the_next_round_starts() {
        let now = "2026-03-28T12:00:00Z";
        let cases = [
            ("no round yet", every("1h"), None, 0.0, Some(now)),
            (
                "an hour after the last",
                every("1h"),
                Some("2026-03-28T11:30:00Z"),
                0.0,
                Some("2026-03-28T12:30:00Z"),
            ),
            (
                "earliest",
                every("1h"),
                Some("2026-03-28T11:30:00Z"),
                -1.0,
                Some("2026-03-28T12:24:00Z"),
            ),
            (
                "latest",
                every("1h"),
                Some("2026-03-28T11:30:00Z"),
                1.0,
                Some("2026-03-28T12:36:00Z"),
            ),
            (
                "missed",
                every("1h"),
                Some("2026-03-27T00:00:00Z"),
                0.0,
                Some(now),
            ),
            (
                "cron waits",
                cron("0 3 * * *", "UTC"),
                None,
                0.0,
                Some("2026-03-29T03:00:00Z"),
            ),
            (
                "cron in a zone",
                cron("0 3 * * *", "Europe/Berlin"),
                None,
                0.0,
                Some("2026-03-29T01:00:00Z"),
            ),
            (
                "cron in the hour that does not exist",
                cron("30 2 * * *", "Europe/Berlin"),
                None,
                0.0,
                Some("2026-03-29T01:00:00Z"),
            ),
            (
                "cron missed",
                cron("0 3 * * *", "UTC"),
                Some("2026-03-26T03:00:00Z"),
                0.0,
                Some(now),
            ),
            (
                "cron on a leap day",
                cron("0 0 29 2 *", "UTC"),
                None,
                0.0,
                Some("2028-02-29T00:00:00Z"),
            ),
        ];
        for (name, schedule, last, jitter, expected) in cases {
            let next = schedule.next_after(last.map(time), time(now), jitter);
            assert_eq!(next, expected.map(time), "{name}");
        }
    }

    #[test]
    fn schedules_that_are_refused() {
        let cron = |text: &str, zone: &str| CronTimes::parse(text, zone).unwrap_err().to_string();
        assert_eq!(
            Interval::new(Duration::from_secs(29))
                .unwrap_err()
                .to_string(),
            "interval 29s is too short: the shortest is 30s"
        );
        for (text, found) in [
            ("0 3 * *", "it has 4 fields"),
            ("* * * * * *", "it has 6 fields"),
            ("", "it has 0 fields"),
            ("0 0 30 2 *", "it names no time"),
            ("0 0 31 4,6,9,11 *", "it names no time"),
            ("61 3 * * *", "Number out of bounds"),
            (
                "a b c d e",
                "CronPattern contains illegal character 'A' in part 'A'",
            ),
        ] {
            assert_eq!(
                cron(text, "UTC"),
                format!(
                    "cron expression {text:?} is not understood ({found}): write minute, hour, day of month, month \
                     and day of week, such as 0 3 * * *"
                )
            );
        }
        assert_eq!(
            cron("0 3 * * *", "Europe/Berln"),
            "time zone \"Europe/Berln\" does not exist: use a name of the IANA database, such as Europe/Berlin"
        );
        assert_eq!(
            cron(&"1".repeat(101), "UTC"),
            "the cron expression has 101 characters, at most 100 are allowed"
        );
    }

    proptest! {
        #[test]
        fn any_cron_text_is_read_or_refused_without_a_panic(text in "[0-9*/,A-Z@#?L -]{0,30}") {
            if let Ok(times) = CronTimes::parse(&text, "Europe/Berlin") {
                let now = time("2026-03-28T12:00:00Z");
                let next = Schedule::Cron(Box::new(times)).next_after(None, now, 0.0);
                prop_assert!(next.is_none_or(|next| next > now));
            }
        }

        #[test]
        fn jitter_stays_within_a_tenth(seconds in 30_u32..1_000_000, jitter in -1.0..1.0) {
            let last = time("2026-03-28T12:00:00Z");
            let schedule = Schedule::Every(Interval::new(Duration::from_secs(seconds.into())).unwrap());
            let wait = schedule.next_after(Some(last), last, jitter).unwrap().duration_since(last);
            prop_assert!((wait.as_secs_f64() / f64::from(seconds) - 1.0).abs() <= 0.1 + 1e-9);
        }
    }
}
