//! The records themselves, in memory.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::origin::{Origin, SetAside};
use super::{Leaf, Page, Record, Sight, Slot, Tombstone};
use crate::oci::{Digest, Registry, Repository, Tag};
use crate::plan::prune::{Holding, Unwanted};
use crate::plan::{Destination, Mirror, SourceImage};

/// The version of the format in which records are kept in a file.
pub(super) const VERSION: u32 = 3;
/// The oldest version that is read. It knew nothing of pruning; the next one did not say whose it is.
pub(super) const OLDEST_VERSION: u32 = 1;

/// Everything that is remembered.
#[derive(Debug, Default)]
pub struct Memory(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    records: Records,
    /// Whether tags were first seen since the last flush.
    has_new_sights: bool,
    /// The pages that are not kept as they are now, and how often they changed.
    changed: BTreeMap<Page, u64>,
}

/// The records by mirror, destination, repository and tag.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Records {
    /// The version of the format.
    pub(super) version: u32,
    /// Whose they are.
    #[serde(default)]
    pub(super) origin: Origin,
    mirrors: BTreeMap<String, Destinations<Record>>,
    /// What waits for the end of a quarantine.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    waiting: BTreeMap<String, Destinations<Sight>>,
    /// What was pruned and can be restored.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    deleted: BTreeMap<String, Destinations<Tombstone>>,
    /// When tags were first seen at the sources, for policies that ask for it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    first_seen: BTreeMap<String, BTreeMap<Tag, Timestamp>>,
}

type Destinations<T> = BTreeMap<String, BTreeMap<Repository, BTreeMap<Tag, T>>>;

// === impl Memory ===

