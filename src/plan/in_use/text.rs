// SPDX-License-Identifier: Apache-2.0

//! Finds what reads as an image in any text: arguments, environment variables, annotations, lists, and JSON
//! or YAML inside of a string.
//!
//! A word is a maximal run of the characters that references have; quotes, commas, brackets, `=` and spaces
//! end it. What is found too much only protects. What is encoded, such as base64, is not found.

use crate::oci::{Digest, Reference};

/// Longest word that is looked at, in bytes: more than the longest reference.
const WORD_LENGTH: usize = 1024;
/// How many ends of one word are tried.
const ENDS: usize = 6;
/// What digests begin with, and how many hex digits follow.
const DIGESTS: [(&str, usize); 2] = [("sha256:", 64), ("sha512:", 128)];

/// What reads as an image: with a tag, a digest or a path, or any name where the text is known to be about
/// images (`about_images`). In linear time.
pub fn references_in(text: &str, about_images: bool) -> impl Iterator<Item = &str> {
    words(text).flat_map(move |word| word.references(about_images))
}

/// The words of a text, without what stands around them.
pub(super) fn words_in(text: &str) -> impl Iterator<Item = &str> {
    words(text).map(|word| word.text)
}

/// A run of characters that references have.
#[derive(Clone, Copy, Debug)]
struct Word<'a> {
    text: &'a str,
    /// Whether a backslash stands before it: its first characters may be an escape.
    is_escaped: bool,
    /// Whether something that will be replaced stands behind it, such as `${TAG}`.
    is_before_template: bool,
}

fn words(text: &str) -> impl Iterator<Item = Word<'_>> {
    let mut rest = text;
    let mut before = None;
    std::iter::from_fn(move || {
        let start = rest.find(is_of_reference)?;
        let (skipped, found) = rest.split_at(start);
        before = skipped.chars().next_back().or(before);
        let end = found.find(|next| !is_of_reference(next));
        let (word, behind) = found.split_at(end.unwrap_or(found.len()));
        rest = behind;
        let word = Word {
            text: word,
            is_escaped: before == Some('\\'),
            is_before_template: behind.starts_with(['$', '{', '<', '%', '(']),
        };
        before = None;
        Some(word)
    })
}

fn is_of_reference(character: char) -> bool {
    character.is_ascii_alphanumeric() || matches!(character, '.' | '_' | '-' | '/' | ':' | '@')
}

impl<'a> Word<'a> {
    fn references(self, about_images: bool) -> Vec<&'a str> {
        let mut found = Vec::new();
        if self.text.len() > WORD_LENGTH {
            found.extend(digests(self.text));
            return found;
        }
        // Most words of any text are no more than that.
        if !about_images && !self.text.contains([':', '/', '@']) && self.text.len() != 64 {
            return found;
        }
        self.add_ends(self.text, about_images, &mut found);
        if let Some(behind) = self.behind_escape() {
            self.add_ends(behind, about_images, &mut found);
        }
        if found.is_empty() {
            found.extend(digests(self.text));
        }
        found
    }

    /// The longest end of a text that reads as an image: behind a scheme, or behind a key and a colon.
    fn add_ends(self, text: &'a str, about_images: bool, found: &mut Vec<&'a str>) {
        let mut text = text.trim_start_matches(['.', '-', '/', ':', '@', '_']);
        if let Some((_, behind)) = text.split_once("://") {
            text = behind.trim_start_matches('/');
        }
        if self.is_before_template && text.ends_with([':', '@']) && text.contains('/') {
            found.push(text);
            return;
        }
        text = text.trim_end_matches([':', '/', '@']);
        for _ in 0..ENDS {
            if reads_as_image(text, about_images) {
                found.push(text);
                // It may be the end of a sentence.
                let shorter = text.trim_end_matches(['.', '-', '_']);
                if shorter.len() < text.len() && reads_as_image(shorter, about_images) {
                    found.push(shorter);
                }
                return;
            }
            let shorter = text.trim_end_matches(['.', '-', '_']);
            if shorter.len() < text.len() {
                text = shorter;
                continue;
            }
            let digest = text.split_once('@');
            let digest = digest.filter(|(_, digest)| digest.parse::<Digest>().is_ok());
            let Some((_, behind)) = digest.or_else(|| text.split_once(':')) else {
                return;
            };
            text = behind.trim_start_matches(['.', '-', '/', ':', '@', '_']);
        }
    }

    /// What follows the escape of a JSON string, such as the `n` of a line's end or `u0026`.
    fn behind_escape(self) -> Option<&'a str> {
        if !self.is_escaped {
            return None;
        }
        let length = match self.text.bytes().next()? {
            b'u' => 5,
            b'n' | b'r' | b't' | b'b' | b'f' | b'/' => 1,
            _ => return None,
        };
        self.text.get(length..)
    }
}

fn reads_as_image(text: &str, about_images: bool) -> bool {
    let is_hex = || text.bytes().all(|byte| byte.is_ascii_hexdigit());
    if text.len() == 64 && is_hex() || text.parse::<Digest>().is_ok() {
        return true;
    }
    let is_long_enough = about_images || text.contains([':', '/', '@']);
    let parsed = is_long_enough.then(|| text.parse::<Reference>());
    parsed.is_some_and(|parsed| parsed.is_ok())
}

/// Every digest in a text that is no reference.
fn digests(text: &str) -> impl Iterator<Item = &str> {
    DIGESTS.into_iter().flat_map(move |(algorithm, digits)| {
        text.match_indices(algorithm).filter_map(move |(start, _)| {
            let digest = text.get(start..start + algorithm.len() + digits)?;
            digest.parse::<Digest>().is_ok().then_some(digest)
        })
    })
}

#[cfg(test)]
mod tests;
