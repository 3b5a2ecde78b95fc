// SPDX-License-Identifier: Apache-2.0

//! The members, as one of them sees them, and what it does about shards.

use std::collections::{BTreeMap, BTreeSet};

use tokio::time::Instant;

use super::placement::place;
use super::shard::Shard;
use crate::runtime::lease::{Identity, Timing};

/// What stands in the lease of a member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Beat {
    /// Something that every renewal changes.
    pub renewal: String,
    /// Whether it hands over all that it has.
    pub is_leaving: bool,
}

/// Those that hold shards, or may.
#[derive(Debug)]
pub struct Fleet {
    me: Identity,
    timing: Timing,
    known: BTreeMap<Identity, Sighting>,
    /// When the last look began: what it did not see may have happened since.
    looked: Option<Instant>,
}

/// How a member looked.
#[derive(Debug)]
struct Sighting {
    /// What its lease said; nothing where there was none.
    beat: Option<Beat>,
    /// When it was first seen like that.
    since: Instant,
}

/// What a member does about the leases of shards.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Duties {
    /// To be written with its name, if they are as they were seen. What it finds with its name and does not hold is
    /// among them: a write of its own whose answer was lost may still come, and must find the lease changed.
    pub take: BTreeSet<Shard>,
    /// To be released, as soon as nothing of them runs here any more.
    pub hand_over: BTreeSet<Shard>,
    /// When there may be more to do, if nothing is seen to change until then.
    pub again: Option<Instant>,
}

// === impl Fleet ===

impl Fleet {
    /// Nobody seen yet.
    pub fn new(me: Identity, timing: Timing) -> Self {
        Self {
            me,
            timing,
            known: BTreeMap::new(),
            looked: None,
        }
    }

    /// Takes in the leases of all members, and who holds each shard, listed after those. `began` is when the lists were
    /// asked for, `now` when they were there.
    pub fn see(
        &mut self,
        mut listed: BTreeMap<Identity, Beat>,
        holders: &BTreeMap<Shard, Identity>,
        began: Instant,
        now: Instant,
    ) {
        let holding: BTreeSet<&Identity> = holders.values().collect();
        let duration = self.timing.duration();
        // Whose lease is gone may not know it: it is remembered until it has lapsed and has nothing.
        self.known.retain(|member, sighting| {
            listed.contains_key(member)
                || holding.contains(member)
                || began < sighting.since + duration
        });
        let missing = holding.into_iter().chain(self.known.keys());
        let missing: BTreeSet<Identity> = missing
            .filter(|member| !listed.contains_key(*member))
            .cloned()
            .collect();
        let found = std::mem::take(&mut listed).into_iter();
        let found = found.map(|(member, beat)| (member, Some(beat)));
        for (member, beat) in found.chain(missing.into_iter().map(|member| (member, None))) {
            let before = self.known.get(&member);
            if before.is_none_or(|before| before.beat != beat) {
                self.known.insert(member, Sighting { beat, since: now });
            }
        }
        self.looked = Some(began);
    }

    /// What to do, given who holds each shard by the last look, and which of them are held here.
    pub fn decide(
        &self,
        holders: &BTreeMap<Shard, Identity>,
        held: &BTreeSet<Shard>,
        is_leaving: bool,
    ) -> Duties {
        let Some(looked) = self.looked else {
            return Duties::default();
        };
        let members = self.members(looked, is_leaving);
        let placed = place(&members, holders);
        let mut duties = Duties::default();
        for shard in Shard::all() {
            let holder = holders.get(&shard);
            let is_mine = holder == Some(&self.me);
            if placed.get(&shard) != Some(&self.me) || (held.contains(&shard) && !is_mine) {
                if is_mine || held.contains(&shard) {
                    duties.hand_over.insert(shard);
                }
                continue;
            }
            let lapses = holder
                .filter(|_| !is_mine)
                .map(|holder| self.lapses(holder));
            match lapses {
                _ if held.contains(&shard) => {}
                Some(at) if at.is_none_or(|at| looked < at) => {}
                Some(_) | None => {
                    duties.take.insert(shard);
                }
            }
        }
        duties.again = self.next_lapse(looked);
        duties
    }

    /// Whether nobody else is there, or may be: whoever leaves now leaves nothing behind.
    pub fn is_alone(&self, holders: &BTreeMap<Shard, Identity>) -> bool {
        let Some(looked) = self.looked else {
            return false;
        };
        let lasts = |member: &Identity| self.lapses(member).is_none_or(|at| looked < at);
        let mut others = self.known.keys().chain(holders.values());
        !others.any(|other| *other != self.me && lasts(other))
    }

    /// Those that work.
    fn members(&self, looked: Instant, is_leaving: bool) -> BTreeSet<&Identity> {
        let works = |sighting: &Sighting| {
            let beat = sighting.beat.as_ref();
            beat.is_some_and(|beat| !beat.is_leaving)
                && looked < sighting.since + self.timing.duration()
        };
        let known = self.known.iter().filter(|(_, sighting)| works(sighting));
        let others = known.map(|(member, _)| member);
        let others = others.filter(|member| **member != self.me);
        // How far others see it is their concern.
        others.chain((!is_leaving).then_some(&self.me)).collect()
    }

    /// From when on a member has no claim any more, unless it is seen to live; unknown for who was never seen.
    fn lapses(&self, member: &Identity) -> Option<Instant> {
        let sighting = self.known.get(member)?;
        Some(sighting.since + self.timing.duration())
    }

    fn next_lapse(&self, looked: Instant) -> Option<Instant> {
        let others = self.known.keys().filter(|member| **member != self.me);
        let lapses = others.filter_map(|member| self.lapses(member));
        lapses.filter(|at| looked < *at).min()
    }
}
