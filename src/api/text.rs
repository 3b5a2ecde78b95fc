// SPDX-License-Identifier: Apache-2.0

//! Texts in statuses are bounded, and harmless where they are shown.

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

/// Text of a stranger on one line: what would move the cursor, or speak to the terminal, is written out.
pub fn one_line(text: &str) -> String {
    let is_harmless = |character: char| !character.is_control() && !is_invisible(character);
    if text.chars().all(is_harmless) {
        return text.to_owned();
    }
    text.chars()
        .map(|character| match character {
            '\n' | '\t' => " ".to_owned(),
            character if is_harmless(character) => character.to_string(),
            character => character.escape_unicode().to_string(),
        })
        .collect()
}

/// Characters that turn the direction of the text around them, or are not shown at all.
fn is_invisible(character: char) -> bool {
    matches!(
        character,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{2800}' | '\u{3164}'
            | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}'
            | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_seen_is_written_out() {
        for (text, expected) in [
            ("plain – ü 漢 🚢", "plain – ü 漢 🚢"),
            ("a\nb\tc", "a b c"),
            ("a\u{1b}[2J", "a\\u{1b}[2J"),
            ("a\u{202e}b", "a\\u{202e}b"),
            ("a\u{200b}b\u{2060}c", "a\\u{200b}b\\u{2060}c"),
            ("\u{3164}\u{115f}\u{2800}", "\\u{3164}\\u{115f}\\u{2800}"),
            ("\u{e0041}\u{fe0f}", "\\u{e0041}\\u{fe0f}"),
        ] {
            assert_eq!(one_line(text), expected);
        }
    }

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
