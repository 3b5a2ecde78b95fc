// SPDX-License-Identifier: Apache-2.0

//! Regular expressions for tags: RE2 syntax, anchored, and matched in time linear to the tag.

use std::fmt;
use std::sync::Arc;

use regex::{Regex, RegexBuilder};

use crate::oci::Tag;

/// Longest pattern, in bytes.
pub const PATTERN_LENGTH: usize = 256;
/// Largest compiled expression, in bytes.
pub(super) const SIZE_LIMIT: usize = 1 << 20;

/// A regular expression that must match a whole tag.
///
/// Cheap to clone: every tag that a pattern keeps out names it.
#[derive(Clone)]
pub struct Pattern {
    text: Arc<str>,
    regex: Arc<Regex>,
}

/// Why a text is not a pattern.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// The pattern is empty.
    #[error("the pattern is empty: write .* for any tag")]
    Empty,
    /// The pattern is too long.
    #[error("the pattern has {found} characters, at most {most} are allowed", most = PATTERN_LENGTH)]
    TooLong {
        /// Its length in bytes.
        found: usize,
    },
    /// The pattern is not a regular expression.
    #[error("pattern {text:?} is not a regular expression: {message}")]
    Syntax {
        /// The pattern.
        text: String,
        /// What is wrong with it.
        message: String,
    },
    /// The compiled pattern would be too large.
    #[error("pattern {0:?} is too complex: use smaller repetitions")]
    TooComplex(String),
}

// === impl Pattern ===

impl Pattern {
    /// Compiles a pattern.
    pub fn parse(text: &str) -> Result<Self, PatternError> {
        match text.len() {
            0 => return Err(PatternError::Empty),
            1..=PATTERN_LENGTH => {}
            found => return Err(PatternError::TooLong { found }),
        }
        let compile = |expression: &str| {
            RegexBuilder::new(expression)
                .size_limit(SIZE_LIMIT)
                .build()
                .map_err(|error| PatternError::new(text, &error))
        };
        // On its own first: `a)|(?:b` would be a valid expression inside the anchors and escape them.
        compile(text)?;
        Ok(Self {
            text: text.into(),
            regex: Arc::new(compile(&format!("^(?:{text})$"))?),
        })
    }

    /// Whether the pattern matches the whole tag.
    pub fn matches(&self, tag: &Tag) -> bool {
        self.regex.is_match(tag.as_str())
    }

    /// The pattern as it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The numbers and the names of its groups; the first one is the whole.
    pub(super) fn groups(&self) -> Vec<String> {
        let numbers = (0..self.regex.captures_len()).map(|number| number.to_string());
        let names = self.regex.capture_names().flatten().map(str::to_owned);
        numbers.chain(names).collect()
    }

    /// A text in which names of groups stand for what they match; None where the pattern does not match the
    /// whole tag.
    pub(super) fn expand(&self, tag: &Tag, text: &str) -> Option<String> {
        let captures = self.regex.captures(tag.as_str())?;
        let mut expanded = String::new();
        captures.expand(text, &mut expanded);
        Some(expanded)
    }
}

impl PatternError {
    fn new(text: &str, error: &regex::Error) -> Self {
        if matches!(error, regex::Error::CompiledTooBig(_)) {
            return Self::TooComplex(text.to_owned());
        }
        // The library draws the pattern with a caret on several lines and says the reason last.
        let drawn = error.to_string();
        let message = drawn.rsplit("error: ").next().unwrap_or(&drawn);
        Self::Syntax {
            text: text.to_owned(),
            message: message.trim().to_owned(),
        }
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Pattern {}

impl fmt::Display for Pattern {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(&self.text)
    }
}

impl fmt::Debug for Pattern {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Pattern({})", self.text)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_pattern_matches_whole_tags() {
        let cases = [
            (r"^v?\d+\.\d+\.\d+$", "v1.2.3", true),
            (r"v?\d+\.\d+\.\d+", "v1.2.3", true),
            (r"v?\d+\.\d+\.\d+", "v1.2.3-rc1", false),
            (".*-rc.*", "1.0-rc1", true),
            ("-rc", "1.0-rc1", false),
            ("a|b", "ab", false),
            ("a|b", "b", true),
            ("(?i)RELEASE", "release", true),
        ];
        for (pattern, tag, expected) in cases {
            let found = Pattern::parse(pattern)
                .unwrap()
                .matches(&tag.parse().unwrap());
            assert_eq!(found, expected, "{pattern} {tag}");
        }
    }

    #[test]
    fn texts_that_are_not_patterns() {
        let cases = [
            ("", "the pattern is empty: write .* for any tag"),
            (
                "(",
                "pattern \"(\" is not a regular expression: unclosed group",
            ),
            (
                "a)|(?:b",
                "pattern \"a)|(?:b\" is not a regular expression: unopened group",
            ),
            (
                "*",
                "pattern \"*\" is not a regular expression: repetition operator missing expression",
            ),
            (
                "[z-a]",
                "pattern \"[z-a]\" is not a regular expression: invalid character class range, the start must be <= the end",
            ),
            (
                "(?=a)",
                "pattern \"(?=a)\" is not a regular expression: look-around, including look-ahead and look-behind, is not supported",
            ),
            (
                r"(a)\1",
                "pattern \"(a)\\\\1\" is not a regular expression: backreferences are not supported",
            ),
            (
                r"((\pL{100}){100}){100}",
                "pattern \"((\\\\pL{100}){100}){100}\" is too complex: use smaller repetitions",
            ),
            (
                &"a".repeat(257),
                "the pattern has 257 characters, at most 256 are allowed",
            ),
        ];
        for (text, message) in cases {
            assert_eq!(Pattern::parse(text).unwrap_err().to_string(), message);
        }
    }

    proptest! {
        #[test]
        fn anything_parses_or_is_refused_without_a_panic(text in ".{0,60}") {
            let _ = Pattern::parse(&text);
        }
    }
}
