//! Versions as tags write them.
//!
//! ```text
//! v 1.27.3 -rc1 -alpine3.20
//! │ │      │    └ variant: what else the tag says; versions are compared within one variant
//! │ │      └ prerelease: alpha, beta, rc, pre, dev, snapshot, or a number behind a dash
//! │ └ two or more numbers of any length, divided by dots (or by _ behind the first two)
//! └ optional v or V
//! ```
//!
//! A single number is no version: `17`, `20240101` and a digits-only commit look the same.

use std::cmp::Ordering;
use std::fmt;

use super::number::{self, Number};
use crate::oci::Tag;

/// Words that begin a prerelease. A word counts when no other letter follows it, so `precise` is a variant.
const PRERELEASE_WORDS: [&str; 10] = [
    "alpha",
    "beta",
    "rc",
    "pre",
    "preview",
    "prerelease",
    "dev",
    "devel",
    "development",
    "snapshot",
];
/// Shortest abbreviated commit that a prerelease may end with.
const COMMIT_LENGTH: usize = 7;

/// A tag that is a version.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Version {
    numbers: Vec<Number>,
    prerelease: Option<Prerelease>,
    variant: Option<String>,
    text: String,
}

/// What stands before a release, such as `rc.1`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Prerelease {
    parts: Vec<Part>,
}

/// A run of digits or of anything else: `rc10` is newer than `rc9`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Part {
    Number(Number),
    Word(String),
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
        let (prerelease, variant) = split_suffix(suffix)?;
        Some(Self {
            numbers,
            prerelease,
            variant: variant.map(str::to_owned),
            text: text.to_owned(),
        })
    }

    /// What the tag says besides the version, such as `alpine` or `bookworm-slim`.
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
        let begins_number = |rest: &str| rest.starts_with(|next: char| next.is_ascii_digit());
        rest = match behind.split_at_checked(1) {
            Some((".", next)) if begins_number(next) => next,
            // Builds such as Java's 21.0.4_7.
            Some(("_", next)) if numbers.len() > 1 && begins_number(next) => next,
            _ if numbers.len() > 1 => return Some((numbers, behind)),
            _ => return None,
        };
    }
}

/// Prerelease and variant, or nothing if the rest does not belong to a version.
fn split_suffix(suffix: &str) -> Option<(Option<Prerelease>, Option<&str>)> {
    if suffix.is_empty() {
        return Some((None, None));
    }
    let (separator, rest) = match suffix.split_at_checked(1) {
        Some((separator @ ("-" | "_" | "."), rest)) => (separator, rest),
        _ => ("", suffix),
    };
    if rest.is_empty() {
        return None;
    }
    if begins_with_prerelease_word(rest) || separator == "-" && begins_with_digit(rest) {
        let end = prerelease_end(rest);
        let (prerelease, variant) = rest.split_at_checked(end)?;
        let variant = variant.get(1..).filter(|variant| !variant.is_empty());
        return Some((Some(Prerelease::parse(prerelease)), variant));
    }
    matches!(separator, "-" | "_").then_some((None, Some(rest)))
}

/// Where the prerelease ends: it goes on over dashes as long as numbers, its words or commits follow.
fn prerelease_end(rest: &str) -> usize {
    let mut end = 0;
    for (index, segment) in rest.split('-').enumerate() {
        let goes_on = begins_with_digit(segment)
            || begins_with_prerelease_word(segment)
            || is_commit(segment);
        if index > 0 && !goes_on {
            break;
        }
        end += segment.len() + usize::from(index > 0);
    }
    end
}

fn begins_with_digit(text: &str) -> bool {
    text.starts_with(|character: char| character.is_ascii_digit())
}

fn begins_with_prerelease_word(text: &str) -> bool {
    let end = text
        .find(|character: char| !character.is_ascii_alphabetic())
        .unwrap_or(text.len());
    text.get(..end).is_some_and(|word| {
        PRERELEASE_WORDS
            .iter()
            .any(|known| word.eq_ignore_ascii_case(known))
    })
}

/// `g2414721` as `git describe` writes it, or the digits alone.
fn is_commit(segment: &str) -> bool {
    let digits = segment.strip_prefix('g').unwrap_or(segment);
    digits.len() >= COMMIT_LENGTH && digits.bytes().all(|byte| byte.is_ascii_hexdigit())
}

impl Ord for Version {
    /// Numbers, then prereleases before their release, then variant and spelling, so that no two
    /// different tags are equal.
    fn cmp(&self, other: &Self) -> Ordering {
        self.precedence(&other.numbers, other.prerelease.as_ref())
            .then_with(|| self.variant.cmp(&other.variant))
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

// === impl Prerelease ===

impl Prerelease {
    /// Reads `rc1`, `rc.1` and `RC-1` alike: what divides the parts does not count.
    pub(super) fn parse(text: &str) -> Self {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some(first) = rest.chars().next() {
            let is_digit = first.is_ascii_digit();
            let end = rest
                .find(|character: char| character.is_ascii_digit() != is_digit)
                .unwrap_or(rest.len());
            let (run, behind) = rest.split_at_checked(end).unwrap_or((rest, ""));
            rest = behind;
            let word = run.trim_matches(['.', '-', '_']).to_ascii_lowercase();
            match Number::parse(run) {
                Some(number) => parts.push(Part::Number(number)),
                None if word.is_empty() => {}
                None => parts.push(Part::Word(word)),
            }
        }
        Self { parts }
    }
}

/// A release is newer than its prereleases; numbers are older than words (SemVer 2.0.0, section 11).
fn compare_prereleases(left: Option<&Prerelease>, right: Option<&Prerelease>) -> Ordering {
    match (left, right) {
        (None, None) => Ordering::Equal,
        (None, Some(_)) => Ordering::Greater,
        (Some(_), None) => Ordering::Less,
        (Some(left), Some(right)) => left.parts.cmp(&right.parts),
    }
}

#[cfg(test)]
#[path = "version_tests.rs"]
mod tests;
