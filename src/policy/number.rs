// SPDX-License-Identifier: Apache-2.0

//! Whole numbers of any length: a date such as 20240101120000 is a version part as well.

use std::cmp::Ordering;
use std::fmt;

/// A whole number of any length.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Number {
    /// Decimal digits without leading zeros; empty for zero.
    digits: String,
}

impl Number {
    /// Zero, which stands in for parts that a version does not have.
    pub(super) const ZERO: Self = Self {
        digits: String::new(),
    };

    /// Reads decimal digits.
    pub(super) fn parse(text: &str) -> Option<Self> {
        if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        Some(Self {
            digits: text.trim_start_matches('0').to_owned(),
        })
    }

    /// The number plus one.
    pub(super) fn next(&self) -> Self {
        let kept = self.digits.trim_end_matches('9');
        let zeros = "0".repeat(self.digits.len() - kept.len());
        let (front, last) = match kept.char_indices().next_back() {
            Some((place, last)) => (kept.get(..place).unwrap_or_default(), last),
            None => ("", '0'),
        };
        let raised = last.to_digit(10).unwrap_or(0) + 1;
        Self {
            digits: format!("{front}{raised}{zeros}"),
        }
    }

    pub(super) fn is_zero(&self) -> bool {
        self.digits.is_empty()
    }
}

impl Ord for Number {
    fn cmp(&self, other: &Self) -> Ordering {
        // Without leading zeros the longer number is the larger one.
        (self.digits.len(), &self.digits).cmp(&(other.digits.len(), &other.digits))
    }
}

impl PartialOrd for Number {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for Number {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(if self.is_zero() { "0" } else { &self.digits })
    }
}

/// Compares lists of numbers; parts that one does not have count as zero.
pub(super) fn compare(left: &[Number], right: &[Number]) -> Ordering {
    let part =
        |numbers: &[Number], index: usize| numbers.get(index).cloned().unwrap_or(Number::ZERO);
    (0..left.len().max(right.len()))
        .map(|index| part(left, index).cmp(&part(right, index)))
        .find(|order| order.is_ne())
        .unwrap_or(Ordering::Equal)
}

/// A number with or without a fraction, such as `1700000000` and `17.25`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Decimal {
    whole: Number,
    /// Decimal digits without trailing zeros.
    fraction: String,
}

impl Decimal {
    /// Reads decimal digits, of any number, with at most one dot between them.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
        Number::parse(fraction)?;
        Some(Self {
            whole: Number::parse(whole)?,
            fraction: fraction.trim_end_matches('0').to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn numbers_are_the_integers(left in any::<u64>(), right in any::<u64>()) {
            let number = |value: u128| Number::parse(&value.to_string()).unwrap();
            let (wide_left, wide_right) = (u128::from(left), u128::from(right));
            prop_assert_eq!(number(wide_left).cmp(&number(wide_right)), left.cmp(&right));
            prop_assert_eq!(number(wide_left).next(), number(wide_left + 1));
            prop_assert_eq!(number(wide_left).to_string(), left.to_string());
        }
    }

    #[test]
    fn decimals_from_first_to_last() {
        let list = [
            "0",
            "0.05",
            "0.5",
            "7",
            "9.9",
            "9.95",
            "41",
            "100",
            "20240101120000.1",
        ];
        for pair in list.windows(2) {
            let [left, right] = [pair[0], pair[1]].map(|text| Decimal::parse(text).unwrap());
            assert!(left < right, "{pair:?}");
        }
        assert_eq!(Decimal::parse("07.50"), Decimal::parse("7.5"));
        for text in [
            "", ".", "1.", ".5", "1.2.3", "-1", "+1", "1e5", "v1", "1a", "٣",
        ] {
            assert_eq!(Decimal::parse(text), None, "{text}");
        }
    }

    #[test]
    fn missing_parts_count_as_zero() {
        let numbers = |text: &str| {
            text.split('.')
                .filter_map(Number::parse)
                .collect::<Vec<_>>()
        };
        for (left, right, expected) in [
            ("1", "1.0.0", Ordering::Equal),
            ("1.2", "1.10", Ordering::Less),
            ("1.2.0.1", "1.2", Ordering::Greater),
            ("009", "10", Ordering::Less),
        ] {
            assert_eq!(
                compare(&numbers(left), &numbers(right)),
                expected,
                "{left} {right}"
            );
        }
        assert_eq!(Number::ZERO.next().to_string(), "1");
        assert_eq!(Number::parse("999").unwrap().next().to_string(), "1000");
    }
}
