// SPDX-License-Identifier: Apache-2.0

//! The records in memory, and what of them is not kept yet.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;

use super::bare_tags::{self, BareTagAnswer};
use super::contender::{Contender, Wanting, keeps};
use super::keepsake::{self, Keepsakes, Kept};
use super::origin::{SetAside, aside};
use super::records::{Records, find, find_known, find_mut, pages};
use super::slot::RecordPlace;
use super::whereabouts::Whereabouts;
use super::{Leaf, Page, Record, Sight, Slot, Tombstone};
use crate::api::mirrored_repository::Took;
use crate::oci::{Digest, Registry, Repository, Tag};
use crate::plan::Mirror;
use crate::plan::prune::{Holding, Target, Unwanted};

/// Everything that is remembered.
#[derive(Debug, Default)]
pub struct Memory(Mutex<State>);

/// What deleted tags of a repository named that can be restored.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Restorable {
    /// At a registry.
    pub here: BTreeSet<Digest>,
    /// At registries of other names, which may be the same.
    pub elsewhere: BTreeSet<Digest>,
}

#[derive(Debug, Default)]
struct State {
    records: Records,
    /// Where to find what is on record of a repository.
    whereabouts: Whereabouts,
    /// Whether something changed since the last flush that stands on no page.
    has_unkept: bool,
    /// The pages that are not kept as they are now, and how often they changed.
    changed: BTreeMap<Page, u64>,
}

// === impl Memory ===

impl Memory {
    pub(super) fn of(records: Records) -> Self {
        Self(Mutex::new(State {
            whereabouts: Whereabouts::of(&records.mirrors),
            records,
            ..State::default()
        }))
    }

    /// A copy of what is remembered of one repository.
    pub fn page(&self, page: &Page) -> Leaf {
        let state = self.lock();
        state.records.leaf(page)
    }

    pub(super) fn leaves(&self, mirror: &str) -> Vec<(Page, Leaf)> {
        let state = self.lock();
        let pages = state.records.pages(mirror);
        pages
            .into_iter()
            .map(|page| {
                let leaf = state.records.leaf(&page);
                (page, leaf)
            })
            .collect()
    }

    pub(super) fn mark(&self, slot: &Slot, unwanted: Option<Unwanted>) {
        let Slot { page, tag } = slot;
        let mut state = self.lock();
        let known = find_known(&mut state.records.mirrors, page);
        let Some(record) = known.and_then(|known| known.get_mut(tag)) else {
            return;
        };
        if record.unwanted.as_deref() != unwanted.as_ref() {
            record.unwanted = unwanted.map(Box::new);
            state.change(page.clone());
        }
    }

    pub(super) fn adopt(&self, slot: &Slot) {
        let Slot { page, tag } = slot;
        let mut state = self.lock();
        let known = find_known(&mut state.records.mirrors, page);
        if let Some(record) = known.and_then(|known| known.get_mut(tag)) {
            record.adopted = true;
            state.change(page.clone());
        }
    }

    pub(super) fn bury(&self, slot: &Slot, tombstone: Tombstone) {
        let Slot { page, tag } = slot;
        let mut state = self.lock();
        find_mut(&mut state.records.deleted, page).insert(tag.clone(), tombstone);
        state.change(page.clone());
    }

    pub(super) fn forget_deleted(&self, slot: &Slot) {
        let Slot { page, tag } = slot;
        let mut state = self.lock();
        let known = find_known(&mut state.records.deleted, page);
        if known.and_then(|known| known.remove(tag)).is_some() {
            state.records.sweep(page);
            state.change(page.clone());
        }
    }

    /// Keeps these until no deleted tag needs them.
    pub(super) fn keep(&self, page: &Page, keepsakes: Keepsakes) {
        if keepsakes.is_empty() {
            return;
        }
        let mut state = self.lock();
        state.records.keepsakes_mut(page).extend(keepsakes);
        state.change(page.clone());
    }

    /// Drops the manifests of a mirror that no deleted tag needs: what that was may have been lost alone.
    pub(super) fn sweep(&self, mirror: &str) {
        let mut state = self.lock();
        let kept: Vec<Page> = pages(mirror, &state.records.keepsakes).collect();
        for page in kept {
            if state.records.sweep(&page) {
                state.change(page);
            }
        }
    }

