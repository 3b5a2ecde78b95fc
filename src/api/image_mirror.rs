//! `ImageMirror`: what to copy, from where, to where.

use serde::{Deserialize, Serialize};

use super::metadata::{LocalObjectReference, Metadata};
use crate::policy::Duration;

/// A mirror: images of one registry that are kept in sync with other registries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageMirror {
    /// Name, namespace, labels and annotations.
    pub metadata: Metadata,
    /// What to copy, from where, to where.
    pub spec: ImageMirrorSpec,
}

/// What to copy, from where, to where.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ImageMirrorSpec {
    /// The registry that images are copied from.
    pub source: Source,
    /// The images to copy, 1 to 256, each repository once.
    pub images: Vec<Image>,
    /// Policies for all images, 0 to 8.
    #[serde(default)]
    pub policy_refs: Vec<LocalObjectReference>,
    /// The registries that images are copied to, 1 to 8. Each blob is read once and written to all.
    pub destinations: Vec<Destination>,
    /// Which platforms of a multi-platform image to copy. All of them unless said otherwise.
    #[serde(default)]
    pub platforms: Platforms,
    /// Whether signatures, SBOMs and attestations are copied with their images.
    #[serde(default)]
    pub referrers: ReferrersMode,
    /// What to do when a tag moves to another digest at the source.
    #[serde(default)]
    pub tag_mutability: TagMutability,
    /// What happens to tags that are no longer selected. They are kept unless said otherwise.
    #[serde(default)]
    pub prune: Prune,
    /// Time between two rounds, at least 30s, with 10 % of jitter. 1h where neither this nor `schedule` is written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interval: Option<Duration>,
    /// Times at which rounds start, in place of `interval`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schedule: Option<CronSchedule>,
    /// Longest time that one round may take.
    #[serde(default = "default_timeout")]
    pub timeout: Duration,
    /// Stops all rounds while true. Nothing at the destinations is changed.
    #[serde(default)]
    pub suspend: bool,
}

/// The registry that images are copied from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Source {
    /// Host and optional port, such as docker.io or registry.example.com:5000.
    pub registry: String,
    /// Secret of type kubernetes.io/dockerconfigjson with the credentials. Anonymous where absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret_ref: Option<LocalObjectReference>,
    /// Secret with ca.crt to verify the registry, and tls.crt and tls.key for mutual TLS.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cert_secret_ref: Option<LocalObjectReference>,
    /// Secret with address, username and password of an HTTP proxy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proxy_secret_ref: Option<LocalObjectReference>,
    /// Uses plain HTTP. Only for hosts that the operator allows.
    #[serde(default)]
    pub insecure: bool,
}

/// One repository, or several by a glob, and which of its tags to copy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Image {
    /// Repository, or a glob: * inside one component, ** across components. A glob needs the registry's catalog. On Docker Hub alpine means library/alpine.
    pub repository: String,
    /// Tags and tag globs, up to 256. All tags where empty, if a policy selects among them.
    #[serde(default)]
    pub tags: Vec<String>,
    /// Policies for this image, in addition to those of the mirror, up to 8.
    #[serde(default)]
    pub policy_refs: Vec<LocalObjectReference>,
}

/// A registry that images are copied to, and under which names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Destination {
    /// Name of the destination, unique in the mirror.
    pub name: String,
    /// Host and optional port.
    pub registry: String,
    /// Template of the repository: {repository}, {registry}, {namespace} and {name} stand for parts of the source.
    #[serde(default = "default_repository_template")]
    pub repository: String,
    /// Templates of the tags, 1 to 4: {tag} and {digest12} stand for parts of the source.
    #[serde(default = "default_tag_templates")]
    pub tags: Vec<String>,
    /// Template of a tag that keeps the previous image when a tag is about to move: {tag} is that tag.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub previous_tag: Option<String>,
    /// Secret of type kubernetes.io/dockerconfigjson with the credentials. Anonymous where absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret_ref: Option<LocalObjectReference>,
    /// Secret with ca.crt to verify the registry, and tls.crt and tls.key for mutual TLS.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cert_secret_ref: Option<LocalObjectReference>,
    /// Secret with address, username and password of an HTTP proxy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proxy_secret_ref: Option<LocalObjectReference>,
    /// Uses plain HTTP. Only for hosts that the operator allows.
    #[serde(default)]
    pub insecure: bool,
}

