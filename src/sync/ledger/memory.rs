// SPDX-License-Identifier: Apache-2.0

//! The records in memory, and what of them is not kept yet.

mod deleted;
mod others;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;

use super::bare_tags::{self, BareTagAnswer};
use super::keepsake::Keepsakes;
use super::origin::{SetAside, aside};
use super::records::{Records, find, find_known, find_mut, pages};
use super::whereabouts::Whereabouts;
use super::{Leaf, LeafView, Page, Record, Sight, Slot};
use crate::oci::{Digest, Tag};
use crate::plan::Mirror;
use crate::plan::prune::Unwanted;

/// Everything that is remembered.
#[derive(Debug, Default)]
pub struct Memory(Mutex<State>);

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

    pub(super) fn leaves_where(
        &self,
        mirror: &str,
        mut is_wanted: impl FnMut(&Page, LeafView<'_>) -> bool,
    ) -> Vec<(Page, Leaf)> {
        let state = self.lock();
        let pages = state.records.pages(mirror).into_iter();
        let wanted = pages.filter_map(|page| {
            let view = state.records.view(&page);
            let leaf = is_wanted(&page, view).then(|| Leaf {
                records: view.records.clone(),
                waiting: view.waiting.clone(),
                deleted: view.deleted.clone(),
                keepsakes: Keepsakes::default(),
            });
            Some((page, leaf?))
        });
        wanted.collect()
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

    pub(super) fn unmark(&self, mirror: &str) {
        self.edit_pages(mirror, |records, page| {
            let known = find_known(&mut records.mirrors, page).into_iter().flatten();
            let marked = known.filter(|(_, record)| record.unwanted.is_some());
            marked.map(|(_, record)| record.unwanted = None).count() > 0
        });
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
