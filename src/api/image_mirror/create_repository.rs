// SPDX-License-Identifier: Apache-2.0

//! Repositories that are made before the first push.

use std::collections::BTreeMap;

use schemars::generate::SchemaGenerator;
use schemars::{JsonSchema, Schema, json_schema};
use serde::{Deserialize, Serialize};

use crate::api::schema::rule_for;

/// Most tags of a repository (AWS, quotas of Amazon ECR), and the longest key and value.
pub const REPOSITORY_TAGS: usize = 50;
/// Longest key of such a tag.
pub const REPOSITORY_TAG_KEY_LENGTH: usize = 128;
/// Longest value of such a tag.
pub const REPOSITORY_TAG_VALUE_LENGTH: usize = 256;
/// Longest lifecycle policy (`PutLifecyclePolicy`).
pub const LIFECYCLE_POLICY_LENGTH: usize = 30_720;
/// Longest name of a key (`EncryptionConfiguration`).
pub const KMS_KEY_LENGTH: usize = 2_048;

/// What a repository is made like that is missing at Amazon ECR when something is pushed to it for the first time.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(transform = rule_for(
    ".tags",
    "!has(self.tags) || self.tags.all(key, size(key) >= 1 && size(key) <= 128)",
    "the keys of tags have 1 to 128 characters"
))]
pub struct CreateRepository {
    /// Tags of the repository by which AWS finds and bills it, 0 to 50.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "repository_tags")]
    pub tags: BTreeMap<String, String>,
    /// Whether the tags of images cannot be moved. tagMutability then has to be Freeze or Fail, else moves fail.
    #[serde(default)]
    pub immutable_tags: bool,
    /// Whether images are scanned when they are pushed.
    #[serde(default)]
    pub scan_on_push: bool,
    /// How images are encrypted. With keys of Amazon S3 where absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub encryption: Option<RepositoryEncryption>,
    /// Lifecycle policy of the repository, as JSON: rules by which ECR itself deletes images.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = LIFECYCLE_POLICY_LENGTH))]
    pub lifecycle_policy: Option<String>,
}

/// How the images of a repository are encrypted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(transform = rule_for(
    ".kmsKey",
    "!has(self.kmsKey) || has(self.type) && self.type != 'AES256'",
    "is only used with type: KMS or KMS_DSSE"
))]
pub struct RepositoryEncryption {
    /// Who has the keys.
    #[serde(default, rename = "type")]
    pub kind: EncryptionType,
    /// Id, ARN or alias of a key in KMS. The one that AWS manages for ECR where absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = KMS_KEY_LENGTH))]
    pub kms_key: Option<String>,
}

/// Who has the keys.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum EncryptionType {
    /// Amazon S3.
    #[default]
    #[serde(rename = "AES256")]
    Aes256,
    /// KMS.
    #[serde(rename = "KMS")]
    Kms,
    /// KMS, and each image is encrypted twice.
    #[serde(rename = "KMS_DSSE")]
    KmsDsse,
}

// === impl EncryptionType ===

impl EncryptionType {
    /// The name in specs, which is that of AWS.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Aes256 => "AES256",
            Self::Kms => "KMS",
            Self::KmsDsse => "KMS_DSSE",
        }
    }
}

fn repository_tags(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "maxProperties": REPOSITORY_TAGS,
        "additionalProperties": {"type": "string", "maxLength": REPOSITORY_TAG_VALUE_LENGTH},
    })
}
