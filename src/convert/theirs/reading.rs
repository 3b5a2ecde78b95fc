// SPDX-License-Identifier: Apache-2.0

//! What is read of a file: rules, each with the repositories that they are about.

use std::collections::BTreeSet;

use super::filter::{Names, Take};
use crate::convert::conversion::Gap;
use crate::convert::fields::Place;
use crate::convert::forms::common;
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
pub(super) struct Reading {
    pub(super) theirs: Vec<Theirs>,
    pub(super) gaps: Vec<Gap>,
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
    pub(super) fn add(&mut self, image: &str, place: &Place, take: Result<Take, Gap>) {
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
    pub(super) fn add_named(
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
