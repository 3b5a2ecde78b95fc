// SPDX-License-Identifier: Apache-2.0

//! What must be known before a tag is deleted.

use schemars::JsonSchema;
use serde::Serialize;

/// One part of the rule. A tag goes only when every part was found true right before; whatever is not known
/// keeps it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, JsonSchema)]
pub enum Rule {
    /// The mirror saw its own push of this digest to this tag succeed.
    Ours,
    /// No mirror wants it, and no policy keeps it.
    Unwanted,
    /// What it is not wanted for was looked up.
    Absent,
    /// No workload uses it.
    Unused,
    /// What brings it back is at hand.
    Undoable,
}

/// What keeps a tag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Doubt {
    /// The part of the rule that is not fulfilled, or not known to be.
    pub rule: Rule,
    /// Why not.
    pub message: String,
}

impl Doubt {
    /// For a part of the rule.
    pub fn new(rule: Rule, message: impl Into<String>) -> Self {
        Self {
            rule,
            message: message.into(),
        }
    }
}
