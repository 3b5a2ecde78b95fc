// SPDX-License-Identifier: Apache-2.0

//! The entries of `images`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::api::image_policy::Select;
use crate::api::metadata::LocalObjectReference;
use crate::api::schema::{
    DIGEST, DIGEST_LENGTH, REPOSITORY_LENGTH, REPOSITORY_PART, TAG_SELECTOR, TAG_SELECTOR_LENGTH,
    atomic, keyed_by, rule, rule_for, set, tag_names,
};

/// One repository, or several by a glob, and which of its tags to copy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(transform = rule_for(
    ".retag",
    "!has(self.retag) || has(self.tags) && size(self.tags) > 0",
    "is for tags that are written in full: write them in tags"
))]
pub struct Image {
    /// Repository, or a glob: * inside one component, ** across components. A glob needs the registry's catalog. On Docker Hub alpine means library/alpine.
    #[schemars(
        length(min = 1, max = REPOSITORY_LENGTH),
        transform = rule(
            "self.matches('^[a-z0-9*/._-]+$')",
            "write the repository alone and in lower case, such as library/nginx: its registry belongs in source.registry, its tag in tags"
        )
    )]
    pub repository: String,
    /// Tags and tag globs, up to 256. All tags where empty, if select or a policy selects among them. With 1.27@sha256:… that digest is copied, and no other.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        length(max = 256),
        inner(length(min = 1, max = TAG_SELECTOR_LENGTH), regex(pattern = TAG_SELECTOR)),
        transform = set
    )]
    pub tags: Vec<String>,
    /// Images that are kept by digest, up to 256. The tag `sha256.<digits>` holds each of them at the destinations.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        length(max = 256),
        inner(length(min = 1, max = DIGEST_LENGTH), regex(pattern = DIGEST)),
        transform = set
    )]
    pub digests: Vec<String>,
    /// What to do about tags and digests that are written in full and do not exist.
    #[serde(default)]
    pub absent: AbsentTag,
    /// Which of the listed tags to copy, as in a policy, for this entry alone. What it selects is added to what policies select.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub select: Option<Select>,
    /// Policies for this image, in addition to those of the mirror, up to 8.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8), transform = keyed_by("name"))]
    pub policy_refs: Vec<LocalObjectReference>,
    /// Name that takes the place of the source repository in the templates of destinations, such as apps/{name}; with {repository}, {registry}, {namespace}, {name}. {repository} where absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = REPOSITORY_LENGTH))]
    pub r#as: Option<String>,
    /// Replacements in the values of the placeholders of `as`, one after the other, up to 4: from / to - makes a-b of a/b.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 4), transform = atomic)]
    pub replace: Vec<Replacement>,
    /// Other names for tags that are written in full, up to 64: with {"1.27": stable} the tag 1.27 is stable for the destinations, in the place of {tag}.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "tag_names")]
    pub retag: BTreeMap<String, String>,
}

/// What to do about a tag or digest that is written in full and does not exist.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum AbsentTag {
    /// It counts as failed.
    #[default]
    Fail,
    /// It is left out until it exists.
    Skip,
}

/// A text that takes the place of another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Replacement {
    /// What is replaced, wherever it is.
    #[schemars(
        length(min = 1, max = REPOSITORY_LENGTH),
        regex(pattern = REPOSITORY_PART)
    )]
    pub from: String,
    /// By what; by nothing where absent.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = REPOSITORY_LENGTH), regex(pattern = REPOSITORY_PART))]
    pub to: String,
}
