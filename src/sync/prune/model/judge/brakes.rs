// SPDX-License-Identifier: Apache-2.0

//! How much may go at once, and in a day.

use std::collections::BTreeSet;
use std::time::Duration;

use super::must;
use crate::api::image_mirror::AdoptedTags;
use crate::sync::ledger::Slot;
use crate::sync::prune::model::world::World;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

impl World {
    /// What could be deleted at each destination, by what is on record.
    pub(in crate::sync::prune::model) fn find_deletable(&self) -> BTreeSet<Slot> {
        let mirror = self.mirror();
        let mut deletable = BTreeSet::new();
        for (page, leaf) in &*self.durable.leaves.lock().unwrap() {
            let here = mirror.destination(&page.destination);
            let Some(here) = here.filter(|_| page.mirror == mirror.name) else {
                continue;
            };
            let records = leaf.records.iter().filter(|(_, record)| {
                record.registry.as_ref() == Some(&here.registry)
                    && !record.is_pending()
                    && (!record.adopted || mirror.prune.adopted == AdoptedTags::Include)
            });
            deletable.extend(records.map(|(tag, _)| page.slot(tag)));
        }
        deletable
    }

    /// Tags were deleted of those that could be; those of `before` had gone without approval before. A tag that somebody
    /// pushed again in between is one of the share, however often it went.
    pub(in crate::sync::prune::model) fn judge_brakes(
        &self,
        deletable: &BTreeSet<Slot>,
        before: &BTreeSet<(Slot, Duration)>,
    ) {
        let prune = &self.mirror().prune;
        let now = self.passed();
        let unapproved = self.member().unapproved.iter();
        let (old, new): (Vec<_>, Vec<_>) = unapproved.partition(|went| before.contains(went));
        if new.is_empty() {
            return;
        }
        // A clock that was set tells no day.
        let is_recent = |at: &Duration| !self.notes.is_time_lost && now.saturating_sub(*at) < DAY;
        let old = old.iter().filter(|(_, at)| is_recent(at));
        let gone: BTreeSet<&Slot> = old.chain(&new).map(|(slot, _)| slot).collect();
        must(gone.len() <= prune.max_deletes, || {
            format!("{} went in a day", gone.len())
        });
        for destination in &self.mirror().destinations {
            let is_here = |slot: &&Slot| slot.page.destination == destination.name;
            let touches = new.iter().any(|(slot, _)| is_here(&slot));
            let whole: BTreeSet<&Slot> = gone.iter().copied().chain(deletable).collect();
            let whole = whole.into_iter().filter(is_here).count();
            let gone = gone.iter().copied().filter(is_here).count();
            let is_little = !touches || gone * 100 <= whole * prune.max_percent;
            must(is_little, || {
                format!("{gone} of {whole} at {}", destination.name)
            });
        }
    }
}
