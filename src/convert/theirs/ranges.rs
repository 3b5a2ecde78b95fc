// SPDX-License-Identifier: Apache-2.0

//! Ranges of versions as the libraries of the tools understand them: Masterminds/semver v3 (regsync, skopeo, Flux) and
//! blang/semver v4 (dregsy). Tags are versions there in the form of semantic versioning only.

use std::cmp::Ordering;

use crate::convert::conversion::Gap;
use crate::convert::fields::Place;

/// Alternatives of comparators that must all hold.
#[derive(Clone, Debug)]
pub(super) struct Ranges {
    library: Library,
    alternatives: Vec<Vec<Comparator>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Library {
    Masterminds,
    Blang,
    /// As Masterminds, and prereleases are always in.
    All,
    /// regclient's own: any number of numbers, and whatever stands behind a dash.
    Regclient,
}

/// A version: its numbers, and its prerelease.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Version {
    /// Three or more.
    numbers: Vec<u64>,
    prerelease: Option<String>,
}

#[derive(Clone, Debug)]
struct Comparator {
    operator: String,
    version: Version,
    /// How many numbers are written.
    count: usize,
}

// === impl Version ===

impl Version {
    /// One to three numbers, with a `v` in front or not.
    pub(super) fn loose(text: &str) -> Option<Self> {
        Self::parse(text).map(|(version, _)| version)
    }

    /// A version, and how many numbers are written.
    fn parse(text: &str) -> Option<(Self, usize)> {
        let (version, count) = Self::parse_any(text)?;
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'.' || byte == b'-';
        let mut suffix = version.prerelease.iter();
        let is_plain = suffix.all(|text| !text.is_empty() && text.bytes().all(allowed));
        (count <= 3 && is_plain).then_some((version, count))
    }

    fn parse_any(text: &str) -> Option<(Self, usize)> {
        let text = text.strip_prefix('v').unwrap_or(text);
        let (numbers, prerelease) = match text.split_once('-') {
            Some((numbers, prerelease)) => (numbers, Some(prerelease)),
            None => (text, None),
        };
        let number = |part: &str| {
            let is_number = !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
            part.parse().ok().filter(|_| is_number)
        };
        let mut numbers: Vec<u64> = numbers.split('.').map(number).collect::<Option<_>>()?;
        let count = numbers.len();
        numbers.resize(count.max(3), 0);
        let prerelease = prerelease.map(str::to_owned);
        Some((
            Self {
                numbers,
                prerelease,
            },
            count,
        ))
    }

    /// The first version that has a higher number at a place.
    fn above(&self, place: usize) -> Vec<u64> {
        let numbers = self.numbers.iter().enumerate();
        let above = numbers.map(|(index, number)| match index.cmp(&place) {
            Ordering::Less => *number,
            Ordering::Equal => number + 1,
            Ordering::Greater => 0,
        });
        above.collect()
    }
}

impl Ord for Version {
    fn cmp(&self, other: &Self) -> Ordering {
        let length = self.numbers.len().max(other.numbers.len());
        let padded = |version: &Self| {
            let mut numbers = version.numbers.clone();
            numbers.resize(length, 0);
            numbers
        };
        let numbers = padded(self).cmp(&padded(other));
        numbers.then_with(|| match (&self.prerelease, &other.prerelease) {
            (None, None) => Ordering::Equal,
            (None, Some(_)) => Ordering::Greater,
            (Some(_), None) => Ordering::Less,
            (Some(one), Some(other)) => compare_prereleases(one, other),
        })
    }
}

impl PartialOrd for Version {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// Part by part, numbers before words (semantic versioning 2.0, 11).
fn compare_prereleases(one: &str, other: &str) -> Ordering {
    let (mut one, mut other) = (one.split('.'), other.split('.'));
    loop {
        let (left, right) = match (one.next(), other.next()) {
            (None, None) => return Ordering::Equal,
            (None, Some(_)) => return Ordering::Less,
            (Some(_), None) => return Ordering::Greater,
            (Some(left), Some(right)) => (left, right),
        };
        let order = match (left.parse::<u64>(), right.parse::<u64>()) {
            (Ok(left), Ok(right)) => left.cmp(&right),
            (Ok(_), Err(_)) => Ordering::Less,
            (Err(_), Ok(_)) => Ordering::Greater,
            (Err(_), Err(_)) => left.cmp(right),
        };
        if order != Ordering::Equal {
            return order;
        }
    }
}

// === impl Ranges ===

impl Ranges {
    pub(super) fn parse(text: &str, library: Library, place: &Place) -> Result<Self, Gap> {
        let alternatives: Option<Vec<Vec<Comparator>>> =
            text.split("||").map(comparators).collect();
        let alternatives =
            alternatives.ok_or_else(|| place.gap(format!("{text:?} is no range")))?;
        Ok(Self {
            library,
            alternatives,
        })
    }

