// SPDX-License-Identifier: Apache-2.0

//! What stands before a release, and in which order.

use super::super::number::Number;
use super::words::{self, has_digits_of_commit};

/// What stands before a release, such as `rc.1`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(in super::super) struct Prerelease {
    /// They end with [`Part::End`].
    pub(super) parts: Vec<Part>,
}

/// A commit, or a run of digits or of anything else: `rc10` is newer than `rc9`. Numbers are older than words
/// (SemVer 2.0.0, section 11), and the words are in the order of the alphabet, which is Maven's, too:
/// alpha, beta, milestone, rc, snapshot.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Part {
    /// A word behind another one that says that it is not reached yet, such as `SNAPSHOT` in `rc1-SNAPSHOT`.
    Unfinished(String),
    /// Nothing more.
    End,
    Number(Number),
    Word(String),
}

impl Prerelease {
    /// Reads `rc1`, `rc.1`, `RC-1` and `CR1` alike: what divides the parts does not count. `attached`: whether it
    /// stands directly behind a number, where `b20240101` is a beta and no commit.
    pub(in super::super) fn parse(text: &str, attached: bool) -> Self {
        let mut parts = Vec::new();
        for (place, segment) in text.split(['.', '-', '_']).enumerate() {
            if has_digits_of_commit(segment) && (place > 0 || !attached) {
                let number = Number::parse(segment).map(Part::Number);
                parts.push(number.unwrap_or_else(|| Part::Word(segment.to_ascii_lowercase())));
            } else {
                add_runs(&mut parts, segment);
            }
        }
        parts.push(Part::End);
        Self { parts }
    }

    /// Whether a word says that this is no release. A number or a commit behind a dash does not: some
    /// publishers give it to releases.
    pub(super) fn is_named(&self) -> bool {
        self.parts.iter().any(|part| match part {
            Part::Unfinished(word) | Part::Word(word) => words::says_prerelease(word),
            Part::End | Part::Number(_) => false,
        })
    }
}

/// Adds the runs of digits and of anything else.
fn add_runs(parts: &mut Vec<Part>, segment: &str) {
    let mut rest = segment;
    while let Some(first) = rest.chars().next() {
        let is_digit = first.is_ascii_digit();
        let end = rest
            .find(|character: char| character.is_ascii_digit() != is_digit)
            .unwrap_or(rest.len());
        let (run, behind) = rest.split_at_checked(end).unwrap_or((rest, ""));
        rest = behind;
        let part = Number::parse(run).map_or_else(|| word(parts, run), Part::Number);
        parts.push(part);
    }
}

/// What a word says behind the parts in front of it.
fn word(parts: &[Part], run: &str) -> Part {
    // Only the first word can be another spelling: the others may belong to anything.
    let word = if parts.is_empty() {
        words::canonical(run)
    } else {
        run.to_ascii_lowercase()
    };
    let is_behind_word = parts.iter().any(|part| matches!(part, Part::Word(_)));
    if words::is_unfinished(&word) && is_behind_word {
        Part::Unfinished(word)
    } else {
        Part::Word(word)
    }
}
