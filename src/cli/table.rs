//! Tables in the manner of kubectl: upper-case headings, columns as wide as they must be.

use std::fmt;
use std::io::Write;

use tabwriter::TabWriter;

/// Blanks between two columns.
const GAP: usize = 3;
/// What stands in a cell with nothing to say.
const NOTHING: &str = "<none>";

/// Rows of cells under headings.
#[derive(Clone, Debug)]
pub(super) struct Table {
    lines: Vec<String>,
}

impl Table {
    /// A table with these headings and no rows.
    pub(super) fn new<const COLUMNS: usize>(headings: [&str; COLUMNS]) -> Self {
        Self {
            lines: vec![headings.join("\t")],
        }
    }

    /// Adds a row.
    pub(super) fn row<const COLUMNS: usize>(&mut self, cells: [String; COLUMNS]) {
        let cells = cells.map(|cell| match cell.as_str() {
            "" => NOTHING.to_owned(),
            text => one_line(text),
        });
        self.lines.push(cells.join("\t"));
    }

    /// Whether it has no rows.
    pub(super) fn is_empty(&self) -> bool {
        self.lines.len() <= 1
    }
}

impl fmt::Display for Table {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&align(&self.lines.join("\n")))
    }
}

/// Aligns the cells of tab-separated lines. The text ends with a line break.
pub(super) fn align(text: &str) -> String {
    let mut writer = TabWriter::new(Vec::new()).padding(GAP).minwidth(0);
    // Writing to memory does not fail.
    let _ = writeln!(writer, "{text}");
    let bytes = writer.into_inner().unwrap_or_default();
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Text of a stranger on one line: what would move the cursor, or speak to the terminal, is written out.
pub(super) fn one_line(text: &str) -> String {
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
    matches!(character, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_they_must_be() {
        let mut table = Table::new(["NAME", "TAGS", "SIZE"]);
        table.row(["a".to_owned(), "12".to_owned(), "1.0 MB".to_owned()]);
        table.row(["library/alpine".to_owned(), String::new(), "3 B".to_owned()]);
        insta::assert_snapshot!(table, @r"
        NAME             TAGS     SIZE
        a                12       1.0 MB
        library/alpine   <none>   3 B
        ");
    }

    #[test]
    fn text_of_strangers_cannot_speak_to_the_terminal() {
        let cases = [
            ("apk add --no-cache ü", "apk add --no-cache ü"),
            ("a\n\tb", "a  b"),
            ("\u{1b}[2Jgone", r"\u{1b}[2Jgone"),
            ("\u{9b}31m", r"\u{9b}31m"),
            ("a\u{202e}b", r"a\u{202e}b"),
        ];
        for (text, expected) in cases {
            assert_eq!(one_line(text), expected);
        }
    }
}
