//! When a request is worth repeating, and after how long. Pure, but for the one look at the clock.

use std::time::Duration;

use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimeParser;
use reqwest::StatusCode;
use reqwest::header::{HeaderMap, RETRY_AFTER};

/// How often one request is sent before it counts as failed.
pub(super) const TRIES: u32 = 5;
/// How long a registry is left alone that says 429 and not how long.
pub(super) const REST: Duration = Duration::from_secs(60);

/// The longest delay before the second try; it doubles for each further one.
const FIRST_DELAY: Duration = Duration::from_millis(250);
/// The longest delay before any try.
const LONGEST_DELAY: Duration = Duration::from_secs(30);
/// The longest that a registry may ask us to stay away.
const LONGEST_REST: Duration = Duration::from_secs(6 * 60 * 60);

/// Whether the same request may well be answered otherwise in a moment.
pub(super) fn is_transient(status: StatusCode) -> bool {
    matches!(status.as_u16(), 408 | 425 | 429 | 500 | 502 | 503 | 504)
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

/// How long `Retry-After` asks to wait: seconds or a date (RFC 9110, section 10.2.3), at most six hours.
pub(super) fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let wait = if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        Duration::from_secs(text.parse().unwrap_or(u64::MAX))
    } else {
        let date = DateTimeParser::new().parse_timestamp(text).ok()?;
        Duration::try_from(date.duration_since(now)).unwrap_or_default()
    };
    Some(wait.min(LONGEST_REST))
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

    fn wait_for(text: &str) -> Option<u64> {
        let now = "2026-11-20T10:00:00Z".parse().unwrap();
        let mut headers = HeaderMap::new();
        headers.insert(RETRY_AFTER, HeaderValue::from_bytes(text.as_bytes()).ok()?);
        retry_after(&headers, now).map(|wait| wait.as_secs())
    }

    #[test]
    fn retry_after_in_every_form() {
        let cases = [
            ("seconds", "120", Some(120)),
            ("none at all", "0", Some(0)),
            ("more than six hours", "1000000000", Some(21_600)),
            (
                "more than any number",
                "99999999999999999999999",
                Some(21_600),
            ),
            ("a date", "Fri, 20 Nov 2026 10:01:30 GMT", Some(90)),
            ("a date gone by", "Fri, 20 Nov 2026 09:00:00 GMT", Some(0)),
            (
                "a date far ahead",
                "Fri, 19 Nov 2027 10:00:00 GMT",
                Some(21_600),
            ),
            ("negative", "-1", None),
            ("garbage", "soon", None),
            ("empty", "", None),
        ];
        for (name, text, expected) in cases {
            assert_eq!(wait_for(text), expected, "{name}");
        }
    }

    #[test]
    fn delays_double_up_to_half_a_minute() {
        let longest = [1, 2, 3, 8, 100].map(|tries| longest_delay(tries).as_millis());
        assert_eq!(longest, [250, 500, 1_000, 30_000, 30_000]);
    }

    proptest! {
        #[test]
        fn any_header_gives_at_most_six_hours(text in "[ -~]{0,40}") {
            prop_assert!(wait_for(&text).is_none_or(|wait| wait <= 21_600));
        }

        #[test]
        fn a_delay_is_never_longer_than_the_longest(tries in 0u32..1_000) {
            prop_assert!(delay(tries) <= longest_delay(tries));
        }
    }
}
