// SPDX-License-Identifier: Apache-2.0

//! `ImagePolicy`: which tags to copy, what they must prove, how long they stay.

mod status;

use std::borrow::Cow;
use std::collections::BTreeMap;

use kube::CustomResource;
use schemars::generate::SchemaGenerator;
use schemars::{JsonSchema, Schema};
use serde::{Deserialize, Serialize};
use serde_json::json;

pub use self::status::{ExcludedBy, ImagePolicyStatus};
use super::metadata::{LocalObjectReference, SecretKeyReference};
use super::schema::{
    LABEL, LABEL_LENGTH, PLATFORM, PLATFORM_FORM, PLATFORM_LENGTH, TAG_GLOB, TAG_LENGTH, atomic,
    form, forms, keyed_by, labels, resource, rule, rule_for, set,
};
use crate::policy::Duration;
use crate::policy::extract::VALUE_LENGTH;
use crate::policy::pattern::PATTERN_LENGTH;
use crate::policy::range::RANGE_LENGTH;
pub use crate::policy::select::{NewestBy, NewestPer, NewestVariants, Prereleases};

/// Which tags to copy, what they must prove, how long they stay.
#[derive(
    CustomResource, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema,
)]
#[expect(
    clippy::duplicated_attributes,
    reason = "columns have their types in common"
)]
#[kube(
    group = "transship.dev",
    version = "v1alpha1",
    kind = "ImagePolicy",
    plural = "imagepolicies",
    namespaced,
    status = "ImagePolicyStatus",
    derive = "PartialEq",
    schema = "manual",
    doc = "A policy that any number of mirrors of its namespace can use.",
    shortname = "impol",
    category = "transship",
    selectable = ".spec.suspend",
    printcolumn(
        name = "Mirrors",
        type_ = "integer",
        json_path = ".status.mirrors",
        description = "Mirrors that use the policy."
    ),
    printcolumn(
        name = "Selected",
        type_ = "integer",
        json_path = ".status.selected",
        description = "Tags of these mirrors that the policy selects."
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
        name = "Age",
        type_ = "date",
        json_path = ".metadata.creationTimestamp"
    ),
    printcolumn(
        name = "Mode",
        type_ = "string",
        json_path = ".spec.mode",
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
#[schemars(transform = rule(
    "has(self.select) || has(self.minAge) || has(self.verify) && size(self.verify) > 0 || has(self.require) || has(self.retain)",
    "says nothing: write select, minAge, verify, require or retain"
))]
pub struct ImagePolicySpec {
    /// Which of the candidate tags to copy. Without it the policy selects nothing and only checks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub select: Option<Select>,
    /// How long a digest must have been seen before it is copied.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_age: Option<Duration>,
    /// Who must have signed an image, up to 8. Any one of them suffices.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8), transform = keyed_by("name"))]
    pub verify: Vec<Authority>,
    /// What an image must be like. All of it must hold.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub require: Option<Require>,
    /// Which tags pruning keeps although they are no longer selected.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retain: Option<Retain>,
    /// Whether a violation keeps an image from being copied.
    #[serde(default)]
    pub mode: PolicyMode,
    /// Suspends the policy. Mirrors that use it wait.
    #[serde(default)]
    pub suspend: bool,
}

/// Which of the candidate tags to copy. Every rule that is written must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(transform = rule(
    "has(self.include) && size(self.include) > 0 || has(self.exclude) && size(self.exclude) > 0 || has(self.extract) || has(self.semver) || has(self.newest) || has(self.limit)",
    "has no rule: write include: [\".*\"] to select every tag"
))]
pub struct Select {
    /// Regular expressions (RE2) of which one must match the whole tag, up to 16.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        length(max = 16),
        inner(length(min = 1, max = PATTERN_LENGTH)),
        transform = atomic
    )]
    pub include: Vec<String>,
    /// Regular expressions (RE2) of which none may match the whole tag, up to 16.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        length(max = 16),
        inner(length(min = 1, max = PATTERN_LENGTH)),
        transform = atomic
    )]
    pub exclude: Vec<String>,
    /// The part of a tag that the rules below read as version, number or name, in place of the whole tag.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub extract: Option<ExtractSelect>,
    /// The versions that are wanted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub semver: Option<SemverSelect>,
    /// Keeps only the newest of the tags that passed the other rules.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub newest: Option<NewestSelect>,
    /// More selected tags than this in one repository is a failure, 1 to 100000.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 100_000))]
    pub limit: Option<i32>,
}

fn whole_tag() -> String {
    "$0".to_owned()
}

/// The part of a tag that is read as version, number or name. Tags that the pattern does not match are left out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ExtractSelect {
    /// Regular expression (RE2) with groups that must match the whole tag, such as `^main-[0-9a-f]+-(?P<ts>[0-9]+)$`.
    #[schemars(length(min = 1, max = PATTERN_LENGTH))]
    pub pattern: String,
    /// What is read: a text in which $1 or $ts stands for a group of the pattern, and $0 for the whole tag.
    #[serde(default = "whole_tag")]
    #[schemars(
        length(min = 1, max = VALUE_LENGTH),
        transform = rule(
            "self.contains('$')",
            "names no group of the pattern: write $1, or $name for (?P<name>…)"
        )
    )]
    pub value: String,
}

