// SPDX-License-Identifier: Apache-2.0

//! Tags in company with those of the same manifest: some registries delete all of them at once or none. Pure.

use std::collections::HashMap;

use super::BATCH;
use crate::oci::{Digest, Registry, Repository};
use crate::plan::prune::{Candidate, Target};

/// A candidate that is due, with its place in the plan.
pub(super) type Due<'a> = (usize, &'a Candidate);

/// The tags of a batch, in company with those of the same manifest.
pub(super) struct Company<'a> {
    batch: Vec<&'a Candidate>,
    /// Manifests of which a tag was deleted.
    left: Vec<&'a Candidate>,
}

// === impl Company ===

impl<'a> Company<'a> {
    pub(super) fn of(batch: &[Due<'a>]) -> Self {
        Self {
            batch: batch.iter().map(|(_, candidate)| *candidate).collect(),
            left: Vec::new(),
        }
    }

    /// The others of the same manifest.
    pub(super) fn with(&self, candidate: &Candidate) -> Vec<&'a Candidate> {
        let others = self.batch.iter().filter(|other| {
            other.target.tag != candidate.target.tag && manifest_of(other) == manifest_of(candidate)
        });
        others.copied().collect()
    }

    /// Takes note that a tag was deleted, and others of its manifest maybe with it.
    pub(super) fn leave(&mut self, candidate: &Candidate) {
        let others = self.with(candidate);
        self.left.extend(others);
    }

    /// Whether a tag may have gone along with another one.
    pub(super) fn left(&self, candidate: &Candidate) -> bool {
        let mut left = self.left.iter();
        left.any(|other| std::ptr::eq(*other, candidate))
    }
}

/// A manifest where it is deleted: destination, registry, repository and digest.
fn manifest_of(candidate: &Candidate) -> (&str, &Registry, &Repository, &Digest) {
    let Candidate { target, digest, .. } = candidate;
    let Target {
        destination,
        registry,
        repository,
        tag: _,
    } = target;
    (destination, registry, repository, digest)
}

/// What is due, in batches of at most [`BATCH`]. Where a registry deletes all tags of a manifest at once, they stand in
/// one batch, which has more only if they alone are more.
pub(super) fn in_batches<'a>(
    due: &[Due<'a>],
    is_at_once: impl Fn(&Candidate) -> bool,
) -> Vec<Vec<Due<'a>>> {
    let mut groups: Vec<Vec<Due<'a>>> = Vec::new();
    let mut places = HashMap::new();
    for (index, candidate) in due {
        let place = if is_at_once(candidate) {
            *places.entry(manifest_of(candidate)).or_insert(groups.len())
        } else {
            groups.len()
        };
        match groups.get_mut(place) {
            Some(group) => group.push((*index, candidate)),
            None => groups.push(vec![(*index, candidate)]),
        }
    }
    let mut batches: Vec<Vec<Due<'a>>> = Vec::new();
    for group in groups {
        match batches.last_mut() {
            Some(batch) if batch.len() + group.len() <= BATCH => batch.extend(group),
            Some(_) | None => batches.push(group),
        }
    }
    batches
}
