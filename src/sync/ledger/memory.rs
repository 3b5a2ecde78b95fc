//! The records themselves, in memory.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Page, Record, Slot};
use crate::oci::{Digest, Repository, Tag};

/// The version of the format in which records are kept in a file.
pub(super) const VERSION: u32 = 1;

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
    mirrors: BTreeMap<String, Destinations>,
    /// When tags were first seen at the sources, for policies that ask for it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    first_seen: BTreeMap<String, BTreeMap<Tag, Timestamp>>,
}

type Destinations = BTreeMap<String, BTreeMap<Repository, BTreeMap<Tag, Record>>>;

// === impl Memory ===

impl Memory {
    pub(super) fn of(records: Records) -> Self {
        Self(Mutex::new(State {
            records,
            ..State::default()
        }))
    }

    /// A copy of the records of one repository.
    pub fn page(&self, page: &Page) -> BTreeMap<Tag, Record> {
        self.lock().records.page(page).cloned().unwrap_or_default()
    }

    pub(super) fn read(&self, slot: &Slot) -> Option<Record> {
        self.lock()
            .records
            .page(&slot.page)?
            .get(&slot.tag)
            .cloned()
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

    pub(super) fn write(&self, slot: Slot, record: Record) {
        let Slot { page, tag } = slot;
        let mut state = self.lock();
        state.records.page_mut(&page).insert(tag, record);
        state.change(page);
    }

    pub(super) fn restore(&self, page: &Page, records: BTreeMap<Tag, Record>) {
        self.lock().records.page_mut(page).extend(records);
    }

    pub(super) fn lose(&self, page: Page) {
        let mut state = self.lock();
        if state.records.page(&page).is_some() {
            state.change(page);
        }
    }

    pub(super) fn forget(&self, mirror: &str) {
        let mut state = self.lock();
        state.records.mirrors.remove(mirror);
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
            mirrors: BTreeMap::new(),
            first_seen: BTreeMap::new(),
        }
    }
}

impl Records {
    fn page(&self, page: &Page) -> Option<&BTreeMap<Tag, Record>> {
        let Page {
            mirror,
            destination,
            repository,
        } = page;
        self.mirrors.get(mirror)?.get(destination)?.get(repository)
    }

    fn page_mut(&mut self, page: &Page) -> &mut BTreeMap<Tag, Record> {
        let Page {
            mirror,
            destination,
            repository,
        } = page;
        let destinations = self.mirrors.entry(mirror.clone()).or_default();
        destinations
            .entry(destination.clone())
            .or_default()
            .entry(repository.clone())
            .or_default()
    }
}
