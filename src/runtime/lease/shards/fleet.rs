// SPDX-License-Identifier: Apache-2.0

//! The members, as one of them sees them, and what it does about shards.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use tokio::time::Instant;

use super::placement::{Holders, place};
use super::shard::{Division, Shard};
use crate::runtime::lease::{Identity, Timing};

/// What stands in all leases of members and shards, listed at once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Leases {
    /// When each member renewed its lease, by its own clock: what changes is a renewal.
    pub members: BTreeMap<Identity, Timestamp>,
    /// Who holds each shard, where anybody does.
    pub holders: BTreeMap<Shard, Identity>,
}

/// Who works, and who holds what, as one of them saw it last.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Roster {
    /// Who saw it.
    pub me: Option<Identity>,
    /// Those that work.
    pub members: BTreeSet<Identity>,
    /// Who holds each shard, where anybody does.
    pub holders: BTreeMap<Shard, Identity>,
}

/// Those that hold shards, or may.
#[derive(Debug)]
pub struct Fleet {
    me: Identity,
    division: Division,
    timing: Timing,
    known: BTreeMap<Identity, Sighting>,
    holders: Holders,
    /// When the last look began: what it did not see may have happened since.
    looked: Option<Instant>,
}

/// How a member looked.
#[derive(Debug)]
struct Sighting {
    /// When it was renewed, by the clock of the member; nothing where there is no lease.
    renewed: Option<Timestamp>,
    /// When it was first seen like that.
    since: Instant,
}

/// What a member does about the leases of shards, each if it still is as it was seen.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Duties {
    /// To be written with its name. What it finds with its name and does not hold is among them: a write of its own
    /// whose answer was lost may still come, and must find the lease changed.
    pub take: BTreeSet<Shard>,
    /// To be released, if they have its name, as soon as nothing of them runs here any more.
    pub hand_over: BTreeSet<Shard>,
    /// Members that are no more and have nothing: their leases are to be deleted.
    pub clear: BTreeSet<Identity>,
    /// When there may be more to do, if nothing is seen to change until then.
    pub again: Option<Instant>,
}

// === impl Fleet ===

impl Fleet {
    /// Nobody seen yet.
    pub fn new(me: Identity, division: Division, timing: Timing) -> Self {
        Self {
            me,
            division,
            timing,
            known: BTreeMap::new(),
            holders: Holders::new(),
            looked: None,
        }
    }

    /// Takes in the leases. `began` is when they were asked for, `now` when they were there.
    pub fn see(&mut self, leases: Leases, began: Instant, now: Instant) {
        let Leases { members, holders } = leases;
        let listed = members.into_iter();
        let mut seen: BTreeMap<Identity, Option<Timestamp>> = listed
            .map(|(member, renewed)| (member, Some(renewed)))
            .collect();
        // Who has no lease any more may not know it: it lapses as others do.
        for holder in holders.values() {
            seen.entry(holder.clone()).or_default();
        }
        self.known.retain(|member, _| seen.contains_key(member));
        for (member, renewed) in seen {
            let before = self.known.get(&member);
            if before.is_none_or(|before| before.renewed != renewed) {
                let sighting = Sighting {
                    renewed,
                    since: now,
                };
                self.known.insert(member, sighting);
            }
        }
        self.holders = holders;
        self.looked = Some(began);
    }

    /// What to do, given which shards are held here.
    pub fn decide(&self, held: &BTreeSet<Shard>, is_leaving: bool) -> Duties {
        let mut duties = Duties::default();
        let Some(looked) = self.looked else {
            return duties;
        };
        let placed = place(
            self.division,
            &self.members(looked, is_leaving),
            &self.holders,
        );
        for shard in self.division.shards() {
            let holder = self.holders.get(&shard);
            let is_placed_here = placed.get(&shard) == Some(&&self.me);
            let is_free = holder.is_none_or(|holder| self.has_lapsed(holder, looked));
            let is_mine = holder == Some(&self.me);
            let due = match (held.contains(&shard), is_placed_here) {
                (true, true) if is_mine => continue,
                (true, _) => &mut duties.hand_over,
                (false, true) if is_mine || is_free => &mut duties.take,
                (false, false) if is_mine => &mut duties.hand_over,
                (false, _) => continue,
            };
            due.insert(shard);
        }
        duties.clear = self.cleared(looked);
        duties.again = self.next_lapse(looked);
        duties
    }

