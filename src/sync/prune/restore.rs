// SPDX-License-Identifier: Apache-2.0

//! Brings back tags that were pruned, as long as the grace after their deletion has not passed.

use schemars::JsonSchema;
use serde::Serialize;

use super::revive::{UndoError, bring_back};
use super::run::PruneRun;
use crate::oci::{Digest, Registry, Repository, Tag, TagOrDigest};
use crate::plan::report::Failure;
use crate::plan::{Destination, Mirror};
use crate::sync::ledger::{KeepError, Record, Slot, Tombstone};
use crate::sync::{Connect, State};

/// A tag that was pruned, and what became of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Restoration {
    /// The name of the destination in the mirror.
    pub destination: String,
    /// The registry.
    pub registry: Registry,
    /// The repository.
    pub repository: Repository,
    /// The tag.
    pub tag: Tag,
    /// The digest that it named.
    pub digest: Digest,
    /// Why it could not be restored; nothing where it is there again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
}

/// Nothing was restored.
#[derive(Clone, Debug, thiserror::Error)]
#[error("nothing is restored, because it cannot be put on record: {0}")]
pub struct RestoreError(#[from] KeepError);

impl State {
    /// The tags of a mirror that were pruned and can still be restored.
    pub fn deleted_tags(&self, mirror: &Mirror) -> Vec<(Slot, Tombstone)> {
        self.ledger.deleted(&mirror.name)
    }
}

impl<C: Connect> PruneRun<'_, C> {
    /// Looks what came of the deletions of a run that was interrupted, so that what is gone can be restored. Gives what
    /// could not be looked at.
    pub async fn settle_deletions(&self) -> Result<Vec<Failure>, RestoreError> {
        let failures = self.settle_begun(|_| true).await;
        self.state.ledger.flush(self.mirror).await?;
        Ok(failures)
    }

    /// Restores those of the pruned tags that `is_wanted` chooses: their manifests are tagged anew, where
    /// the registry still has them. They are not wanted any more than before: grace begins anew.
    ///
    /// A tag that names something by now is left alone.
    pub async fn restore_tags(
        &self,
        is_wanted: impl Fn(&Slot, &Tombstone) -> bool,
    ) -> Result<Vec<Restoration>, RestoreError> {
        let deleted = self.state.deleted_tags(self.mirror);
        let chosen: Vec<(Slot, Tombstone)> = deleted
            .into_iter()
            .filter(|(slot, tombstone)| is_wanted(slot, tombstone))
            .collect();
        let (chosen, homeless): (Vec<_>, Vec<_>) = chosen
            .into_iter()
            .partition(|(slot, tombstone)| destination_of(self.mirror, slot, tombstone).is_some());
        for (slot, tombstone) in &chosen {
            // On record before it is there, as every push is; what brings it back stays until it is.
            self.state
                .ledger
                .write(slot.clone(), record(tombstone, None));
        }
        if let Err(error) = self.state.ledger.flush(self.mirror).await {
            for (slot, _) in chosen {
                self.state.ledger.disown(&slot);
            }
            return Err(error.into());
        }
        // What stands on record of another registry by the same name stays.
        let mut restorations: Vec<Restoration> = homeless
            .into_iter()
            .map(|(slot, tombstone)| {
                let failure = Failure::no_destination(&subject(&slot, &tombstone));
                restoration(slot, tombstone, Some(failure))
            })
            .collect();
        for (slot, tombstone) in chosen {
            let restored = self.restore_one(&slot, &tombstone).await;
            match &restored {
                Ok(is_pushed) => {
                    let copied_at = is_pushed.then(|| self.state.pruner.now());
                    let record = Record {
                        adopted: !is_pushed,
                        ..record(&tombstone, copied_at)
                    };
                    self.state.ledger.write(slot.clone(), record);
                }
                Err(_) => self.state.ledger.disown(&slot),
            }
            restorations.push(restoration(slot, tombstone, restored.err()));
        }
        self.state.ledger.flush(self.mirror).await?;
        Ok(restorations)
    }

    /// Whether it was pushed: it may be there already, which somebody else pushed then.
    async fn restore_one(&self, slot: &Slot, tombstone: &Tombstone) -> Result<bool, Failure> {
        let Slot { page, tag } = slot;
        let subject = subject(slot, tombstone);
        let destination = destination_of(self.mirror, slot, tombstone)
            .ok_or_else(|| Failure::no_destination(&subject))?;
        let endpoint = self
            .connection
            .destination(destination, &page.repository)
            .await
            .map_err(|error| Failure::connecting(&subject, error))?;
        let named = TagOrDigest::Tag(tag.clone());
        let asked = endpoint.resolve(&page.repository, &named, None).await;
        match asked.map_err(|error| Failure::requesting(&subject, &error))? {
            Some(found) if found == tombstone.digest => return Ok(false),
            Some(found) => return Err(Failure::taken(&subject, &found)),
            None => {}
        }
        let Tombstone { source, digest, .. } = tombstone;
        let keepsakes = self.state.ledger.keepsakes(page);
        let tagged = async {
            let manifest = bring_back(&endpoint, &page.repository, tombstone, &keepsakes).await?;
            let put = endpoint.put_manifest(&page.repository, &named, &manifest);
            put.await?;
            Ok(true)
        };
        tagged.await.map_err(|error: UndoError| match error {
            UndoError::BlobGone(_) => Failure::lost(&subject, digest, source),
            UndoError::Endpoint(_) if error.is_lost() => Failure::lost(&subject, digest, source),
            UndoError::Endpoint(error) => Failure::requesting(&subject, &error),
            error @ (UndoError::Damaged(..) | UndoError::Unseen(_)) => {
                Failure::damaged(&subject, &error.to_string(), source)
            }
        })
    }
}

/// The destination where a tag was deleted, if it is still there.
fn destination_of<'a>(
    mirror: &'a Mirror,
    slot: &Slot,
    tombstone: &Tombstone,
) -> Option<&'a Destination> {
    let destination = mirror.destination(&slot.page.destination);
    destination.filter(|known| known.registry == tombstone.registry)
}

fn subject(slot: &Slot, tombstone: &Tombstone) -> String {
    let Slot { page, tag } = slot;
    format!("{}/{}:{tag}", tombstone.registry, page.repository)
}

fn restoration(slot: Slot, tombstone: Tombstone, failure: Option<Failure>) -> Restoration {
    Restoration {
        destination: slot.page.destination,
        registry: tombstone.registry,
        repository: slot.page.repository,
        tag: slot.tag,
        digest: tombstone.digest,
        failure,
    }
}

pub(super) fn record(tombstone: &Tombstone, copied_at: Option<jiff::Timestamp>) -> Record {
    let Tombstone {
        source,
        source_digest,
        digest,
        shape,
        registry,
        deleted_at,
        approved: _,
        cleared: _,
        referrers: own_referrers,
        shared_with: _,
        took: _,
    } = tombstone;
    Record {
        source: source.clone(),
        source_digest: source_digest.clone(),
        digest: digest.clone(),
        shape: shape.clone(),
        first_seen: *deleted_at,
        copied_at,
        adopted: false,
        refused: false,
        registry: Some(registry.clone()),
        unwanted: None,
        verified: None,
        referrers: None,
        checked_at: None,
        own_referrers: own_referrers.clone(),
    }
}
