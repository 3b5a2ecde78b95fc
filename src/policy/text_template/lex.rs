// SPDX-License-Identifier: Apache-2.0

//! Cuts a template into text and actions, and actions into words.

use super::error::TextTemplateError;

/// A piece of a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Piece {
    Text(String),
    /// The words of an action. A literal text begins with a quotation mark, and has none at its end.
    Action(Vec<String>),
}

/// The pieces of a template. `\n` and `\t` outside actions are what they are for docker: a line break and a tabulator.
pub(super) fn pieces(template: &str) -> Result<Vec<Piece>, TextTemplateError> {
    let mut pieces = Vec::new();
    let mut rest = template;
    let mut trims = false;
    while let Some((before, behind)) = rest.split_once("{{") {
        let open = template.chars().count() - rest.chars().count() + before.chars().count() + 1;
        let (inside, after) = close(behind).ok_or(TextTemplateError::Open(open))?;
        let (inside, trims_left) = match inside.strip_prefix("- ") {
            Some(inside) => (inside, true),
            None => (inside, false),
        };
        let (inside, trims_right) = match inside.strip_suffix(" -") {
            Some(inside) => (inside, true),
            None => (inside, false),
        };
        push(&mut pieces, before, trims, trims_left);
        pieces.push(Piece::Action(words(inside)));
        trims = trims_right;
        rest = after;
    }
    push(&mut pieces, rest, trims, false);
    Ok(pieces)
}

/// What stands before the braces that close an action, and what stands behind them: not those inside a text.
fn close(text: &str) -> Option<(&str, &str)> {
    let mut is_quoted = false;
    let mut before = ' ';
    for (place, character) in text.char_indices() {
        match character {
            '"' if before != '\\' => is_quoted = !is_quoted,
            '}' if !is_quoted && before == '}' => {
                let inside = text.get(..place.saturating_sub(1))?;
                return Some((inside, text.get(place + 1..)?));
            }
            _ => {}
        }
        before = character;
    }
    None
}

fn push(pieces: &mut Vec<Piece>, text: &str, trims_start: bool, trims_end: bool) {
    let text = if trims_start { text.trim_start() } else { text };
    let text = if trims_end { text.trim_end() } else { text };
    if !text.is_empty() {
        let text = text.replace("\\n", "\n").replace("\\t", "\t");
        pieces.push(Piece::Text(text));
    }
}

fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match character {
            '"' => {
                word.push('"');
                while let Some(inner) = characters.next() {
                    match inner {
                        '"' => break,
                        '\\' => match characters.next() {
                            Some('n') => word.push('\n'),
                            Some('t') => word.push('\t'),
                            Some(other) => word.push(other),
                            None => {}
                        },
                        inner => word.push(inner),
                    }
                }
                words.push(std::mem::take(&mut word));
            }
            character if character.is_whitespace() => {
                if !word.is_empty() {
                    words.push(std::mem::take(&mut word));
                }
            }
            character => word.push(character),
        }
    }
    if !word.is_empty() {
        words.push(word);
    }
    words
}
