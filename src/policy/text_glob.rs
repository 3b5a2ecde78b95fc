// SPDX-License-Identifier: Apache-2.0

//! Globs for free text, such as the values of labels.

use std::fmt;

/// A glob in which `*` stands for any characters, also none, and everything else for itself. It must
/// match the whole text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TextGlob(String);

impl TextGlob {
    /// The glob that a person wrote; every text is one.
    pub fn new(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// Whether the glob stands for this text.
    pub fn matches(&self, text: &str) -> bool {
        let mut pieces = self.0.split('*');
        let first = pieces.next().unwrap_or_default();
        let Some(mut rest) = text.strip_prefix(first) else {
            return false;
        };
        let Some(last) = pieces.next_back() else {
            return rest.is_empty();
        };
        // The first place is the best one: it leaves the most for the pieces behind.
        for piece in pieces {
            let Some((_, behind)) = rest.split_once(piece) else {
                return false;
            };
            rest = behind;
        }
        rest.ends_with(last)
    }
}

impl fmt::Display for TextGlob {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_whole_text_must_match() {
        let cases = [
            ("a", "a", true),
            ("a", "ab", false),
            ("a", "ba", false),
            ("", "", true),
            ("", "a", false),
            ("*", "", true),
            ("*", "anything", true),
            ("a*", "a", true),
            ("a*", "abc", true),
            ("*c", "abc", true),
            ("*c", "abcd", false),
            ("a*b", "ab", true),
            ("ab*b", "ab", false),
            ("a*b*c", "a-b-b-c", true),
            ("a*b*c", "a-c-b", false),
            ("a**c", "abc", true),
            (
                "https://github.com/acme/*",
                "https://github.com/acme/app",
                true,
            ),
            (
                "https://github.com/acme/*",
                "https://evil.example/https://github.com/acme/app",
                false,
            ),
            (
                "https://github.com/acme/*",
                "https://githubXcom/acme/",
                false,
            ),
            ("A", "a", false),
        ];
        for (glob, text, expected) in cases {
            assert_eq!(TextGlob::new(glob).matches(text), expected, "{glob} {text}");
        }
    }

    proptest! {
        #[test]
        fn a_glob_matches_what_a_regular_expression_would(glob in "[ab*]{0,6}", text in "[ab]{0,8}") {
            let pieces: Vec<String> = glob.split('*').map(regex::escape).collect();
            let expression = format!("^(?:{})$", pieces.join(".*"));
            let expected = regex::Regex::new(&expression).unwrap().is_match(&text);
            prop_assert_eq!(TextGlob::new(&glob).matches(&text), expected);
        }
    }
}
