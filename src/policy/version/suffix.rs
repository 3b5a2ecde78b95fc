// SPDX-License-Identifier: Apache-2.0

//! What stands behind the numbers of a version: a prerelease, a correction, metadata, a variant, several of
//! them, or something that makes the tag no version.

use super::super::number::Number;
use super::builds::Divided;
use super::prerelease::Prerelease;
use super::words::{
    begins_commit_word, begins_dotted_letter, begins_last_word, begins_letter, begins_prerelease,
    begins_with_digit, behind_commit, is_commit, is_correction, is_first_build, is_release,
    is_service_pack, split,
};

/// Stands before SNAPSHOT.
const BUILD: &str = "build-";
/// Behind the prerelease of a package, as in GitLab's 17.6.0-rc42.ee.0.
const EDITIONS: [&str; 2] = [".ce.", ".ee."];

/// What stands behind the numbers.
#[derive(Debug, Default)]
pub(in super::super) struct Suffix {
    pub(in super::super) prerelease: Option<Prerelease>,
    /// The number of a correction, such as 1 in `SP1`.
    pub(in super::super) correction: Option<Number>,
    /// What else the tag says, without the numbers of builds.
    pub(in super::super) variant: Option<String>,
    /// The numbers of builds, such as 2 in `k3s2` and 7 in `_7`.
    pub(in super::super) builds: Vec<Number>,
}

impl Suffix {
    /// Reads it, or nothing if it does not belong to a version.
    pub(in super::super) fn parse(text: &str) -> Option<Self> {
        if text.is_empty() {
            return Some(Self::default());
        }
        if let Some(behind) = behind_commit(text) {
            return Some(Self::behind(behind, true));
        }
        let (separator, rest) = match text.split_at_checked(1) {
            Some((separator @ ("-" | "_" | "."), rest)) => (separator, rest),
            _ => ("", text),
        };
        if rest.is_empty() {
            return None;
        }
        let rest = without_build(rest);
        if is_prerelease(separator, rest) {
            let (prerelease, behind) = rest.split_at_checked(prerelease_end(rest))?;
            return Some(Self {
                prerelease: Some(Prerelease::parse(prerelease, separator.is_empty())),
                ..Self::behind(behind, false)
            });
        }
        if !separator.is_empty()
            && let Some((correction, behind)) = split_qualifier(rest)
        {
            return Some(Self {
                correction,
                ..Self::behind(behind, true)
            });
        }
        if separator != "-" && separator != "_" {
            return None;
        }
        Some(match rest.rsplit_once('-') {
            Some((variant, last)) if begins_last_word(last) => Self {
                prerelease: Some(Prerelease::parse(last, false)),
                ..Self::behind(text.get(..=variant.len()).unwrap_or_default(), false)
            },
            Some(_) | None => Self::behind(text, false),
        })
    }

    /// Reads metadata behind `_` and a variant behind `-`. `counting`: whether numbers at the beginning of
    /// the variant count builds.
    fn behind(text: &str, counting: bool) -> Self {
        let mut divided = Divided::default();
        let variant = match text.strip_prefix('_') {
            Some(rest) => {
                let (metadata, variant) = rest.split_once('-').unwrap_or((rest, ""));
                divided.add_metadata(metadata);
                variant
            }
            None => text.strip_prefix(['-', '.']).unwrap_or(text),
        };
        divided.add_variant(variant, counting);
        Self {
            prerelease: None,
            correction: None,
            variant: divided.variant(),
            builds: divided.builds,
        }
    }
}

/// Whether what stands behind the numbers and the separator is a prerelease.
fn is_prerelease(separator: &str, rest: &str) -> bool {
    let first = rest.split(['-', '_']).next().unwrap_or(rest);
    match separator {
        "" => begins_prerelease(rest) || begins_letter(rest),
        "-" => {
            begins_prerelease(rest)
                || begins_dotted_letter(rest)
                || begins_with_digit(rest)
                || (is_commit(first) && !is_first_build(first))
        }
        // As in Alpine's 3.20.0_rc1; a commit is metadata there.
        "_" => begins_prerelease(rest) && !begins_commit_word(rest),
        _ => begins_prerelease(rest),
    }
}

/// Spring writes BUILD-SNAPSHOT for SNAPSHOT.
fn without_build(rest: &str) -> &str {
    match rest.split_at_checked(BUILD.len()) {
        Some((word, behind)) if word.eq_ignore_ascii_case(BUILD) && begins_prerelease(behind) => {
            behind
        }
        Some(_) | None => rest,
    }
}

/// Where the prerelease ends: at metadata or an edition, and it goes on over dashes as long as numbers, its words or
/// commits follow.
fn prerelease_end(rest: &str) -> usize {
    let mut end = 0;
    for (index, segment) in rest.split('-').enumerate() {
        let goes_on =
            begins_with_digit(segment) || begins_prerelease(segment) || is_commit(segment);
        if index > 0 && !goes_on {
            break;
        }
        let start = end + usize::from(index > 0);
        let edition = EDITIONS.iter().find_map(|edition| segment.find(edition));
        if let Some(length) = segment.find('_').or(edition) {
            return start + length;
        }
        end = start + segment.len();
    }
    end
}

/// What a qualifier of a release says, and what stands behind it: nothing for `Final`, the number for `SP1`.
fn split_qualifier(rest: &str) -> Option<(Option<Number>, &str)> {
    let (word, behind) = split(rest);
    let is_over = |text: &str| text.is_empty() || text.starts_with(['-', '_']);
    if is_release(word) && is_over(behind) {
        return Some((None, behind));
    }
    if !is_correction(word) {
        return None;
    }
    let digits = behind.strip_prefix(['.', '-']).unwrap_or(behind);
    let end = digits
        .find(|character: char| !character.is_ascii_digit())
        .unwrap_or(digits.len());
    let (digits, behind_digits) = digits.split_at_checked(end)?;
    match Number::parse(digits) {
        Some(number) if is_over(behind_digits) => Some((Some(number), behind_digits)),
        _ if is_service_pack(word) && is_over(behind) => Some((Some(Number::ZERO), behind)),
        Some(_) | None => None,
    }
}
