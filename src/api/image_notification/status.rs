// SPDX-License-Identifier: Apache-2.0

//! What the controller says of a notification.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::api::schema::conditions;

/// Whether messages arrive.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ImageNotificationStatus {
    /// Generation of the spec that the status is about; -1 before it was first looked at.
    #[serde(default = "never_observed")]
    #[schemars(range(min = -1))]
    pub observed_generation: i64,
    /// Ready says whether messages can be sent, and whether the last one arrived; Stalled is there only while they cannot and a person must act.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "conditions")]
    pub conditions: Vec<Condition>,
    /// When the last message arrived, to within some minutes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_message_time: Option<Time>,
}

impl Default for ImageNotificationStatus {
    fn default() -> Self {
        Self {
            observed_generation: never_observed(),
            conditions: Vec::new(),
            last_message_time: None,
        }
    }
}

fn never_observed() -> i64 {
    -1
}