    pub(super) fn contain(&self, tag: &str) -> bool {
        let read = match self.library {
            Library::Regclient => Version::parse_any(tag),
            Library::Masterminds | Library::Blang | Library::All => Version::parse(tag),
        };
        let Some((version, count)) = read else {
            return false;
        };
        if self.library == Library::Blang && count < 3 {
            return false;
        }
        let holds = |comparator: &Comparator| {
            let is_welcome = version.prerelease.is_none()
                || self.library != Library::Masterminds
                || comparator.version.prerelease.is_some();
            is_welcome && comparator.holds(&version)
        };
        let mut alternatives = self.alternatives.iter();
        alternatives.any(|comparators| comparators.iter().all(holds))
    }
}

/// The comparators of an alternative; `1.2 - 1.5` are two.
fn comparators(text: &str) -> Option<Vec<Comparator>> {
    let text = text.replace(',', " ");
    let mut words: Vec<String> = Vec::new();
    let mut is_span = false;
    for word in text.split_whitespace() {
        let is_bare = |last: &String| last.chars().all(|last| "<>=!~^".contains(last));
        match words.last_mut() {
            _ if word == "-" => {
                let from = words.pop()?;
                words.push(format!(">={from}"));
                is_span = true;
            }
            Some(last) if is_bare(last) => last.push_str(word),
            _ if is_span => {
                words.push(format!("<={word}"));
                is_span = false;
            }
            _ => words.push(word.to_owned()),
        }
    }
    words.iter().map(|word| Comparator::parse(word)).collect()
}

// === impl Comparator ===

impl Comparator {
    fn parse(word: &str) -> Option<Self> {
        let end = word.find(|character: char| !"<>=!~^".contains(character))?;
        let (operator, version) = word.split_at(end);
        let (numbers, prerelease) = match version.split_once('-') {
            Some((numbers, prerelease)) => (numbers, Some(prerelease)),
            None => (version, None),
        };
        let is_any = |part: &&str| matches!(*part, "x" | "X" | "*");
        let written: Vec<&str> = numbers
            .trim_start_matches('v')
            .split('.')
            .take_while(|part| !is_any(part))
            .collect();
        let mut text = written.join(".");
        if text.is_empty() {
            "0".clone_into(&mut text);
        }
        if let Some(prerelease) = prerelease {
            text = format!("{text}-{prerelease}");
        }
        let (version, _) = Version::parse(&text)?;
        Some(Self {
            operator: operator.to_owned(),
            version,
            count: written.len(),
        })
    }

    fn holds(&self, found: &Version) -> bool {
        let Self {
            operator,
            version,
            count,
        } = self;
        if *count == 0 {
            return true;
        }
        let last = count - 1;
        let is_whole = *count >= 3;
        match operator.as_str() {
            "" | "=" | "==" if is_whole => found == version,
            "" | "=" | "==" => found >= version && found.numbers < version.above(last),
            "!=" | "!" if is_whole => found != version,
            "!=" | "!" => found < version || found.numbers >= version.above(last),
            ">" if is_whole => found > version,
            ">" => found.numbers >= version.above(last),
            ">=" | "=>" => found >= version,
            "<" => found < version,
            "<=" | "=<" if is_whole => found <= version,
            "<=" | "=<" => found.numbers < version.above(last),
            "~" | "~>" => found >= version && found.numbers < version.above(last.min(1)),
            "^" => {
                let first = version.numbers.iter().position(|number| *number > 0);
                let place = first.unwrap_or(2).min(last);
                found >= version && found.numbers < version.above(place)
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::document::Position;

    /// From the READMEs of the two libraries.
    #[test]
    fn ranges_of_the_libraries() {
        use Library::{Blang, Masterminds};
        for (library, range, within, without) in [
            (
                Masterminds,
                ">= 1.2, < 3.0.0 || >= 4.2.3",
                "1.2.0 2.9.9 4.2.3 v5",
                "1.1.9 3.0.0 4.2.2 2.0.0-rc1",
            ),
            (Masterminds, "1.2 - 1.4.5", "1.2 1.4.5", "1.1 1.4.6"),
            (Masterminds, "1.2.x", "1.2.0 1.2.9", "1.3.0 1.1.9"),
            (Masterminds, ">= 1.2.x", "1.2.0 2.0", "1.1.9"),
            (Masterminds, "<= 2.x", "2.9.9 1.0", "3.0.0"),
            (Masterminds, "*", "0.1 9.9.9", "1.0.0-rc1 latest"),
            (Masterminds, "~1.2.3", "1.2.3 1.2.9", "1.3.0"),
            (Masterminds, "~1", "1.0 1.9", "2.0.0"),
            (Masterminds, "~2.3", "2.3.0 2.3.9", "2.4.0"),
            (Masterminds, "^1.2.3", "1.2.3 1.9.9", "2.0.0"),
            (Masterminds, "^0.2.3", "0.2.3 0.2.9", "0.3.0"),
            (Masterminds, "^0.0.3", "0.0.3", "0.0.4"),
            (Masterminds, "^0.0", "0.0.9", "0.1.0"),
            (Masterminds, "^0", "0.9.9", "1.0.0"),
            (
                Masterminds,
                ">=1.2.3-0",
                "1.2.3-beta 1.2.3 2.0.0-rc1",
                "1.2.2",
            ),
            (Masterminds, "!= 1.2.3", "1.2.4 1.0", "1.2.3"),
            (
                Blang,
                ">1.0.0 <2.0.0 || >3.0.0 !4.2.1",
                "1.5.0 2.0.0-rc1 3.0.1 v5.0.0",
                "1.0.0 2.0.0 4.2.1 1.5",
            ),
        ] {
            let place = Place {
                position: Position { line: 1, column: 1 },
                path: String::new(),
            };
            let ranges = Ranges::parse(range, library, &place).unwrap();
            for tag in within.split(' ') {
                assert!(ranges.contain(tag), "{range}: {tag}");
            }
            for tag in without.split(' ') {
                assert!(!ranges.contain(tag), "{range}: {tag}");
            }
        }
    }
}
