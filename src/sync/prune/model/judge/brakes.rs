// SPDX-License-Identifier: Apache-2.0

//! How much may go at once, and in a day.

use std::collections::BTreeMap;
use std::time::Duration;

use super::must;
use crate::api::image_mirror::AdoptedTags;
use crate::sync::ledger::Slot;
use crate::sync::prune::model::world::World;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

impl World {
    /// What could be deleted at each destination, by what is on record.
    pub(in crate::sync::prune::model) fn count_deletable(&self) -> BTreeMap<String, usize> {
        let mirror = self.mirror();
        let mut counts = BTreeMap::new();
        for (page, leaf) in &*self.durable.leaves.lock().unwrap() {
            let here = mirror.destination(&page.destination);
            let Some(here) = here.filter(|_| page.mirror == mirror.name) else {
                continue;
            };
            let count = leaf.records.values().filter(|record| {
                record.registry.as_ref() == Some(&here.registry)
                    && !record.is_pending()
                    && (!record.adopted || mirror.prune.adopted == AdoptedTags::Include)
            });
            *counts.entry(page.destination.clone()).or_default() += count.count();
        }
        counts
    }

    /// Tags were deleted of so many at each destination; `before` had gone without approval before.
    pub(in crate::sync::prune::model) fn judge_brakes(
        &self,
        deletable: &BTreeMap<String, usize>,
        before: usize,
    ) {
        let prune = &self.mirror().prune;
        let now = self.passed();
        let (old, new) = self.member().unapproved.split_at(before);
        if new.is_empty() {
            return;
        }
        // A clock that was set tells no day.
        let is_recent = |at: &Duration| !self.notes.is_time_lost && now.saturating_sub(*at) < DAY;
        let old: Vec<&(Slot, Duration)> = old.iter().filter(|(_, at)| is_recent(at)).collect();
        let count = old.len() + new.len();
        must(count <= prune.max_deletes, || {
            format!("{count} went in a day")
        });
        for (destination, deletable) in deletable {
            let is_here = |slot: &Slot| slot.page.destination == *destination;
            let old = old.iter().filter(|(slot, _)| is_here(slot)).count();
            let new = new.iter().filter(|(slot, _)| is_here(slot)).count();
            let (gone, whole) = (new + old, deletable + old);
            let is_little = new == 0 || gone * 100 <= whole * prune.max_percent;
            must(is_little, || format!("{gone} of {whole} at {destination}"));
        }
    }
}
