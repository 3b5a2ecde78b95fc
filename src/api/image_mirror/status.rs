// SPDX-License-Identifier: Apache-2.0

//! What the controller says of a mirror. Every list is bounded: the whole is at most 32 KiB.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::api::annotations::REQUEST_LENGTH;
use crate::api::image_policy::PolicyMode;
use crate::api::metadata::ObjectName;
use crate::api::schema::{
    IMAGE_LENGTH, LABEL, LABEL_LENGTH, REASON, REASON_LENGTH, atomic, conditions, keyed_by,
};
use crate::oci::Digest;

/// Most failures that are told.
pub const FAILURES: usize = 20;
/// Most refusals that are told.
pub const REFUSALS: usize = 20;
/// Longest UID.
const UID_LENGTH: usize = 64;
/// Longest path of a rule in a policy.
const GATE_LENGTH: usize = 64;
/// Most copies that are told.
pub const RECENT: usize = 10;
/// Most rounds that are told.
pub const HISTORY: usize = 5;
/// Longest message of a failure or refusal, in characters.
pub const MESSAGE_LENGTH: usize = 512;

/// How far the mirror is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ImageMirrorStatus {
    /// Generation of the spec that the status is about; -1 before it was first looked at.
    #[serde(default = "never_observed")]
    #[schemars(range(min = -1))]
    pub observed_generation: i64,
    /// Ready says whether every selected and admitted tag is at every destination; Reconciling and Stalled are there only while they are True; Pruned is there only where spec.prune.mode is Plan or Delete.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "conditions")]
    pub conditions: Vec<Condition>,
    /// Tags that are at all destinations, of those that are selected, such as 38/40.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    pub synced: Option<String>,
    /// The selected tags, counted by what became of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tags: Option<TagCounts>,
    /// How far each destination is.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8), transform = keyed_by("name"))]
    pub destinations: Vec<DestinationStatus>,
    /// What failed, up to 20 of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = FAILURES), transform = atomic)]
    pub failures: Vec<FailureStatus>,
    /// What policies do not admit, and what those in audit would not, up to 20 of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = REFUSALS), transform = atomic)]
    pub refusals: Vec<RefusalStatus>,
    /// The tags that were written last, the newest first, up to 10 of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = RECENT), transform = atomic)]
    pub recent: Vec<RecentCopy>,
    /// The rounds that changed something, the newest first, up to 5 of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = HISTORY), transform = atomic)]
    pub history: Vec<RoundSummary>,
    /// What pruning comes to; absent where spec.prune.mode is Retain.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prune: Option<PruneStatus>,
    /// The Job that copies now: its pods may write for as long as they are named here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub job: Option<JobStatus>,
    /// Digest of the generations of the policies that the last round used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy_revision: Option<Digest>,
    /// Digest of the set of tags and digests that is wanted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revision: Option<Digest>,
    /// When a round last copied or deleted something, or found everything in sync for the first time or again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_sync_time: Option<Time>,
    /// When the next round is due, after a failure or by a schedule. Rounds that find nothing to do do not write it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_sync_time: Option<Time>,
    /// The last value of the annotation transship.dev/reconcile-at, or of reconcile.fluxcd.io/requestedAt alone, that was answered with a round.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = REQUEST_LENGTH))]
    pub last_handled_reconcile_at: Option<String>,
    /// The last value of the annotation reconcile.fluxcd.io/requestedAt that was answered, where transship.dev/reconcile-at is written, too.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = REQUEST_LENGTH))]
    pub last_handled_requested_at: Option<String>,
}

/// The selected tags, counted by what became of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct TagCounts {
    /// Tags that are selected.
    #[schemars(range(min = 0))]
    pub selected: i32,
    /// Of these, tags that are at all destinations.
    #[schemars(range(min = 0))]
    pub synced: i32,
    /// Tags whose turn has not come.
    #[schemars(range(min = 0))]
    pub pending: i32,
    /// Tags that failed at one destination or more.
    #[schemars(range(min = 0))]
    pub failed: i32,
    /// Tags that a policy does not admit.
    #[schemars(range(min = 0))]
    pub refused: i32,
    /// Tags that a policy admits once their digest has been seen long enough.
    #[schemars(range(min = 0))]
    pub quarantined: i32,
    /// Tags that moved at the source and stay as they are, by tagMutability.
    #[schemars(range(min = 0))]
    pub frozen: i32,
}

/// How far a destination is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DestinationStatus {
    /// Name of the destination in the spec.
    #[schemars(length(min = 1, max = LABEL_LENGTH), regex(pattern = LABEL))]
    pub name: String,
    /// Selected tags that are there.
    #[serde(default)]
    #[schemars(range(min = 0))]
    pub synced: i32,
    /// Selected tags that failed there.
    #[serde(default)]
    #[schemars(range(min = 0))]
    pub failed: i32,
    /// Whether the registry answered.
    pub reachable: Reachable,
}

/// Whether a registry answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Reachable {
    /// It did in the last round that asked it.
    True,
    /// It did not.
    False,
    /// No round has asked it.
    Unknown,
}

