// SPDX-License-Identifier: Apache-2.0

//! `ImageMirror`: what to copy, from where, to where.

mod create_repository;
mod endpoint;
mod execution;
mod image;
mod provider;
mod prune;
mod referrers;
mod status;

use std::borrow::Cow;

use kube::CustomResource;
use schemars::generate::SchemaGenerator;
use schemars::{JsonSchema, Schema};
use serde::{Deserialize, Serialize};
use serde_json::json;

pub use self::create_repository::{
    CreateRepository, EncryptionType, KMS_KEY_LENGTH, LIFECYCLE_POLICY_LENGTH,
    REPOSITORY_TAG_KEY_LENGTH, REPOSITORY_TAG_VALUE_LENGTH, REPOSITORY_TAGS, RepositoryEncryption,
};
pub use self::endpoint::{Destination, Source};
pub use self::execution::{
    Amount, Execution, ExecutionMode, JOB_LABELS, JOB_RESOURCES, JOB_TOLERATIONS, JobResources,
    JobTemplate, JobToleration, PARALLELISM, TaintEffect, TolerationOperator,
};
pub use self::image::{AbsentTag, Image, Replacement};
pub use self::provider::Provider;
pub use self::prune::{AdoptedTags, InUse, Prune, PruneMode};
pub use self::referrers::{Referrers, ReferrersMode};
pub use self::status::{
    Action, DestinationStatus, FAILURES, FailureStatus, HISTORY, ImageMirrorStatus, JobStatus,
    MESSAGE_LENGTH, PruneStatus, RECENT, REFUSALS, Reachable, RecentCopy, RefusalStatus,
    RoundResult, RoundSummary, TagCounts,
};
use super::metadata::LocalObjectReference;
use super::schema::{
    PLATFORM, PLATFORM_FORM, PLATFORM_LENGTH, TAG_GLOB, TAG_LENGTH, at_least, form, forms,
    keyed_by, resource, rule_for, set,
};
use crate::policy::Duration;
use crate::policy::schedule::CRON_LENGTH;

/// What to copy, from where, to where.
#[derive(CustomResource, Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[expect(
    clippy::duplicated_attributes,
    reason = "columns have their types in common"
)]
#[kube(
    group = "transship.dev",
    version = "v1alpha1",
    kind = "ImageMirror",
    namespaced,
    status = "ImageMirrorStatus",
    derive = "PartialEq",
    schema = "manual",
    doc = "A mirror: images of one registry that are kept in sync with other registries.",
    shortname = "imir",
    category = "transship",
    selectable = ".spec.source.registry",
    selectable = ".spec.suspend",
    printcolumn(name = "Source", type_ = "string", json_path = ".spec.source.registry"),
    printcolumn(
        name = "Synced",
        type_ = "string",
        json_path = ".status.synced",
        description = "Tags that are at all destinations, of those that are selected."
    ),
    printcolumn(name = "Failed", type_ = "integer", json_path = ".status.tags.failed"),
    printcolumn(
        name = "Refused",
        type_ = "integer",
        json_path = ".status.tags.refused",
        description = "Tags that policies do not admit."
    ),
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = r#".status.conditions[?(@.type=="Ready")].status"#
    ),
    printcolumn(
        name = "Reason",
        type_ = "string",
        json_path = r#".status.conditions[?(@.type=="Ready")].reason"#
    ),
    printcolumn(
        name = "Last Sync",
        type_ = "date",
        json_path = ".status.lastSyncTime",
        description = "When a round last copied or deleted something, or found everything in sync again."
    ),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(
        name = "Quarantined",
        type_ = "integer",
        json_path = ".status.tags.quarantined",
        description = "Tags that policies admit later.",
        priority = 1
    ),
    // kubectl prints a date in the future as <invalid>.
    printcolumn(
        name = "Next Sync",
        type_ = "string",
        json_path = ".status.nextSyncTime",
        priority = 1
    ),
    printcolumn(
        name = "Message",
        type_ = "string",
        json_path = r#".status.conditions[?(@.type=="Ready")].message"#,
        priority = 1
    )
)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(
    transform = rule_for(
        ".schedule",
        "!(has(self.interval) && has(self.schedule))",
        "cannot be combined with interval: remove one of them"
    ),
    transform = rule_for(
        ".verifyInterval",
        "!has(self.verifyInterval) || has(self.immutableTags) && size(self.immutableTags) > 0",
        "is only used with immutableTags"
    ),
    transform = rule_for(
        ".images",
        "has(self.policyRefs) && size(self.policyRefs) > 0 || self.images.all(image, has(image.tags) && size(image.tags) > 0 || has(image.digests) && size(image.digests) > 0 || has(image.policyRefs) && size(image.policyRefs) > 0 || has(image.select))",
        "each one needs tags, select or a policy that selects among them: write tags: [\"*\"] to copy every tag"
    )
)]
pub struct ImageMirrorSpec {
    /// The registry that images are copied from.
    pub source: Source,
    /// The images to copy, 1 to 256, each repository once.
    #[schemars(length(min = 1, max = 256), transform = keyed_by("repository"))]
    pub images: Vec<Image>,
    /// Policies for all images, 0 to 8.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8), transform = keyed_by("name"))]
    pub policy_refs: Vec<LocalObjectReference>,
    /// The registries that images are copied to, 1 to 8. Each blob is read once and written to all.
    #[schemars(length(min = 1, max = 8), transform = keyed_by("name"))]
    pub destinations: Vec<Destination>,
    /// Which platforms of a multi-platform image to copy. All of them unless said otherwise.
    #[serde(default)]
    pub platforms: Platforms,
    /// Which signatures, SBOMs and attestations are copied with their images, and how soon those that come later.
    #[serde(default)]
    pub referrers: Referrers,
    /// What to do when a tag moves to another digest at the source.
    #[serde(default)]
    pub tag_mutability: TagMutability,
    /// Tags and tag globs of the source that never move, such as v*, up to 32. What is on record of them and complete is asked for again only after `verifyInterval`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        length(max = 32),
        inner(length(min = 1, max = TAG_LENGTH), regex(pattern = TAG_GLOB)),
        transform = set
    )]
    pub immutable_tags: Vec<String>,
    /// Longest time between two looks at an immutable tag and at all that it leads to, at least 1h; of many tags a share is looked at each day. 168h where it is not written.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(transform = at_least("1h"))]
    pub verify_interval: Option<Duration>,
    /// What happens to tags that are no longer selected. They are kept unless said otherwise.
    #[serde(default)]
    pub prune: Prune,
    /// Time between two rounds, at least 30s, with 10 % of jitter. 1h where neither this nor `schedule` is written.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(transform = at_least("30s"))]
    pub interval: Option<Duration>,
    /// Times at which rounds start, in place of `interval`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schedule: Option<CronSchedule>,
    /// Longest time from a push at the source to the copy at every destination, at least 30s: a condition and an alert say where it is missed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(transform = at_least("30s"))]
    pub freshness: Option<Duration>,
    /// Longest time that one round may take.
    #[serde(default = "default_timeout")]
    #[schemars(transform = at_least("1s"))]
    pub timeout: Duration,
    /// Who copies: the controller itself unless said otherwise, or pods of a Job in this namespace.
    #[serde(default)]
    pub execution: Execution,
    /// Stops all rounds while true. Nothing at the destinations is changed.
    #[serde(default)]
    pub suspend: bool,
}

