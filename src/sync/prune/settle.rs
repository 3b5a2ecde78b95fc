// SPDX-License-Identifier: Apache-2.0

//! What an interrupted round left half done: pushes whose end nobody saw, and deletions that had begun.
//! Only the tags say what came of them.

use super::Findings;
use super::run::PruneRun;
use crate::copy::Endpoint;
use crate::oci::{Digest, TagOrDigest};
use crate::plan::report::Failure;
use crate::sync::Connect;
use crate::sync::ledger::{Leaf, Page, Record, Slot};

impl<C: Connect> PruneRun<'_, C> {
    /// Settles what is not wanted any more; what is wanted is settled by its copy. What cannot be looked
    /// at stays as it is.
    pub(super) async fn settle(&self, findings: &Findings<'_>) -> Vec<Failure> {
        let mut failures = Vec::new();
        for (page, leaf) in self.state.ledger.leaves(&self.mirror.name) {
            for (slot, record) in unsettled(&page, &leaf) {
                if findings.claimed.contains(&slot) {
                    continue;
                }
                match self.find(&slot, record).await {
                    Ok(Some(found)) => self.settle_one(&slot, record, found.as_ref()),
                    Ok(None) => {}
                    Err(failure) => failures.push(failure),
                }
            }
        }
        failures
    }

    /// Looks what came of deletions that had begun, of the tags that `is_meant` chooses: one that is gone can be restored.
    pub(super) async fn settle_begun(&self, is_meant: impl Fn(&Slot) -> bool) -> Vec<Failure> {
        let mut failures = Vec::new();
        for (slot, record) in self.begun(is_meant) {
            match self.find(&slot, &record).await {
                Ok(Some(None)) => self.state.ledger.disown(&slot),
                Ok(Some(Some(_)) | None) => {}
                Err(failure) => failures.push(failure),
            }
        }
        failures
    }

    /// The tags on record whose deletion has begun, and nobody saw whether they went.
    pub(super) fn begun(&self, is_meant: impl Fn(&Slot) -> bool) -> Vec<(Slot, Record)> {
        let begun = self.state.ledger.begun(&self.mirror.name).into_iter();
        let meant = begun.map(|(slot, _)| slot).filter(is_meant);
        meant
            .filter_map(|slot| {
                let record = self.state.ledger.read(&slot)?;
                Some((slot, record))
            })
            .collect()
    }

    /// Whatever is found may be an answer from before a deletion that had begun: what undoes that stays.
    pub(super) fn settle_one(&self, slot: &Slot, record: &Record, found: Option<&Digest>) {
        let is_ours = found == Some(&record.digest);
        if !is_ours {
            self.state.ledger.disown(slot);
        } else if record.is_pending() {
            // Nobody saw its push end: who wrote the tag is not known.
            self.state.ledger.adopt(slot);
        }
    }

    /// What a tag names now; None where it cannot be looked at.
    pub(super) async fn find(
        &self,
        slot: &Slot,
        record: &Record,
    ) -> Result<Option<Option<Digest>>, Failure> {
        let page = &slot.page;
        let destination = self.mirror.destination(&page.destination);
        let Some(destination) =
            destination.filter(|known| record.registry.as_ref() == Some(&known.registry))
        else {
            return Ok(None);
        };
        let subject = format!("{}/{}:{}", destination.registry, page.repository, slot.tag);
        let endpoint: Endpoint = self
            .connection
            .destination(destination, &page.repository)
            .await
            .map_err(|error| Failure::connecting(&subject, error))?;
        let target = TagOrDigest::Tag(slot.tag.clone());
        let found = endpoint.resolve(&page.repository, &target, None).await;
        let found = found.map_err(|error| Failure::requesting(&subject, &error))?;
        Ok(Some(found))
    }
}

/// The tags that are pending, and those that are about to be deleted.
pub(super) fn unsettled<'a>(page: &Page, leaf: &'a Leaf) -> Vec<(Slot, &'a Record)> {
    let records = leaf.records.iter().filter_map(|(tag, record)| {
        let tombstone = leaf.deleted.get(tag);
        let has_begun = tombstone.is_some_and(|tombstone| tombstone.is_about(record));
        (record.is_pending() || has_begun).then(|| (page.slot(tag), record))
    });
    records.collect()
}
