// SPDX-License-Identifier: Apache-2.0

//! What the controller says of a receiver.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::api::schema::conditions;

/// Whether the receiver takes events, and where.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ImageReceiverStatus {
    /// Generation of the spec that the status is about; -1 before it was first looked at.
    #[serde(default = "never_observed")]
    #[schemars(range(min = -1))]
    pub observed_generation: i64,
    /// Ready says whether events are taken; Stalled is there only while they are not and a person must act.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "conditions")]
    pub conditions: Vec<Condition>,
    /// The path to send events to, behind the address of the listener: /hook/ and a digest of token, namespace and name.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128))]
    pub path: Option<String>,
    /// When the last message was taken from the queue of `spec.pull`, to within some minutes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_message_time: Option<Time>,
}

impl Default for ImageReceiverStatus {
    fn default() -> Self {
        Self {
            observed_generation: never_observed(),
            conditions: Vec::new(),
            path: None,
            last_message_time: None,
        }
    }
}

fn never_observed() -> i64 {
    -1
}
