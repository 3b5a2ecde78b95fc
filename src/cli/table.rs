// SPDX-License-Identifier: Apache-2.0

//! Tables in the manner of kubectl: upper-case headings, columns as wide as they must be.

mod shorten;

use std::fmt;
use std::io::Write;

use jiff::Timestamp;
use tabwriter::TabWriter;

pub(super) use crate::api::text::one_line;

use self::shorten::{length, shorten_all, without_end};

/// Blanks between two columns.
const GAP: usize = 3;
/// What stands in a cell with nothing to say.
const NOTHING: &str = "<none>";
/// A column is not made narrower than so many characters, nor than its heading.
const NARROWEST: usize = 12;

/// Rows of cells under headings.
#[derive(Clone, Debug)]
pub(super) struct Table {
    /// The headings first.
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table with these headings and no rows.
    pub(super) fn new<const COLUMNS: usize>(headings: [&str; COLUMNS]) -> Self {
        Self::with_headings(&headings)
    }

    /// The same where it depends on the rows which columns there are.
    pub(super) fn with_headings(headings: &[&str]) -> Self {
        Self {
            rows: vec![headings.iter().map(ToString::to_string).collect()],
        }
    }

    /// Adds a row.
    pub(super) fn row<const COLUMNS: usize>(&mut self, cells: [String; COLUMNS]) {
        self.push(cells);
    }

    /// Adds a row that has as many cells as there are headings.
    pub(super) fn push(&mut self, cells: impl IntoIterator<Item = String>) {
        let cells = cells.into_iter().map(|cell| match cell.as_str() {
            "" => NOTHING.to_owned(),
            text => one_line(text),
        });
        self.rows.push(cells.collect());
    }

    /// Whether it has no rows.
    pub(super) fn is_empty(&self) -> bool {
        self.rows.len() <= 1
    }

    /// The table in lines of at most `width` characters, as far as its columns can be made narrower: long cells lose
    /// their middle, those of the last column their end. Without a width nothing is lost.
    pub(super) fn fit(mut self, width: Option<usize>) -> String {
        if let Some(width) = width {
            self.shrink(width);
        }
        self.to_string()
    }

    /// The same without as many of these columns as must be missed so that the rest fits: first those with nothing in
    /// them, then in the order in which they are named.
    pub(super) fn fit_without(mut self, headings: &[&str], width: Option<usize>) -> String {
        let empty = headings.iter().filter(|heading| self.has_nothing(heading));
        let empty: Vec<&str> = empty.copied().collect();
        for heading in empty.iter().chain(headings) {
            if width.is_none_or(|width| self.width() <= width) {
                break;
            }
            self.leave_out(heading);
        }
        self.fit(width)
    }

    fn place(&self, heading: &str) -> Option<usize> {
        let headings = self.rows.first()?;
        headings.iter().position(|text| text == heading)
    }

    fn has_nothing(&self, heading: &str) -> bool {
        let place = self.place(heading);
        let cells = |place| {
            self.rows
                .iter()
                .skip(1)
                .filter_map(move |row| row.get(place))
        };
        place.is_some_and(|place| cells(place).all(|cell: &String| cell == NOTHING))
    }

    fn leave_out(&mut self, heading: &str) {
        if let Some(place) = self.place(heading) {
            for row in &mut self.rows {
                row.drain(place..=place);
            }
        }
    }

    /// The longest line.
    fn width(&self) -> usize {
        let widths = self.widths();
        widths.iter().sum::<usize>() + GAP * widths.len().saturating_sub(1)
    }

    fn shrink(&mut self, width: usize) {
        let mut widths = self.widths();
        let narrowest: Vec<usize> = widths
            .iter()
            .enumerate()
            .map(|(column, width)| self.narrowest(column, *width))
            .collect();
        let gaps = GAP * widths.len().saturating_sub(1);
        while widths.iter().sum::<usize>() + gaps > width {
            let shrinkable = widths.iter_mut().zip(&narrowest);
            let widest = shrinkable
                .filter(|(now, least)| **now > **least)
                .max_by_key(|(now, _)| **now);
            let Some((widest, _)) = widest else { break };
            *widest -= 1;
        }
        let last = widths.len().saturating_sub(1);
        for (column, most) in widths.into_iter().enumerate() {
            let cells = self.rows.iter_mut().filter_map(|row| row.get_mut(column));
            if column == last {
                cells
                    .filter(|cell| length(cell) > most)
                    .for_each(|cell| *cell = without_end(cell, most));
            } else {
                shorten_all(cells, most);
            }
        }
    }

    /// How narrow a column may get. A part of a digest or of a time says nothing.
    fn narrowest(&self, column: usize, width: usize) -> usize {
        let mut cells = self.rows.iter().filter_map(|row| row.get(column));
        let heading = cells.next().map_or(0, |heading| length(heading));
        if cells.any(|cell| cell.starts_with("sha256:") || cell.parse::<Timestamp>().is_ok()) {
            return width;
        }
        heading.max(NARROWEST)
    }

    /// The longest cell of each column.
    fn widths(&self) -> Vec<usize> {
        let columns = self.rows.first().map_or(0, Vec::len);
        let width = |column: usize| {
            let cells = self.rows.iter().filter_map(|row| row.get(column));
            cells
                .map(|cell: &String| length(cell))
                .max()
                .unwrap_or_default()
        };
        (0..columns).map(width).collect()
    }
}

impl fmt::Display for Table {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines: Vec<String> = self.rows.iter().map(|row| row.join("\t")).collect();
        formatter.write_str(&align(&lines.join("\n")))
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

/// The parts that say something, with an empty line between two of them.
pub(super) fn paragraphs<const PARTS: usize>(parts: [String; PARTS]) -> String {
    let parts: Vec<String> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    parts.join("\n")
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
    fn a_table_fits_where_it_can() {
        let table = || {
            let mut table = Table::new(["SOURCE", "TAGS", "WHY"]);
            let source = "registry.example.com/a/rather/long/repository:1.27.3-alpine";
            let why = "the destination lacks what refers to sha256:77ac319bfe19 by now";
            table.row([source.to_owned(), "3".to_owned(), why.to_owned()]);
            table.row(["a".to_owned(), "12".to_owned(), "up to date".to_owned()]);
            table
        };
        let widths = [Some(20), Some(80), Some(100), Some(200), None];
        let tables = widths.map(|width| table().fit(width));
        insta::assert_snapshot!(tables.join("\n"));
        for (width, text) in
            [(80, 1), (100, 2), (200, 3)].map(|(width, place)| (width, &tables[place]))
        {
            assert!(text.lines().all(|line| length(line) <= width), "{text}");
        }
        let without = |width| table().fit_without(&["TAGS"], width);
        assert!(!without(Some(100)).contains("TAGS"));
        assert_eq!(without(Some(200)), table().fit(None));
        assert_eq!(without(None), table().fit(None));
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
