// SPDX-License-Identifier: Apache-2.0

//! Who has which tags of destinations.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::sync::Arc;

use crate::oci::{Digest, Registry, Repository, Tag};
use crate::plan::conflicts::{Age, Seniority};
use crate::plan::{Claim, SourceImage};
use crate::sync::ledger::Ownership;
use crate::sync::wishes::{Run, Wish};

/// A tag of a registry, by the one name that stands for all that the registry may have.
pub(super) type Target = (Registry, Repository, Tag);

/// Tags of registries as specs name them, by their repositories, with the digests that they should name, where those are
/// known.
#[derive(Debug, Default)]
pub(super) struct Targets(pub(super) HashMap<Repository, HashMap<(Registry, Tag), Option<Digest>>>);

#[derive(Clone, Debug)]
pub(super) struct Holder {
    pub(super) mirror: Arc<Seniority>,
    pub(super) source: SourceImage,
    pub(super) claim: Claim,
    /// The digest that the tag should name, where that is known.
    pub(super) digest: Option<Digest>,
    /// What gives the mirror the tag.
    pub(super) ownership: Ownership,
    /// The run that found it out; None where it was on record.
    pub(super) run: Option<Run>,
}

// === impl Holder ===

impl Holder {
    /// What is first has the tag: by what it has of it, then by age.
    pub(super) fn rank(&self) -> (Reverse<Ownership>, Age<'_>) {
        (Reverse(self.ownership), self.mirror.age())
    }

    pub(super) fn of(mirror: &Arc<Seniority>, wish: &Wish, run: Run) -> Self {
        let Wish {
            source,
            claim,
            digest,
            ownership,
        } = wish;
        Self {
            mirror: mirror.clone(),
            source: source.clone(),
            claim: claim.clone(),
            digest: Some(digest.clone()),
            ownership: *ownership,
            run: Some(run),
        }
    }
}

// === impl Targets ===

impl Targets {
    pub(super) fn insert(&mut self, holder: &Holder) {
        let Holder { claim, digest, .. } = holder;
        let tags = self.0.entry(claim.repository.clone()).or_default();
        for tag in claim.tags() {
            tags.insert((claim.registry.clone(), tag.clone()), digest.clone());
        }
    }

    pub(super) fn into_targets(self) -> impl Iterator<Item = Target> {
        self.0.into_iter().flat_map(|(repository, tags)| {
            let tags = tags.into_keys();
            tags.map(move |(registry, tag)| (registry.stand_in(), repository.clone(), tag))
        })
    }
}

/// The tags that a claim is about.
pub(super) fn targets(claim: &Claim) -> impl Iterator<Item = Target> {
    let registry = claim.registry.stand_in();
    let tags = claim.tags();
    tags.map(move |tag| (registry.clone(), claim.repository.clone(), tag.clone()))
}
