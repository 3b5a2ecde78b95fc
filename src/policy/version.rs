// SPDX-License-Identifier: Apache-2.0

//! Versions as tags write them.
//!
//! ```text
//! v 1.27.3 -rc1 _7 -alpine3.20
//! │ │      │    │  └ variant: what else the tag says; versions are compared within one variant
//! │ │      │    └ metadata, which SemVer writes behind +: builds
//! │ │      └ prerelease: alpha, beta, rc, pre, dev, snapshot, …, or a number or a commit behind a dash;
//! │ │        or a qualifier of a release: Final, GA, RELEASE, SP1
//! │ └ two or more numbers of any length, divided by dots (or by .post behind the first two)
//! └ optional v or V
//! ```
//!
//! A single number is no version: `17`, `20240101` and a digits-only commit look the same. With a build,
//! as in `25_36`, it is one, and where a rule says so. Numbers that count builds, such as 2 in `k3s2`, order what is equal otherwise.

mod builds;
mod prerelease;
mod release;
mod suffix;
mod words;

use std::cmp::Ordering;
use std::fmt;

pub(super) use self::release::Release;
pub(super) use self::suffix::Suffix;
use self::words::{begins_with_digit, behind_commit};
use super::number::Number;
use crate::oci::Tag;

/// Stands between the numbers of a release and of its correction, as in Python's 0.6.4.post1.
const POST: &str = "post";
/// Most digits of a single number with a build that is a version: a date with a commit is none.
const SINGLE_LENGTH: usize = 4;

/// A tag that is a version.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Version {
    release: Release,
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
        Self::read(text, false)
    }

    /// The same where a person said that a number alone is a version, such as `17` and `17-alpine`.
    pub(super) fn parse_number(text: &str) -> Option<Self> {
        Self::read(text, true)
    }

    fn read(text: &str, takes_single: bool) -> Option<Self> {
        let bare = text.strip_prefix(['v', 'V']).unwrap_or(text);
        let (numbers, behind) = split_numbers(bare)?;
        let is_single = numbers.len() == 1 && !takes_single;
        if is_single && !is_build_of_single(bare.len() - behind.len(), behind) {
            return None;
        }
        let Suffix {
            prerelease,
            correction,
            variant,
            builds,
        } = Suffix::parse(behind)?;
        Some(Self {
            release: Release {
                numbers,
                prerelease,
                correction,
            },
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
        self.release.prerelease.is_some()
    }

    /// Whether a word such as rc says that this is not a release yet.
    pub(super) fn is_named_prerelease(&self) -> bool {
        let prerelease = self.release.prerelease.as_ref();
        prerelease.is_some_and(prerelease::Prerelease::is_named)
    }

    /// The first number.
    pub(super) fn major(&self) -> Option<&Number> {
        self.release.numbers.first()
    }

    /// The second number.
    pub(super) fn minor(&self) -> Option<&Number> {
        self.release.numbers.get(1)
    }

    /// What makes it newer than others, whatever their variants and spelling.
    pub(super) fn release(&self) -> &Release {
        &self.release
    }

    /// The numbers of builds.
    pub(super) fn builds(&self) -> &[Number] {
        &self.builds
    }
}

/// Whether what stands behind a single number makes it a version: a build, as in Java's `25_36-jdk`, or a commit, as
/// Jenkins has it.
fn is_build_of_single(digits: usize, behind: &str) -> bool {
    if behind_commit(behind).is_some() {
        return true;
    }
    let Some(build) = behind.strip_prefix('_') else {
        return false;
    };
    let build = build.split(['-', '.']).next().unwrap_or(build);
    digits <= SINGLE_LENGTH && Number::parse(build).is_some()
}

/// The numbers at the beginning, at least one, and the rest.
fn split_numbers(text: &str) -> Option<(Vec<Number>, &str)> {
    let mut numbers = Vec::new();
    let mut rest = text;
    loop {
        let end = rest
            .find(|character: char| !character.is_ascii_digit())
            .unwrap_or(rest.len());
        let (digits, behind) = rest.split_at_checked(end)?;
        numbers.push(Number::parse(digits)?);
        rest = match next_number(behind, numbers.len() > 1) {
            Some(next) => next,
            None => return Some((numbers, behind)),
        };
    }
}

/// The next number and what follows it, if there is one behind the dot.
fn next_number(text: &str, is_version: bool) -> Option<&str> {
    let next = text.strip_prefix('.')?;
    let next = match next.strip_prefix(POST) {
        Some(next) if is_version => next,
        Some(_) | None => next,
    };
    begins_with_digit(next).then_some(next)
}

impl Ord for Version {
    /// Numbers, then prereleases before their release and corrections behind it, then variant, builds and
    /// spelling, so that no two different tags are equal.
    fn cmp(&self, other: &Self) -> Ordering {
        let length = |version: &Self| version.release.numbers.len();
        self.release
            .precedence(&other.release)
            .then_with(|| self.variant.cmp(&other.variant))
            .then_with(|| self.builds.cmp(&other.builds))
            .then_with(|| length(self).cmp(&length(other)))
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

#[cfg(test)]
#[path = "version_tests.rs"]
mod tests;
