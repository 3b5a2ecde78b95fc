// SPDX-License-Identifier: Apache-2.0

//! What the other tool takes, by its own rules: to hold against what the converted documents take.
//!
//! Files are read once more for it, and nothing of what writes the documents has a part in it: expressions are tried as
//! they stand, and versions are compared as the libraries of the tools say.

mod filter;
mod flux;
mod lists;
mod many;
mod ranges;
mod regsync;

use std::collections::BTreeSet;

use self::filter::{Names, Take};
use super::conversion::Gap;
use super::fields::{Fault, Item, Place};
use super::form::{Form, Surroundings};
use super::forms::common;
use crate::api::document::{self, DocumentError};
use crate::oci::{Registry, Repository, Tag};

/// What a file takes of one repository, or of several.
#[derive(Clone, Debug)]
pub struct Theirs {
    /// The registry that is copied from.
    pub source: Registry,
    repositories: Repositories,
    take: Take,
}

#[derive(Clone, Debug)]
enum Repositories {
    One(Repository),
    Named(Names),
}

/// Rules, and what of the file has none that can be tried.
#[derive(Debug, Default)]
struct Reading {
    theirs: Vec<Theirs>,
    gaps: Vec<Gap>,
}

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
        Form::Dregsy => each.try_for_each(|one| many::dregsy(&one, &mut reading)),
        Form::Ocync => each.try_for_each(|one| many::ocync(&one, &mut reading)),
        Form::Zot => each.try_for_each(|one| many::zot(&one, &mut reading)),
        Form::Harbor => each.try_for_each(|one| many::harbor(&one, surroundings, &mut reading)),
        Form::Flux => flux::read(&each.collect::<Vec<_>>(), &mut reading),
        Form::FluxMirror => each.try_for_each(|one| flux::mirror(&one, &mut reading)),
    };
    read.map_err(|fault: Fault| fault.in_file(file))?;
    Ok((reading.theirs, reading.gaps))
}

// === impl Theirs ===

impl Theirs {
    /// The one repository, where it is one.
    pub fn repository(&self) -> Option<&Repository> {
        match &self.repositories {
            Repositories::One(repository) => Some(repository),
            Repositories::Named(_) => None,
        }
    }

    /// Whether a repository is meant.
    pub fn covers(&self, repository: &Repository) -> bool {
        match &self.repositories {
            Repositories::One(one) => one == repository,
            Repositories::Named(names) => names.take(repository.as_str()),
        }
    }

    /// What is taken of these tags.
    pub fn take<'a>(&self, tags: &'a [Tag]) -> BTreeSet<&'a Tag> {
        self.take.of(tags)
    }
}

// === impl Reading ===

impl Reading {
    /// What is taken of one image's repository.
    fn add(&mut self, image: &str, place: &Place, take: Result<Take, Gap>) {
        let read = common::image(image, place).and_then(|image| {
            Ok(Theirs {
                source: image.registry,
                repositories: Repositories::One(image.repository),
                take: take?,
            })
        });
        match read {
            Ok(theirs) => self.theirs.push(theirs),
            Err(gap) => self.gaps.push(gap),
        }
    }

    /// What is taken of all repositories with such names.
    fn add_named(
        &mut self,
        registry: &str,
        names: Result<Names, Gap>,
        place: &Place,
        take: Result<Take, Gap>,
    ) {
        let host = registry
            .split_once("://")
            .map_or(registry, |(_, host)| host);
        let read = host
            .trim_end_matches('/')
            .parse()
            .map_err(|error| place.gap(format!("{error}")));
        let read = read.and_then(|source| {
            Ok(Theirs {
                source,
                repositories: Repositories::Named(names?),
                take: take?,
            })
        });
        match read {
            Ok(theirs) => self.theirs.push(theirs),
            Err(gap) => self.gaps.push(gap),
        }
    }
}
