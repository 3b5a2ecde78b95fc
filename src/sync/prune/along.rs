// SPDX-License-Identifier: Apache-2.0

//! Registries that take more than a tag when they delete one: the manifest along with its last tag, as zot does,
//! or with every other tag of it, as zot did before 2.0 and some proxies do. What they took is pushed again at
//! once.

use std::collections::HashSet;

use super::revive::{UndoError, bring_back};
use super::run::PruneRun;
use super::slot;
use crate::api::mirrored_repository::Took;
use crate::copy::Endpoint;
use crate::copy::endpoint::Error;
use crate::oci::{Registry, Tag, TagOrDigest};
use crate::plan::prune::{Candidate, PruneReport, Stop};
use crate::plan::report::Failure;
use crate::sync::Connect;
use crate::sync::item::Item;
use crate::sync::ledger::{Slot, Tombstone};

impl<C: Connect> PruneRun<'_, C> {
    /// Looks, after a tag was deleted, whether its manifest and the other tags of its digest are still there,
    /// where it is not known that the registry leaves them alone. What it took is pushed again, and nothing more
    /// is deleted before that is known and done. These tags were to go along.
    pub(super) async fn look_beside(
        &self,
        (candidate, others): (&Candidate, &[Tag]),
        endpoint: &Endpoint,
        report: &mut PruneReport,
    ) {
        let slot = slot(&self.mirror.name, candidate);
        let Some(tombstone) = self.state.ledger.tombstone(&slot) else {
            return;
        };
        let settled = self
            .settle_beside((&slot, &tombstone), others, endpoint, report)
            .await;
        match settled {
            Ok(took) => self.conclude(&slot, took),
            Err(failure) => {
                report.stop.get_or_insert_with(|| Stop::unhealed(&failure));
                report.failures.push(failure);
            }
        }
    }

    /// Heals what an interrupted deletion took along of tags that are copied now.
    pub(in crate::sync) async fn heal_before_copies(&self, items: &[Item]) {
        let wanted: HashSet<&Slot> = items.iter().map(|item| &item.sighting.slot).collect();
        self.heal_interrupted(|slot| wanted.contains(slot)).await;
    }

    /// The same where no pruning follows, or comes too late for what is copied anew. What fails is tried again by the next round.
    pub(super) async fn heal_interrupted(&self, is_meant: impl Fn(&Slot) -> bool) {
        self.settle_begun(&is_meant).await;
        let mut report = PruneReport::default();
        self.heal_those(&mut report, is_meant).await;
    }

    /// The deletions of which nobody saw what they took, and whether their tags are on record: those have begun, or
    /// were pushed again since. What went along with such a tag is missing all the same.
    pub(super) fn unseen(&self, is_meant: impl Fn(&Slot) -> bool) -> Vec<(Slot, Tombstone, bool)> {
        let begun = self.state.ledger.begun(&self.mirror.name).into_iter();
        let begun = begun.map(|(slot, tombstone)| (slot, tombstone, true));
        let deleted = self.state.ledger.deleted(&self.mirror.name).into_iter();
        let deleted = deleted.map(|(slot, tombstone)| (slot, tombstone, false));
        let all = begun.chain(deleted);
        all.filter(|(slot, tombstone, _)| tombstone.took.is_none() && is_meant(slot))
            .collect()
    }

    /// The same for deletions of an interrupted round.
    pub(super) async fn heal_unseen(&self, report: &mut PruneReport) {
        self.heal_those(report, |_| true).await;
    }

    async fn heal_those(&self, report: &mut PruneReport, is_meant: impl Fn(&Slot) -> bool) {
        for (slot, tombstone, is_begun) in self.unseen(is_meant) {
            let destination = self.mirror.destination(&slot.page.destination);
            let Some(destination) =
                destination.filter(|known| known.registry == tombstone.registry)
            else {
                continue;
            };
            let repository = &slot.page.repository;
            let connected = self.connection.destination(destination, repository).await;
            let healed = match connected {
                // It is not known that the tag went.
                Ok(endpoint)
                    if is_begun
                        && self.spares(&endpoint, &tombstone.registry, repository)
                            == Some(true) =>
                {
                    Ok(())
                }
                Ok(endpoint) => {
                    let settled = self.settle_beside((&slot, &tombstone), &[], &endpoint, report);
                    settled.await.map(|took| self.settle_unseen(&slot, took))
                }
                Err(error) => Err(Failure::connecting(&name(&slot, &tombstone), error)),
            };
            if let Err(failure) = healed {
                report.stop.get_or_insert_with(|| Stop::unhealed(&failure));
                report.failures.push(failure);
                return;
            }
        }
    }

    /// What is not missing may have been pushed by the round that was interrupted, or by somebody else: that says
    /// nothing of the registry.
    pub(super) fn settle_unseen(&self, slot: &Slot, took: Option<Took>) {
        let seen = match took {
            Some(Took::Tag) => Some(Took::Manifest),
            Some(Took::Manifest | Took::OtherTags) | None => took,
        };
        self.conclude(slot, seen);
    }

    /// What went along with a tag, which is there again; nothing where the tag itself is still there.
    async fn settle_beside(
        &self,
        (slot, tombstone): (&Slot, &Tombstone),
        others: &[Tag],
        endpoint: &Endpoint,
        report: &mut PruneReport,
    ) -> Result<Option<Took>, Failure> {
        let Tombstone {
            registry, digest, ..
        } = tombstone;
        if self.spares(endpoint, registry, &slot.page.repository) == Some(true) {
            return Ok(Some(Took::Tag));
        }
        let subject = name(slot, tombstone);
        let looked = self.find_lost((slot, tombstone), others, endpoint).await;
        let (is_deleted, lost) = looked.map_err(|error| Failure::requesting(&subject, &error))?;
        if lost.is_empty() {
            // Where a manifest goes with its tags, one that is still seen shows nothing that holds for the next.
            let took = if endpoint.deletes_together() {
                Took::Manifest
            } else {
                Took::Tag
            };
            return Ok(is_deleted.then_some(took));
        }
        if self.is_lost_for_good(slot, tombstone, &lost) {
            return Ok(Some(Took::Manifest));
        }
        let tags = tags(&lost);
        let took = self.learn(registry, &tags);
        if took == Took::OtherTags {
            report.stop = Some(Stop::takes_along(&registry.to_string(), &tags));
        }
        let healed = self.heal(slot, tombstone, endpoint, &lost).await;
        healed.map_err(|error| Failure::unhealed(&subject, digest, &tags, &error))?;
        tracing::warn!(
            subject,
            ?tags,
            "the registry deleted the manifest along with the tag: it was pushed again"
        );
        Ok(Some(took))
    }

    /// Whether there is nothing to push again: the manifest was gone before the deletion, and was never on record.
    pub(super) fn is_lost_for_good(
        &self,
        slot: &Slot,
        tombstone: &Tombstone,
        lost: &[TagOrDigest],
    ) -> bool {
        let digest = &tombstone.digest;
        let is_lost = lost.contains(&TagOrDigest::Digest(digest.clone()));
        is_lost && !self.state.ledger.keepsakes(&slot.page).contains_key(digest)
    }

    /// Takes note of what a registry took along with a tag: its manifest, and these tags.
    pub(super) fn learn(&self, registry: &Registry, tags: &[String]) -> Took {
        if tags.is_empty() {
            return Took::Manifest;
        }
        self.state.pruner.learn_takes_along(registry);
        Took::OtherTags
    }

    /// What may have gone along with a tag: the manifest, and other tags of it. Those that were deleted like this
    /// one are not among them.
    pub(super) fn may_be_lost(&self, slot: &Slot, tombstone: &Tombstone) -> Vec<TagOrDigest> {
        let page = &slot.page;
        let others = tombstone.shared_with.iter().filter(|tag| {
            !self
                .state
                .ledger
                .is_deleted_like(&page.slot(tag), tombstone)
        });
        let others = others.cloned().map(TagOrDigest::Tag);
        let manifest = TagOrDigest::Digest(tombstone.digest.clone());
        std::iter::once(manifest).chain(others).collect()
    }

    /// Whether the tag is gone, and what went along.
    async fn find_lost(
        &self,
        (slot, tombstone): (&Slot, &Tombstone),
        others: &[Tag],
        endpoint: &Endpoint,
    ) -> Result<(bool, Vec<TagOrDigest>), Error> {
        let page = &slot.page;
        let mut lost = Vec::new();
        for name in self.may_be_lost(slot, tombstone) {
            // That it goes is what the registry is for there: it is copied again where it is restored.
            let is_meant = match &name {
                TagOrDigest::Digest(_) => endpoint.drops_untagged(),
                TagOrDigest::Tag(tag) => others.contains(tag),
            };
            if is_meant {
                continue;
            }
            if endpoint
                .resolve(&page.repository, &name, None)
                .await?
                .is_none()
            {
                lost.push(name);
            }
        }
        let tag = TagOrDigest::Tag(slot.tag.clone());
        let found = endpoint.resolve(&page.repository, &tag, None).await?;
        Ok((found.is_none(), lost))
    }

    /// Pushes what was lost. A tag that somebody pushed meanwhile is theirs.
    async fn heal(
        &self,
        slot: &Slot,
        tombstone: &Tombstone,
        endpoint: &Endpoint,
        lost: &[TagOrDigest],
    ) -> Result<(), UndoError> {
        let repository = &slot.page.repository;
        let keepsakes = self.state.ledger.keepsakes(&slot.page);
        let root = bring_back(endpoint, repository, tombstone, &keepsakes).await?;
        for name in lost {
            if endpoint.resolve(repository, name, None).await?.is_some() {
                continue;
            }
            endpoint.put_manifest(repository, name, &root).await?;
            if endpoint.resolve(repository, name, None).await?.is_none() {
                return Err(UndoError::Unseen(name.clone()));
            }
        }
        Ok(())
    }

    /// Puts on record what the registry did.
    pub(super) fn conclude(&self, slot: &Slot, took: Option<Took>) {
        let known = self.state.ledger.tombstone(slot);
        if let (Some(tombstone), Some(_)) = (known, took) {
            let shared_with = Vec::new();
            let tombstone = Tombstone {
                shared_with,
                took,
                ..tombstone
            };
            self.state.ledger.bury(slot, tombstone);
        }
    }
}

/// Those of these names that are tags.
pub(super) fn tags(names: &[TagOrDigest]) -> Vec<String> {
    let tags = names.iter().filter_map(|name| match name {
        TagOrDigest::Tag(tag) => Some(tag.to_string()),
        TagOrDigest::Digest(_) => None,
    });
    tags.collect()
}

fn name(slot: &Slot, tombstone: &Tombstone) -> String {
    format!(
        "{}/{}:{}",
        tombstone.registry, slot.page.repository, slot.tag
    )
}
