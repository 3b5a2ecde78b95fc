// SPDX-License-Identifier: Apache-2.0

//! What was deleted, or is about to be, and what brings it back.

use std::collections::{BTreeMap, HashSet};

use jiff::Timestamp;

use super::{Memory, Records, find, find_known, find_mut, pages};
use crate::api::mirrored_repository::Took;
use crate::oci::{Digest, Registry, Repository, Tag};
use crate::plan::prune::Target;
use crate::sync::ledger::keepsake::{self, Keepsakes, Kept};
use crate::sync::ledger::restorable::Restorable;
use crate::sync::ledger::slot::RecordPlace;
use crate::sync::ledger::{Page, Slot, Tombstone};

impl Memory {
    pub(in crate::sync::ledger) fn bury(&self, slot: &Slot, tombstone: Tombstone) {
        let Slot { page, tag } = slot;
        let mut state = self.lock();
        find_mut(&mut state.records.deleted, page).insert(tag.clone(), tombstone);
        state.change(page.clone());
    }

    pub(in crate::sync::ledger) fn forget_deleted(&self, slot: &Slot) {
        let Slot { page, tag } = slot;
        let mut state = self.lock();
        let known = find_known(&mut state.records.deleted, page);
        if known.and_then(|known| known.remove(tag)).is_some() {
            state.records.sweep(page);
            state.change(page.clone());
        }
    }

    /// Keeps these until no deleted tag needs them.
    pub(in crate::sync::ledger) fn keep(&self, page: &Page, keepsakes: Keepsakes) {
        if keepsakes.is_empty() {
            return;
        }
        let mut state = self.lock();
        state.records.keepsakes_mut(page).extend(keepsakes);
        state.change(page.clone());
    }

    /// Drops the manifests of a mirror that no deleted tag needs: what that was may have been lost alone.
    pub(in crate::sync::ledger) fn sweep(&self, mirror: &str) {
        let mut state = self.lock();
        let kept: Vec<Page> = pages(mirror, &state.records.keepsakes).collect();
        for page in kept {
            if state.records.sweep(&page) {
                state.change(page);
            }
        }
    }

    pub(in crate::sync::ledger) fn room(&self, mirror: &str) -> usize {
        let state = self.lock();
        let mut kept = Kept::default();
        for (name, destinations) in &state.records.keepsakes {
            let pages = destinations.values().flat_map(BTreeMap::values);
            let bytes: usize = pages.map(keepsake::size).sum();
            kept.all += bytes;
            if name == mirror {
                kept.here = bytes;
            }
        }
        kept.room()
    }

    pub(in crate::sync::ledger) fn tombstone(&self, slot: &Slot) -> Option<Tombstone> {
        let state = self.lock();
        let known = find(&state.records.deleted, &slot.page)?;
        known.get(&slot.tag).cloned()
    }

    pub(in crate::sync::ledger) fn spares(
        &self,
        registry: &Registry,
        repository: &Repository,
    ) -> Option<bool> {
        let state = self.lock();
        let deleted = &state.records.deleted;
        let pages = deleted.keys().flat_map(|mirror| pages(mirror, deleted));
        let mut spares = None;
        for page in pages {
            for tombstone in find(deleted, &page).into_iter().flat_map(BTreeMap::values) {
                let is_it = tombstone.registry == *registry && page.repository == *repository;
                match tombstone.took {
                    Some(Took::OtherTags) if tombstone.registry.may_be(registry) => {
                        return Some(false);
                    }
                    Some(Took::Tag) if is_it => spares = Some(true),
                    Some(Took::Tag | Took::Manifest | Took::OtherTags) | None => {}
                }
            }
        }
        spares
    }

    pub(in crate::sync::ledger) fn restorable(
        &self,
        registry: &Registry,
        repository: &Repository,
        (page, besides): (&Page, &HashSet<Slot>),
    ) -> Restorable {
        let state = self.lock();
        let deleted = &state.records.deleted;
        let pages = deleted.keys().flat_map(|mirror| pages(mirror, deleted));
        let mut digests = Restorable::default();
        for other in pages.filter(|other| other.repository == *repository) {
            for (tag, tombstone) in find(deleted, &other).into_iter().flatten() {
                let is_here = tombstone.registry.may_be(registry);
                let is_over = besides.contains(&other.slot(tag)) && (other == *page || !is_here);
                if tombstone.cleared || is_over {
                    continue;
                }
                let there = if is_here {
                    &mut digests.here
                } else {
                    &mut digests.elsewhere
                };
                there.insert(tombstone.digest.clone());
            }
        }
        digests
    }

