// SPDX-License-Identifier: Apache-2.0

//! Texts in statuses are bounded.

/// What stands at the end of a text that was cut.
const CUT: char = '…';

/// The text, or its beginning where it has more characters than this.
pub fn shorten(text: &str, most: usize) -> String {
    if text.chars().nth(most).is_none() {
        return text.to_owned();
    }
    let kept = text.chars().take(most.saturating_sub(1));
    kept.chain([CUT]).take(most).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_texts_are_cut_between_characters() {
        let cases = [
            ("", 3, ""),
            ("abc", 3, "abc"),
            ("abcd", 3, "ab…"),
            ("üüüü", 3, "üü…"),
            ("ab", 1, "…"),
            ("ab", 0, ""),
        ];
        for (text, most, expected) in cases {
            assert_eq!(shorten(text, most), expected, "{text:?}, {most}");
        }
    }
}