impl Memory {
    pub(super) fn of(records: Records) -> Self {
        Self(Mutex::new(State {
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
        if record.unwanted != unwanted {
            record.unwanted = unwanted;
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
            state.change(page.clone());
        }
    }

    pub(super) fn restorable(
        &self,
        registry: &Registry,
        repository: &Repository,
        besides: &HashSet<Slot>,
    ) -> BTreeSet<Digest> {
        let state = self.lock();
        let deleted = &state.records.deleted;
        let pages = deleted.keys().flat_map(|mirror| pages(mirror, deleted));
        let mut digests = BTreeSet::new();
        for page in pages.filter(|page| page.repository == *repository) {
            for (tag, tombstone) in find(deleted, &page).into_iter().flatten() {
                if tombstone.registry == *registry
                    && !tombstone.cleared
                    && !besides.contains(&page.slot(tag))
                {
                    digests.insert(tombstone.digest.clone());
                }
            }
        }
        digests
    }

    pub(super) fn holdings_besides(&self, mirror: &str, repository: &Repository) -> Vec<Holding> {
        let state = self.lock();
        let mirrors = state.records.mirrors.iter();
        let others = mirrors.filter(|(name, _)| *name != mirror);
        let pages = others.flat_map(|(name, destinations)| {
            let pages = destinations.values();
            pages.filter_map(move |pages| Some((name, pages.get(repository)?)))
        });
        let records = pages.flat_map(|(name, records)| {
            let wanted = records
                .iter()
                .filter(|(_, record)| record.unwanted.is_none());
            wanted.map(move |(tag, record)| record.holding(name, tag))
        });
        records.collect()
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
            state.change(page.clone());
        }
    }

    pub(super) fn deleted_since(&self, mirror: &str, since: Timestamp) -> BTreeMap<String, usize> {
        let mut counts = BTreeMap::new();
        self.for_each_deleted(mirror, |slot, tombstone| {
            if !tombstone.approved && tombstone.deleted_at > since {
                *counts.entry(slot.page.destination).or_default() += 1;
            }
        });
        counts
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

    /// The tags that were deleted. Those whose deletion has only begun are still on record, and not among
    /// them.
    fn for_each_deleted(&self, mirror: &str, mut see: impl FnMut(Slot, &Tombstone)) {
        let state = self.lock();
        let Records {
            mirrors, deleted, ..
        } = &state.records;
        for page in pages(mirror, deleted) {
            let recorded = find(mirrors, &page);
            for (tag, tombstone) in find(deleted, &page).into_iter().flatten() {
                if !recorded.is_some_and(|recorded| recorded.contains_key(tag)) {
                    see(page.slot(tag), tombstone);
                }
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
        state.has_new_sights |= has_new_sights;
        sights
    }

    /// When a digest was first seen stays on record, whether it was waited for or written again.
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
        if let Some(deleted) = find_known(&mut state.records.deleted, &page) {
            // It is there again, or about to be.
            deleted.remove(&tag);
        }
        find_mut(&mut state.records.mirrors, &page).insert(tag, record);
        state.change(page);
    }

    pub(super) fn restore(&self, page: &Page, leaf: Leaf) {
        let Leaf {
            records,
            waiting,
            deleted,
        } = leaf;
        let mut state = self.lock();
        find_mut(&mut state.records.mirrors, page).extend(records);
        if !deleted.is_empty() {
            find_mut(&mut state.records.deleted, page).extend(deleted);
        }
        if !waiting.is_empty() {
            find_mut(&mut state.records.waiting, page).extend(waiting);
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
        state.records.mirrors.remove(mirror);
        state.records.waiting.remove(mirror);
        state.records.deleted.remove(mirror);
        state.changed.retain(|page, _| page.mirror != mirror);
    }

    /// Whether tags were first seen since this was last asked.
    pub(super) fn take_new_sights(&self) -> bool {
        std::mem::take(&mut self.lock().has_new_sights)
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
        let is_known = state.records.origin.destinations.get(&mirror.name) == before.as_ref();
        // There is no page for it, and the next flush keeps it.
        state.has_new_sights |= is_moved || !is_known;
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
        state.has_new_sights = true;
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
    fn change(&mut self, page: Page) {
        *self.changed.entry(page).or_default() += 1;
    }
}

// === impl Records ===

impl Default for Records {
    fn default() -> Self {
        Self {
            version: VERSION,
            origin: Origin::default(),
            mirrors: BTreeMap::new(),
            waiting: BTreeMap::new(),
            deleted: BTreeMap::new(),
            first_seen: BTreeMap::new(),
        }
    }
}

impl Records {
    fn leaf(&self, page: &Page) -> Leaf {
        let Self {
            version: _,
            origin: _,
            mirrors,
            waiting,
            deleted,
            first_seen: _,
        } = self;
        Leaf {
            records: find(mirrors, page).cloned().unwrap_or_default(),
            waiting: find(waiting, page).cloned().unwrap_or_default(),
            deleted: find(deleted, page).cloned().unwrap_or_default(),
        }
    }

    /// The repositories of a mirror of which something is on record, or was.
    fn pages(&self, mirror: &str) -> BTreeSet<Page> {
        let recorded = pages(mirror, &self.mirrors);
        recorded.chain(pages(mirror, &self.deleted)).collect()
    }

    /// Whether all that is on record of a destination has the names that the mirror gives there.
    pub(super) fn fits(&self, mirror: &Mirror, destination: &Destination) -> bool {
        let repositories = self.mirrors.get(&mirror.name);
        let repositories = repositories.and_then(|all| all.get(&destination.name));
        let mut repositories = repositories.into_iter().flatten();
        repositories.all(|(repository, records)| {
            records.values().all(|record| {
                let is_there = record
                    .registry
                    .as_ref()
                    .is_none_or(|registry| *registry == destination.registry);
                let source = SourceImage::read(&record.source);
                let name = source.and_then(|source| {
                    let template = &destination.repository;
                    template.expand(&source.registry, &source.repository).ok()
                });
                is_there && name.as_ref() == Some(repository)
            })
        })
    }

    /// The mirrors of which something is on record whose names begin like this.
    pub(super) fn names_below(&self, prefix: &str) -> BTreeSet<String> {
        let recorded = self.mirrors.keys().chain(self.waiting.keys());
        let names = recorded.chain(self.deleted.keys());
        names
            .filter(|name| name.starts_with(prefix))
            .cloned()
            .collect()
    }

    /// Moves what is on record of a destination to another mirror, where that has nothing by the same name,
    /// and says whether there was something.
    pub(super) fn rename(&mut self, destination: &str, from: &str, to: &str) -> bool {
        let Self {
            version: _,
            origin: _,
            mirrors,
            waiting,
            deleted,
            first_seen: _,
        } = self;
        let mut has_moved = rename(mirrors, destination, from, to);
        has_moved |= rename(waiting, destination, from, to);
        has_moved |= rename(deleted, destination, from, to);
        has_moved
    }

    /// Nothing that is on record counts as written by us any more. It goes on protecting what it names.
    pub(super) fn adopt_all(&mut self) {
        let destinations = self.mirrors.values_mut().flat_map(BTreeMap::values_mut);
        let records = destinations
            .flat_map(BTreeMap::values_mut)
            .flat_map(BTreeMap::values_mut);
        records.for_each(|record| record.adopted = true);
    }

    fn first_sight(&self, slot: &Slot, source_digest: &Digest) -> Option<Timestamp> {
        let Slot { page, tag } = slot;
        let recorded = find(&self.mirrors, page).and_then(|tags| tags.get(tag));
        let waiting = find(&self.waiting, page).and_then(|tags| tags.get(tag));
        let sights = [
            recorded.map(|record| (&record.source_digest, record.first_seen)),
            waiting.map(|sight| (&sight.source_digest, sight.first_seen)),
        ];
        let mut sights = sights.into_iter().flatten();
        sights.find_map(|(digest, time)| (digest == source_digest).then_some(time))
    }
}

fn rename<T>(
    mirrors: &mut BTreeMap<String, Destinations<T>>,
    destination: &str,
    from: &str,
    to: &str,
) -> bool {
    let moved = mirrors
        .get_mut(from)
        .and_then(|all| all.remove(destination));
    mirrors.retain(|_, destinations| !destinations.is_empty());
    let Some(moved) = moved else {
        return false;
    };
    let there = mirrors.entry(to.to_owned()).or_default();
    let there = there.entry(destination.to_owned()).or_default();
    for (repository, tags) in moved {
        let known = there.entry(repository).or_default();
        for (tag, value) in tags {
            known.entry(tag).or_insert(value);
        }
    }
    true
}

fn pages<'a, T>(
    mirror: &'a str,
    mirrors: &'a BTreeMap<String, Destinations<T>>,
) -> impl Iterator<Item = Page> {
    let destinations = mirrors.get(mirror).into_iter().flatten();
    destinations.flat_map(move |(destination, repositories)| {
        repositories.keys().map(move |repository| Page {
            mirror: mirror.to_owned(),
            destination: destination.clone(),
            repository: repository.clone(),
        })
    })
}

fn find<'a, T>(
    mirrors: &'a BTreeMap<String, Destinations<T>>,
    page: &Page,
) -> Option<&'a BTreeMap<Tag, T>> {
    let Page {
        mirror,
        destination,
        repository,
    } = page;
    mirrors.get(mirror)?.get(destination)?.get(repository)
}

fn find_known<'a, T>(
    mirrors: &'a mut BTreeMap<String, Destinations<T>>,
    page: &Page,
) -> Option<&'a mut BTreeMap<Tag, T>> {
    let Page {
        mirror,
        destination,
        repository,
    } = page;
    mirrors
        .get_mut(mirror)?
        .get_mut(destination)?
        .get_mut(repository)
}

fn find_mut<'a, T>(
    mirrors: &'a mut BTreeMap<String, Destinations<T>>,
    page: &Page,
) -> &'a mut BTreeMap<Tag, T> {
    let Page {
        mirror,
        destination,
        repository,
    } = page;
    let destinations = mirrors.entry(mirror.clone()).or_default();
    destinations
        .entry(destination.clone())
        .or_default()
        .entry(repository.clone())
        .or_default()
}