    /// Whether the record has it that this member holds something.
    pub fn has_any(&self) -> bool {
        self.holders.values().any(|holder| *holder == self.me)
    }

    /// Who works, and who holds what, as far as was seen.
    pub fn roster(&self, is_leaving: bool) -> Roster {
        let members = self.looked.map(|looked| self.members(looked, is_leaving));
        let members = members.unwrap_or_default().into_iter();
        Roster {
            me: Some(self.me.clone()),
            members: members.cloned().collect(),
            holders: self.holders.clone(),
        }
    }

    /// Those that work: as long as they may have a claim. So all agree that one is no more before anybody takes what
    /// it has.
    fn members(&self, looked: Instant, is_leaving: bool) -> BTreeSet<&Identity> {
        let works = |sighting: &Sighting| {
            let until = sighting.since + self.timing.renew_deadline();
            sighting.renewed.is_some() && looked < until
        };
        let others = self.known.iter();
        let others = others.filter(|(_, sighting)| works(sighting));
        let others = others.map(|(member, _)| member);
        let others = others.filter(|member| **member != self.me);
        // How far others see it is their concern.
        others.chain((!is_leaving).then_some(&self.me)).collect()
    }

    /// Members that had no claim any more when the last look began, and have nothing.
    fn cleared(&self, looked: Instant) -> BTreeSet<Identity> {
        let holding: BTreeSet<&Identity> = self.holders.values().collect();
        let others = self.known.keys().filter(|member| **member != self.me);
        let idle = others.filter(|member| !holding.contains(member));
        let gone = idle.filter(|member| self.has_lapsed(member, looked));
        gone.cloned().collect()
    }

    /// Whether a member had no claim any more when the last look began. Nothing is known of who was never seen.
    fn has_lapsed(&self, member: &Identity, looked: Instant) -> bool {
        let sighting = self.known.get(member);
        sighting.is_some_and(|sighting| self.lapse(sighting) <= looked)
    }

    /// When a member has no claim any more, unless it is seen to live.
    fn lapse(&self, sighting: &Sighting) -> Instant {
        sighting.since + self.timing.duration()
    }