    /// The mirror, of those that `is_other` picks, that has begun to delete a tag, or one that may be it: in other letters,
    /// or with its digest at a registry of another name.
    pub(in crate::sync::ledger) fn deleter(
        &self,
        ((registry, repository), tag): (&RecordPlace, &Tag),
        digest: &Digest,
        is_other: impl Fn(&str) -> bool,
    ) -> Option<String> {
        let state = self.lock();
        let Records {
            mirrors, deleted, ..
        } = &state.records;
        let mut others = deleted.keys().filter(|name| is_other(name));
        let deleter = others.find(|name| {
            let pages = pages(name, deleted).filter(|page| page.repository == *repository);
            let mut begun = pages.flat_map(|page| {
                let records = find(mirrors, &page);
                let known = find(deleted, &page).into_iter().flatten();
                let begun = known.filter(move |(tag, tombstone)| {
                    let record = records.and_then(|records| records.get(*tag));
                    record.is_some_and(|record| tombstone.is_about(record))
                });
                begun.collect::<Vec<_>>()
            });
            begun.any(|(other, tombstone)| {
                let is_here = tombstone.registry.may_be(registry);
                let is_alike = other.as_str().eq_ignore_ascii_case(tag.as_str());
                is_here && is_alike || other == tag && tombstone.digest == *digest
            })
        });
        deleter.cloned()
    }

    pub(in crate::sync::ledger) fn clear_deleted(&self, slot: &Slot, counted: Timestamp) {
        let Slot { page, tag } = slot;
        let mut state = self.lock();
        let Some(known) = find_known(&mut state.records.deleted, page) else {
            return;
        };
        let is_changed = match known.get_mut(tag) {
            Some(tombstone) if tombstone.deleted_at > counted => {
                !std::mem::replace(&mut tombstone.cleared, true)
            }
            Some(_) => known.remove(tag).is_some(),
            None => false,
        };
        if is_changed {
            state.records.sweep(page);
            state.change(page.clone());
        }
    }

    pub(in crate::sync::ledger) fn deleted_since(
        &self,
        mirror: &str,
        since: Timestamp,
    ) -> Vec<Target> {
        let mut found = Vec::new();
        self.for_each_tombstone(mirror, |slot, tombstone, _| {
            if !tombstone.approved && tombstone.deleted_at > since {
                found.push(Target {
                    destination: slot.page.destination,
                    registry: tombstone.registry.clone(),
                    repository: slot.page.repository,
                    tag: slot.tag,
                });
            }
        });
        found
    }

    pub(in crate::sync::ledger) fn deleted(&self, mirror: &str) -> Vec<(Slot, Tombstone)> {
        let mut found = Vec::new();
        self.for_each_deleted(mirror, |slot, tombstone| {
            if !tombstone.cleared {
                found.push((slot, tombstone.clone()));
            }
        });
        found
    }

    pub(in crate::sync::ledger) fn cleared(&self, mirror: &str) -> Vec<Slot> {
        let mut found = Vec::new();
        self.for_each_deleted(mirror, |slot, tombstone| {
            if tombstone.cleared {
                found.push(slot);
            }
        });
        found
    }

    pub(in crate::sync::ledger) fn is_deleted_like(&self, slot: &Slot, other: &Tombstone) -> bool {
        let Slot { page, tag } = slot;
        let state = self.lock();
        let Records {
            mirrors, deleted, ..
        } = &state.records;
        let pages = deleted.keys().flat_map(|mirror| pages(mirror, deleted));
        let mut pages = pages.filter(|known| known.repository == page.repository);
        pages.any(|page| {
            let tombstone = find(deleted, &page).and_then(|tags| tags.get(tag));
            let is_it = tombstone.is_some_and(|known| {
                known.registry.may_be(&other.registry)
                    && known.digest == other.digest
                    && known.deleted_at >= other.deleted_at
            });
            let record = find(mirrors, &page).and_then(|tags| tags.get(tag));
            is_it && record.is_none_or(|record| !tombstone.is_some_and(|it| it.is_about(record)))
        })
    }

    pub(in crate::sync::ledger) fn begun(&self, mirror: &str) -> Vec<(Slot, Tombstone)> {
        let mut found = Vec::new();
        self.for_each_tombstone(mirror, |slot, tombstone, is_on_record| {
            if is_on_record {
                found.push((slot, tombstone.clone()));
            }
        });
        found
    }

    /// The tags that were deleted. Those whose deletion has only begun are still on record, and not among
    /// them.
    fn for_each_deleted(&self, mirror: &str, mut see: impl FnMut(Slot, &Tombstone)) {
        self.for_each_tombstone(mirror, |slot, tombstone, is_on_record| {
            if !is_on_record {
                see(slot, tombstone);
            }
        });
    }

    fn for_each_tombstone(&self, mirror: &str, mut see: impl FnMut(Slot, &Tombstone, bool)) {
        let state = self.lock();
        let Records {
            mirrors, deleted, ..
        } = &state.records;
        for page in pages(mirror, deleted) {
            let recorded = find(mirrors, &page);
            for (tag, tombstone) in find(deleted, &page).into_iter().flatten() {
                let record = recorded.and_then(|recorded| recorded.get(tag));
                let is_on_record = record.is_some_and(|record| tombstone.is_about(record));
                see(page.slot(tag), tombstone, is_on_record);
            }
        }
    }
}
