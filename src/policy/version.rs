//! Versions as tags write them.
//!
//! ```text
//! v 1.27.3 -rc1 -alpine3.20
//! │ │      │    └ variant: what else the tag says; versions are compared within one variant
//! │ │      └ prerelease: alpha, beta, rc, pre, dev, snapshot, …, or a number or a commit behind a dash
//! │ └ two or more numbers of any length, divided by dots (or by _ or .post behind the first two)
//! └ optional v or V
//! ```
//!
//! A single number is no version: `17`, `20240101` and a digits-only commit look the same. Numbers that
//! count builds, such as 2 in `k3s2`, order what is equal otherwise.

mod prerelease;
mod suffix;

use std::cmp::Ordering;
use std::fmt;

pub(super) use self::prerelease::Prerelease;
use self::suffix::{Suffix, begins_with_digit};
use super::number::{self, Number};
use crate::oci::Tag;

/// Stands between the numbers of a release and of its correction, as in Python's 0.6.4.post1.
const POST: &str = "post";

/// A tag that is a version.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Version {
    numbers: Vec<Number>,
    prerelease: Option<Prerelease>,
    variant: Option<String>,
    builds: Vec<Number>,
    text: String,
}

// === impl Version ===

impl Version {
    /// The version that a tag is, if it is one.
    pub fn parse(tag: &Tag) -> Option<Self> {
        Self::parse_text(tag.as_str())
    }

    pub(super) fn parse_text(text: &str) -> Option<Self> {
        let bare = text.strip_prefix(['v', 'V']).unwrap_or(text);
        let (numbers, suffix) = split_numbers(bare)?;
        let Suffix {
            prerelease,
            variant,
            builds,
        } = Suffix::parse(suffix)?;
        Some(Self {
            numbers,
            prerelease,
            variant,
            builds,
            text: text.to_owned(),
        })
    }

    /// What the tag says besides the version, such as `alpine` or `bookworm-slim`. Numbers that count
    /// builds are no part of it: that of `1.30.2-k3s1` is `k3s`.
    pub fn variant(&self) -> Option<&str> {
        self.variant.as_deref()
    }

    /// Whether this is not a release yet.
    pub fn is_prerelease(&self) -> bool {
        self.prerelease.is_some()
    }

    /// The first number.
    pub(super) fn major(&self) -> Option<&Number> {
        self.numbers.first()
    }

    /// The second number.
    pub(super) fn minor(&self) -> Option<&Number> {
        self.numbers.get(1)
    }

    /// Which of two versions is the newer one, whatever their variants and spelling.
    pub(super) fn precedence(
        &self,
        numbers: &[Number],
        prerelease: Option<&Prerelease>,
    ) -> Ordering {
        number::compare(&self.numbers, numbers)
            .then_with(|| compare_prereleases(self.prerelease.as_ref(), prerelease))
    }

    pub(super) fn numbers(&self) -> &[Number] {
        &self.numbers
    }
}

/// The numbers at the beginning, and the rest: at least two.
fn split_numbers(text: &str) -> Option<(Vec<Number>, &str)> {
    let mut numbers = Vec::new();
    let mut rest = text;
    loop {
        let end = rest
            .find(|character: char| !character.is_ascii_digit())
            .unwrap_or(rest.len());
        let (digits, behind) = rest.split_at_checked(end)?;
        numbers.push(Number::parse(digits)?);
        let is_version = numbers.len() > 1;
        rest = match next_number(behind, is_version) {
            Some(next) => next,
            None => return is_version.then_some((numbers, behind)),
        };
    }
}

/// The next number and what follows it, if there is one behind the separator.
fn next_number(text: &str, is_version: bool) -> Option<&str> {
    let next = match text.split_at_checked(1)? {
        (".", next) if is_version => next.strip_prefix(POST).unwrap_or(next),
        (".", next) => next,
        // Builds such as Java's 21.0.4_7.
        ("_", next) if is_version => next,
        _ => return None,
    };
    begins_with_digit(next).then_some(next)
}

impl Ord for Version {
    /// Numbers, then prereleases before their release, then variant, builds and spelling, so that no two
    /// different tags are equal.
    fn cmp(&self, other: &Self) -> Ordering {
        self.precedence(&other.numbers, other.prerelease.as_ref())
            .then_with(|| self.variant.cmp(&other.variant))
            .then_with(|| self.builds.cmp(&other.builds))
            .then_with(|| self.numbers.len().cmp(&other.numbers.len()))
            .then_with(|| self.text.cmp(&other.text))
    }
}

impl PartialOrd for Version {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for Version {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(&self.text)
    }
}

/// A release is newer than its prereleases.
fn compare_prereleases(left: Option<&Prerelease>, right: Option<&Prerelease>) -> Ordering {
    match (left, right) {
        (None, None) => Ordering::Equal,
        (None, Some(_)) => Ordering::Greater,
        (Some(_), None) => Ordering::Less,
        (Some(left), Some(right)) => left.cmp(right),
    }
}

#[cfg(test)]
#[path = "version_tests.rs"]
mod tests;
