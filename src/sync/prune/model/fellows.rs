// SPDX-License-Identifier: Apache-2.0

//! What other members have on record, as one of them sees it.

use std::collections::BTreeSet;
use std::sync::Arc;

use futures::future::BoxFuture;

use super::mutants::Mutant;
use super::process::Durable;
use crate::api::Reason;
use crate::oci::{Registry, Repository};
use crate::runtime::lease::shards::{Hands, Shard};
use crate::sync::Ledger;
use crate::sync::ledger::{Leaf, Page, RecordPlace};
use crate::sync::neighbours::{Neighbours, NeighboursError};

/// Looks at the records of the others.
pub(super) struct Fellows {
    pub(super) durable: Arc<Durable>,
    pub(super) hands: Arc<Hands>,
    /// Who looks.
    pub(super) number: u64,
    pub(super) mutant: Option<Mutant>,
}

// === impl Fellows ===

impl Fellows {
    fn see(
        &self,
        ledger: &Ledger,
        place: (Option<&Registry>, &Repository),
    ) -> Result<(), NeighboursError> {
        if !self.durable.hears(self.number) {
            return Err(NeighboursError {
                reason: Reason::Unreachable,
                message: "the API server does not answer".to_owned(),
            });
        }
        let (registry, repository) = place;
        let leaves = self.durable.leaves.lock().unwrap();
        let there = leaves.iter().filter(|(page, leaf)| {
            let is_here = registry.is_none_or(|at| is_at(leaf, at));
            page.repository == *repository && is_here && self.is_other(&page.mirror)
        });
        let found: Vec<(Page, Leaf)> = there
            .map(|(page, leaf)| (page.clone(), leaf.clone()))
            .collect();
        drop(leaves);
        ledger.see_others(place, found, |mirror| self.is_other(mirror));
        Ok(())
    }
}

impl Neighbours for Fellows {
    fn look<'a>(
        &'a self,
        ledger: &'a Ledger,
        places: &'a BTreeSet<RecordPlace>,
    ) -> BoxFuture<'a, Result<(), NeighboursError>> {
        let mut places = places.iter();
        let seen = places
            .try_for_each(|(registry, repository)| self.see(ledger, (Some(registry), repository)));
        Box::pin(std::future::ready(seen))
    }

    fn look_everywhere<'a>(
        &'a self,
        ledger: &'a Ledger,
        repositories: &'a BTreeSet<Repository>,
    ) -> BoxFuture<'a, Result<(), NeighboursError>> {
        let mut repositories = repositories.iter();
        let seen = match self.mutant {
            Some(Mutant::OtherMembersUnread) => Ok(()),
            Some(Mutant::OtherMembersByName) => repositories.try_for_each(|repository| {
                let registry = "r.example.com".parse().unwrap();
                self.see(ledger, (Some(&registry), repository))
            }),
            _ => repositories.try_for_each(|repository| self.see(ledger, (None, repository))),
        };
        Box::pin(std::future::ready(seen))
    }

    fn is_other(&self, mirror: &str) -> bool {
        !self.hands.is_held(shard_of(&self.hands, mirror))
    }
}

/// The shard of a mirror, `namespace/name`.
pub(super) fn shard_of(hands: &Hands, mirror: &str) -> Shard {
    let (namespace, name) = mirror.split_once('/').unwrap();
    hands.division().shard_of(namespace, name)
}

/// Whether an object with these records is at a registry.
fn is_at(leaf: &Leaf, registry: &Registry) -> bool {
    let records = leaf.records.values();
    let records = records.filter_map(|record| record.registry.as_ref());
    let deleted = leaf.deleted.values().map(|known| &known.registry);
    let mut registries = records.chain(deleted);
    registries.any(|at| at.may_be(registry))
}