/// Which platforms of a multi-platform image to copy.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(
    transform = rule_for(
        ".list",
        "self.mode == 'All' || has(self.list) && size(self.list) > 0",
        "is needed with mode: List: write platforms such as linux/amd64"
    ),
    transform = rule_for(
        ".list",
        "self.mode == 'List' || !has(self.list) || size(self.list) == 0",
        "is only used with mode: List"
    ),
    transform = rule_for(
        ".index",
        "self.index != 'Unwrap' || self.mode == 'List' && has(self.list) && size(self.list) == 1",
        "Unwrap is for one platform: write mode: List and one of them in list"
    )
)]
pub struct Platforms {
    /// All platforms, or those of `list`.
    #[serde(default)]
    pub mode: PlatformsMode,
    /// Platforms such as linux/amd64 or linux/arm/v7, 1 to 32. Only with mode List.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        length(max = 32),
        inner(length(min = 1, max = PLATFORM_LENGTH)),
        transform = set,
        transform = forms(PLATFORM, PLATFORM_FORM)
    )]
    pub list: Vec<String>,
    /// What to do with an image that lacks a listed platform.
    #[serde(default)]
    pub absent: AbsentPlatform,
    /// How the index of a multi-platform image is written.
    #[serde(default)]
    pub index: IndexMode,
    /// Whether what an index lists as attestations of its images is copied, such as BuildKit's provenance and SBOMs.
    #[serde(default)]
    pub attestations: Attestations,
}

/// All platforms, or listed ones.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum PlatformsMode {
    /// Copies every platform; the image stays byte for byte the same.
    #[default]
    All,
    /// Copies the platforms of `list` and the attestations that belong to them.
    List,
}

/// What to do with an image that lacks a listed platform.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum AbsentPlatform {
    /// The image is not copied and counts as failed.
    #[default]
    Fail,
    /// The platforms that exist are copied. An image with none of them still fails.
    Skip,
}

/// How the index of a multi-platform image is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum IndexMode {
    /// Writes a correct index of the kept platforms, which has another digest.
    #[default]
    Rewrite,
    /// Writes the original index although some of its images are missing, so that its digest and signatures stay valid.
    Preserve,
    /// Writes no index, but the image of the only listed platform, for what runs images without one. Attestations stay behind.
    Unwrap,
}

/// Whether the attestations inside an index are copied.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Attestations {
    /// Copies those of the images that are copied.
    #[default]
    Copy,
    /// Leaves them out of the index.
    Skip,
}

/// What to do when a tag moves to another digest at the source.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum TagMutability {
    /// Moves the tag at the destination as well.
    #[default]
    Follow,
    /// Keeps what the destination has.
    Freeze,
    /// Keeps what the destination has and reports a failure.
    Fail,
}

/// Times at which rounds start.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CronSchedule {
    /// Five cron fields: minute, hour, day of month, month, day of week.
    #[schemars(length(min = 1, max = CRON_LENGTH))]
    pub cron: String,
    /// Name of a time zone, such as Europe/Berlin. UTC where absent.
    #[serde(default = "default_time_zone")]
    #[schemars(length(min = 1, max = 64), transform = form("^[A-Za-z0-9_+/-]+$", "write a name of the time zone database, such as Europe/Berlin"))]
    pub time_zone: String,
}

// === impl ImageMirror ===

impl JsonSchema for ImageMirror {
    fn schema_name() -> Cow<'static, str> {
        "ImageMirror".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let description = "Images of one registry that are kept in sync with other registries.";
        let fresh = json!({"observedGeneration": -1});
        resource::<ImageMirrorSpec, ImageMirrorStatus>(description, Some(fresh), generator)
    }
}

// === defaults ===

fn default_timeout() -> Duration {
    Duration::from_secs(6 * 60 * 60)
}

fn default_time_zone() -> String {
    "UTC".to_owned()
}
