// SPDX-License-Identifier: Apache-2.0

//! The records themselves, as they stand in a state file.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::bare_tags::BareTags;
use super::keepsake::{self, Keepsake, Keepsakes};
use super::origin::{Origin, SetAside, aside};
use super::{Leaf, LeafView, Page, Record, Sight, Slot, Tombstone};
use crate::oci::{Digest, Registry, Repository, Tag};
use crate::plan::{Destination, Mirror, SourceImage};

/// The version of the format in which records are kept in a file.
pub(super) const VERSION: u32 = 4;
/// The oldest version that is read. It knew nothing of pruning; the next one did not say whose it is, and the third one not what tags name
/// that are named after digests.
pub(super) const OLDEST_VERSION: u32 = 1;

/// The records by mirror, destination, repository and tag.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Records {
    /// The version of the format.
    pub(super) version: u32,
    /// Whose they are.
    #[serde(default)]
    pub(super) origin: Origin,
    pub(super) mirrors: BTreeMap<String, Destinations<Record>>,
    /// What waits for the end of a quarantine.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) waiting: BTreeMap<String, Destinations<Sight>>,
    /// What was pruned and can be restored.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) deleted: BTreeMap<String, Destinations<Tombstone>>,
    /// The manifests that restore it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) keepsakes: BTreeMap<String, Destinations<Keepsake, Digest>>,
    /// When tags were first seen at the sources, for policies that ask for it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) first_seen: BTreeMap<String, BTreeMap<Tag, Timestamp>>,
    /// What tags of the sources turned out to name that are named after digests, by mirror.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) bare_tags: BTreeMap<String, BareTags>,
}

pub(super) type Destinations<T, K = Tag> = BTreeMap<String, BTreeMap<Repository, BTreeMap<K, T>>>;

// === impl Records ===

impl Default for Records {
    fn default() -> Self {
        Self {
            version: VERSION,
            origin: Origin::default(),
            mirrors: BTreeMap::new(),
            waiting: BTreeMap::new(),
            deleted: BTreeMap::new(),
            keepsakes: BTreeMap::new(),
            first_seen: BTreeMap::new(),
            bare_tags: BTreeMap::new(),
        }
    }
}

impl Records {
    /// Binds what is on record of a mirror to its destinations as they are. What belongs to other places is
    /// set aside, and what was set aside of these places is taken back; with `is_moved` all of it is theirs.
    pub(super) fn bind(&mut self, mirror: &Mirror, is_moved: bool) -> Vec<SetAside> {
        let mut set_aside = Vec::new();
        for destination in &mirror.destinations {
            let name = &destination.name;
            let place = format!("{}/{}", destination.registry, destination.repository);
            let known = self.origin.destinations.entry(mirror.name.clone());
            let known = known.or_default().insert(name.clone(), place.clone());
            let moves = match &known {
                Some(known) => *known != place,
                None => !self.fits(mirror, destination),
            };
            if moves {
                let before = known.as_deref().unwrap_or("an unknown place");
                let to = aside(&mirror.name, before);
                if self.rename(name, &mirror.name, &to) && !is_moved {
                    set_aside.push(SetAside {
                        mirror: mirror.name.clone(),
                        destination: name.clone(),
                        from: known.clone(),
                        to: place.clone(),
                    });
                }
            }
            let own = aside(&mirror.name, &place);
            self.rename(name, &own, &mirror.name);
            if is_moved {
                for other in self.names_below(&aside(&mirror.name, "")) {
                    self.rename(name, &other, &mirror.name);
                }
            }
        }
        set_aside
    }

    pub(super) fn leaf(&self, page: &Page) -> Leaf {
        let Self {
            version: _,
            origin: _,
            mirrors,
            waiting,
            deleted,
            keepsakes,
            first_seen: _,
            bare_tags: _,
        } = self;
        Leaf {
            records: find(mirrors, page).cloned().unwrap_or_default(),
            waiting: find(waiting, page).cloned().unwrap_or_default(),
            deleted: find(deleted, page).cloned().unwrap_or_default(),
            keepsakes: find(keepsakes, page).cloned().unwrap_or_default(),
        }
    }

