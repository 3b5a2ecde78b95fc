// SPDX-License-Identifier: Apache-2.0

//! Times as the API server keeps them, and as people are told them.

use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

/// The time without its fraction of a second: what is written must read back as the same value, or every
/// comparison finds a change.
pub fn whole_seconds(time: Timestamp) -> Time {
    Time(Timestamp::from_second(time.as_second()).unwrap_or(time))
}

/// How long ago a time is, in the largest unit of which there are two, as kubectl has it.
pub fn age(time: Timestamp, now: Timestamp) -> String {
    let passed = Duration::try_from(now.duration_since(time)).unwrap_or_default();
    let seconds = passed.as_secs();
    match seconds {
        0..120 => format!("{seconds}s"),
        120..7_200 => format!("{}m", seconds / 60),
        7_200..172_800 => format!("{}h", seconds / 3_600),
        _ => format!("{}d", seconds / 86_400),
    }
}

/// A time with how long ago it is.
pub fn since(time: Timestamp, now: Timestamp) -> String {
    format!("{time:.0} ({} ago)", age(time, now))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_are_told_in_one_unit() {
        let cases = [
            (0, "0s"),
            (119, "119s"),
            (120, "2m"),
            (7_199, "119m"),
            (7_200, "2h"),
            (172_799, "47h"),
            (172_800, "2d"),
        ];
        let now: Timestamp = "2026-11-30T12:00:00Z".parse().unwrap();
        for (seconds, expected) in cases {
            let time = now - Duration::from_secs(seconds);
            assert_eq!(age(time, now), expected);
        }
        let later = now + Duration::from_secs(60);
        assert_eq!(age(later, now), "0s");
    }
}
