// SPDX-License-Identifier: Apache-2.0

//! What the other tool takes, by its own rules: to hold against what the converted documents take.
//!
//! Files are read once more for it, and nothing of what writes the documents has a part in it: expressions are tried as
//! they stand, and versions are compared as the libraries of the tools say.

mod filter;
mod flux;
mod lists;
mod mappings;
mod prefixes;
mod ranges;
mod reading;
mod regsync;

use self::reading::Reading;
pub use self::reading::Theirs;
use super::conversion::Gap;
use super::fields::{Fault, Item};
use super::form::{Form, Surroundings};
use crate::api::document::{self, DocumentError};

/// Reads what a file takes; `file` is only its name for errors.
pub fn read_theirs(
    form: Form,
    text: &str,
    file: &str,
    surroundings: &Surroundings,
) -> Result<(Vec<Theirs>, Vec<Gap>), DocumentError> {
    let documents = document::parse_tree(text, file)?;
    let mut reading = Reading::default();
    let mut each = documents.iter().map(Item::root);
    let read = match form {
        Form::Regsync => each.try_for_each(|one| regsync::read(&one, &mut reading)),
        Form::Skopeo => each.try_for_each(|one| lists::skopeo(&one, &mut reading)),
        Form::ImageSyncer => each.try_for_each(|one| lists::image_syncer(&one, &mut reading)),
        Form::OcMirror => each.try_for_each(|one| lists::oc_mirror(&one, &mut reading)),
        Form::Dregsy => each.try_for_each(|one| mappings::dregsy(&one, &mut reading)),
        Form::Ocync => each.try_for_each(|one| mappings::ocync(&one, &mut reading)),
        Form::Zot => each.try_for_each(|one| prefixes::zot(&one, &mut reading)),
        Form::Harbor => each.try_for_each(|one| prefixes::harbor(&one, surroundings, &mut reading)),
        Form::Flux => flux::read(&each.collect::<Vec<_>>(), &mut reading),
        Form::FluxMirror => each.try_for_each(|one| flux::mirror(&one, &mut reading)),
    };
    read.map_err(|fault: Fault| fault.in_file(file))?;
    Ok((reading.theirs, reading.gaps))
}
