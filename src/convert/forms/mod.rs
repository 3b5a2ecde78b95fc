//! A module for each tool: from its fields to rules.

mod common;
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
    match form {
        Form::Flux => return flux::read(documents, surroundings, draft),
        Form::Regsync
        | Form::Skopeo
        | Form::Dregsy
        | Form::ImageSyncer
        | Form::Ocync
        | Form::OcMirror
        | Form::FluxMirror
        | Form::Harbor
        | Form::Zot => {}
    }
    for document in documents {
        match form {
            Form::Regsync => regsync::read(document, draft),
            Form::Skopeo => skopeo::read(document, surroundings, draft),
            Form::Dregsy => dregsy::read(document, draft),
            Form::ImageSyncer => image_syncer::read(document, surroundings, draft),
            Form::Ocync => ocync::read(document, draft),
            Form::OcMirror => oc_mirror::read(document, surroundings, draft),
            Form::Flux => Ok(()),
            Form::FluxMirror => flux_mirror::read(document, draft),
            Form::Harbor => harbor::read(document, surroundings, draft),
            Form::Zot => zot::read(document, surroundings, draft),
        }?;
    }
    Ok(())
}
