//! Ranges of versions, in the words that npm, Helm and Flux share: `>=1.20 <2`, `^1.27 || ~2.1`,
//! `1.2 - 1.5`, `1.x`. A space or a comma means and, `||` means or.
//!
//! Versions of tags have any number of parts of any length, so the ranges have too. A bound without a
//! prerelease leaves the prereleases of that version out: 2.0.0-rc.1 is not `<2`, 1.20.0-rc.1 not `>=1.20`.

use std::fmt;

use super::number::{self, Number};
use super::version::{Prerelease, Version};

/// Longest range, in bytes.
pub const RANGE_LENGTH: usize = 256;
/// A version with this many numbers names one release; one with fewer stands for all that begin with it.
const FULL_LENGTH: usize = 3;

/// A range of versions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Range {
    text: String,
    /// Any of them, and all inside one.
    alternatives: Vec<Vec<Interval>>,
}

/// Why a text is not a range.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RangeError {
    /// The range, or one side of `||`, is empty.
    #[error("range {0:?} has an empty part: write * for any version")]
    Empty(String),
    /// The range is too long.
    #[error("the range has {found} characters, at most {most} are allowed", most = RANGE_LENGTH)]
    TooLong {
        /// Its length in bytes.
        found: usize,
    },
    /// An operator does not exist.
    #[error("range {text:?} has the operator {operator:?}: use =, >, >=, <, <=, ~ or ^")]
    UnknownOperator {
        /// The range.
        text: String,
        /// The operator.
        operator: String,
    },
    /// An operator has no version behind it.
    #[error("range {text:?} has nothing behind {operator:?}")]
    DanglingOperator {
        /// The range.
        text: String,
        /// The operator.
        operator: String,
    },
    /// A word is not a version.
    #[error("range {text:?} has {word:?} where a version such as 1.20, 1.20.3 or 1.x must stand")]
    NotAVersion {
        /// The range.
        text: String,
        /// The word.
        word: String,
    },
    /// A hyphen does not stand between two versions.
    #[error(
        "range {0:?} has a hyphen that does not stand alone between two versions, as in 1.2 - 1.5"
    )]
    BadHyphen(String),
}

/// Where an interval begins or ends.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Bound {
    numbers: Vec<Number>,
    prerelease: Option<Prerelease>,
    inclusive: bool,
}

/// Versions between two bounds; open where there is none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Interval {
    lower: Option<Bound>,
    upper: Option<Bound>,
}

#[derive(Clone, Copy)]
enum Operator {
    Equal,
    Greater,
    GreaterOrEqual,
    Less,
    LessOrEqual,
    Tilde,
    Caret,
}

/// A version in a range: `1`, `1.20`, `1.20.3-rc.1`, `1.x` or `*`.
struct Operand {
    numbers: Vec<Number>,
    prerelease: Option<Prerelease>,
    /// Whether it names one version and not all that begin with it.
    full: bool,
}

// === impl Range ===

impl Range {
    /// Reads a range.
    pub fn parse(text: &str) -> Result<Self, RangeError> {
        if text.len() > RANGE_LENGTH {
            return Err(RangeError::TooLong { found: text.len() });
        }
        let alternatives = text
            .split("||")
            .map(|alternative| parse_alternative(text, alternative))
            .collect::<Result<_, _>>()?;
        Ok(Self {
            text: text.to_owned(),
            alternatives,
        })
    }

    /// Whether a version lies in the range, whatever its variant.
    pub fn contains(&self, version: &Version) -> bool {
        self.alternatives
            .iter()
            .any(|intervals| intervals.iter().all(|interval| interval.contains(version)))
    }

    /// The range as it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl fmt::Display for Range {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(&self.text)
    }
}

fn parse_alternative(text: &str, alternative: &str) -> Result<Vec<Interval>, RangeError> {
    let words: Vec<&str> = alternative
        .split([' ', '\t', ','])
        .filter(|word| !word.is_empty())
        .collect();
    if words.is_empty() {
        return Err(RangeError::Empty(text.to_owned()));
    }
    if words.contains(&"-") {
        return match words.as_slice() {
            [from, "-", to] => {
                let (from, to) = (Operand::parse(text, from)?, Operand::parse(text, to)?);
                let lower = Operator::GreaterOrEqual.interval(&from).lower;
                let upper = Operator::LessOrEqual.interval(&to).upper;
                Ok(vec![Interval { lower, upper }])
            }
            _ => Err(RangeError::BadHyphen(text.to_owned())),
        };
    }
    let mut intervals = Vec::new();
    let mut words = words.into_iter();
    while let Some(word) = words.next() {
        let end = word
            .find(|character: char| !"<>=!~^".contains(character))
            .unwrap_or(word.len());
        let (sign, attached) = word.split_at_checked(end).unwrap_or((word, ""));
        let operator = Operator::parse(text, sign)?;
        // `>= 1.20` with a space is common.
        let operand = match (attached, sign) {
            ("", _) => words.next().ok_or_else(|| RangeError::DanglingOperator {
                text: text.to_owned(),
                operator: sign.to_owned(),
            })?,
            (attached, _) => attached,
        };
        intervals.push(operator.interval(&Operand::parse(text, operand)?));
    }
    Ok(intervals)
}

