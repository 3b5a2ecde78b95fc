// SPDX-License-Identifier: Apache-2.0

//! What is on record of a tag for others than the mirror that asks.

use std::collections::BTreeMap;

use super::{Memory, find};
use crate::oci::{Registry, Repository, Tag};
use crate::plan::prune::Holding;
use crate::sync::ledger::contender::{Contender, Rival, Wanting, keeps};
use crate::sync::ledger::{Leaf, Page, Record, RecordPlace, Slot};

impl Memory {
    pub(in crate::sync::ledger) fn holdings_besides(
        &self,
        mirror: &str,
        repository: &Repository,
    ) -> Vec<Holding> {
        let state = self.lock();
        let mirrors = state.whereabouts.find(repository);
        let others = mirrors.filter(|name| *name != mirror);
        let pages = others.flat_map(|name| {
            let destinations = state.records.mirrors.get(name).into_iter();
            let pages = destinations.flat_map(BTreeMap::values);
            pages.filter_map(move |pages| Some((name, pages.get(repository)?)))
        });
        let records = pages.flat_map(|(name, records)| {
            let wanted = records.iter().filter(|(_, record)| record.is_kept());
            wanted.map(move |(tag, record)| record.holding(name, tag))
        });
        records.collect()
    }

    /// Whether others have something else on record of a tag at this registry, or at one that may be it.
    pub(in crate::sync::ledger) fn is_overwritten(
        &self,
        slot: &Slot,
        registry: &Registry,
        own: &Record,
    ) -> bool {
        let Slot { page, tag } = slot;
        let state = self.lock();
        let mut names = state.whereabouts.find(&page.repository);
        names.any(|name| {
            let destinations = state.records.mirrors.get(name).into_iter().flatten();
            let others = destinations
                .filter(|(at, _)| (name, at.as_str()) != (&page.mirror, &page.destination))
                .filter_map(|(_, pages)| pages.get(&page.repository)?.get(tag));
            let mut others = others.filter(|other| {
                let at = other.registry.as_ref();
                at.is_none_or(|at| at.may_be(registry))
            });
            others.any(|other| other.may_have_replaced(own))
        })
    }

    /// Replaces what others have on record of a repository at a registry, or at any. Nothing of it is kept from here.
    pub(in crate::sync::ledger) fn see_others(
        &self,
        (registry, repository): (Option<&Registry>, &Repository),
        found: Vec<(Page, Leaf)>,
        is_other: impl Fn(&str) -> bool,
    ) {
        let mut state = self.lock();
        let names = state.whereabouts.find(repository);
        let others: Vec<String> = names
            .filter(|name| is_other(name))
            .map(str::to_owned)
            .collect();
        for mirror in others {
            for page in state.records.pages(&mirror) {
                let is_here = registry.is_none_or(|at| state.records.is_at(&page, at));
                if page.repository == *repository && is_here {
                    state.records.remove_page(&page);
                    state.changed.remove(&page);
                }
            }
        }
        drop(state);
        for (page, leaf) in found {
            if is_other(&page.mirror) {
                self.restore(&page, leaf);
            }
        }
    }

    pub(in crate::sync::ledger) fn has_announced(&self, mirror: &str) -> bool {
        let state = self.lock();
        let destinations = state.records.mirrors.get(mirror).into_iter().flatten();
        let mut records = destinations
            .flat_map(|(_, repositories)| repositories.values())
            .flat_map(BTreeMap::values);
        records.any(Record::is_pending)
    }

    pub(in crate::sync::ledger) fn contender(
        &self,
        ((registry, repository), tag): (&RecordPlace, &Tag),
        wanting: &Wanting<'_>,
        rival: impl Fn(&str) -> Option<Rival>,
    ) -> Option<Contender> {
        let state = self.lock();
        let state = &*state;
        let names = state.whereabouts.find(repository);
        let others = names.filter(|name| *name != wanting.mirror.name);
        let mut contenders = others.flat_map(|name| {
            let rival = &rival;
            let pages = state.records.pages(name).into_iter();
            let pages = pages.filter(|page| page.repository == *repository);
            pages.filter_map(move |page| {
                let record = find(&state.records.mirrors, &page)?.get(tag)?;
                let at = record.registry.as_ref();
                let deleted = find(&state.records.deleted, &page);
                let tombstone = deleted.and_then(|tags| tags.get(tag));
                if at.is_some_and(|at| !at.may_be(registry)) {
                    return None;
                }
                keeps(wanting, (name, &rival(name)?), (record, tombstone))
            })
        });
        contenders.next()
    }
}
