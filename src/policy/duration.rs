// SPDX-License-Identifier: Apache-2.0

//! Durations as Kubernetes resources write them: `1h30m` (Gateway API, GEP-2257).

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Most number-and-unit pairs in one duration.
const MOST_PAIRS: usize = 4;
/// Most digits of one number.
const MOST_DIGITS: usize = 5;

/// The units, longest first, with their length in milliseconds.
const UNITS: [(&str, u64); 4] = [("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

/// A length of time, written as one to four numbers with the units `h`, `m`, `s` and `ms`.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize,
)]
#[serde(try_from = "String", into = "String")]
pub struct Duration {
    milliseconds: u64,
}

/// Why a text is not a duration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DurationError {
    /// It is not made of numbers and units.
    #[error(
        "duration {0:?} is not understood: write up to four numbers of at most five digits, each with h, m, s or ms, such as 1h30m"
    )]
    Form(String),
    /// It uses days or weeks, which are not units.
    #[error(
        "duration {text:?} uses the unit {unit:?}, which does not exist: write hours, such as {hours}h"
    )]
    LongUnit {
        /// The duration.
        text: String,
        /// `d`, `w` or `y`.
        unit: char,
        /// The same in hours.
        hours: u64,
    },
}

// === impl Duration ===

impl Duration {
    /// A number of seconds.
    pub const fn from_secs(seconds: u64) -> Self {
        Self {
            milliseconds: seconds.saturating_mul(1_000),
        }
    }

    /// What passed between two times; nothing where the second one is earlier.
    pub fn since(earlier: Timestamp, later: Timestamp) -> Self {
        let passed = later.duration_since(earlier).as_millis();
        Self {
            milliseconds: passed.try_into().unwrap_or_default(),
        }
    }

    /// The same for the standard library.
    pub const fn as_std(self) -> std::time::Duration {
        std::time::Duration::from_millis(self.milliseconds)
    }

    /// The length in milliseconds.
    pub const fn as_millis(self) -> u64 {
        self.milliseconds
    }
}

impl FromStr for Duration {
    type Err = DurationError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        refuse_long_units(text)?;
        let refused = || DurationError::Form(text.to_owned());
        let mut rest = text;
        let mut milliseconds = 0;
        let mut pairs = 0;
        while !rest.is_empty() {
            let (value, behind) = split_pair(rest).ok_or_else(refused)?;
            milliseconds += value;
            pairs += 1;
            rest = behind;
        }
        if pairs == 0 || pairs > MOST_PAIRS {
            return Err(refused());
        }
        Ok(Self { milliseconds })
    }
}

/// The first number with its unit in milliseconds, and what follows.
fn split_pair(text: &str) -> Option<(u64, &str)> {
    let (digits, behind) = split_digits(text);
    if digits.is_empty() || digits.len() > MOST_DIGITS {
        return None;
    }
    let end = behind
        .find(|character: char| !character.is_ascii_alphabetic())
        .unwrap_or(behind.len());
    let (unit, rest) = behind.split_at_checked(end)?;
    let (_, factor) = UNITS.into_iter().find(|(name, _)| *name == unit)?;
    Some((digits.parse::<u64>().ok()? * factor, rest))
}

fn split_digits(text: &str) -> (&str, &str) {
    let end = text
        .find(|character: char| !character.is_ascii_digit())
        .unwrap_or(text.len());
    text.split_at_checked(end).unwrap_or((text, ""))
}

/// People write `7d`; say what to write instead.
fn refuse_long_units(text: &str) -> Result<(), DurationError> {
    let (digits, unit) = split_digits(text);
    let factor = match unit {
        "d" => 24,
        "w" => 24 * 7,
        "y" => 24 * 365,
        _ => return Ok(()),
    };
    match digits
        .parse::<u64>()
        .ok()
        .and_then(|number| number.checked_mul(factor))
    {
        Some(hours) => Err(DurationError::LongUnit {
            text: text.to_owned(),
            unit: unit.chars().next().unwrap_or('d'),
            hours,
        }),
        None => Ok(()),
    }
}

impl TryFrom<String> for Duration {
    type Error = DurationError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Duration> for String {
    fn from(duration: Duration) -> Self {
        duration.to_string()
    }
}

impl fmt::Display for Duration {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.milliseconds;
        if rest == 0 {
            return formatter.write_str("0s");
        }
        for (unit, factor) in UNITS {
            let number = rest / factor;
            rest %= factor;
            if number > 0 {
                write!(formatter, "{number}{unit}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn durations_and_how_they_are_printed() {
        let cases = [
            ("30s", 30_000, "30s"),
            ("1h", 3_600_000, "1h"),
            ("90m", 5_400_000, "1h30m"),
            ("1h30m", 5_400_000, "1h30m"),
            ("1h0m0s", 3_600_000, "1h"),
            ("1500ms", 1_500, "1s500ms"),
            ("99999h", 359_996_400_000, "99999h"),
            ("0s", 0, "0s"),
            ("1m1m", 120_000, "2m"),
        ];
        for (text, milliseconds, printed) in cases {
            let duration: Duration = text.parse().unwrap();
            assert_eq!(duration.as_millis(), milliseconds, "{text}");
            assert_eq!(duration.to_string(), printed, "{text}");
        }
    }

    #[test]
    fn texts_that_are_not_durations() {
        let form = |text: &str| {
            format!(
                "duration {text:?} is not understood: write up to four numbers of at most five digits, \
                 each with h, m, s or ms, such as 1h30m"
            )
        };
        for text in [
            "",
            "1",
            "h",
            "1.5h",
            "-1h",
            "1h ",
            "100000h",
            "1h1m1s1ms1s",
            "1us",
            "1H",
            "٣h",
        ] {
            assert_eq!(
                text.parse::<Duration>().unwrap_err().to_string(),
                form(text)
            );
        }
        assert_eq!(
            "7d".parse::<Duration>().unwrap_err().to_string(),
            "duration \"7d\" uses the unit 'd', which does not exist: write hours, such as 168h"
        );
    }

    proptest! {
        #[test]
        fn anything_parses_or_is_refused_without_a_panic(text in ".{0,30}") {
            let _ = text.parse::<Duration>();
        }

        #[test]
        fn what_the_pattern_allows_parses(text in "([0-9]{1,5}(h|m|s|ms)){1,4}") {
            let duration: Duration = text.parse().unwrap();
            prop_assert!(duration.as_millis() <= 4 * 359_996_400_000);
        }
    }
}
