// SPDX-License-Identifier: Apache-2.0

//! What stands before a release, and in which order.

use super::super::number::Number;
use super::words;

/// What stands before a release, such as `rc.1`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(in super::super) struct Prerelease {
    /// They end with [`Part::End`].
    pub(super) parts: Vec<Part>,
}

/// A run of digits or of anything else: `rc10` is newer than `rc9`. Numbers are older than words
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
    /// Reads `rc1`, `rc.1`, `RC-1` and `CR1` alike: what divides the parts does not count.
    pub(in super::super) fn parse(text: &str) -> Self {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some(first) = rest.chars().next() {
            let is_digit = first.is_ascii_digit();
            let end = rest
                .find(|character: char| character.is_ascii_digit() != is_digit)
                .unwrap_or(rest.len());
            let (run, behind) = rest.split_at_checked(end).unwrap_or((rest, ""));
            rest = behind;
            if let Some(number) = Number::parse(run) {
                parts.push(Part::Number(number));
                continue;
            }
            for word in run.split(['.', '-', '_']).filter(|word| !word.is_empty()) {
                // Only the first word can be another spelling: what follows may be a commit.
                let word = if parts.is_empty() {
                    words::canonical(word)
                } else {
                    word.to_ascii_lowercase()
                };
                let is_behind_word = parts.iter().any(|part| matches!(part, Part::Word(_)));
                parts.push(if words::is_unfinished(&word) && is_behind_word {
                    Part::Unfinished(word)
                } else {
                    Part::Word(word)
                });
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