    pub(super) fn view(&self, page: &Page) -> LeafView<'_> {
        LeafView {
            records: find(&self.mirrors, page).unwrap_or(const { &BTreeMap::new() }),
            waiting: find(&self.waiting, page).unwrap_or(const { &BTreeMap::new() }),
            deleted: find(&self.deleted, page).unwrap_or(const { &BTreeMap::new() }),
        }
    }

    /// Whether all that is on record of a repository may be at this registry.
    pub(super) fn is_at(&self, page: &Page, registry: &Registry) -> bool {
        let records = find(&self.mirrors, page).into_iter().flatten();
        let mut at = records.filter_map(|(_, record)| record.registry.as_ref());
        let deleted = find(&self.deleted, page).into_iter().flatten();
        let mut was_at = deleted.map(|(_, tombstone)| &tombstone.registry);
        at.all(|at| at.may_be(registry)) && was_at.all(|at| at.may_be(registry))
    }

    /// Drops all that is on record of a repository.
    pub(super) fn remove_page(&mut self, page: &Page) {
        let Self {
            version: _,
            origin: _,
            mirrors,
            waiting,
            deleted,
            keepsakes,
            first_seen: _,
            bare_tags: _,
        } = self;
        remove(mirrors, page);
        remove(waiting, page);
        remove(deleted, page);
        remove(keepsakes, page);
    }

    pub(super) fn keepsakes_mut(&mut self, page: &Page) -> &mut Keepsakes {
        find_mut(&mut self.keepsakes, page)
    }

    /// Drops the manifests of a repository that no deleted tag needs any more, and says whether there were any.
    pub(super) fn sweep(&mut self, page: &Page) -> bool {
        let Some(keepsakes) = find_known(&mut self.keepsakes, page) else {
            return false;
        };
        let before = keepsakes.len();
        let deleted = find(&self.deleted, page).into_iter();
        keepsake::sweep(keepsakes, deleted.flat_map(BTreeMap::values));
        keepsakes.len() < before
    }

    /// Forgets that a tag was deleted which this push brings back.
    pub(super) fn undo(&mut self, page: &Page, tag: &Tag, pushed: &Record) {
        let Some(deleted) = find_known(&mut self.deleted, page) else {
            return;
        };
        if deleted
            .get(tag)
            .is_some_and(|known| known.is_undone_by(pushed))
        {
            deleted.remove(tag);
            self.sweep(page);
        }
    }

    /// The repositories of a mirror of which something is on record, or was.
    pub(super) fn pages(&self, mirror: &str) -> BTreeSet<Page> {
        let recorded = pages(mirror, &self.mirrors);
        recorded.chain(pages(mirror, &self.deleted)).collect()
    }

    /// Whether all that is on record of a destination has the names that the mirror gives there.
    fn fits(&self, mirror: &Mirror, destination: &Destination) -> bool {
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
                let gives_name = source.is_some_and(|source| {
                    let namings = mirror.namings(&source.repository).into_iter();
                    let mut names = namings.map(|naming| {
                        destination.repository_of(&naming, &source.registry, &source.repository)
                    });
                    names.any(|name| name.as_ref() == Ok(repository))
                });
                is_there && gives_name
            })
        })
    }

    /// The mirrors of which something is on record whose names begin like this.
    fn names_below(&self, prefix: &str) -> BTreeSet<String> {
        let recorded = self.mirrors.keys().chain(self.waiting.keys());
        let names = recorded.chain(self.deleted.keys());
        names
            .filter(|name| name.starts_with(prefix))
            .cloned()
            .collect()
    }

    /// Moves what is on record of a destination to another mirror, where that has nothing by the same name,
    /// and says whether there was something.
    fn rename(&mut self, destination: &str, from: &str, to: &str) -> bool {
        let Self {
            version: _,
            origin: _,
            mirrors,
            waiting,
            deleted,
            keepsakes,
            first_seen: _,
            bare_tags: _,
        } = self;
        let mut has_moved = rename(mirrors, destination, from, to);
        has_moved |= rename(waiting, destination, from, to);
        has_moved |= rename(deleted, destination, from, to);
        has_moved |= rename(keepsakes, destination, from, to);
        has_moved
    }

    /// Nothing that is on record counts as written by us any more. It goes on protecting what it names.
    /// What tags of the sources name is asked again.
    pub(super) fn adopt_all(&mut self) {
        self.bare_tags.clear();
        let destinations = self.deleted.values_mut().flat_map(BTreeMap::values_mut);
        let tombstones = destinations
            .flat_map(BTreeMap::values_mut)
            .flat_map(BTreeMap::values_mut);
        tombstones.for_each(|tombstone| tombstone.referrers.clear());
        let destinations = self.mirrors.values_mut().flat_map(BTreeMap::values_mut);
        let records = destinations
            .flat_map(BTreeMap::values_mut)
            .flat_map(BTreeMap::values_mut);
        records.for_each(|record| {
            record.adopted = true;
            record.checked_at = None;
            record.own_referrers.clear();
        });
    }

    pub(super) fn first_sight(&self, slot: &Slot, source_digest: &Digest) -> Option<Timestamp> {
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

fn rename<K: Ord, T>(
    mirrors: &mut BTreeMap<String, Destinations<T, K>>,
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

pub(super) fn pages<'a, K, T>(
    mirror: &'a str,
    mirrors: &'a BTreeMap<String, Destinations<T, K>>,
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

pub(super) fn find<'a, K, T>(
    mirrors: &'a BTreeMap<String, Destinations<T, K>>,
    page: &Page,
) -> Option<&'a BTreeMap<K, T>> {
    let Page {
        mirror,
        destination,
        repository,
    } = page;
    mirrors.get(mirror)?.get(destination)?.get(repository)
}

fn remove<K, T>(mirrors: &mut BTreeMap<String, Destinations<T, K>>, page: &Page) {
    let destinations = mirrors.get_mut(&page.mirror);
    if let Some(repositories) = destinations.and_then(|all| all.get_mut(&page.destination)) {
        repositories.remove(&page.repository);
    }
}

pub(super) fn find_known<'a, K, T>(
    mirrors: &'a mut BTreeMap<String, Destinations<T, K>>,
    page: &Page,
) -> Option<&'a mut BTreeMap<K, T>> {
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

pub(super) fn find_mut<'a, K, T>(
    mirrors: &'a mut BTreeMap<String, Destinations<T, K>>,
    page: &Page,
) -> &'a mut BTreeMap<K, T> {
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
