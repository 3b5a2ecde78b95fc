// SPDX-License-Identifier: Apache-2.0

//! When a request is worth repeating, and after how long. Pure, but for the one look at the clock.
//!
//! `backon` repeats one future by one schedule. Here what may still be tried depends on what went wrong each
//! time, and the wait for a host that refuses is shared with all other requests to it.

use std::sync::OnceLock;
use std::time::Duration;

use jiff::fmt::{rfc2822::DateTimeParser, strtime};
use jiff::{SignedDuration, Timestamp};
use reqwest::StatusCode;
use reqwest::header::{HeaderMap, RETRY_AFTER};
use tokio::time::Instant;

use crate::oci::limits::LONGEST_REST;

/// How often one request is sent that is answered by trouble, or only half.
const TRIES: u32 = 5;
/// How long after it was first sent one request is tried that the host refuses while it answers others.
const REFUSED: Duration = Duration::from_secs(5 * 60);
/// How long after it was first sent one request is tried that nobody answers: one that was waited for as long
/// as any is not sent again.
const UNANSWERED: Duration = Duration::from_secs(10);
/// The longest that is waited between two tries because a host asked for it.
const PATIENCE: Duration = Duration::from_secs(60);

/// The longest delay before the second try; it doubles for each further one.
const FIRST_DELAY: Duration = Duration::from_millis(250);
/// The longest delay before any try.
const LONGEST_DELAY: Duration = Duration::from_secs(30);
/// From here on a number is no length of time but a time: seconds since 1970 from July 2017 on, as Docker
/// Hub says it (docker/hub-feedback#2459, November 2025), and the same in milliseconds.
const UNIX_SECONDS: u64 = 1_500_000_000;
const UNIX_MILLISECONDS: u64 = UNIX_SECONDS * 1_000;
/// The obsolete forms of a date that a recipient has to know (RFC 9110, section 5.6.7).
const OLD_DATES: [&str; 2] = ["%A, %d-%b-%y %H:%M:%S GMT", "%a %b %e %H:%M:%S %Y"];

/// What kind of trouble a try ended in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    /// The host is asked too much.
    Refused,
    /// There was no answer.
    Unanswered,
    /// There was half of one, or one that something is broken.
    Broken,
    /// It came so slowly that it was given up. Each try takes half a minute.
    Slow,
}

/// When a request was sent for the first time. What it waited for its turn before does not count as a try.
#[derive(Debug, Default)]
pub(super) struct FirstSent(OnceLock<Instant>);

/// The tries of one request.
#[derive(Debug)]
pub(super) struct Tries<'a> {
    first: &'a FirstSent,
    failed: u32,
}

// === impl FirstSent ===

impl FirstSent {
    /// It is sent, at this time.
    pub(super) fn sent(&self, now: Instant) {
        self.0.get_or_init(|| now);
    }
}

// === impl Tries ===

impl<'a> Tries<'a> {
    pub(super) fn new(first: &'a FirstSent) -> Self {
        Self { first, failed: 0 }
    }

    /// Takes note of a failure: how long to wait before the next try, or that there is to be none.
    /// `asked` is how long the host wants to be left alone.
    pub(super) fn failed(
        &mut self,
        now: Instant,
        trouble: Trouble,
        asked: Option<Duration>,
    ) -> Option<Duration> {
        let began = *self.first.0.get_or_init(|| now);
        self.failed = self.failed.saturating_add(1);
        let tried = now.duration_since(began);
        // The last try comes when the time is over, and not as long after it as the pause would be by then.
        let (may_repeat, longest) = match trouble {
            Trouble::Refused => (tried < REFUSED, LONGEST_DELAY),
            Trouble::Unanswered => (tried < UNANSWERED, UNANSWERED.saturating_sub(tried)),
            Trouble::Broken => (self.failed < TRIES, LONGEST_DELAY),
            // A new connection is worth one more try, and no third.
            Trouble::Slow => (self.failed < 2, LONGEST_DELAY),
        };
        let asked = asked.unwrap_or_default();
        (may_repeat && asked <= PATIENCE).then(|| delay(self.failed).min(longest).max(asked))
    }
}

/// Whether the same request may well be answered otherwise in a moment.
///
/// 520 to 530 are what Cloudflare says of the server behind it (google/go-containerregistry#1707).
pub(super) fn is_transient(status: StatusCode) -> bool {
    matches!(
        status.as_u16(),
        408 | 425 | 429 | 500 | 502 | 503 | 504 | 520..=527 | 529 | 530
    )
}

/// Whether a status says that the host is asked too much.
pub(super) fn is_refusal(status: StatusCode) -> bool {
    matches!(
        status,
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE
    )
}

/// The longest delay after so many `tries`.
fn longest_delay(tries: u32) -> Duration {
    let doubled = 2u32.saturating_pow(tries.saturating_sub(1));
    FIRST_DELAY.saturating_mul(doubled).min(LONGEST_DELAY)
}

/// A delay after so many `tries`: any between nothing and the longest, so that clients that failed
/// together do not come back together.
pub(super) fn delay(tries: u32) -> Duration {
    longest_delay(tries).mul_f64(fastrand::f64())
}

