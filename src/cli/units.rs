// SPDX-License-Identifier: Apache-2.0

//! Bytes and times as people read them.

use std::time::Duration;

/// Units of bytes above the byte, each a thousand of the one before.
const UNITS: [&str; 5] = ["kB", "MB", "GB", "TB", "PB"];

/// A number of bytes with three digits or a little more: `0 B`, `999 B`, `3.4 MB`, `123.4 MB`.
#[expect(clippy::cast_precision_loss, reason = "one decimal is shown")]
pub(super) fn bytes(bytes: u64) -> String {
    if bytes < 1_000 {
        return format!("{bytes} B");
    }
    let mut value = bytes as f64 / 1_000.0;
    let mut units = UNITS.iter().peekable();
    while let Some(unit) = units.next() {
        // 999.95 would be shown as 1000.0.
        if value < 999.95 || units.peek().is_none() {
            return format!("{value:.1} {unit}");
        }
        value /= 1_000.0;
    }
    format!("{bytes} B")
}

/// A time that something took: `0.3s`, `12.0s`, `3m05s`, `2h00m`.
pub(super) fn duration(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        0..60 => format!("{:.1}s", duration.as_secs_f64().min(59.9)),
        60..3_600 => format!("{}m{:02}s", seconds / 60, seconds % 60),
        _ => format!("{}h{:02}m", seconds / 3_600, seconds / 60 % 60),
    }
}

/// A number with its noun.
pub(super) fn count(number: usize, one: &str, several: &str) -> String {
    let noun = if number == 1 { one } else { several };
    format!("{number} {noun}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_in_the_largest_unit_that_fits() {
        let cases = [
            (0, "0 B"),
            (999, "999 B"),
            (1_000, "1.0 kB"),
            (3_414_000, "3.4 MB"),
            (123_400_000, "123.4 MB"),
            (999_949, "999.9 kB"),
            (999_950, "1.0 MB"),
            (u64::MAX, "18446.7 PB"),
        ];
        for (number, expected) in cases {
            assert_eq!(bytes(number), expected);
        }
    }

    #[test]
    fn durations_to_the_second_or_finer() {
        let cases = [
            (0, "0.0s"),
            (3_240, "3.2s"),
            (59_990, "59.9s"),
            (60_000, "1m00s"),
            (3_599_999, "59m59s"),
            (7_260_000, "2h01m"),
        ];
        for (milliseconds, expected) in cases {
            assert_eq!(duration(Duration::from_millis(milliseconds)), expected);
        }
    }
}
