// SPDX-License-Identifier: Apache-2.0

//! A module for each tool: from its fields to rules.

pub(super) mod common;
mod dregsy;
mod flux;
mod flux_mirror;
mod harbor;
mod image_syncer;
mod oc_mirror;
mod ocync;
mod regsync;
mod skopeo;
mod zot;

use super::fields::{Fault, Item};
use super::form::{Form, Surroundings};
use super::rule::Draft;

/// Reads the documents of a tool.
pub(super) fn read(
    form: Form,
    documents: &[Item<'_>],
    surroundings: &Surroundings,
    draft: &mut Draft,
) -> Result<(), Fault> {
    let mut each = documents.iter();
    match form {
        Form::Regsync => each.try_for_each(|one| regsync::read(one, draft)),
        Form::Skopeo => each.try_for_each(|one| skopeo::read(one, surroundings, draft)),
        Form::Dregsy => each.try_for_each(|one| dregsy::read(one, draft)),
        Form::ImageSyncer => each.try_for_each(|one| image_syncer::read(one, surroundings, draft)),
        Form::Ocync => each.try_for_each(|one| ocync::read(one, draft)),
        Form::OcMirror => each.try_for_each(|one| oc_mirror::read(one, surroundings, draft)),
        // What belongs together stands in several documents.
        Form::Flux => flux::read(documents, surroundings, draft),
        Form::FluxMirror => each.try_for_each(|one| flux_mirror::read(one, draft)),
        Form::Harbor => each.try_for_each(|one| harbor::read(one, surroundings, draft)),
        Form::Zot => each.try_for_each(|one| zot::read(one, surroundings, draft)),
    }
}
