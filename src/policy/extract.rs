// SPDX-License-Identifier: Apache-2.0

//! The part of a tag that rules read, in the words of Flux: a pattern with groups, and what of them makes
//! the value.

use std::fmt;

use super::Pattern;
use super::pattern::PatternError;
use crate::oci::Tag;

/// Longest value, in bytes.
pub const VALUE_LENGTH: usize = 128;
/// Longest text that is extracted, in bytes: that of a tag.
const EXTRACTED_LENGTH: usize = 128;

/// What is read of a tag in place of the whole.
#[derive(Clone, PartialEq, Eq)]
pub struct Extract {
    pattern: Pattern,
    value: String,
}

/// Why nothing can be extracted in this way.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExtractError {
    /// The pattern is none.
    #[error(transparent)]
    Pattern(#[from] PatternError),
    /// The value is empty or too long.
    #[error("the value has {found} characters, 1 to {most} are allowed", most = VALUE_LENGTH)]
    Length {
        /// Its length in bytes.
        found: usize,
    },
    /// The value names no group: all tags would be alike.
    #[error("value {0:?} names no group of the pattern: write $1, or $name for (?P<name>…)")]
    NoGroup(String),
    /// The value has a dollar sign that names nothing.
    #[error(
        "value {0:?} has a $ with no name of a group behind it: write $1 or ${{name}}, and $$ for the sign itself"
    )]
    Dangling(String),
    /// The pattern has no such group.
    #[error("value {value:?} names the group {group:?}, and the pattern has {known}")]
    UnknownGroup {
        /// The value.
        value: String,
        /// The name or number.
        group: String,
        /// The groups that there are.
        known: String,
    },
}

impl ExtractError {
    /// The field below `extract` that is wrong.
    pub const fn field(&self) -> &'static str {
        match self {
            Self::Pattern(_) => "pattern",
            Self::Length { .. }
            | Self::NoGroup(_)
            | Self::Dangling(_)
            | Self::UnknownGroup { .. } => "value",
        }
    }
}

// === impl Extract ===

impl Extract {
    /// Reads a pattern and a value. Every group that the value names has to be one of the pattern.
    pub fn parse(pattern: &str, value: &str) -> Result<Self, ExtractError> {
        let pattern = Pattern::parse(pattern)?;
        if !(1..=VALUE_LENGTH).contains(&value.len()) {
            return Err(ExtractError::Length { found: value.len() });
        }
        let names = names(value)?;
        if names.is_empty() {
            return Err(ExtractError::NoGroup(value.to_owned()));
        }
        let groups = pattern.groups();
        for group in names {
            if !groups.iter().any(|known| known == group) {
                return Err(ExtractError::UnknownGroup {
                    value: value.to_owned(),
                    group: group.to_owned(),
                    known: list(&groups),
                });
            }
        }
        Ok(Self {
            pattern,
            value: value.to_owned(),
        })
    }

    /// The part that is meant; None where the pattern does not match the whole tag, or where the part would
    /// be empty or longer than a tag.
    pub fn extract(&self, tag: &Tag) -> Option<String> {
        let extracted = self.pattern.expand(tag, &self.value)?;
        (1..=EXTRACTED_LENGTH)
            .contains(&extracted.len())
            .then_some(extracted)
    }

    /// The pattern.
    pub const fn pattern(&self) -> &Pattern {
        &self.pattern
    }
}

impl fmt::Debug for Extract {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Extract({} of {})", self.value, self.pattern)
    }
}

/// The groups that a pattern has besides the whole, for people.
fn list(groups: &[String]) -> String {
    let groups: Vec<&str> = groups.iter().map(String::as_str).skip(1).collect();
    match groups.as_slice() {
        [] => "no groups: put one into ( )".to_owned(),
        groups => groups.join(", "),
    }
}

