// SPDX-License-Identifier: Apache-2.0

//! Whose records a state file has: what it is itself, and which destinations it is about.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::oci::Digest;

/// Most approvals that are remembered for a mirror, the latest ones.
const APPROVALS: usize = 100;

/// Whose a state is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(super) struct Origin {
    /// Made at random when the state began; empty in one that is only in memory.
    pub(super) id: String,
    /// How often the state was written.
    pub(super) serial: u64,
    /// Where each destination of each mirror is: the registry, and the template of its repositories.
    pub(super) destinations: BTreeMap<String, BTreeMap<String, String>>,
    /// When the plans were carried out that a person approved, by mirror.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) approved: BTreeMap<String, BTreeMap<Digest, Timestamp>>,
}

/// A destination whose records are those of another place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetAside {
    /// The mirror.
    pub mirror: String,
    /// The name of the destination.
    pub destination: String,
    /// Where it was, as far as the state says.
    pub from: Option<String>,
    /// Where it is.
    pub to: String,
}

/// The name under which the records of a mirror stand that it wrote while its destination was elsewhere.
/// No mirror has it, so nobody prunes them, and they go on protecting what they name.
pub(super) fn aside(mirror: &str, place: &str) -> String {
    format!("{mirror} at {place}")
}

// === impl Origin ===

impl Origin {
    /// When the plan of a mirror was carried out that a person had approved.
    pub(super) fn spent(&self, mirror: &str, plan: &Digest) -> Option<Timestamp> {
        self.approved.get(mirror)?.get(plan).copied()
    }

    /// Remembers that an approval is used up.
    pub(super) fn spend(&mut self, mirror: &str, plan: &Digest, now: Timestamp) {
        let approved = self.approved.entry(mirror.to_owned()).or_default();
        approved.insert(plan.clone(), now);
        while approved.len() > APPROVALS {
            let oldest = approved.iter().min_by_key(|(_, time)| **time);
            let Some(oldest) = oldest.map(|(plan, _)| plan.clone()) else {
                return;
            };
            approved.remove(&oldest);
        }
    }
}
