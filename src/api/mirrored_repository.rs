// SPDX-License-Identifier: Apache-2.0

//! `MirroredRepository`: the controller's memory of one repository at a destination. It is written before
//! anything is pushed there, so that nothing is ever pushed that is not on record.

use std::borrow::Cow;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::CustomResource;
use schemars::generate::SchemaGenerator;
use schemars::{JsonSchema, Schema};
use serde::{Deserialize, Serialize};

use super::metadata::ObjectName;
use super::schema::{
    IMAGE_LENGTH, LABEL, LABEL_LENGTH, LOCATION_LENGTH, REASON, REASON_LENGTH, atomic, resource,
    rule,
};
use crate::oci::{Digest, Tag};

/// Label with the UID of the mirror.
pub const MIRROR_UID_LABEL: &str = "transship.dev/mirror-uid";
/// Label with the name of the destination in the mirror.
pub const DESTINATION_LABEL: &str = "transship.dev/destination";
/// Annotation in which the pods of a Job say which tags of a record they pushed. It is all that they may write of it, and
/// believed of nothing but what the controller meant to be pushed.
pub const COPIED_ANNOTATION: &str = "transship.dev/copied";
/// Most tags of one part.
pub const TAGS: usize = 300;
/// Longest name of what protects a candidate, in characters.
pub const PROTECTED_BY_LENGTH: usize = 253;
/// Longest text that says what was found of referrers.
const REFERRERS_LENGTH: usize = 64;
/// Longest shape; a longer one is stood for by its digest.
pub const SHAPE_LENGTH: usize = 200;

/// Most bytes of one manifest that is kept, and of all that are kept in one object, which has no tags then.
/// Written as text they are a third more: with the names of [`OBJECT_MANIFESTS`] it is less than 1 MB, and etcd
/// takes 1.5 MiB of an object.
pub const OBJECT_BYTES: usize = 512 * 1024;
/// Most manifests that are kept in one object.
pub const OBJECT_MANIFESTS: usize = 500;
/// Longest text of the bytes of one.
const OBJECT_TEXT: usize = OBJECT_BYTES.div_ceil(3) * 4;
/// Longest media type of one.
pub const MEDIA_TYPE_LENGTH: usize = 256;
/// Most manifests that are on record as copied with one image.
pub const OWN_REFERRERS: usize = 16;
/// Most other tags of a digest that are on record while one of them is deleted.
pub const SHARERS: usize = 32;

/// Whose record it is. It never changes.
#[derive(CustomResource, Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[expect(
    clippy::duplicated_attributes,
    reason = "columns have their types in common"
)]
#[kube(
    group = "transship.dev",
    version = "v1alpha1",
    kind = "MirroredRepository",
    plural = "mirroredrepositories",
    namespaced,
    status = "MirroredRepositoryStatus",
    derive = "PartialEq",
    schema = "manual",
    doc = "What a mirror has written to one repository of a destination. Transship keeps it; people read it.",
    shortname = "mrepo",
    category = "transship",
    selectable = ".spec.mirror",
    selectable = ".spec.destination",
    selectable = ".spec.repository",
    printcolumn(name = "Mirror", type_ = "string", json_path = ".spec.mirror"),
    printcolumn(
        name = "Destination",
        type_ = "string",
        json_path = ".spec.destination"
    ),
    printcolumn(name = "Repository", type_ = "string", json_path = ".spec.repository"),
    printcolumn(name = "Tags", type_ = "integer", json_path = ".status.tagCount"),
    printcolumn(
        name = "Candidates",
        type_ = "integer",
        json_path = ".status.candidateCount"
    ),
    printcolumn(
        name = "Age",
        type_ = "date",
        json_path = ".metadata.creationTimestamp"
    )
)]
#[serde(rename_all = "camelCase")]
#[schemars(transform = rule("self == oldSelf", "a record belongs to its repository for good: delete it instead, and Transship writes a new one"))]
pub struct MirroredRepositorySpec {
    /// Name of the mirror, in the same namespace.
    pub mirror: ObjectName,
    /// Name of the destination in the mirror.
    #[schemars(length(min = 1, max = LABEL_LENGTH), regex(pattern = LABEL))]
    pub destination: String,
    /// Registry and repository at the destination, such as registry.example.com/mirror/library/alpine.
    #[schemars(length(min = 3, max = LOCATION_LENGTH))]
    pub repository: String,
    /// Which part of the record this is, from 0 on: one object holds 300 tags at most.
    #[schemars(range(min = 0, max = 9999))]
    pub part: i32,
}

/// The tags that Transship owns in the repository.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MirroredRepositoryStatus {
    /// Number of tags.
    #[serde(default)]
    #[schemars(range(min = 0, max = TAGS))]
    pub tag_count: i32,
    /// Number of candidates for pruning.
    #[serde(default)]
    #[schemars(range(min = 0, max = TAGS))]
    pub candidate_count: i32,
    /// The tags, sorted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = TAGS), transform = atomic)]
    pub tags: Vec<RecordedTag>,
    /// Tags whose digest has not been seen long enough to be copied, sorted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = TAGS), transform = atomic)]
    pub waiting: Vec<WaitingTag>,
    /// Tags that are no longer wanted, sorted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = TAGS), transform = atomic)]
    pub candidates: Vec<PruneCandidate>,
    /// Tags that were pruned and can still be restored, sorted: each stands here until the grace has passed again.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = TAGS), transform = atomic)]
    pub deleted: Vec<DeletedTag>,
    /// Manifests that restore tags that were pruned, sorted: a registry's garbage collection may take them. They
    /// stand in a part without tags, until the last tag that needs them can be restored no more.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = OBJECT_MANIFESTS), transform = atomic)]
    pub manifests: Vec<KeptManifest>,
}