/// The groups that a value names, as Go and the regex crate read them: the longest name of letters, digits
/// and `_` behind a `$`, or what stands in braces; `$$` is the sign itself.
fn names(value: &str) -> Result<Vec<&str>, ExtractError> {
    let dangling = || ExtractError::Dangling(value.to_owned());
    let mut names = Vec::new();
    let mut rest = value;
    while let Some((_, behind)) = rest.split_once('$') {
        if let Some(behind) = behind.strip_prefix('$') {
            rest = behind;
            continue;
        }
        let (name, behind) = if let Some(braced) = behind.strip_prefix('{') {
            braced.split_once('}').ok_or_else(dangling)?
        } else {
            let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
            let end = behind.find(|c| !is_name(c)).unwrap_or(behind.len());
            behind.split_at_checked(end).unwrap_or_default()
        };
        if name.is_empty() {
            return Err(dangling());
        }
        names.push(name);
        rest = behind;
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_extracted_from_tags() {
        let main = r"^main-[a-fA-F0-9]+-(?P<ts>\d+)$";
        let cases = [
            (main, "$ts", "main-0f3a-1700000000", Some("1700000000")),
            (main, "${ts}", "main-0f3a-1700000000", Some("1700000000")),
            (main, "$1", "main-0f3a-1700000000", Some("1700000000")),
            (main, "$ts", "main-0f3a-1700000000-arm64", None),
            (main, "$ts", "dev-0f3a-1700000000", None),
            ("stable-(.*)", "$1", "stable-1.27", Some("1.27")),
            (
                "controller-(v.*)",
                "$1",
                "controller-v1.9.0",
                Some("v1.9.0"),
            ),
            ("jdk-(.+)", "$1", "jdk-17.0.9_9", Some("17.0.9_9")),
            (
                r"RELEASE\.(\d+)-(\d+)-(\d+)T.*Z",
                "$1$2$3",
                "RELEASE.2024-12-13T22-19-12Z",
                Some("20241213"),
            ),
            (r"(\d+)u(\d+)", "$1.$2", "8u402", Some("8.402")),
            (r"(\d+)u(\d+)", "${1}0$2", "8u402", Some("80402")),
            ("(?P<a>x)?y", "$a", "y", None),
            ("(.*)", "$$$1", "a", Some("$a")),
            ("(.*)", "$0", "a", Some("a")),
        ];
        for (pattern, value, tag, expected) in cases {
            let extract = Extract::parse(pattern, value).unwrap();
            let found = extract.extract(&tag.parse().unwrap());
            assert_eq!(found.as_deref(), expected, "{pattern} {value} {tag}");
        }
    }

    #[test]
    fn what_cannot_be_extracted() {
        let cases = [
            (
                "(",
                "$1",
                "pattern: pattern \"(\" is not a regular expression: unclosed group",
            ),
            (
                "(.*)",
                "",
                "value: the value has 0 characters, 1 to 128 are allowed",
            ),
            (
                "(.*)",
                &"$1".repeat(65),
                "value: the value has 130 characters, 1 to 128 are allowed",
            ),
            (
                "(.*)",
                "1",
                "value: value \"1\" names no group of the pattern: write $1, or $name for (?P<name>…)",
            ),
            (
                "(.*)",
                "$",
                "value: value \"$\" has a $ with no name of a group behind it: write $1 or ${name}, and $$ for the sign itself",
            ),
            (
                "(.*)",
                "${1",
                "value: value \"${1\" has a $ with no name of a group behind it: write $1 or ${name}, and $$ for the sign itself",
            ),
            (
                "(?P<ts>.*)",
                "$tz",
                "value: value \"$tz\" names the group \"tz\", and the pattern has 1, ts",
            ),
            (
                "(.*)",
                "$1x",
                "value: value \"$1x\" names the group \"1x\", and the pattern has 1",
            ),
            (
                ".*",
                "$1",
                "value: value \"$1\" names the group \"1\", and the pattern has no groups: put one into ( )",
            ),
        ];
        for (pattern, value, expected) in cases {
            let error = Extract::parse(pattern, value).unwrap_err();
            assert_eq!(format!("{}: {error}", error.field()), expected, "{value}");
        }
    }

    #[test]
    fn what_is_extracted_is_no_longer_than_a_tag() {
        let extract = Extract::parse("(.*)", "$1$1").unwrap();
        let tag = |length| "a".repeat(length).parse().unwrap();
        assert_eq!(extract.extract(&tag(64)).unwrap().len(), 128);
        assert_eq!(extract.extract(&tag(65)), None);
    }

    proptest! {
        #[test]
        fn anything_parses_or_is_refused_without_a_panic(
            pattern in "[a-z().*$\\\\d+?<>P]{0,20}",
            value in "[$a-z0-9{}]{0,12}|.{0,12}",
            tag in "[a-z0-9]{1,20}",
        ) {
            if let Ok(extract) = Extract::parse(&pattern, &value) {
                let _ = extract.extract(&tag.parse().unwrap());
            }
        }
    }
}
