// SPDX-License-Identifier: Apache-2.0

//! Ranges of versions, in the words that npm, Helm and Flux share: `>=1.20 <2`, `^1.27 || ~2.1`,
//! `1.2 - 1.5`, `1.x`. A space or a comma means and, `||` means or.
//!
//! Versions of tags have any number of parts of any length, so the ranges have too. A version of one or
//! two numbers stands for all that begin with it, prereleases too: 1.20.0-rc.1 is `>=1.20` but not
//! `>=1.20.0`, and 2.0.0-rc.1 is not `<2`.
//!
//! What stands behind the numbers is read as in tags. A comparator with a variant is about that variant only.

mod interval;
mod operand;
mod operator;

use std::fmt;
use std::sync::Arc;

use self::interval::Interval;
use self::operand::Operand;
use self::operator::Operator;
pub use self::operator::{RANGE_LENGTH, RangeError};
use super::version::Version;

/// A range of versions. Cheap to clone: every tag that lies outside names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Range {
    text: Arc<str>,
    /// Any of them, and all inside one.
    alternatives: Arc<[Vec<Comparator>]>,
}

/// An operator with its version.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Comparator {
    interval: Interval,
    /// Whether what lies outside is meant, and not what lies inside.
    negated: bool,
    /// The variant that was written with the version; None: any.
    variant: Option<String>,
    /// Whether a prerelease was written.
    names_prerelease: bool,
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

    /// Whether a version lies in the range.
    pub fn contains(&self, version: &Version) -> bool {
        self.alternatives
            .iter()
            .any(|comparators| contain(comparators, version))
    }

    /// Whether it lies in it beside a comparator that names a prerelease, such as `>=1.20-0`: that asks for
    /// prereleases. One of a group suffices, and `||` divides groups (Masterminds/semver v3.4.0).
    pub fn lets_in(&self, prerelease: &Version) -> bool {
        self.alternatives
            .iter()
            .any(|comparators| names_prerelease(comparators) && contain(comparators, prerelease))
    }

    /// Whether any comparator names a prerelease.
    pub fn names_prerelease(&self) -> bool {
        self.alternatives
            .iter()
            .any(|comparators| names_prerelease(comparators))
    }

    /// Whether a version lies above all that the range takes.
    pub fn lies_below(&self, version: &Version) -> bool {
        self.alternatives.iter().all(|comparators| {
            let mut comparators = comparators.iter().filter(|one| !one.negated);
            comparators.any(|comparator| comparator.interval.lies_below(version))
        })
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

fn contain(comparators: &[Comparator], version: &Version) -> bool {
    comparators
        .iter()
        .all(|comparator| comparator.contains(version))
}

fn names_prerelease(comparators: &[Comparator]) -> bool {
    comparators
        .iter()
        .any(|comparator| comparator.names_prerelease)
}

fn parse_alternative(text: &str, alternative: &str) -> Result<Vec<Comparator>, RangeError> {
    let words: Vec<&str> = alternative
        .split([' ', '\t', ','])
        .filter(|word| !word.is_empty())
        .collect();
    if words.is_empty() {
        return Err(RangeError::Empty(text.to_owned()));
    }
    let mut comparators = Vec::new();
    let mut words = words.as_slice();
    while let Some((word, rest)) = words.split_first() {
        words = if let ["-", to, rest @ ..] = rest {
            let bounds = [
                (Operator::GreaterOrEqual, word),
                (Operator::LessOrEqual, to),
            ];
            for (operator, bound) in bounds {
                let bound = parse_bound(text, bound)?;
                comparators.push(Comparator::new(operator, bound));
            }
            rest
        } else {
            let (comparator, rest) = parse_comparator(text, word, rest)?;
            comparators.push(comparator);
            rest
        };
    }
    Ok(comparators)
}

/// One end of a range with a hyphen: a version without an operator.
fn parse_bound(text: &str, word: &str) -> Result<Operand, RangeError> {
    if word == "-" {
        return Err(RangeError::BadHyphen(text.to_owned()));
    }
    Operand::parse(text, word)
}

/// A comparator, whose version may be the next word: `>= 1.20` with a space is common.
fn parse_comparator<'a>(
    text: &str,
    word: &str,
    rest: &'a [&'a str],
) -> Result<(Comparator, &'a [&'a str]), RangeError> {
    let end = word
        .find(|character: char| !"<>=!~^".contains(character))
        .unwrap_or(word.len());
    let (sign, attached) = word.split_at_checked(end).unwrap_or((word, ""));
    let operator = Operator::parse(text, sign)?;
    let (operand, rest) = match (attached, rest) {
        ("", [next, rest @ ..]) => (*next, rest),
        ("", []) => {
            return Err(RangeError::DanglingOperator {
                text: text.to_owned(),
                operator: sign.to_owned(),
            });
        }
        (attached, rest) => (attached, rest),
    };
    let operand = parse_bound(text, operand)?;
    Ok((Comparator::new(operator, operand), rest))
}

// === impl Comparator ===

impl Comparator {
    fn new(operator: Operator, operand: Operand) -> Self {
        Self {
            interval: operand.interval(operator),
            negated: matches!(operator, Operator::NotEqual),
            names_prerelease: operand.names_prerelease(),
            variant: operand.variant,
        }
    }

    fn contains(&self, version: &Version) -> bool {
        let is_variant = match &self.variant {
            Some(variant) => version.variant() == Some(variant),
            None => true,
        };
        (is_variant && self.interval.contains(version)) != self.negated
    }
}

#[cfg(test)]
#[path = "range_tests.rs"]
mod tests;
