// SPDX-License-Identifier: Apache-2.0

//! From the configuration of another mirror tool to documents of ours.
//!
//! ```text
//! form      the tools, and what their files do not say
//! guess     of which tool a file is
//! conversion  documents, and what has no counterpart
//! fields    the file of the other tool, field by field: what nothing asked for is told
//! patterns  its patterns as ours
//! ordered   its ranges as ours, where it compares versions and nothing else
//! theirs    what it takes by its own rules, to hold against ours
//! forms     a module for each tool -> rules
//! images    images, as rules
//! rule      one thing that is copied, in words of no tool
//! mirrors   rules -> mirrors: what has source, destinations and options in common is one; templates give the names
//! sheet     mirrors -> documents; selection, options and names are their parts
//! yaml      documents in the shortest form, with comments
//! ```
//!
//! Nothing is left out in silence: what has no counterpart is a [`Gap`], and stands as a comment where it belongs.
//! Credentials never come along: a Secret with placeholders takes their place.

mod conversion;
mod fields;
mod form;
mod forms;
mod guess;
mod images;
mod mirrors;
mod names;
mod options;
mod ordered;
mod patterns;
mod rule;
mod selection;
mod sheet;
mod templates;
mod theirs;
mod yaml;

pub use self::conversion::{Conversion, Gap};
use self::fields::Item;
pub use self::form::{Form, Prefix, Surroundings};
pub use self::guess::guess;
pub use self::images::{NameClash, mirrors_of};
use self::rule::Draft;
use self::sheet::Sheet;
pub use self::theirs::{Theirs, read_theirs};
use crate::api::document::{self, DocumentError};

/// Reads a configuration. `file` is only its name for errors.
pub fn convert(
    form: Form,
    text: &str,
    file: &str,
    surroundings: &Surroundings,
) -> Result<Conversion, DocumentError> {
    let documents = document::parse_tree(text, file)?;
    let mut draft = Draft::default();
    let roots: Vec<Item<'_>> = documents.iter().map(Item::root).collect();
    forms::read(form, &roots, surroundings, &mut draft).map_err(|fault| fault.in_file(file))?;
    Ok(Sheet::new(draft).into_conversion())
}