/// The versions that are wanted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SemverSelect {
    /// A range such as ">=1.20 <2", "^1.27 || ~2.1" or "1.x".
    #[schemars(length(min = 1, max = RANGE_LENGTH))]
    pub range: String,
    /// Whether prereleases such as 1.27.0-rc.1 are taken.
    #[serde(default)]
    pub prereleases: Prereleases,
}

/// How many of the newest tags to keep.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NewestSelect {
    /// How many tags to keep, 1 to 10000.
    #[schemars(range(min = 1, max = 10_000))]
    pub count: i32,
    /// What makes a tag newer.
    #[serde(default)]
    pub by: NewestBy,
    /// Whether to count over all versions, or in each major or minor version.
    #[serde(default)]
    pub per: NewestPer,
    /// Whether each variant such as alpine is counted for itself.
    #[serde(default)]
    pub variants: NewestVariants,
}

/// Someone whose signature makes an image acceptable.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(
    transform = rule_for(
        ".key",
        "has(self.key) == (self.type == 'Key')",
        "is needed with type: Key, and only there"
    ),
    transform = rule_for(
        ".keyless",
        "has(self.keyless) == (self.type == 'Keyless')",
        "is needed with type: Keyless, and only there"
    )
)]
pub struct Authority {
    /// Name of the authority, unique in the policy.
    #[schemars(length(min = 1, max = LABEL_LENGTH), regex(pattern = LABEL))]
    pub name: String,
    /// How the authority signs.
    pub r#type: AuthorityType,
    /// The public key. Only with type Key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<KeyAuthority>,
    /// The identity. Only with type Keyless.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keyless: Option<KeylessAuthority>,
}

/// How an authority signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum AuthorityType {
    /// With a key pair.
    Key,
    /// With a short-lived certificate for an identity.
    Keyless,
}

/// A public key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct KeyAuthority {
    /// Secret and key that hold the public key as PEM.
    pub secret_ref: SecretKeyReference,
}

/// The identity in a short-lived certificate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct KeylessAuthority {
    /// Issuer of the identity, compared exactly.
    #[schemars(length(min = 1, max = 512))]
    pub issuer: String,
    /// Subject of the certificate; * stands for any characters.
    #[schemars(length(min = 1, max = 512))]
    pub subject: String,
    /// Secret with `trusted_root.json`. The public good instance where absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trusted_root_ref: Option<LocalObjectReference>,
}

/// What an image must be like.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Require {
    /// The user that the image runs as.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<RequiredUser>,
    /// Largest compressed size of one platform, such as 500Mi.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(min = 1, max = 20),
        transform = form(
            "^[0-9]+(k|Ki|M|Mi|G|Gi|T|Ti)?$",
            "write bytes as Kubernetes does, such as 500Mi or 2G: no MB"
        )
    )]
    pub max_size: Option<String>,
    /// Longest time since the image was built, by its config.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_age: Option<Duration>,
    /// Platforms that the image must have, up to 32.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        length(max = 32),
        inner(length(min = 1, max = PLATFORM_LENGTH)),
        transform = set,
        transform = forms(PLATFORM, PLATFORM_FORM)
    )]
    pub platforms: Vec<String>,
    /// Labels of the config and the values they must have, up to 32; * stands for any characters.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "labels")]
    pub labels: BTreeMap<String, String>,
    /// Tags and tag globs that are never copied, up to 32.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        length(max = 32),
        inner(length(min = 1, max = TAG_LENGTH), regex(pattern = TAG_GLOB)),
        transform = atomic
    )]
    pub deny_tags: Vec<String>,
    /// Known vulnerabilities that are acceptable, by a signed scan.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vulnerabilities: Option<Vulnerabilities>,
}

/// The user that an image runs as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum RequiredUser {
    /// A user is set and it is not root.
    NonRoot,
}

/// Known vulnerabilities that are acceptable.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Vulnerabilities {
    /// The highest severity that is acceptable.
    pub max_severity: Severity,
    /// Whether vulnerabilities without a fix count.
    #[serde(default)]
    pub unfixed: UnfixedVulnerabilities,
}

/// How severe a vulnerability is.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
pub enum Severity {
    /// No vulnerability at all.
    None,
    /// Low.
    Low,
    /// Medium.
    Medium,
    /// High.
    High,
    /// Critical.
    Critical,
}

/// Whether vulnerabilities without a fix count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum UnfixedVulnerabilities {
    /// They count like the others.
    #[default]
    Count,
    /// They do not count.
    Ignore,
}

/// Which tags pruning keeps although they are no longer selected.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Retain {
    /// Keeps this many of the newest tags of each repository, 0 to 10000.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 10_000))]
    pub keep_newest: Option<i32>,
    /// Keeps tags that were first seen less than this ago.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keep_younger_than: Option<Duration>,
    /// Keeps tags that match one of these globs, up to 32.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        length(max = 32),
        inner(length(min = 1, max = TAG_LENGTH), regex(pattern = TAG_GLOB)),
        transform = atomic
    )]
    pub keep_tags: Vec<String>,
}

/// Whether a violation keeps an image from being copied.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum PolicyMode {
    /// It does.
    #[default]
    Enforce,
    /// It is reported and the image is copied anyway.
    Audit,
}

impl JsonSchema for ImagePolicy {
    fn schema_name() -> Cow<'static, str> {
        "ImagePolicy".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let description =
            "Which tags mirrors of its namespace copy, what they must prove, how long they stay.";
        let fresh = json!({"observedGeneration": -1});
        resource::<ImagePolicySpec, ImagePolicyStatus>(description, Some(fresh), generator)
    }
}
