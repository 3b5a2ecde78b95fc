// SPDX-License-Identifier: Apache-2.0

//! What happens to tags that are no longer selected.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::policy::Duration;

/// What happens to tags that are no longer selected.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Prune {
    /// Keeps them, records a plan only, or deletes them.
    pub mode: PruneMode,
    /// How long a tag must have been unselected before it becomes a candidate.
    pub grace: Duration,
    /// Most tags that may be deleted without approval, those of the last 24 hours included.
    #[schemars(range(min = 0, max = 100_000))]
    pub max_deletes: i32,
    /// The same for each destination, in percent of the recorded tags that could be deleted there.
    #[schemars(range(min = 0, max = 100))]
    pub max_percent: i32,
    /// Whether images that workloads use are protected.
    pub in_use: InUse,
    /// Whether tags that were there before the mirror may be deleted.
    pub adopted: AdoptedTags,
}

/// Whether unselected tags are kept, listed or deleted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
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
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum InUse {
    /// Never deletes an image that a workload uses or may roll back to.
    #[default]
    Protect,
    /// Does not look at workloads.
    Ignore,
}

/// Whether tags that were there before the mirror may be pruned.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum AdoptedTags {
    /// Keeps them.
    #[default]
    Keep,
    /// Treats them as tags that the mirror wrote.
    Include,
}

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
