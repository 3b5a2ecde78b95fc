// SPDX-License-Identifier: Apache-2.0

//! What servers say, as far as it may be shown.

use secrecy::{ExposeSecret, SecretString};

/// The most characters that are shown.
const SHOWN: usize = 300;
/// A word that is longer may be a token.
const LONGEST_WORD: usize = 120;

/// What a server says, on one line, bounded, without secrets and what may be some; nothing where it says nothing.
pub(super) fn words(text: &str, hidden: &[SecretString]) -> Option<String> {
    let secrets = hidden.iter().map(ExposeSecret::expose_secret);
    let clean = secrets
        .filter(|secret| !secret.is_empty())
        .fold(text.to_owned(), |text, secret| text.replace(secret, "***"));
    let words = clean.split_whitespace().map(|word| {
        let is_token = word.len() > LONGEST_WORD || word.contains("eyJ");
        if is_token { "***" } else { word }
    });
    let line = words.collect::<Vec<&str>>().join(" ");
    let line: String = line
        .chars()
        .filter(|character| !character.is_control())
        .map(|character| if character == '"' { '\'' } else { character })
        .take(SHOWN)
        .collect();
    (!line.is_empty()).then_some(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_secret_and_no_token_is_shown() {
        let long = "x".repeat(121);
        let cases = [
            ("a\n b\t\u{7}c", "a b c"),
            ("the key canary is wrong", "the key *** is wrong"),
            ("token eyJhbGciOiJ.e30.x is over", "token *** is over"),
            (&long, "***"),
            ("{\"a\": 1}", "{'a': 1}"),
        ];
        for (text, expected) in cases {
            assert_eq!(words(text, &["canary".into()]).unwrap(), expected);
        }
        assert_eq!(words(" \n", &[]), None);
        assert_eq!(words(&"a ".repeat(1000), &[]).unwrap().len(), 300);
    }
}
