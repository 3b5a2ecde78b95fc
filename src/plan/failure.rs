// SPDX-License-Identifier: Apache-2.0

//! What went wrong with a part of a mirror.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use crate::api::Reason;

/// Something that failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Failure {
    /// What it is about: a repository, an image, the mirror.
    pub subject: String,
    /// The category.
    pub reason: Reason,
    /// What is wrong, and what to do.
    pub message: String,
    /// When to try again at the earliest, where a registry said so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_attempt_time: Option<Timestamp>,
    /// Whether it is about one selected tag, rather than about a repository or all of the mirror.
    #[serde(skip)]
    pub is_of_tag: bool,
}
