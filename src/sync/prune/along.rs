//! Registries that take more than a tag when they delete one: the manifest along with its last tag, as zot does,
//! or with every other tag of it, as zot did before 2.0 and some proxies do. What they took is pushed again at
//! once.

use super::revive::{UndoError, bring_back};
use super::slot;
use crate::api::mirrored_repository::Took;
use crate::copy::Endpoint;
use crate::copy::endpoint::Error;
use crate::oci::TagOrDigest;
use crate::plan::Mirror;
use crate::plan::prune::{Candidate, PruneReport, Stop};
use crate::plan::report::Failure;
use crate::sync::ledger::{Slot, Tombstone};
use crate::sync::{Connect, Syncer};

impl<C: Connect> Syncer<C> {
    /// Looks, after a tag was deleted, whether its manifest and the other tags of its digest are still there,
    /// where it is not known that the registry leaves them alone. What it took is pushed again, and nothing more
    /// is deleted before that is known and done.
    pub(super) async fn look_beside(
        &self,
        mirror: &Mirror,
        candidate: &Candidate,
        endpoint: &Endpoint,
        report: &mut PruneReport,
    ) {
        let slot = slot(&mirror.name, candidate);
        let Some(tombstone) = self.ledger.tombstone(&slot) else {
            return;
        };
        let settled = self
            .settle_beside(&slot, &tombstone, endpoint, report)
            .await;
        if let Err(failure) = settled {
            report.stop.get_or_insert_with(|| Stop::unhealed(&failure));
            report.failures.push(failure);
        }
    }

    /// The same for deletions of an interrupted round.
    pub(super) async fn heal_unseen(&self, mirror: &Mirror, report: &mut PruneReport) {
        for (slot, tombstone) in self.ledger.deleted(&mirror.name) {
            if tombstone.took.is_some() {
                continue;
            }
            let destination = mirror.destination(&slot.page.destination);
            let Some(destination) =
                destination.filter(|known| known.registry == tombstone.registry)
            else {
                continue;
            };
            let repository = &slot.page.repository;
            let connected = self
                .connect
                .destination(mirror, destination, repository)
                .await;
            let healed = match connected {
                Ok(endpoint) => {
                    self.settle_beside(&slot, &tombstone, &endpoint, report)
                        .await
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

    async fn settle_beside(
        &self,
        slot: &Slot,
        tombstone: &Tombstone,
        endpoint: &Endpoint,
        report: &mut PruneReport,
    ) -> Result<(), Failure> {
        let Tombstone {
            registry, digest, ..
        } = tombstone;
        if self.spares(endpoint, registry, &slot.page.repository) == Some(true) {
            self.conclude(slot, tombstone, Took::Tag);
            return Ok(());
        }
        let subject = name(slot, tombstone);
        let looked = self.find_lost(slot, tombstone, endpoint).await;
        let (is_deleted, lost) = looked.map_err(|error| Failure::requesting(&subject, &error))?;
        if lost.is_empty() {
            if is_deleted {
                self.conclude(slot, tombstone, Took::Tag);
            }
            return Ok(());
        }
        let tags: Vec<String> = lost
            .iter()
            .filter_map(|lost| match lost {
                TagOrDigest::Tag(tag) => Some(tag.to_string()),
                TagOrDigest::Digest(_) => None,
            })
            .collect();
        let took = if tags.is_empty() {
            Took::Manifest
        } else {
            self.pruner.learn_takes_along(registry);
            report.stop = Some(Stop::takes_along(&registry.to_string(), &tags));
            Took::OtherTags
        };
        let healed = self.heal(slot, tombstone, endpoint, &lost).await;
        healed.map_err(|error| Failure::unhealed(&subject, digest, &tags, &error))?;
        tracing::warn!(
            subject,
            ?tags,
            "the registry deleted the manifest along with the tag: it was pushed again"
        );
        self.conclude(slot, tombstone, took);
        Ok(())
    }

    /// Whether the tag is gone, and what went along: the manifest, and other tags of it. Those that were deleted
    /// like this one are not among them.
    async fn find_lost(
        &self,
        slot: &Slot,
        tombstone: &Tombstone,
        endpoint: &Endpoint,
    ) -> Result<(bool, Vec<TagOrDigest>), Error> {
        let page = &slot.page;
        let others = tombstone.shared_with.iter().filter(|tag| {
            let other = page.slot(tag);
            self.ledger.tombstone(&other).is_none() || self.ledger.read(&other).is_some()
        });
        let others = others.cloned().map(TagOrDigest::Tag);
        let manifest = TagOrDigest::Digest(tombstone.digest.clone());
        let mut lost = Vec::new();
        for name in std::iter::once(manifest).chain(others) {
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
        let keepsakes = self.ledger.keepsakes(&slot.page);
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
    fn conclude(&self, slot: &Slot, tombstone: &Tombstone, took: Took) {
        let tombstone = Tombstone {
            shared_with: Vec::new(),
            took: Some(took),
            ..tombstone.clone()
        };
        self.ledger.bury(slot, tombstone);
    }
}

fn name(slot: &Slot, tombstone: &Tombstone) -> String {
    format!(
        "{}/{}:{}",
        tombstone.registry, slot.page.repository, slot.tag
    )
}
