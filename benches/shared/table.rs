// SPDX-License-Identifier: Apache-2.0

//! Lines of tables.

use std::fmt::Display;

/// Width of a column.
const CELL: usize = 12;

/// A title of some width, and cells under each other.
pub fn row<T: Display>(title: &str, width: usize, cells: &[T]) -> String {
    let cells: Vec<String> = cells.iter().map(|cell| format!("{cell:>CELL$}")).collect();
    format!("{title:<width$}{}", cells.concat())
}