/// How long somebody is left alone who refused so many `tries` and does not say how long: seconds, then more.
pub(super) fn rest(tries: u32) -> Duration {
    longest_delay(tries.saturating_add(2)) + delay(tries)
}

/// How long `Retry-After` asks to wait, at most six hours: seconds or a date (RFC 9110, section 10.2.3),
/// or the time as a number, which registries send as well.
pub(super) fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    // Docker Hub's own API has another name for it (its documentation, rate limiting, 2025).
    let asked = headers
        .get(RETRY_AFTER)
        .or_else(|| headers.get("x-retry-after"));
    let text = asked?.to_str().ok()?.trim();
    let wait = match number(text) {
        Some(seconds @ ..UNIX_SECONDS) => Duration::from_secs(seconds),
        Some(time @ ..UNIX_MILLISECONDS) => until(time.saturating_mul(1_000), now),
        Some(time) => until(time, now),
        None => ahead(date(text)?, now),
    };
    Some(wait.min(LONGEST_REST))
}

/// A whole number, or the next larger one of a fraction; the largest where there is none so large.
fn number(text: &str) -> Option<u64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !is_number(whole) || !is_number(fraction) {
        return None;
    }
    let rest = u64::from(fraction.bytes().any(|digit| digit != b'0'));
    Some(whole.parse().unwrap_or(u64::MAX).saturating_add(rest))
}

/// A date in the forms of HTTP, or in that of RFC 3339. Some call the zone of the former `UTC`.
fn date(text: &str) -> Option<Timestamp> {
    let in_utc = text.strip_suffix("UTC").map(|time| format!("{time}GMT"));
    let text = in_utc.as_deref().unwrap_or(text);
    if let Ok(time) = DateTimeParser::new().parse_timestamp(text) {
        return Some(time);
    }
    if let Ok(time) = text.parse() {
        return Some(time);
    }
    let old = |format| strtime::parse(format, text).ok()?.to_datetime().ok();
    let time = OLD_DATES.iter().find_map(old)?;
    jiff::tz::TimeZone::UTC.to_timestamp(time).ok()
}

/// How far ahead a time in milliseconds since 1970 lies.
fn until(milliseconds: u64, now: Timestamp) -> Duration {
    let milliseconds = i64::try_from(milliseconds).unwrap_or(i64::MAX);
    ahead(
        Timestamp::from_millisecond(milliseconds).unwrap_or(Timestamp::MAX),
        now,
    )
}

fn ahead(time: Timestamp, now: Timestamp) -> Duration {
    let ahead: SignedDuration = time.duration_since(now);
    Duration::try_from(ahead).unwrap_or_default()
}

/// How far ahead a time lies, from now.
pub(super) fn wait_until(time: Timestamp) -> Duration {
    ahead(time, now())
}

/// The moment that lies `wait` ahead.
pub(super) fn time_after(wait: Duration) -> Timestamp {
    now().checked_add(wait).unwrap_or(Timestamp::MAX)
}