// === impl Operator ===

impl Operator {
    fn parse(text: &str, sign: &str) -> Result<Self, RangeError> {
        match sign {
            "" | "=" | "==" => Ok(Self::Equal),
            ">" => Ok(Self::Greater),
            ">=" => Ok(Self::GreaterOrEqual),
            "<" => Ok(Self::Less),
            "<=" => Ok(Self::LessOrEqual),
            "~" | "~>" => Ok(Self::Tilde),
            "^" => Ok(Self::Caret),
            _ => Err(RangeError::UnknownOperator {
                text: text.to_owned(),
                operator: sign.to_owned(),
            }),
        }
    }

    fn interval(self, operand: &Operand) -> Interval {
        if operand.numbers.is_empty() {
            return Interval::default();
        }
        let last = operand.numbers.len() - 1;
        let first_not_zero = operand
            .numbers
            .iter()
            .position(|number| !number.is_zero())
            .unwrap_or(last);
        let full = operand.full;
        match self {
            Self::Equal if full => Interval {
                lower: Some(operand.bound(true)),
                upper: Some(operand.bound(true)),
            },
            Self::Equal => operand.until_next(last),
            Self::Tilde => operand.until_next(last.min(1)),
            Self::Caret => operand.until_next(first_not_zero),
            Self::Greater if full => Interval::from(operand.bound(false)),
            Self::Greater => Interval::from(operand.next(last, true)),
            Self::GreaterOrEqual => Interval::from(operand.bound(true)),
            Self::Less => Interval::to(operand.bound(false)),
            Self::LessOrEqual if full => Interval::to(operand.bound(true)),
            Self::LessOrEqual => Interval::to(operand.next(last, false)),
        }
    }
}

// === impl Operand ===

impl Operand {
    fn parse(text: &str, word: &str) -> Result<Self, RangeError> {
        let refused = || RangeError::NotAVersion {
            text: text.to_owned(),
            word: word.to_owned(),
        };
        let bare = word.strip_prefix(['v', 'V']).unwrap_or(word);
        let (release, prerelease) = match bare.split_once('-') {
            Some((release, prerelease)) => (release, Some(prerelease)),
            None => (bare, None),
        };
        let mut numbers = Vec::new();
        let mut wildcard = false;
        for part in release.split('.') {
            match Number::parse(part) {
                Some(number) if !wildcard => numbers.push(number),
                None if matches!(part, "x" | "X" | "*") => wildcard = true,
                Some(_) | None => return Err(refused()),
            }
        }
        let is_allowed =
            |character: char| character.is_ascii_alphanumeric() || ".-".contains(character);
        if let Some(prerelease) = prerelease
            && (wildcard || prerelease.is_empty() || !prerelease.chars().all(is_allowed))
        {
            return Err(refused());
        }
        Ok(Self {
            full: !wildcard && (numbers.len() >= FULL_LENGTH || prerelease.is_some()),
            numbers,
            prerelease: prerelease.map(Prerelease::parse),
        })
    }

    fn bound(&self, inclusive: bool) -> Bound {
        Bound {
            numbers: self.numbers.clone(),
            prerelease: self.prerelease.clone(),
            inclusive,
        }
    }

    /// The next version that differs in the number at `place`.
    fn next(&self, place: usize, inclusive: bool) -> Bound {
        let kept = self.numbers.iter().take(place).cloned();
        let raised = self.numbers.get(place).map(Number::next);
        Bound {
            numbers: kept.chain(raised).collect(),
            prerelease: None,
            inclusive,
        }
    }

    fn until_next(&self, place: usize) -> Interval {
        Interval {
            lower: Some(self.bound(true)),
            upper: Some(self.next(place, false)),
        }
    }
}

// === impl Interval ===

impl Interval {
    fn from(lower: Bound) -> Self {
        Self {
            lower: Some(lower),
            upper: None,
        }
    }

    fn to(upper: Bound) -> Self {
        Self {
            lower: None,
            upper: Some(upper),
        }
    }