    pub(super) fn room(&self, mirror: &str) -> usize {
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

    pub(super) fn tombstone(&self, slot: &Slot) -> Option<Tombstone> {
        let state = self.lock();
        let known = find(&state.records.deleted, &slot.page)?;
        known.get(&slot.tag).cloned()
    }

    pub(super) fn spares(&self, registry: &Registry, repository: &Repository) -> Option<bool> {
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

    pub(super) fn restorable(
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

    pub(super) fn holdings_besides(&self, mirror: &str, repository: &Repository) -> Vec<Holding> {
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
    pub(super) fn is_overwritten(&self, slot: &Slot, registry: &Registry, own: &Record) -> bool {
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

    pub(super) fn unmark(&self, mirror: &str) {
        self.edit_pages(mirror, |records, page| {
            let known = find_known(&mut records.mirrors, page).into_iter().flatten();
            let marked = known.filter(|(_, record)| record.unwanted.is_some());
            marked.map(|(_, record)| record.unwanted = None).count() > 0
        });
    }

    pub(super) fn clear_deleted(&self, slot: &Slot, counted: Timestamp) {
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

    pub(super) fn deleted_since(&self, mirror: &str, since: Timestamp) -> Vec<Target> {
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

    pub(super) fn deleted(&self, mirror: &str) -> Vec<(Slot, Tombstone)> {
        let mut found = Vec::new();
        self.for_each_deleted(mirror, |slot, tombstone| {
            if !tombstone.cleared {
                found.push((slot, tombstone.clone()));
            }
        });
        found
    }

    pub(super) fn cleared(&self, mirror: &str) -> Vec<Slot> {
        let mut found = Vec::new();
        self.for_each_deleted(mirror, |slot, tombstone| {
            if tombstone.cleared {
                found.push(slot);
            }
        });
        found
    }

    pub(super) fn is_deleted_like(&self, slot: &Slot, other: &Tombstone) -> bool {
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

    pub(super) fn begun(&self, mirror: &str) -> Vec<(Slot, Tombstone)> {
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

    /// Edits the pages of a mirror; `edit` says whether it changed one.
    fn edit_pages(&self, mirror: &str, mut edit: impl FnMut(&mut Records, &Page) -> bool) {
        let mut state = self.lock();
        for page in state.records.pages(mirror) {
            if edit(&mut state.records, &page) {
                state.change(page);
            }
        }
    }

    pub(super) fn disown(&self, slot: &Slot) {
        let Slot { page, tag } = slot;
        let mut state = self.lock();
        let known = find_known(&mut state.records.mirrors, page);
        if known.and_then(|known| known.remove(tag)).is_some() {
            state.change(page.clone());
        }
    }

    pub(super) fn read(&self, slot: &Slot) -> Option<Record> {
        let state = self.lock();
        find(&state.records.mirrors, &slot.page)?
            .get(&slot.tag)
            .cloned()
    }

    pub(super) fn first_sight(&self, slot: &Slot, source_digest: &Digest) -> Option<Timestamp> {
        self.lock().records.first_sight(slot, source_digest)
    }

    pub(super) fn wait(&self, slot: &Slot, sight: Sight) {
        let Slot { page, tag } = slot;
        let mut state = self.lock();
        let waiting = find_mut(&mut state.records.waiting, page);
        let is_known = waiting
            .get(tag)
            .is_some_and(|known| known.source_digest == sight.source_digest);
        if !is_known {
            waiting.insert(tag.clone(), sight);
            state.change(page.clone());
        }
    }

    pub(super) fn wait_only_for(&self, mirror: &str, slots: &BTreeSet<Slot>) {
        let mut state = self.lock();
        let State {
            records, changed, ..
        } = &mut *state;
        let Some(waiting) = records.waiting.get_mut(mirror) else {
            return;
        };
        for (destination, repositories) in waiting {
            for (repository, tags) in repositories {
                let page = Page {
                    mirror: mirror.to_owned(),
                    destination: destination.clone(),
                    repository: repository.clone(),
                };
                let before = tags.len();
                tags.retain(|tag, _| slots.contains(&page.slot(tag)));
                if tags.len() < before {
                    *changed.entry(page).or_default() += 1;
                }
            }
        }
    }

    pub(super) fn sources(&self, mirror: &str) -> HashMap<String, Digest> {
        let state = self.lock();
        let destinations = state.records.mirrors.get(mirror).into_iter();
        let tags = destinations
            .flat_map(BTreeMap::values)
            .flat_map(BTreeMap::values)
            .flat_map(BTreeMap::values);
        tags.map(|record| (record.source.clone(), record.source_digest.clone()))
            .collect()
    }

    pub(super) fn listed_subjects(&self, mirror: &str, repository: &str) -> HashSet<Tag> {
        let state = self.lock();
        let destinations = state.records.mirrors.get(mirror).into_iter();
        let records = destinations
            .flat_map(BTreeMap::values)
            .flat_map(BTreeMap::values)
            .flat_map(BTreeMap::values);
        let is_of = |record: &&Record| {
            let tag = record.source.strip_prefix(repository);
            tag.is_some_and(|tag| tag.starts_with(':'))
        };
        records
            .filter(|record| record.referrers.is_some_and(|looked| looked.seen.has_list))
            .filter(is_of)
            .filter_map(|record| Tag::of_referrers(&record.source_digest, ""))
            .collect()
    }

    pub(super) fn bare_tags(&self, mirror: &str, repository: &str) -> BTreeMap<Tag, BareTagAnswer> {
        let state = self.lock();
        let known = state.records.bare_tags.get(mirror);
        let known = known.and_then(|known| known.get(repository));
        known.cloned().unwrap_or_default()
    }

    pub(super) fn learn_bare_tags(
        &self,
        of: (&str, &str),
        found: BTreeMap<Tag, BareTagAnswer>,
        is_fresh: impl Fn(&BareTagAnswer) -> bool,
    ) {
        let mut state = self.lock();
        bare_tags::learn(&mut state.records.bare_tags, of, found, is_fresh);
        state.has_unkept = true;
    }

    pub(super) fn first_seen(
        &self,
        source: &str,
        tags: &[Tag],
        now: Timestamp,
    ) -> HashMap<Tag, Timestamp> {
        let mut state = self.lock();
        let seen = state.records.first_seen.entry(source.to_owned());
        let seen = seen.or_default();
        let known = seen.len();
        let sights = tags
            .iter()
            .map(|tag| (tag.clone(), *seen.entry(tag.clone()).or_insert(now)))
            .collect();
        let has_new_sights = seen.len() > known;
        state.has_unkept |= has_new_sights;
        sights
    }

    /// When a digest was first seen stays on record, whether it was waited for or written again. What a deleted
    /// tag was stays known until it is seen to be there again.
    pub(super) fn write(&self, slot: Slot, mut record: Record) {
        let mut state = self.lock();
        let first_seen = state.records.first_sight(&slot, &record.source_digest);
        record.first_seen =
            first_seen.map_or(record.first_seen, |time| time.min(record.first_seen));
        let Slot { page, tag } = slot;
        let waiting = &mut state.records.waiting;
        let sight = find(waiting, &page).and_then(|tags| tags.get(&tag));
        if sight.is_some_and(|sight| sight.source_digest == record.source_digest) {
            find_mut(waiting, &page).remove(&tag);
        }
        let before = find(&state.records.mirrors, &page).and_then(|tags| tags.get(&tag));
        if record.is_pushed_since(before) {
            state.records.undo(&page, &tag, &record);
        }
        find_mut(&mut state.records.mirrors, &page).insert(tag, record);
        state.whereabouts.note(&page.mirror, &page.repository);
        state.change(page);
    }

    pub(super) fn restore(&self, page: &Page, leaf: Leaf) {
        self.lock().restore(page, leaf);
    }

    /// At once: nobody else may find that less is on record meanwhile.
    pub(super) fn replace(&self, mirror: &str, kept: Vec<(Page, Leaf)>) {
        let mut state = self.lock();
        state.forget_pages(mirror);
        for (page, leaf) in kept {
            state.restore(&page, leaf);
        }
    }

    /// Replaces what others have on record of a repository at a registry, or at any. Nothing of it is kept from here.
    pub(super) fn see_others(
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

    pub(super) fn contender(
        &self,
        ((registry, repository), tag): (&RecordPlace, &Tag),
        wanting: &Wanting<'_>,
        is_other: impl Fn(&str) -> bool,
    ) -> Option<Contender> {
        let state = self.lock();
        let names = state.whereabouts.find(repository);
        let others = names.filter(|name| *name != wanting.mirror && is_other(name));
        let mut contenders = others.flat_map(|name| {
            let pages = state.records.pages(name).into_iter();
            let pages = pages.filter(|page| page.repository == *repository);
            pages.filter_map(|page| {
                let record = find(&state.records.mirrors, &page)?.get(tag)?;
                let at = record.registry.as_ref();
                let deleted = find(&state.records.deleted, &page);
                let tombstone = deleted.and_then(|tags| tags.get(tag));
                let is_here = at.is_none_or(|at| at.may_be(registry));
                let kept = is_here.then(|| keeps(wanting, (name, record, tombstone)));
                kept.flatten()
            })
        });
        contenders.next()
    }

    /// The mirror, of those that `is_other` picks, that has begun to delete a tag, or one that may be it: in other letters,
    /// or with its digest at a registry of another name.
    pub(super) fn deleter(
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

    pub(super) fn lose(&self, page: Page) {
        let mut state = self.lock();
        if state.records.leaf(&page) != Leaf::default() {
            state.change(page);
        }
    }

    pub(super) fn forget(&self, mirror: &str) {
        let mut state = self.lock();
        state.forget_pages(mirror);
        state.records.bare_tags.remove(mirror);
    }

    /// Whether something changed since this was last asked that stands on no page.
    pub(super) fn take_unkept(&self) -> bool {
        std::mem::take(&mut self.lock().has_unkept)
    }

    /// The pages of a mirror that are not kept as they are now.
    pub(super) fn changed(&self, mirror: &str) -> Vec<(Page, u64)> {
        let state = self.lock();
        let changed = state.changed.iter();
        changed
            .filter(|(page, _)| page.mirror == mirror)
            .map(|(page, times)| (page.clone(), *times))
            .collect()
    }

    /// These pages are kept as they were; those that changed meanwhile are not.
    pub(super) fn kept(&self, pages: &[(Page, u64)]) {
        let mut state = self.lock();
        for (page, times) in pages {
            if state.changed.get(page) == Some(times) {
                state.changed.remove(page);
            }
        }
    }

    /// Binds what is on record of a mirror to its destinations, as [`Records::bind`] does.
    pub(super) fn bind(&self, mirror: &Mirror, is_moved: bool) -> Vec<SetAside> {
        let mut state = self.lock();
        let before = state.records.origin.destinations.get(&mirror.name).cloned();
        let set_aside = state.records.bind(mirror, is_moved);
        state.note_names_of(&mirror.name);
        let is_known = state.records.origin.destinations.get(&mirror.name) == before.as_ref();
        // There is no page for it, and the next flush keeps it.
        state.has_unkept |= is_moved || !is_known;
        set_aside
    }

    pub(super) fn spent(&self, mirror: &str, plan: &Digest) -> Option<Timestamp> {
        self.lock().records.origin.spent(mirror, plan)
    }

    /// Remembers that an approval is used up.
    pub(super) fn spend(&self, mirror: &str, plan: &Digest, now: Timestamp) {
        let mut state = self.lock();
        state.records.origin.spend(mirror, plan, now);
        // There is no page for it, and the flush is due.
        state.has_unkept = true;
    }

    pub(super) fn records(&self) -> Records {
        self.lock().records.clone()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl State ===

impl State {
    /// What is on record of a mirror may stand under other names by now.
    fn note_names_of(&mut self, mirror: &str) {
        let (others, mirrors) = (aside(mirror, ""), &self.records.mirrors);
        let others = mirrors.iter().filter(|(name, _)| name.starts_with(&others));
        for (name, destinations) in mirrors.get_key_value(mirror).into_iter().chain(others) {
            self.whereabouts.note_all(name, destinations);
        }
    }

    fn restore(&mut self, page: &Page, leaf: Leaf) {
        let Leaf {
            records,
            waiting,
            deleted,
            keepsakes,
        } = leaf;
        self.whereabouts.note(&page.mirror, &page.repository);
        find_mut(&mut self.records.mirrors, page).extend(records);
        if !deleted.is_empty() {
            find_mut(&mut self.records.deleted, page).extend(deleted);
        }
        if !keepsakes.is_empty() {
            self.records.keepsakes_mut(page).extend(keepsakes);
        }
        if !waiting.is_empty() {
            find_mut(&mut self.records.waiting, page).extend(waiting);
        }
    }

    /// Drops what is on record of the repositories of a mirror.
    fn forget_pages(&mut self, mirror: &str) {
        if let Some(forgotten) = self.records.mirrors.remove(mirror) {
            self.whereabouts.forget(mirror, &forgotten);
        }
        self.records.waiting.remove(mirror);
        self.records.deleted.remove(mirror);
        self.records.keepsakes.remove(mirror);
        self.changed.retain(|page, _| page.mirror != mirror);
    }

    fn change(&mut self, page: Page) {
        *self.changed.entry(page).or_default() += 1;
    }
}
