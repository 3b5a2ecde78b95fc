// SPDX-License-Identifier: Apache-2.0

//! What a mirror wants at its destinations.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::ledger::Ownership;
use crate::oci::{Digest, Registry, Repository};
use crate::plan::{Claim, Mirror, SourceImage};

/// The run that a round belongs to: each one of a process has its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Run(pub(super) u64);

/// What a mirror wants in one run.
#[derive(Debug)]
pub(super) struct Wishes {
    pub(super) mirror: Arc<Mirror>,
    /// Whether it is all of it: a failure may hide what the mirror wants.
    pub(super) is_complete: bool,
    pub(super) tags: Vec<Wish>,
}

/// A tag that an image is to have.
#[derive(Clone, Debug)]
pub(super) struct Wish {
    /// The image at the source.
    pub(super) source: SourceImage,
    /// The tag that it is to have.
    pub(super) claim: Claim,
    /// The digest that the tag should name.
    pub(super) digest: Digest,
    /// What gives the mirror the tag.
    pub(super) ownership: Ownership,
}

impl Wishes {
    /// The repositories that it wants tags in, each once.
    pub(super) fn repositories(&self) -> impl Iterator<Item = (&Registry, &Repository)> {
        let claims = self.tags.iter().map(|wish| &wish.claim);
        let places: BTreeSet<_> = claims.map(|it| (&it.registry, &it.repository)).collect();
        places.into_iter()
    }
}
