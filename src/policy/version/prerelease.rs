//! What stands before a release, and in which order.

use super::super::number::Number;

/// What stands before a release, such as `rc.1`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(in super::super) struct Prerelease {
    pub(super) parts: Vec<Part>,
}

/// A run of digits or of anything else: `rc10` is newer than `rc9`. Numbers are older than words
/// (SemVer 2.0.0, section 11).
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Part {
    Number(Number),
    Word(String),
}

impl Prerelease {
    /// Reads `rc1`, `rc.1` and `RC-1` alike: what divides the parts does not count.
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
