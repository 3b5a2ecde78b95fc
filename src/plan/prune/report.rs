// SPDX-License-Identifier: Apache-2.0

//! What pruning came to, as values.

use std::collections::BTreeMap;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use super::brakes::Share;
use super::candidates::Candidate;
use super::recorded::Target;
use super::rule::Rule;
use super::stops::Stop;
use super::unwanted::{Cause, Unwanted};
use crate::api::image_mirror::PruneMode;
use crate::oci::{Digest, Tag};
use crate::plan::report::Failure;
use crate::policy::Duration;

/// What pruning came to for one mirror.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PruneReport {
    /// Whether tags are listed or deleted.
    pub mode: PruneMode,
    /// Every tag on record that is no longer wanted, sorted.
    pub tags: Vec<PrunedTag>,
    /// Tags on record before anything was deleted.
    pub recorded: usize,
    /// How much is due at each destination, of how much that could be deleted.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub shares: BTreeMap<String, Share>,
    /// Tags that were deleted, now or earlier, and can still be restored.
    pub restorable: usize,
    /// What referred to deleted images and went after them: signatures, attestations, SBOMs.
    #[serde(skip_serializing_if = "is_zero")]
    pub referrers: usize,
    /// Names the tags that are due; None where none is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plan: Option<Digest>,
    /// The plan that a person approved and that was acted on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub approved: Option<Digest>,
    /// Why nothing was deleted; None where nothing stood in the way.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stop: Option<Stop>,
    /// What failed while tags were deleted, or while it was found out whether they may be.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub failures: Vec<Failure>,
}

/// A tag on record that is no longer wanted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PrunedTag {
    /// Which one.
    #[serde(flatten)]
    pub target: Target,
    /// The image at the source.
    pub source: String,
    /// The digest that it names.
    pub digest: Digest,
    /// Why it is no longer wanted.
    pub reason: Cause,
    /// Since when.
    pub since: Timestamp,
    /// When it is due, if nothing protects it.
    pub due: Timestamp,
    /// Some of the other tags on record in its repository that name the same digest; they stay.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub shared_with: Vec<Tag>,
    /// What became of it.
    #[serde(flatten)]
    pub fate: Fate,
}

/// What became of a tag that is no longer wanted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(tag = "fate", rename_all_fields = "camelCase")]
pub enum Fate {
    /// The grace has not passed.
    Waiting,
    /// Something keeps it.
    Protected {
        /// The part of the rule that is not fulfilled; nothing where an earlier round found it.
        #[serde(skip_serializing_if = "Option::is_none")]
        rule: Option<Rule>,
        /// A workload that uses it, or a policy that retains it.
        protected_by: String,
    },
    /// It may be deleted and was not: by the mode, a stop, or the brakes.
    Due,
    /// It was deleted.
    Deleted,
    /// It was gone already.
    Gone,
    /// It names something else by now: somebody else wrote it, and it is no longer on record.
    Disowned,
    /// It could not be deleted.
    Failed,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
fn is_zero(count: &usize) -> bool {
    *count == 0
}

// === impl PrunedTag ===

impl PrunedTag {
    /// What is to be said of a candidate that was not touched.
    pub fn of(candidate: &Candidate, grace: Duration) -> Self {
        let Candidate {
            target,
            source,
            source_digest: _,
            digest,
            unwanted,
            held_by,
            is_over,
            shared_with,
        } = candidate;
        let Unwanted {
            cause,
            since,
            seen: _,
            protected_by,
        } = unwanted;
        let fate = match (protected_by, is_over) {
            (Some(by), _) => Fate::Protected {
                rule: *held_by,
                protected_by: by.clone(),
            },
            (None, true) => Fate::Due,
            (None, false) => Fate::Waiting,
        };
        Self {
            target: target.clone(),
            source: source.to_string(),
            digest: digest.clone(),
            reason: *cause,
            since: *since,
            due: unwanted.due(grace),
            shared_with: shared_with.clone(),
            fate,
        }
    }
}

// === impl PruneReport ===

impl PruneReport {
    /// How many tags came to this.
    pub fn count(&self, matches: impl Fn(&Fate) -> bool) -> usize {
        self.tags.iter().filter(|tag| matches(&tag.fate)).count()
    }

    /// Tags that were deleted in this round.
    pub fn deleted(&self) -> usize {
        self.count(|fate| matches!(fate, Fate::Deleted))
    }

    /// Tags that something protects.
    pub fn protected(&self) -> usize {
        self.count(|fate| matches!(fate, Fate::Protected { .. }))
    }

    /// Tags that wait for their time or for approval, and those that could not be deleted.
    pub fn candidates(&self) -> usize {
        self.count(|fate| matches!(fate, Fate::Waiting | Fate::Due | Fate::Failed))
    }

    /// When the next tag is due.
    pub fn next_due(&self) -> Option<Timestamp> {
        let waiting = self.tags.iter().filter(|tag| tag.fate == Fate::Waiting);
        waiting.map(|tag| tag.due).min()
    }
}
