// SPDX-License-Identifier: Apache-2.0

//! Labelled texts of any length, inside the width of the terminal.

use crate::cli::look::Look;
use crate::cli::table::one_line;

/// Where the texts begin.
const LABEL: usize = 14;
/// The narrowest column of text.
const NARROWEST: usize = 24;

/// Lines of a label and a text each; those without a text are left out. What is too long goes on below itself.
pub(super) fn fields<const FIELDS: usize>(fields: [(&str, String); FIELDS], look: Look) -> String {
    let fields = fields.into_iter().filter(|(_, text)| !text.is_empty());
    fields
        .map(|(label, text)| field(label, &text, look))
        .collect()
}

/// One of these.
pub(super) fn field(label: &str, text: &str, look: Look) -> String {
    let width = look
        .width
        .map(|width| width.saturating_sub(LABEL + 2).max(NARROWEST));
    let lines = wrap(&one_line(text), width);
    let labels = std::iter::once(label).chain(std::iter::repeat(""));
    lines
        .iter()
        .zip(labels)
        .map(|(line, label)| format!("  {label:LABEL$}{line}\n"))
        .collect::<Vec<_>>()
        .concat()
}

/// A name and what is said of it, which goes on below itself.
pub(super) fn paragraph(name: &str, text: &str, look: Look) -> String {
    let width = look
        .width
        .map(|width| width.saturating_sub(2).max(NARROWEST));
    let lines = wrap(&one_line(&format!("{name}: {text}")), width);
    lines.join("\n  ") + "\n"
}

/// A text in lines of so many characters, as far as its words are no longer than that.
fn wrap(text: &str, width: Option<usize>) -> Vec<String> {
    let Some(width) = width else {
        return vec![text.to_owned()];
    };
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            Some(_) | None => lines.push(word.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_texts_go_on_below_themselves() {
        let look = Look {
            is_wide: false,
            width: Some(44),
        };
        let message = "the registry does not answer: look whether it runs\u{1b}";
        let shown = fields(
            [("because", message.to_owned()), ("note", String::new())],
            look,
        );
        insta::assert_snapshot!(shown, @r"
          because       the registry does not
                        answer: look whether it
                        runs\u{1b}
        ");
        let alone = field("because", message, Look::default());
        assert_eq!(alone.lines().count(), 1);
    }
}
