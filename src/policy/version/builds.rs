// SPDX-License-Identifier: Apache-2.0

//! Divides what a variant says from the numbers that count the builds of one version.

use super::super::number::Number;
use super::words::{begins_commit_word, counts_builds, counts_first_builds, has_digits_of_commit};

/// A number alone with as many digits is a date or a time, and so no name of a base such as `debian-12`.
const DATE_LENGTH: usize = 6;
/// Behind a word it takes more: `ltsc2022` is a name.
const ATTACHED_DATE_LENGTH: usize = 8;

/// What a variant says, and the numbers of builds in it, such as `k3s` and 2 of `k3s2`.
#[derive(Debug, Default)]
pub(super) struct Divided {
    words: Vec<String>,
    pub(super) builds: Vec<Number>,
}

impl Divided {
    /// What is said without the numbers of builds.
    pub(super) fn variant(&self) -> Option<String> {
        Some(self.words.join("-")).filter(|variant| !variant.is_empty())
    }

    /// Adds what stands behind dashes. `counting`: whether a number at the beginning counts builds.
    pub(super) fn add_variant(&mut self, variant: &str, mut counting: bool) {
        let mut counts: fn(&str) -> bool = counts_first_builds;
        for segment in variant.split('-').filter(|segment| !segment.is_empty()) {
            counting = self.add_segment(segment, counting, counts);
            counts = counts_builds;
        }
    }

    /// Adds metadata, which stands behind `_` because tags cannot have the `+` of SemVer. Its numbers are
    /// builds wherever they stand, and commits say nothing.
    pub(super) fn add_metadata(&mut self, metadata: &str) {
        let mut words = Vec::new();
        let mut is_hidden = false;
        for part in metadata.split(['.', '_']) {
            let (word, number) = split_number(part);
            match number {
                Some(number) if word.is_empty() => self.builds.push(number),
                _ if is_hidden || has_digits_of_commit(part) => {}
                _ if begins_commit_word(part) => is_hidden = true,
                Some(number) => {
                    self.builds.push(number);
                    words.push(word);
                }
                None => words.push(part),
            }
        }
        self.words.push(words.join("."));
        self.words.retain(|word| !word.is_empty());
    }

    /// Adds one segment, and says whether numbers behind it count builds. `counts`: whether those behind a word do.
    fn add_segment(&mut self, segment: &str, counting: bool, counts: fn(&str) -> bool) -> bool {
        let (word, number) = split_number(segment);
        let bare = word.strip_suffix('.').unwrap_or(word);
        let digits = segment.len() - word.len();
        // `ce.0` and `vmware.2`: nobody writes the name of a base with a dot.
        let is_dotted =
            bare.len() < word.len() && bare.bytes().all(|byte| byte.is_ascii_alphabetic());
        match number {
            Some(number) if word.is_empty() && (counting || digits >= DATE_LENGTH) => {
                self.builds.push(number);
                return counting;
            }
            Some(number) if !word.is_empty() && (counts(bare) || is_dotted) => {
                self.words.push(bare.to_owned());
                self.builds.push(number);
                return true;
            }
            Some(number) if !word.is_empty() && digits >= ATTACHED_DATE_LENGTH => {
                self.words.push(word.to_owned());
                self.builds.push(number);
                return false;
            }
            Some(_) | None => {}
        }
        if has_digits_of_commit(segment) {
            return counting;
        }
        self.words.push(segment.to_owned());
        counts_builds(segment)
    }
}

/// What stands in front of the digits at the end, and their number.
fn split_number(segment: &str) -> (&str, Option<Number>) {
    let word = segment.trim_end_matches(|character: char| character.is_ascii_digit());
    let number = segment.get(word.len()..).and_then(Number::parse);
    (word, number)
}
