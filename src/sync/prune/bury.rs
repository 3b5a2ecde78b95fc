// SPDX-License-Identifier: Apache-2.0

//! What is on record of deletions: written before each, settled after it.

use std::collections::{BTreeSet, HashMap};

use super::run::PruneRun;
use super::safeguard::{Safeguard, Safeguards};
use super::slot;
use crate::api::mirrored_repository::SHARERS;
use crate::oci::{Digest, Repository, Tag};
use crate::plan::prune::{Candidate, Doubt, Fate, Rule, Stop};
use crate::sync::Connect;
use crate::sync::ledger::{Slot, Tombstone};

/// What earlier rounds wrote of tags that they tried to delete, by the places of the candidates in the plan.
pub(super) type Earlier = HashMap<usize, Tombstone>;

impl<C: Connect> PruneRun<'_, C> {
    /// What is about to be deleted is on record, so that a restart knows what was begun. Gives what an earlier
    /// round wrote of the same tags.
    pub(super) async fn write_tombstones(
        &self,
        batch: &[(usize, &Candidate)],
        is_approved: bool,
        mut safeguards: Safeguards,
    ) -> Result<Earlier, Stop> {
        let mut earlier = Earlier::new();
        // One time for all: those that are deleted together are known by it.
        let deleted_at = self.state.pruner.now();
        for (index, candidate) in batch {
            let slot = slot(&self.mirror.name, candidate);
            let Safeguard {
                keepsakes,
                referrers,
                mut shared_with,
            } = safeguards.remove(index).unwrap_or_default();
            let Some(record) = self.state.ledger.read(&slot) else {
                continue;
            };
            if let Some(tombstone) = self.state.ledger.tombstone(&slot) {
                shared_with = join(&tombstone, &record.digest, shared_with);
                earlier.insert(*index, tombstone);
            }
            let tombstone = Tombstone {
                source: record.source,
                source_digest: record.source_digest,
                digest: record.digest,
                shape: record.shape,
                registry: candidate.target.registry.clone(),
                deleted_at,
                approved: is_approved,
                cleared: false,
                referrers,
                shared_with,
                took: None,
            };
            self.state.ledger.bury(&slot, tombstone);
            self.state.ledger.keep(&slot.page, keepsakes);
        }
        let flushed = self.state.ledger.flush(self.mirror).await;
        let flushed = flushed.map_err(|error| Stop::unkept(&error.to_string(), error.reason));
        let seen = match flushed {
            // Who announces a push from now on sees the tombstone.
            Ok(()) => {
                let repositories = batch
                    .iter()
                    .map(|(_, candidate)| &candidate.target.repository);
                self.see_others(repositories.cloned().collect()).await
            }
            Err(stop) => Err(stop),
        };
        if let Err(stop) = seen {
            for (index, candidate) in batch {
                self.unbury(&slot(&self.mirror.name, candidate), earlier.remove(index));
            }
            return Err(stop);
        }
        Ok(earlier)
    }

    /// Looks at what mirrors of other processes have on record of these repositories, under any name of a registry.
    pub(super) async fn see_others(&self, repositories: BTreeSet<Repository>) -> Result<(), Stop> {
        let Some(neighbours) = &self.state.neighbours else {
            return Ok(());
        };
        let ledger = &self.state.ledger;
        let seen = neighbours.look_everywhere(ledger, &repositories).await;
        seen.map_err(|error| Stop::new(error.reason, error.message))
    }

    /// What keeps a tag whose name has another deletion that can still be undone: of what was at another registry
    /// before, or named another digest. There is one on record of each name.
    pub(super) fn find_other_grave(&self, candidate: &Candidate) -> Option<Doubt> {
        let Candidate { target, digest, .. } = candidate;
        let other = self
            .state
            .ledger
            .tombstone(&slot(&self.mirror.name, candidate))?;
        let is_it = other.registry == target.registry && other.digest == *digest;
        let message = || {
            format!(
                "what {}/{}:{} was, {}, was deleted before, and waits until it can be restored no more",
                other.registry, target.repository, target.tag, other.digest
            )
        };
        (!is_it).then(|| Doubt::new(Rule::Undoable, message()))
    }

    /// What is gone is no longer on record, and what is not gone was not deleted by this round.
    pub(super) fn settle_deleted(
        &self,
        candidate: &Candidate,
        fate: &Fate,
        earlier: Option<Tombstone>,
    ) {
        let slot = slot(&self.mirror.name, candidate);
        match fate {
            Fate::Deleted => self.state.ledger.disown(&slot),
            // It may have been the request of an earlier round, whose end nobody saw.
            Fate::Gone if earlier.as_ref().is_some_and(|it| !it.cleared) => {
                self.state.ledger.disown(&slot);
            }
            Fate::Gone | Fate::Disowned => {
                self.state.ledger.disown(&slot);
                self.unbury(&slot, earlier);
            }
            Fate::Protected { .. } | Fate::Waiting | Fate::Due | Fate::Failed => {
                self.unbury(&slot, earlier);
            }
        }
    }

    /// This round did not touch a tag. An earlier one may have, which nobody saw: what it wrote stays.
    pub(super) fn unbury(&self, slot: &Slot, earlier: Option<Tombstone>) {
        match earlier {
            Some(tombstone) => self.state.ledger.bury(slot, tombstone),
            None => self.state.ledger.forget_deleted(slot),
        }
    }
}

/// The other tags of a digest that were there before any of the deletions that were tried: an earlier one may have
/// taken some along.
fn join(earlier: &Tombstone, digest: &Digest, found: Vec<Tag>) -> Vec<Tag> {
    if earlier.digest != *digest || earlier.took.is_some() {
        return found;
    }
    let mut tags = earlier.shared_with.clone();
    tags.extend(
        found
            .into_iter()
            .filter(|tag| !earlier.shared_with.contains(tag)),
    );
    tags.truncate(SHARERS);
    tags
}
