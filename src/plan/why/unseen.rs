// SPDX-License-Identifier: Apache-2.0

//! What an answer does not go by, since it is not known here.

use std::collections::{BTreeMap, BTreeSet};

use super::evidence::RecordKeeper;

/// Who has what is on record of mirrors that an answer may be about.
#[derive(Debug, Default)]
pub(super) struct Unseen(BTreeMap<Option<String>, BTreeSet<String>>);

// === impl Unseen ===

impl Unseen {
    /// Somebody has what is on record of a mirror.
    pub(super) fn note(&mut self, keeper: Option<RecordKeeper>) {
        if let Some(RecordKeeper { member, shard }) = keeper {
            self.0.entry(member).or_default().insert(shard);
        }
    }

    /// What is not known, and whom to ask.
    pub(super) fn told(self) -> Vec<String> {
        let told = self.0.into_iter().map(|(member, shards)| {
            let word = if shards.len() == 1 { "shard" } else { "shards" };
            let mut shards = Vec::from_iter(shards);
            shards.sort_by_key(|shard| (shard.len(), shard.clone()));
            let shards = format!("{word} {}", shards.join(", "));
            match member {
                Some(member) => format!(
                    "what is on record of the mirrors of {shards} is known to member {member}: ask its page"
                ),
                None => format!(
                    "what is on record of the mirrors of {shards} is known to no member yet: look again in some seconds"
                ),
            }
        });
        told.collect()
    }
}