    fn next_lapse(&self, looked: Instant) -> Option<Instant> {
        let others = self.known.iter().filter(|(member, _)| **member != self.me);
        let lapses = others.map(|(_, sighting)| self.lapse(sighting));
        lapses.filter(|at| looked < *at).min()
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;
    use std::num::NonZeroU8;
    use std::time::Duration;

    use super::*;

    /// How many shards there are, what was seen (`second member@renewed … | shard=holder …; second …`), what is held
    /// here (or `leaving` with it), and what is to be done.
    type Case = (&'static str, u8, &'static str, &'static str, &'static str);

    fn read(look: &str, division: Division) -> (u64, Leases) {
        let (members, holders) = look.split_once(" |").unwrap();
        let (second, members) = members.split_once(' ').unwrap();
        let members = members.split(' ').map(|member| {
            let (name, renewed) = member.split_once('@').unwrap();
            let renewed = Timestamp::from_second(renewed.parse().unwrap()).unwrap();
            (Identity::named(name), renewed)
        });
        let holders = holders.split_whitespace().map(|shard| {
            let (shard, holder) = shard.split_once('=').unwrap();
            (named(shard, division), Identity::named(holder))
        });
        let leases = Leases {
            members: members.collect(),
            holders: holders.collect(),
        };
        (second.parse().unwrap(), leases)
    }

    fn named(name: &str, division: Division) -> Shard {
        let mut shards = division.shards();
        shards.find(|shard| shard.to_string() == name).unwrap()
    }

    fn tell(duties: &Duties, began: Instant) -> String {
        let mut told = String::new();
        for shard in &duties.hand_over {
            let _ = write!(told, "give {shard} ");
        }
        for shard in &duties.take {
            let _ = write!(told, "take {shard} ");
        }
        for member in &duties.clear {
            let _ = write!(told, "clear {member} ");
        }
        if let Some(again) = duties.again {
            let _ = write!(told, "again {}", (again - began).as_secs());
        }
        told.trim_end().to_owned()
    }

    /// Compares what member `b` does.
    fn check(cases: &[Case]) {
        for (case, shards, looks, held, expected) in cases {
            let division = Division::of(NonZeroU8::new(*shards).unwrap());
            let began = Instant::now();
            let mut fleet = Fleet::new(Identity::named("b"), division, Timing::default());
            for look in looks.split("; ") {
                let (second, leases) = read(look, division);
                let at = began + Duration::from_secs(second);
                fleet.see(leases, at, at);
            }
            let is_leaving = held.contains("leaving");
            let held = held.split_whitespace().filter(|shard| *shard != "leaving");
            let held = held.map(|shard| named(shard, division)).collect();
            let told = tell(&fleet.decide(&held, is_leaving), began);
            assert_eq!(told, *expected, "{case}");
        }
    }

    #[test]
    fn a_shard_is_taken_when_nobody_can_have_it_any_more() {
        check(&[
            ("nobody has any", 2, "0 b@0 |", "", "take 0 take 1"),
            (
                "another one lives",
                2,
                "0 a@0 b@0 | 0=a 1=b",
                "1",
                "again 15",
            ),
            (
                "not yet",
                2,
                "0 a@0 b@0 | 0=a 1=b; 14 a@0 b@1 | 0=a 1=b",
                "1",
                "again 15",
            ),
            (
                "now",
                2,
                "0 a@0 b@0 | 0=a 1=b; 15 a@0 b@1 | 0=a 1=b",
                "1",
                "take 0",
            ),
            (
                "renewed meanwhile",
                2,
                "0 a@0 b@0 | 0=a 1=b; 9 a@1 b@1 | 0=a 1=b; 15 a@1 b@2 | 0=a 1=b",
                "1",
                "again 24",
            ),
            (
                "a clock that went back",
                1,
                "0 a@9 b@0 | 0=a; 15 a@0 b@1 | 0=a",
                "",
                "again 30",
            ),
            ("a holder without a lease", 1, "0 b@0 | 0=a", "", "again 15"),
            (
                "a holder without a lease that lapsed",
                1,
                "0 b@0 | 0=a; 15 b@1 | 0=a",
                "",
                "take 0",
            ),
        ]);
    }

    #[test]
    fn what_is_held_is_given_for_a_reason_only() {
        check(&[
            ("all of it", 2, "0 b@0 | 0=b 1=b", "0 1", ""),
            (
                "somebody came",
                2,
                "0 a@0 b@0 | 0=b 1=b",
                "0 1",
                "give 1 again 15",
            ),
            (
                "somebody who has it by the record",
                1,
                "0 a@0 b@0 | 0=a",
                "0",
                "give 0 again 15",
            ),
            (
                "leaving",
                2,
                "0 b@0 | 0=b 1=b",
                "0 1 leaving",
                "give 0 give 1",
            ),
            (
                "leaving, with what a late write brought",
                1,
                "0 b@0 | 0=b",
                "leaving",
                "give 0",
            ),
            (
                "another one sees earlier than we do that one is no more",
                4,
                "0 a@0 b@0 c@0 | 0=b 1=b 2=c 3=a; 14 a@1 b@1 c@0 | 0=b 1=b 2=a 3=a",
                "0 1",
                "again 15",
            ),
        ]);
    }

    #[test]
    fn what_has_our_name_is_held_only_once_it_was_written_again() {
        check(&[("found", 2, "0 b@0 | 0=b 1=b", "1", "take 0")]);
    }

    #[test]
    fn who_is_no_more_and_has_nothing_is_cleared_away() {
        check(&[
            (
                "it may live",
                1,
                "0 a@0 b@0 | 0=b; 14 a@0 b@1 | 0=b",
                "0",
                "again 15",
            ),
            (
                "it has lapsed",
                1,
                "0 a@0 b@0 | 0=b; 15 a@0 b@1 | 0=b",
                "0",
                "clear a",
            ),
            (
                "it has something",
                1,
                "0 a@0 b@0 | 0=a; 15 a@0 b@1 | 0=a",
                "",
                "take 0",
            ),
        ]);
    }
}