    fn contains(&self, version: &Version) -> bool {
        let above = self.lower.as_ref().is_none_or(|bound| {
            let order = version.precedence(&bound.numbers, bound.prerelease.as_ref());
            order.is_gt() || bound.inclusive && order.is_eq()
        });
        let below = self.upper.as_ref().is_none_or(|bound| {
            let order = version.precedence(&bound.numbers, bound.prerelease.as_ref());
            // A prerelease of the version that ends the range is older than it, and yet not meant.
            let of_the_end = bound.prerelease.is_none()
                && number::compare(version.numbers(), &bound.numbers).is_eq();
            order.is_eq() && bound.inclusive || order.is_lt() && (bound.inclusive || !of_the_end)
        });
        above && below
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn ranges_and_the_versions_in_them() {
        let cases: [(&str, &[&str], &[&str]); 22] = [
            (
                ">=1.20 <2",
                &["1.20", "1.20.0", "1.99.9-alpine", "v1.27"],
                &["1.19.9", "2.0", "2.0.0-rc1", "1.20-rc1"],
            ),
            (">=1.20, <2", &["1.20"], &["2.0"]),
            (">= 1.20 < 2", &["1.20"], &["2.0"]),
            ("1.x", &["1.0", "1.99"], &["0.9", "2.0"]),
            ("1", &["1.0", "1.99"], &["2.0"]),
            ("1.2.*", &["1.2", "1.2.9"], &["1.3"]),
            ("*", &["0.1", "99.0"], &[]),
            (
                "1.2.3",
                &["1.2.3", "v1.2.3-alpine"],
                &["1.2.3.1", "1.2.4", "1.2.3-rc1"],
            ),
            ("=1.2", &["1.2.3"], &["1.3"]),
            (">1.2", &["1.3"], &["1.2.9", "1.2"]),
            (">1.2.3", &["1.2.4", "1.2.3.1"], &["1.2.3"]),
            ("<=1.2", &["1.2.9", "0.1"], &["1.3", "1.3-rc1"]),
            ("<=1.2.3", &["1.2.3", "1.2.3-rc1"], &["1.2.4"]),
            ("^1.2.3", &["1.2.3", "1.9"], &["1.2.2", "2.0"]),
            ("^0.2.3", &["0.2.9"], &["0.3.0", "0.2.2"]),
            ("^0.0.3", &["0.0.3"], &["0.0.4"]),
            ("~1.2.3", &["1.2.9"], &["1.3", "1.2.2"]),
            ("~1", &["1.9"], &["2.0"]),
            ("1.2 - 1.5", &["1.2", "1.5.9"], &["1.1", "1.6"]),
            ("1.2.0 - 1.5.0", &["1.5.0"], &["1.5.1"]),
            ("^1.27 || ~2.1", &["1.28", "2.1.5"], &["2.0", "2.2"]),
            (
                ">=1.20.0-rc.1 <1.21",
                &["1.20.0-rc.2", "1.20.0"],
                &["1.20.0-beta", "1.21.0-rc1"],
            ),
        ];
        for (range, inside, outside) in cases {
            let range = Range::parse(range).unwrap();
            for tag in inside {
                assert!(
                    range.contains(&Version::parse_text(tag).unwrap()),
                    "{tag} in {range}"
                );
            }
            for tag in outside {
                assert!(
                    !range.contains(&Version::parse_text(tag).unwrap()),
                    "{tag} not in {range}"
                );
            }
        }
    }

    #[test]
    fn texts_that_are_not_ranges() {
        let cases = [
            ("", "range \"\" has an empty part: write * for any version"),
            (
                "1 ||",
                "range \"1 ||\" has an empty part: write * for any version",
            ),
            (">=", "range \">=\" has nothing behind \">=\""),
            (
                "=>1",
                "range \"=>1\" has the operator \"=>\": use =, >, >=, <, <=, ~ or ^",
            ),
            (
                "!=1.2",
                "range \"!=1.2\" has the operator \"!=\": use =, >, >=, <, <=, ~ or ^",
            ),
            (
                "latest",
                "range \"latest\" has \"latest\" where a version such as 1.20, 1.20.3 or 1.x must stand",
            ),
            (
                "1.x.3",
                "range \"1.x.3\" has \"1.x.3\" where a version such as 1.20, 1.20.3 or 1.x must stand",
            ),
            (
                ">=1.20<2",
                "range \">=1.20<2\" has \"1.20<2\" where a version such as 1.20, 1.20.3 or 1.x must stand",
            ),
            (
                "1.2.3+build",
                "range \"1.2.3+build\" has \"1.2.3+build\" where a version such as 1.20, 1.20.3 or 1.x must stand",
            ),
            (
                "- 1.5",
                "range \"- 1.5\" has a hyphen that does not stand alone between two versions, as in 1.2 - 1.5",
            ),
            (
                &"1".repeat(257),
                "the range has 257 characters, at most 256 are allowed",
            ),
        ];
        for (text, message) in cases {
            assert_eq!(Range::parse(text).unwrap_err().to_string(), message);
        }
    }

    proptest! {
        #[test]
        fn anything_parses_or_is_refused_without_a_panic(text in ".{0,40}") {
            let _ = Range::parse(&text);
        }

        /// The semver crate is the judge where it knows the words: releases of three numbers, and "and".
        #[test]
        fn releases_are_judged_as_cargo_does(
            sign in "(=|>|>=|<|<=|~|\\^)",
            operand in "[0-3](\\.[0-3]){0,2}",
            other in "(>=|<)[0-3]\\.[0-3]",
            version in "[0-3]\\.[0-3]\\.[0-3]",
        ) {
            let text = format!("{sign}{operand}, {other}");
            let expected = semver::VersionReq::parse(&text)
                .unwrap()
                .matches(&semver::Version::parse(&version).unwrap());
            let found = Range::parse(&text)
                .unwrap()
                .contains(&Version::parse_text(&version).unwrap());
            prop_assert_eq!(found, expected, "{} in {}", version, text);
        }
    }
}