/// Which platforms of a multi-platform image to copy.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Platforms {
    /// All platforms, or those of `list`.
    #[serde(default)]
    pub mode: PlatformsMode,
    /// Platforms such as linux/amd64 or linux/arm/v7, 1 to 32. Only with mode List.
    #[serde(default)]
    pub list: Vec<String>,
    /// What to do with an image that lacks a listed platform.
    #[serde(default)]
    pub absent: AbsentPlatform,
    /// How the index of a multi-platform image is written.
    #[serde(default)]
    pub index: IndexMode,
}

/// All platforms, or listed ones.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum PlatformsMode {
    /// Copies every platform; the image stays byte for byte the same.
    #[default]
    All,
    /// Copies the platforms of `list` and the attestations that belong to them.
    List,
}

/// What to do with an image that lacks a listed platform.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum AbsentPlatform {
    /// The image is not copied and counts as failed.
    #[default]
    Fail,
    /// The platforms that exist are copied. An image with none of them still fails.
    Skip,
}

/// How the index of a multi-platform image is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum IndexMode {
    /// Writes a correct index of the kept platforms, which has another digest.
    #[default]
    Rewrite,
    /// Writes the original index although some of its images are missing, so that its digest and signatures stay valid.
    Preserve,
}

/// Whether signatures, SBOMs and attestations are copied.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum ReferrersMode {
    /// Copies them, as referrers and as fallback tags.
    #[default]
    Copy,
    /// Leaves them out.
    Skip,
}

/// What to do when a tag moves to another digest at the source.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum TagMutability {
    /// Moves the tag at the destination as well.
    #[default]
    Follow,
    /// Keeps what the destination has.
    Freeze,
    /// Keeps what the destination has and reports a failure.
    Fail,
}

/// What happens to tags that are no longer selected.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Prune {
    /// Keeps them, records a plan only, or deletes them.
    pub mode: PruneMode,
    /// How long a tag must have been unselected before it becomes a candidate.
    pub grace: Duration,
    /// Most tags that one round may delete without approval.
    pub max_deletes: i32,
    /// Most tags that one round may delete without approval, in percent of all recorded tags.
    pub max_percent: i32,
    /// Whether images that workloads use are protected.
    pub in_use: InUse,
    /// Whether tags that were there before the mirror may be deleted.
    pub adopted: AdoptedTags,
}

/// Whether unselected tags are kept, listed or deleted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum PruneMode {
    /// Keeps every tag.
    #[default]
    Retain,
    /// Records what would be deleted and deletes nothing.
    Plan,
    /// Deletes inside the bounds, and beyond them only what was approved.
    Delete,
}

/// Whether images that workloads use are protected from pruning.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum InUse {
    /// Never deletes an image that a workload uses or may roll back to.
    #[default]
    Protect,
    /// Does not look at workloads.
    Ignore,
}

/// Whether tags that were there before the mirror may be pruned.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum AdoptedTags {
    /// Keeps them.
    #[default]
    Keep,
    /// Treats them as tags that the mirror wrote.
    Include,
}

/// Times at which rounds start.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CronSchedule {
    /// Five cron fields: minute, hour, day of month, month, day of week.
    pub cron: String,
    /// Name of a time zone, such as Europe/Berlin. UTC where absent.
    #[serde(default = "default_time_zone")]
    pub time_zone: String,
}

// === defaults ===

impl Default for Prune {
    fn default() -> Self {
        Self {
            mode: PruneMode::default(),
            grace: Duration::from_secs(24 * 60 * 60),
            max_deletes: 50,
            max_percent: 20,
            in_use: InUse::default(),
            adopted: AdoptedTags::default(),
        }
    }
}

fn default_timeout() -> Duration {
    Duration::from_secs(6 * 60 * 60)
}

fn default_repository_template() -> String {
    "{repository}".to_owned()
}

fn default_tag_templates() -> Vec<String> {
    vec!["{tag}".to_owned()]
}

fn default_time_zone() -> String {
    "UTC".to_owned()
}
