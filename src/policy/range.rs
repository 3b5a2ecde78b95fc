//! Ranges of versions, in the words that npm, Helm and Flux share: `>=1.20 <2`, `^1.27 || ~2.1`,
//! `1.2 - 1.5`, `1.x`. A space or a comma means and, `||` means or.
//!
//! Versions of tags have any number of parts of any length, so the ranges have too. A version of one or
//! two numbers stands for all that begin with it, prereleases too: 1.20.0-rc.1 is `>=1.20` but not
//! `>=1.20.0`, and 2.0.0-rc.1 is not `<2`.

use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

use super::number::{self, Number};
use super::version::{Prerelease, Version};

/// Longest range, in bytes.
pub const RANGE_LENGTH: usize = 256;
/// A version with this many numbers names one release; one with fewer stands for all that begin with it.
const FULL_LENGTH: usize = 3;

/// A range of versions. Cheap to clone: every tag that lies outside names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Range {
    text: Arc<str>,
    /// Any of them, and all inside one.
    alternatives: Arc<[Vec<Interval>]>,
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
    /// Whether prereleases lie on the same side as their release.
    numbers_only: bool,
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
            text: text.into(),
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
            Self::Less => Interval::to(operand.end()),
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
            numbers_only: !self.full,
        }
    }

    /// The end of a range that does not reach this version.
    fn end(&self) -> Bound {
        Bound {
            numbers_only: self.prerelease.is_none(),
            ..self.bound(false)
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
            numbers_only: true,
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
        let above = |bound: &Bound| match bound.compare(version) {
            Ordering::Less => false,
            Ordering::Equal => bound.inclusive,
            Ordering::Greater => true,
        };
        let below = |bound: &Bound| match bound.compare(version) {
            Ordering::Less => true,
            Ordering::Equal => bound.inclusive,
            Ordering::Greater => false,
        };
        self.lower.as_ref().is_none_or(above) && self.upper.as_ref().is_none_or(below)
    }
}

// === impl Bound ===

impl Bound {
    /// Where a version lies, seen from the bound.
    fn compare(&self, version: &Version) -> Ordering {
        if self.numbers_only {
            return number::compare(version.numbers(), &self.numbers);
        }
        version.precedence(&self.numbers, self.prerelease.as_ref())
    }
}

#[cfg(test)]
#[path = "range_tests.rs"]
mod tests;
