// SPDX-License-Identifier: Apache-2.0

//! How much is shown.

/// Most rows of a table.
pub(super) const ROWS: usize = 2000;
/// Causes, and images that policies keep out, that are told of each of all mirrors.
pub(super) const FEW: usize = 3;
/// The same of mirrors that were searched for, and the mirrors that are heard about one image.
pub(super) const MANY: usize = 100;

/// The first rows of a table, and how many more there are.
#[derive(Debug)]
pub(super) struct Bounded<R> {
    pub(super) rows: Vec<R>,
    pub(super) more: usize,
}

// === impl Bounded ===

impl<R> Bounded<R> {
    pub(super) fn of<T>(all: Vec<T>, show: impl FnMut(T) -> R) -> Self {
        let more = all.len().saturating_sub(ROWS);
        let rows = all.into_iter().take(ROWS).map(show).collect();
        Self { rows, more }
    }

    /// Puts the rows of another table before these.
    pub(super) fn put_first(&mut self, first: Self) {
        let Self { rows, more } = first;
        self.rows.splice(0..0, rows);
        self.more += more + self.rows.len().saturating_sub(ROWS);
        self.rows.truncate(ROWS);
    }
}