/// What is on record of a tag.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RecordedTag {
    /// The tag at the destination.
    pub tag: Tag,
    /// The image at the source, with its tag.
    #[schemars(length(min = 1, max = IMAGE_LENGTH))]
    pub source: String,
    /// The digest that the tag has at the source.
    pub source_digest: Digest,
    /// The digest that Transship wrote.
    pub digest: Digest,
    /// Which platforms and referrers of the image were written.
    #[schemars(length(max = SHAPE_LENGTH))]
    pub shape: String,
    /// When this digest was first seen at the source.
    pub first_seen: Time,
    /// When the tag was written. Absent while its push has begun and not ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub copied_at: Option<Time>,
    /// Whether the tag was right before Transship first wrote to it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub adopted: bool,
    /// The registry that the tag was written to, where the destination names another one by now.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 255))]
    pub registry: Option<String>,
    /// Who vouches for the image, by the first policy that asks for it. Absent where none does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verified_by: Option<VerifiedBy>,
    /// When the evidence was verified first. Absent where no policy asks for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verified_at: Option<Time>,
    /// When Transship last looked at the source for what refers to the image. Absent where it never did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub referrers_checked_at: Option<Time>,
    /// What was found then, as fingerprints: another text where signatures and the like came, went or moved.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = REFERRERS_LENGTH), regex(pattern = "^(image|index)(\\+list)?:[0-9a-f]{16}:[0-9a-f]{16}$"))]
    pub referrers_found: Option<String>,
    /// When Transship last looked at all that the tag leads to at the destination. Absent where it never did: only immutable tags are looked at so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub checked_at: Option<Time>,
    /// What keeps the tag from being right. Absent where nothing does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<TagState>,
    /// Signatures, attestations and SBOMs that Transship copied with the image, by their digests, 16 at most:
    /// only these go after it when it is pruned.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = OWN_REFERRERS), transform = atomic)]
    pub own_referrers: Vec<Digest>,
}

/// Who vouches for an image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct VerifiedBy {
    /// The policy that asks for it.
    pub policy: ObjectName,
    /// The authority, by its name in the policy.
    #[schemars(length(min = 1, max = LABEL_LENGTH))]
    pub authority: String,
    /// The digest of the manifest that carries the signature.
    pub evidence: Digest,
}

/// A tag whose digest has not been seen long enough to be copied.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct WaitingTag {
    /// The tag at the destination.
    pub tag: Tag,
    /// The digest that waits.
    pub source_digest: Digest,
    /// When this digest was first seen at the source.
    pub first_seen: Time,
}

/// What keeps a tag from being right.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum TagState {
    /// Its copy has not ended.
    Pending,
    /// Its copy failed; another one will be tried.
    Failed,
    /// A policy does not admit what the source tag names now.
    Refused,
    /// The source tag moved and the mirror freezes tags.
    Frozen,
}

/// A tag that is no longer wanted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PruneCandidate {
    /// The tag at the destination.
    pub tag: Tag,
    /// The digest on record.
    pub digest: Digest,
    /// Why it is no longer wanted, as one word.
    #[schemars(length(min = 1, max = REASON_LENGTH), regex(pattern = REASON))]
    pub reason: String,
    /// Since when it is no longer wanted; time in which Transship did not look does not count.
    pub since: Time,
    /// Until when its time is counted. It is written now and then, not in every round.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seen: Option<Time>,
    /// What keeps it from being deleted: a workload that uses it, or a policy that retains it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = PROTECTED_BY_LENGTH))]
    pub protected_by: Option<String>,
}

/// A tag that was pruned.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DeletedTag {
    /// The tag at the destination.
    pub tag: Tag,
    /// The image at the source, with its tag.
    #[schemars(length(min = 1, max = IMAGE_LENGTH))]
    pub source: String,
    /// The digest that the tag had at the source.
    pub source_digest: Digest,
    /// The digest that the tag had at the destination.
    pub digest: Digest,
    /// Which platforms and referrers of the image were written.
    #[schemars(length(max = SHAPE_LENGTH))]
    pub shape: String,
    /// When it was deleted.
    pub deleted_at: Time,
    /// Whether a person approved its deletion.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub approved: bool,
    /// Whether the time to restore it is over. It is listed until it does not count any more among the tags
    /// that were deleted in the last 24 hours.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub cleared: bool,
    /// Signatures, attestations and SBOMs that Transship copied with the image, by their digests.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = OWN_REFERRERS), transform = atomic)]
    pub referrers: Vec<Digest>,
    /// Other tags of the digest, which are looked at after the deletion: some registries take them along. Absent
    /// once that is done.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = SHARERS), transform = atomic)]
    pub shared_with: Vec<Tag>,
    /// What went when the tag was deleted, as it was seen afterwards. Absent where nobody looked yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub took: Option<Took>,
}

/// What a registry took when it deleted a tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Took {
    /// Only the tag.
    Tag,
    /// The manifest with the last tag of it, as zot does. It was pushed again.
    Manifest,
    /// The manifest, and other tags of it. They were pushed again.
    OtherTags,
}

/// A manifest that restores tags.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct KeptManifest {
    /// Its digest.
    pub digest: Digest,
    /// Its media type.
    #[schemars(length(max = MEDIA_TYPE_LENGTH))]
    pub media_type: String,
    /// Its bytes, in base64.
    #[schemars(length(max = OBJECT_TEXT))]
    pub data: String,
}

impl JsonSchema for MirroredRepository {
    fn schema_name() -> Cow<'static, str> {
        "MirroredRepository".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let description = "What a mirror has written to one repository of a destination. Transship keeps it; people read it.";
        resource::<MirroredRepositorySpec, MirroredRepositoryStatus>(description, None, generator)
    }
}