/// The time.
#[expect(
    clippy::disallowed_methods,
    reason = "the edge: a date in Retry-After means nothing without the time"
)]
pub(super) fn now() -> Timestamp {
    Timestamp::now()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use reqwest::header::HeaderValue;

    use super::*;

    const NOW: &str = "2026-11-20T10:00:00Z";

    fn wait_for(text: &str) -> Option<u64> {
        let now = NOW.parse().unwrap();
        let mut headers = HeaderMap::new();
        headers.insert(RETRY_AFTER, HeaderValue::from_bytes(text.as_bytes()).ok()?);
        retry_after(&headers, now).map(|wait| wait.as_secs())
    }

    #[test]
    fn retry_after_in_every_form() {
        let cases = [
            ("seconds", "120", Some(120)),
            ("with blanks", " 120\t", Some(120)),
            ("a fraction", "0.5", Some(1)),
            ("no fraction", "30.0", Some(30)),
            ("none at all", "0", Some(0)),
            ("more than six hours", "1000000000", Some(21_600)),
            (
                "more than any number",
                "99999999999999999999999",
                Some(21_600),
            ),
            ("a Unix time", "1795169400", Some(600)),
            ("with a fraction", "1795169400.25", Some(601)),
            ("in milliseconds", "1795169400000", Some(600)),
            ("gone by", "1795168000", Some(0)),
            ("gone by, in milliseconds", "1795168000123", Some(0)),
            ("far ahead", "1895169400", Some(21_600)),
            ("a date", "Fri, 20 Nov 2026 10:01:30 GMT", Some(90)),
            (
                "a date of RFC 850",
                "Friday, 20-Nov-26 10:01:30 GMT",
                Some(90),
            ),
            ("a date of asctime", "Fri Nov 20 10:01:30 2026", Some(90)),
            ("another one", "Tue Nov  3 10:01:30 2026", Some(0)),
            ("a date gone by", "Fri, 20 Nov 2026 09:00:00 GMT", Some(0)),
            (
                "a date far ahead",
                "Fri, 19 Nov 2027 10:00:00 GMT",
                Some(21_600),
            ),
            (
                "a date with an offset",
                "Fri, 20 Nov 2026 11:01:30 +0100",
                Some(90),
            ),
            ("a date in UTC", "Fri, 20 Nov 2026 10:01:30 UTC", Some(90)),
            (
                "a date of RFC 850 in UTC",
                "Friday, 20-Nov-26 10:01:30 UTC",
                Some(90),
            ),
            ("a date of RFC 3339", "2026-11-20T10:01:30Z", Some(90)),
            (
                "the same elsewhere, with a fraction",
                "2026-11-20T12:01:29.5+02:00",
                Some(89),
            ),
            ("less than half a second", "0.493", Some(1)),
            ("a unit", "5s", None),
            ("a number and more", "2abc", None),
            ("two of them", "5, 10", None),
            ("negative", "-1", None),
            ("garbage", "soon", None),
            ("half a number", "1.", None),
            ("empty", "", None),
        ];
        for (name, text, expected) in cases {
            assert_eq!(wait_for(text), expected, "{name}: {text}");
        }
    }

    #[test]
    fn delays_double_up_to_half_a_minute() {
        let longest = [1, 2, 3, 8, 100].map(|tries| longest_delay(tries).as_millis());
        assert_eq!(longest, [250, 500, 1_000, 30_000, 30_000]);
        let rests = [(1, 1_000), (2, 2_000), (3, 4_000), (100, 30_000)];
        for (tries, least) in rests {
            assert!(rest(tries).as_millis() >= least, "{tries}");
        }
    }

    #[test]
    fn who_does_not_answer_is_tried_no_longer_than_said() {
        for _ in 0..200 {
            let (first, mut now) = (FirstSent::default(), Instant::now());
            let mut tries = Tries::new(&first);
            let began = now;
            first.sent(now);
            while let Some(wait) = tries.failed(now, Trouble::Unanswered, None) {
                now += wait;
            }
            assert_eq!(now.duration_since(began), UNANSWERED);
        }
    }

    #[test]
    fn what_is_tried_again_and_how_long() {
        use Trouble::{Broken, Refused, Unanswered};
        let second = Duration::from_secs(1);
        // Trouble, every so often, and how many tries that makes.
        let cases = [
            (Broken, Duration::ZERO, 5),
            (Broken, second * 30, 5),
            (Refused, second, 300),
            (Refused, second * 30, 10),
            (Unanswered, Duration::from_millis(2_500), 4),
            (Unanswered, second * 5, 2),
            (Unanswered, second * 30, 1),
        ];
        for (trouble, every, expected) in cases {
            let (first, mut now, mut sent) = (FirstSent::default(), Instant::now(), 1);
            let mut tries = Tries::new(&first);
            first.sent(now);
            now += every;
            while tries.failed(now, trouble, None).is_some() {
                first.sent(now);
                now += every;
                sent += 1;
            }
            assert_eq!(sent, expected, "{trouble:?}, {every:?}");
        }
    }

    #[test]
    fn what_a_host_asks_for_is_waited_for_if_it_is_not_long() {
        let ask = |seconds| {
            Tries::new(&FirstSent::default()).failed(
                Instant::now(),
                Trouble::Refused,
                Some(Duration::from_secs(seconds)),
            )
        };
        assert_eq!(ask(60), Some(Duration::from_secs(60)));
        assert_eq!(ask(61), None);
    }

    #[test]
    fn statuses_that_may_pass() {
        let passing =
            (100..=599).filter(|status| StatusCode::from_u16(*status).is_ok_and(is_transient));
        let expected = [
            408, 425, 429, 500, 502, 503, 504, 520, 521, 522, 523, 524, 525, 526, 527, 529, 530,
        ];
        assert_eq!(passing.collect::<Vec<u16>>(), expected);
    }

    proptest! {
        #[test]
        fn any_header_gives_at_most_six_hours(text in "[ -~]{0,40}") {
            prop_assert!(wait_for(&text).is_none_or(|wait| wait <= 21_600));
        }

        #[test]
        fn any_number_is_understood(number in any::<u64>()) {
            prop_assert!(wait_for(&number.to_string()).is_some_and(|wait| wait <= 21_600));
        }

        #[test]
        fn the_same_time_is_the_same_wait_in_every_form(seconds in 0i64..21_600) {
            let now: Timestamp = NOW.parse().unwrap();
            let time = now + SignedDuration::from_secs(seconds);
            let expected = u64::try_from(seconds).ok();
            let forms = [
                seconds.to_string(),
                time.as_second().to_string(),
                time.as_millisecond().to_string(),
                time.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string(),
                time.strftime(OLD_DATES[0]).to_string(),
                time.strftime(OLD_DATES[1]).to_string(),
            ];
            for form in forms {
                prop_assert_eq!(wait_for(&form), expected, "{}", form);
            }
        }

        #[test]
        fn a_delay_is_never_longer_than_the_longest(tries in 0u32..1_000) {
            prop_assert!(delay(tries) <= longest_delay(tries));
        }
    }
}
