// SPDX-License-Identifier: Apache-2.0

//! A text on one line, without what is not shown or plays with a terminal.

/// How far the beginning of a sequence for a terminal is looked for its end, in characters.
const SEQUENCE: usize = 256;

/// The text without control sequences and invisible characters; all white space is single spaces.
pub(in crate::registry) fn fold(text: &str) -> String {
    let mut folded = String::new();
    let mut characters = text.chars().peekable();
    let mut is_apart = false;
    while let Some(character) = characters.next() {
        match character {
            // ECMA-48: a sequence begins with ESC [ or CSI and ends with a letter or one of @[\]^_`{|}~.
            '\u{1b}' | '\u{9b}' => {
                let kind = if character == '\u{9b}' {
                    Some('[')
                } else {
                    characters.next()
                };
                match kind {
                    Some('[') => {
                        let mut rest = characters.by_ref().take(SEQUENCE);
                        rest.find(|end| matches!(end, '@'..='~'));
                    }
                    // A title and its kin end with BEL or ESC \.
                    Some(']' | 'P' | 'X' | '^' | '_') => {
                        let mut rest = characters.by_ref().take(SEQUENCE);
                        if rest.find(|end| matches!(end, '\u{7}' | '\u{1b}' | '\u{9c}'))
                            == Some('\u{1b}')
                        {
                            characters.next_if_eq(&'\\');
                        }
                    }
                    Some(_) | None => {}
                }
            }
            character if character.is_whitespace() => is_apart = true,
            character if character.is_control() || is_invisible(character) => {}
            character => {
                if is_apart && !folded.is_empty() {
                    folded.push(' ');
                }
                is_apart = false;
                folded.push(character);
            }
        }
    }
    folded
}

/// Format characters of Unicode (category Cf), and those that take room without being seen.
fn is_invisible(character: char) -> bool {
    matches!(
        character,
        '\u{ad}'
            | '\u{34f}'
            | '\u{600}'..='\u{605}'
            | '\u{61c}'
            | '\u{6dd}'
            | '\u{70f}'
            | '\u{115f}'..='\u{1160}'
            | '\u{17b4}'..='\u{17b5}'
            | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{3164}'
            | '\u{fe00}'..='\u{fe0f}'
            | '\u{feff}'
            | '\u{ffa0}'
            | '\u{fff0}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e0fff}'
    )
}