/// Something that failed and will be tried again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FailureStatus {
    /// The image at the source, or the repository where all of it failed.
    #[schemars(length(min = 1, max = IMAGE_LENGTH))]
    pub image: String,
    /// Name of the destination; absent where the source failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = LABEL_LENGTH))]
    pub destination: Option<String>,
    /// Why, as one word.
    #[schemars(length(min = 1, max = REASON_LENGTH), regex(pattern = REASON))]
    pub reason: String,
    /// Why, for people, and what to do.
    #[schemars(length(max = MESSAGE_LENGTH))]
    pub message: String,
    /// Rounds that had failed with it in a row when this was written, which is at the first, second, fourth, eighth and so on.
    #[schemars(range(min = 1))]
    pub attempts: i32,
    /// When it was to be tried again at the earliest, as of the last change.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_attempt_time: Option<Time>,
}

/// An image that a policy does not admit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RefusalStatus {
    /// The image at the source.
    #[schemars(length(min = 1, max = IMAGE_LENGTH))]
    pub image: String,
    /// The policy.
    pub policy: ObjectName,
    /// The rule of the policy, such as require.user.
    #[schemars(length(min = 1, max = GATE_LENGTH))]
    pub gate: String,
    /// Why, as one word.
    #[schemars(length(min = 1, max = REASON_LENGTH), regex(pattern = REASON))]
    pub reason: String,
    /// Why, for people, and what to do.
    #[schemars(length(max = MESSAGE_LENGTH))]
    pub message: String,
    /// Enforce where the image is kept out, Audit where it is copied all the same.
    pub mode: PolicyMode,
}

/// What pruning comes to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct PruneStatus {
    /// Tags on record that are no longer wanted and that nothing protects; those that are not due yet count, too.
    #[schemars(range(min = 0))]
    pub candidates: i32,
    /// Tags on record that are no longer wanted and that something protects: a workload that uses them, a policy that retains them.
    #[schemars(range(min = 0))]
    pub protected: i32,
    /// Tags that were deleted and can still be restored, since the grace has not passed again.
    #[schemars(range(min = 0))]
    pub deleted: i32,
    /// Digest of the tags that are due to be deleted: the annotation transship.dev/approve-prune approves exactly these. Absent where none is due.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plan: Option<Digest>,
    /// The plan that was approved last and acted on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub approved: Option<Digest>,
}

/// A Job that copies.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct JobStatus {
    /// Its name.
    pub name: ObjectName,
    /// Its UID.
    #[schemars(length(min = 1, max = UID_LENGTH))]
    pub uid: String,
    /// Parts that the repositories are shared out in, one for each pod.
    #[schemars(range(min = 1))]
    pub indexes: i32,
    /// Parts that are done.
    #[serde(default)]
    #[schemars(range(min = 0))]
    pub succeeded: i32,
    /// Parts that failed.
    #[serde(default)]
    #[schemars(range(min = 0))]
    pub failed: i32,
    /// Whether its pods may not write any more: they are waited for.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub stopping: bool,
}

/// A tag that was written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RecentCopy {
    /// The image at the destination.
    #[schemars(length(min = 1, max = IMAGE_LENGTH))]
    pub image: String,
    /// Name of the destination.
    #[schemars(length(min = 1, max = LABEL_LENGTH))]
    pub destination: String,
    /// The digest at the destination.
    pub digest: Digest,
    /// The digest at the source.
    pub source_digest: Digest,
    /// What the tag named at the destination before, where it moved.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub previous_digest: Option<Digest>,
    /// What was done.
    pub action: Action,
    /// When.
    pub time: Time,
}

/// How a tag was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Action {
    /// Content was copied.
    Copied,
    /// Only the tag was written; its content was there.
    Retagged,
    /// The image was there; signatures and the like that had come since were copied.
    Completed,
}

/// A round that has ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RoundSummary {
    /// When it began.
    pub start_time: Time,
    /// When it ended.
    pub end_time: Time,
    /// How it ended.
    pub result: RoundResult,
    /// Tags that were written.
    #[schemars(range(min = 0))]
    pub copied: i32,
    /// Of these, tags that named another image before.
    #[serde(default)]
    #[schemars(range(min = 0))]
    pub moved: i32,
    /// Bytes of blobs that were sent.
    #[schemars(range(min = 0))]
    pub bytes: i64,
}

/// How a round ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum RoundResult {
    /// Everything is in place.
    Succeeded,
    /// Something failed.
    Failed,
}

// === impl ImageMirrorStatus ===

impl Default for ImageMirrorStatus {
    fn default() -> Self {
        Self {
            observed_generation: never_observed(),
            conditions: Vec::new(),
            synced: None,
            tags: None,
            destinations: Vec::new(),
            failures: Vec::new(),
            refusals: Vec::new(),
            recent: Vec::new(),
            history: Vec::new(),
            prune: None,
            job: None,
            policy_revision: None,
            revision: None,
            last_sync_time: None,
            next_sync_time: None,
            last_handled_reconcile_at: None,
            last_handled_requested_at: None,
        }
    }
}

fn never_observed() -> i64 {
    -1
}
