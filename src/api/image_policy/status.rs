// SPDX-License-Identifier: Apache-2.0

//! What the controller says of a policy.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::api::schema::conditions;

/// Whether the policy can be used, and what it does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ImagePolicyStatus {
    /// Generation of the spec that the status is about; -1 before it was first looked at.
    #[serde(default = "never_observed")]
    #[schemars(range(min = -1))]
    pub observed_generation: i64,
    /// Ready says whether mirrors can use the policy; Stalled is there only while they cannot and a person must act.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "conditions")]
    pub conditions: Vec<Condition>,
    /// Mirrors that use the policy.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub mirrors: Option<i32>,
    /// Tags of these mirrors that the policy selects.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub selected: Option<i32>,
    /// Tags of these mirrors that the policy keeps out, counted by the first rule that does. In audit, those it would keep out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub excluded_by: Option<ExcludedBy>,
}

/// Tags that a policy keeps out, counted by rule.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ExcludedBy {
    /// Tags that no pattern of include matches, or not that of extract.
    #[schemars(range(min = 0))]
    pub include: i32,
    /// Tags that a pattern of exclude matches.
    #[schemars(range(min = 0))]
    pub exclude: i32,
    /// Tags that are no version, a prerelease, or outside of the range.
    #[schemars(range(min = 0))]
    pub semver: i32,
    /// Tags that are not among the newest.
    #[schemars(range(min = 0))]
    pub newest: i32,
    /// Tags whose digest has not been seen long enough.
    #[schemars(range(min = 0))]
    pub min_age: i32,
    /// Tags without an accepted signature.
    #[schemars(range(min = 0))]
    pub verify: i32,
    /// Tags whose image is not like it must be.
    #[schemars(range(min = 0))]
    pub require: i32,
}

impl Default for ImagePolicyStatus {
    fn default() -> Self {
        Self {
            observed_generation: never_observed(),
            conditions: Vec::new(),
            mirrors: None,
            selected: None,
            excluded_by: None,
        }
    }
}

fn never_observed() -> i64 {
    -1
}
