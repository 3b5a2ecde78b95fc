// SPDX-License-Identifier: Apache-2.0

//! Labelled texts of any length, inside the width of the terminal.

use std::time::Duration;

use jiff::Timestamp;

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

/// How long ago a time is, in the largest unit of which there are two, as kubectl has it.
pub(super) fn age(time: Timestamp, now: Timestamp) -> String {
    let passed = Duration::try_from(now.duration_since(time)).unwrap_or_default();
    let seconds = passed.as_secs();
    match seconds {
        0..120 => format!("{seconds}s"),
        120..7_200 => format!("{}m", seconds / 60),
        7_200..172_800 => format!("{}h", seconds / 3_600),
        _ => format!("{}d", seconds / 86_400),
    }
}

/// A time with how long ago it is.
pub(super) fn since(time: Timestamp, now: Timestamp) -> String {
    format!("{time:.0} ({} ago)", age(time, now))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::kubectl::fixtures::now;

    #[test]
    fn ages_are_told_in_one_unit() {
        let cases = [
            (0, "0s"),
            (119, "119s"),
            (120, "2m"),
            (7_199, "119m"),
            (7_200, "2h"),
            (172_799, "47h"),
            (172_800, "2d"),
        ];
        for (seconds, expected) in cases {
            let time = now() - Duration::from_secs(seconds);
            assert_eq!(age(time, now()), expected);
        }
        let later = now() + Duration::from_secs(60);
        assert_eq!(age(later, now()), "0s");
    }

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
