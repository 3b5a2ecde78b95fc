// SPDX-License-Identifier: Apache-2.0

//! Selected tags, and the destination tags of their images as they were found.

use std::sync::Arc;

use super::ledger::{Ownership, Record, Slot};
use super::shape::Shape;
use crate::copy::{Endpoint, Job, Origin};
use crate::oci::{Digest, Tag};
use crate::plan::report::{Failure, Outcome, TagReport};
use crate::plan::{Claim, Naming, Policy, Selector, SourceImage};

/// A tag of a source that was selected.
#[expect(
    clippy::struct_field_names,
    reason = "that is what the reports call it"
)]
#[derive(Clone, Debug)]
pub(super) struct Selected {
    pub(super) origin: Origin,
    pub(super) tag: Tag,
    /// The digest that an entry pins it to.
    pub(super) pin: Option<Digest>,
    /// Whether all entries that want it do without it where it does not exist.
    pub(super) is_optional: bool,
    /// Its names for the destinations, one for each entry that wants it, each once.
    pub(super) namings: Vec<Naming>,
    /// Whose rules select it, of all entries that want it.
    pub(super) selected_by: Vec<Selector>,
    /// The policies with gates of all entries that want it.
    pub(super) policies: Arc<[Arc<Policy>]>,
}

/// A selected tag and the digest that it names; from here on the digest is what is spoken of.
#[derive(Clone, Debug)]
pub(super) struct Image {
    pub(super) source: SourceImage,
    pub(super) origin: Origin,
    pub(super) digest: Digest,
    /// Whether it is an index, where the source has said so.
    pub(super) is_index: Option<bool>,
    pub(super) shape: Shape,
    /// Whose rules select it.
    pub(super) selected_by: Vec<Selector>,
    /// The policies whose gates it must pass.
    pub(super) policies: Arc<[Arc<Policy>]>,
}

/// A destination tag of an image, as it was found.
#[derive(Clone, Debug)]
pub(super) struct Sighting {
    pub(super) image: Arc<Image>,
    pub(super) claim: Claim,
    pub(super) slot: Slot,
    pub(super) endpoint: Endpoint,
    /// What the tag names now.
    pub(super) current: Option<Digest>,
    /// What it should name.
    pub(super) expected: Digest,
    pub(super) recorded: Option<Record>,
}

/// A destination tag that could not be looked at.
#[derive(Clone, Debug)]
pub(super) struct Missed {
    pub(super) image: Arc<Image>,
    /// The name of its destination in the mirror.
    pub(super) destination: String,
    pub(super) claim: Claim,
    pub(super) failure: Failure,
}

/// Everything that is known of one selected tag.
#[derive(Default)]
pub(super) struct Sighted {
    pub(super) sightings: Vec<Result<Sighting, Missed>>,
    pub(super) failures: Vec<Failure>,
    /// A tag that need not exist and does not.
    pub(super) absent: Option<Absent>,
}

/// A tag that need not exist and does not, and the destination tags that it is to have one day.
#[derive(Clone, Debug)]
pub(super) struct Absent {
    pub(super) source: SourceImage,
    pub(super) claims: Vec<Claim>,
}

// === impl Image ===

impl Image {
    /// A job that copies it, with no target yet.
    pub(super) fn job(&self) -> Job {
        let Shape {
            platforms,
            referrers,
        } = self.shape.clone();
        Job {
            origin: self.origin.clone(),
            digest: self.digest.clone(),
            platforms,
            referrers,
            evidence: Vec::new(),
            is_gated: self.is_gated(),
            targets: Vec::new(),
        }
    }

    /// Whether a policy says what it must prove.
    pub(super) fn is_gated(&self) -> bool {
        self.policies.iter().any(|policy| policy.gates.is_some())
    }

    /// The line of the report for one of its destination tags.
    pub(super) fn report(&self, destination: &str, claim: &Claim, outcome: Outcome) -> TagReport {
        TagReport {
            source: self.source.to_string(),
            destination: destination.to_owned(),
            target: claim.to_string(),
            source_digest: self.digest.clone(),
            previous_digest: None,
            selected_by: self.selected_by.clone(),
            outcome,
        }
    }
}

// === impl Missed ===

impl Missed {
    /// The line of the report.
    pub(super) fn report(self) -> TagReport {
        let outcome = Outcome::Failed(self.failure);
        self.image.report(&self.destination, &self.claim, outcome)
    }
}

// === impl Sighting ===

impl Sighting {
    /// What gives the mirror the tag for the image: what is on record counts for as long as the tag names it. While a
    /// push has begun of which nobody saw the end, `held` says what was there before.
    pub(super) fn ownership(&self, held: impl FnOnce() -> Ownership) -> Ownership {
        let source = self.image.source.to_string();
        let recorded = self.recorded.as_ref();
        match recorded.filter(|record| record.source == source) {
            Some(record) if record.is_pending() => held(),
            Some(record) if self.current.as_ref() == Some(&record.digest) => record.ownership(),
            Some(_) | None => Ownership::Wanted,
        }
    }

    /// Whether it is a tag of this image.
    pub(super) fn is_of(&self, image: &Arc<Image>) -> bool {
        Arc::ptr_eq(&self.image, image)
    }

    /// The line of the report.
    pub(super) fn report(&self, outcome: Outcome) -> TagReport {
        let written = match &outcome {
            Outcome::Copied { digest, .. } | Outcome::Retagged { digest } => Some(digest),
            Outcome::Unchanged
            | Outcome::Planned { .. }
            | Outcome::Completed { .. }
            | Outcome::Frozen
            | Outcome::Refused(_)
            | Outcome::Quarantined(_)
            | Outcome::Failed(_) => None,
        };
        let previous = self
            .current
            .as_ref()
            .filter(|current| written.is_some_and(|written| written != *current));
        let previous_digest = previous.cloned();
        let report = self
            .image
            .report(&self.slot.page.destination, &self.claim, outcome);
        TagReport {
            previous_digest,
            ..report
        }
    }
}
