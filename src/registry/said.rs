// SPDX-License-Identifier: Apache-2.0

//! What a peer said, made fit to be shown: on one line, short, and without a secret.

mod fold;
mod redact;

use std::fmt;

pub(super) use fold::fold;
pub(super) use redact::HIDDEN;

use super::secrets::Secrets;

/// The longest that is shown of what a peer says, in characters.
const LENGTH: usize = 200;

/// The words of a registry, its storage or a token server, cleaned. Quotes are single ones, so that
/// it can stand between double ones.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said(Box<str>);

impl Said {
    /// Cleans a text that may be anything; nothing where nothing is left of it.
    ///
    /// What we sent to prove who we are is taken out before the text is cut, so that no part of it
    /// stays; so is what looks like the secret of somebody else.
    pub(super) fn clean(text: &str, secrets: &Secrets) -> Option<Self> {
        let folded = fold::fold(text);
        let shown = redact::redact(&secrets.redact(&folded)).replace('"', "'");
        let shown = shown.trim();
        if shown.is_empty() {
            return None;
        }
        let mut cut: String = shown.chars().take(LENGTH).collect();
        if cut.len() < shown.len() {
            cut.pop();
            cut.push('…');
        }
        Some(Self(cut.into()))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Said {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::registry::Credential;

    fn clean(text: &str) -> String {
        Said::clean(text, &Secrets::default())
            .map(|said| said.to_string())
            .unwrap_or_default()
    }

    #[test]
    fn words_are_shown_on_one_line_and_without_what_plays_with_the_terminal() {
        let cases = [
            ("denied", "denied"),
            ("  denied:\r\n\t not you  ", "denied: not you"),
            ("\u{1b}[31mred\u{1b}[0m text", "red text"),
            ("\u{1b}]0;title\u{7}text", "text"),
            ("\u{9b}31mred", "red"),
            ("a\u{202e}b\u{200b}c\u{feff}d\u{2066}e\u{ad}f", "abcdef"),
            ("a\u{0}b\u{8}c\u{7f}d", "abcd"),
            ("a\u{2028}b\u{85}c\u{a0}d", "a b c d"),
            ("the \"name\" is wrong", "the 'name' is wrong"),
            ("grüße, 世界", "grüße, 世界"),
            ("\u{1b}[2J\n\u{200b}", ""),
            ("", ""),
        ];
        for (text, expected) in cases {
            assert_eq!(clean(text), expected, "{text:?}");
        }
    }

    #[test]
    fn it_is_cut_at_200_characters() {
        assert_eq!(clean(&"ä b".repeat(100)).chars().count(), 200);
        assert!(clean(&"ä b".repeat(100)).ends_with('…'));
        assert_eq!(clean(&"ä ".repeat(100)).chars().count(), 199);
    }

    fn ours() -> Secrets {
        Secrets::new(&[&Credential::Basic {
            username: "robot".to_owned(),
            password: "pass w/ö+rd".into(),
        }])
    }

    #[test]
    fn what_we_sent_never_comes_back() {
        let cases = [
            (
                "bad password pass w/ö+rd for robot",
                "bad password *** for robot",
            ),
            ("bad PASS W/ö+RD", "bad ***"),
            ("bad pass\u{200b} w/\u{202e}ö+rd", "bad ***"),
            ("bad pass\n  w/ö+rd.", "bad ***."),
            ("bad pass%20w%2F%C3%B6%2Brd", "bad ***"),
            ("cm9ib3Q6cGFzcyB3L8O2K3Jk is wrong", "*** is wrong"),
        ];
        for (text, expected) in cases {
            let said = Said::clean(text, &ours()).unwrap();
            assert_eq!(said.as_str(), expected, "{text:?}");
        }
    }

    #[test]
    fn a_short_password_takes_no_words_apart() {
        let secrets = Secrets::new(&[&Credential::Basic {
            username: "a".to_owned(),
            password: "a".into(),
        }]);
        let said = Said::clean("a bad password a: a, banana", &secrets);
        assert_eq!(said.unwrap().as_str(), "*** bad password ***: ***, banana");
    }

    proptest! {
        #[test]
        fn anything_becomes_one_short_line(text in prop_oneof![".{0,400}", "[\\PC\\pC]{0,400}"]) {
            let shown = clean(&text);
            prop_assert!(shown.chars().count() <= LENGTH);
            prop_assert!(!shown.chars().any(char::is_control));
            prop_assert!(!shown.contains('"'));
            prop_assert_eq!(shown.trim(), shown.as_str());
        }

        #[test]
        fn our_password_is_in_no_text_around_it(
            before in "[ -~]{0,300}",
            after in ".{0,300}",
            password in "[!-~]{4,40}",
        ) {
            prop_assume!(!password.contains('*') && !before.contains(&password) && !after.contains(&password));
            let secrets = Secrets::new(&[&Credential::Basic {
                username: "me".to_owned(),
                password: password.clone().into(),
            }]);
            let text = format!("{before}{password}{after}");
            let shown = Said::clean(&text, &secrets).map(|said| said.to_string()).unwrap_or_default();
            prop_assert!(!shown.contains(&password), "{}", shown);
        }
    }
}
