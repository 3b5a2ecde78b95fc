// SPDX-License-Identifier: Apache-2.0

//! A version in a range: `1`, `1.20`, `1.20.3-rc.1`, `1.x`, `3.3.x-0`, `*` or `2.1.0-alpine`.

use super::interval::{Bound, Interval};
use super::operator::{Operator, RangeError};
use crate::policy::number::Number;
use crate::policy::version::{Release, Suffix};

/// A version with this many numbers names one release; one with fewer stands for all that begin with it.
const FULL_LENGTH: usize = 3;

/// What stands behind an operator.
pub(super) struct Operand {
    release: Release,
    builds: Vec<Number>,
    /// The variant that it is about; None: any.
    pub(super) variant: Option<String>,
    /// Whether it names one version and not all that begin with it.
    full: bool,
}

impl Operand {
    /// Reads it: what stands behind the numbers is read as in tags, and `+` is what tags write as `_`.
    pub(super) fn parse(text: &str, word: &str) -> Result<Self, RangeError> {
        let refused = || RangeError::NotAVersion {
            text: text.to_owned(),
            word: word.to_owned(),
        };
        let word = word.replacen('+', "_", 1);
        let bare = word.strip_prefix(['v', 'V']).unwrap_or(&word);
        let (numbers, has_wildcard, behind) = split_numbers(bare).ok_or_else(refused)?;
        let suffix = Suffix::parse(behind).ok_or_else(refused)?;
        if !bare.chars().all(is_allowed) {
            return Err(refused());
        }
        let names_one = numbers.len() >= FULL_LENGTH
            || suffix.prerelease.is_some()
            || suffix.correction.is_some()
            || behind.starts_with('_');
        Ok(Self {
            full: !has_wildcard && names_one,
            release: Release {
                numbers,
                prerelease: suffix.prerelease,
                correction: suffix.correction,
            },
            builds: suffix.builds,
            variant: suffix.variant,
        })
    }

    /// Whether it asks for prereleases by naming one.
    pub(super) fn names_prerelease(&self) -> bool {
        self.release.prerelease.is_some()
    }

    /// The versions that stand in this relation to it.
    pub(super) fn interval(&self, operator: Operator) -> Interval {
        let numbers = &self.release.numbers;
        if numbers.is_empty() {
            return Interval::default();
        }
        let last = numbers.len() - 1;
        let first_not_zero = numbers.iter().position(|number| !number.is_zero());
        let full = self.full;
        match operator {
            Operator::Equal | Operator::NotEqual if full => Interval {
                lower: Some(self.bound(true)),
                upper: Some(self.bound(true)),
            },
            Operator::Equal | Operator::NotEqual => self.until_next(last),
            Operator::Tilde => self.until_next(last.min(1)),
            Operator::Caret => self.until_next(first_not_zero.unwrap_or(last)),
            Operator::Greater if full => Interval::from(self.bound(false)),
            Operator::Greater => Interval::from(self.next(last, true)),
            Operator::GreaterOrEqual => Interval::from(self.bound(true)),
            Operator::Less => Interval::to(self.end()),
            Operator::LessOrEqual if full => Interval::to(self.bound(true)),
            Operator::LessOrEqual => Interval::to(self.next(last, false)),
        }
    }

    fn bound(&self, inclusive: bool) -> Bound {
        Bound {
            release: self.release.clone(),
            builds: self.builds.clone(),
            inclusive,
            numbers_only: !self.full && self.release.prerelease.is_none(),
        }
    }

    /// The end of a range that does not reach this version.
    fn end(&self) -> Bound {
        let is_plain = self.release.prerelease.is_none() && self.release.correction.is_none();
        Bound {
            numbers_only: is_plain && self.builds.is_empty(),
            ..self.bound(false)
        }
    }

    /// The next version that differs in the number at `place`.
    fn next(&self, place: usize, inclusive: bool) -> Bound {
        let kept = self.release.numbers.iter().take(place).cloned();
        let raised = self.release.numbers.get(place).map(Number::next);
        Bound {
            release: Release {
                numbers: kept.chain(raised).collect(),
                prerelease: None,
                correction: None,
            },
            builds: Vec::new(),
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

/// The numbers, whether one of them is `x`, and what follows.
fn split_numbers(text: &str) -> Option<(Vec<Number>, bool, &str)> {
    let mut numbers = Vec::new();
    let mut has_wildcard = false;
    let mut rest = text;
    loop {
        if let Some(behind) = rest.strip_prefix(['x', 'X', '*']) {
            has_wildcard = true;
            rest = behind;
        } else {
            let end = rest
                .find(|character: char| !character.is_ascii_digit())
                .unwrap_or(rest.len());
            let (digits, behind) = rest.split_at_checked(end)?;
            let number = Number::parse(digits)?;
            if has_wildcard {
                return None;
            }
            numbers.push(number);
            rest = behind;
        }
        rest = match rest.strip_prefix('.') {
            Some(next) if next.starts_with(begins_number) => next,
            Some(_) | None => return Some((numbers, has_wildcard, rest)),
        };
    }
}

fn begins_number(character: char) -> bool {
    character.is_ascii_digit() || "xX*".contains(character)
}

fn is_allowed(character: char) -> bool {
    character.is_ascii_alphanumeric() || ".-_*".contains(character)
}
