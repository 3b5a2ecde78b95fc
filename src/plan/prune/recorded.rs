// SPDX-License-Identifier: Apache-2.0

//! What is on record of a tag, as pruning sees it.

use std::fmt;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use super::unwanted::Unwanted;
use crate::oci::{Digest, Registry, Repository, Tag};
use crate::plan::conflicts::SourceImage;
use crate::plan::mirror::Mirror;

/// A tag on record, as pruning sees it.
#[derive(Clone, Debug)]
pub struct Recorded<'a> {
    /// Where it is.
    pub target: Place<'a>,
    /// The image at the source; None where the record is not understood.
    pub source: Option<SourceImage>,
    /// The digest that the image had there.
    pub source_digest: &'a Digest,
    /// The digest that the tag names.
    pub digest: &'a Digest,
    /// When this source digest was first seen.
    pub first_seen: Timestamp,
    /// How it came to be there.
    pub standing: Standing,
    /// Whether this round wants the tag for an image, whatever the record says of its source.
    pub is_claimed: bool,
    /// Since when it is not wanted, as an earlier round put it on record.
    pub unwanted: Option<&'a Unwanted>,
}

/// Where a tag on record is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Place<'a> {
    /// The name of the destination in the mirror.
    pub destination: &'a str,
    /// The registry that it was written to; None where that is not on record.
    pub registry: Option<&'a Registry>,
    /// The repository.
    pub repository: &'a Repository,
    /// The tag.
    pub tag: &'a Tag,
}

/// How a tag came to be at its destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Transship wrote it.
    Written,
    /// It was there.
    Adopted,
    /// Its push has not been seen to end.
    Pending,
}

/// The tag that a candidate is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Target {
    /// The name of the destination in the mirror.
    pub destination: String,
    /// The registry.
    pub registry: Registry,
    /// The repository.
    pub repository: Repository,
    /// The tag.
    pub tag: Tag,
}

// === impl Recorded ===

impl Recorded<'_> {
    /// Whether a tag is where a destination of the mirror is. What was written to another registry, or to a
    /// destination that is gone, cannot be looked at; a push that nobody saw end may have come to nothing.
    pub(super) fn is_present(&self, mirror: &Mirror) -> bool {
        let destination = mirror.destination(self.target.destination);
        self.standing != Standing::Pending
            && destination.is_some_and(|known| self.target.registry == Some(&known.registry))
    }
}

// === impl Target ===

impl Target {
    /// Where it is on record.
    pub(super) fn place(&self) -> Place<'_> {
        Place {
            destination: &self.destination,
            registry: Some(&self.registry),
            repository: &self.repository,
            tag: &self.tag,
        }
    }
}

/// The tag as people write it.
impl fmt::Display for Target {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            destination: _,
            registry,
            repository,
            tag,
        } = self;
        write!(formatter, "{registry}/{repository}:{tag}")
    }
}
