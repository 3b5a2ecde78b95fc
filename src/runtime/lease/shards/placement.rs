// SPDX-License-Identifier: Apache-2.0

//! Which shard belongs where: as even as can be, with the fewest moves, and by rendezvous hashing where there is a
//! choice.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use super::shard::{Division, Shard};
use crate::runtime::lease::Identity;

/// Who holds which shard, or is to.
pub(super) type Holders = BTreeMap<Shard, Identity>;

/// Who is to have each shard; nobody where there is no member. No two members differ by more than one.
///
/// All members decide the same from the same leases, and while shards change hands one by one. Where they saw
/// different ones they may want the same shard: one of them gets its lease.
pub(super) fn place<'a>(
    division: Division,
    members: &BTreeSet<&'a Identity>,
    holders: &Holders,
) -> BTreeMap<Shard, &'a Identity> {
    let mut room = rooms(division, members, holders);
    let mut wanted = Vec::with_capacity(division.count() * members.len());
    for shard in division.shards() {
        for member in members {
            let has_it = holders.get(&shard) == Some(*member);
            let preference = shard.preference(member.as_str());
            wanted.push((has_it, preference, shard, *member));
        }
    }
    // First what members have, and of that what they are preferred for.
    wanted.sort_unstable_by_key(|wanted| Reverse(*wanted));
    let mut placed = BTreeMap::new();
    for (_, _, shard, member) in wanted {
        if placed.contains_key(&shard) {
            continue;
        }
        if let Some(left) = room.get_mut(member).filter(|left| **left > 0) {
            *left -= 1;
            placed.insert(shard, member);
        }
    }
    placed
}

/// How many shards each member is to have. Where not all can have the same, those come first that have one more
/// already; how much more is no matter, so that the order stays as it is while shards change hands one by one.
fn rooms<'a>(
    division: Division,
    members: &BTreeSet<&'a Identity>,
    holders: &Holders,
) -> BTreeMap<&'a Identity, usize> {
    let shards = division.count();
    let (each, more) = match members.len() {
        0 => (0, 0),
        count => (shards / count, shards % count),
    };
    let load = |member: &Identity| holders.values().filter(|holder| *holder == member).count();
    let mut order: Vec<&Identity> = members.iter().copied().collect();
    order.sort_by_key(|member| (load(member) <= each, *member));
    let ranked = order.into_iter().enumerate();
    ranked
        .map(|(rank, member)| (member, each + usize::from(rank < more)))
        .collect()
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU8;

    use super::*;

    /// Lets members come and go, and counts the shards that move each time.
    #[test]
    fn each_change_moves_the_fewest_shards_there_can_be() {
        let mut rng = fastrand::Rng::with_seed(1);
        for round in 0..2_000 {
            let division = Division::of(NonZeroU8::new(rng.u8(1..20)).unwrap());
            let (mut holders, mut members) = (Holders::new(), BTreeSet::new());
            for change in 0..6 {
                let member = Identity::named(&format!("m{}", rng.u8(..8)));
                if !members.remove(&member) || members.is_empty() {
                    members.insert(member);
                }
                // Who goes leaves its shards behind.
                holders.retain(|_, holder| members.contains(holder));
                let placed = place(division, &members.iter().collect(), &holders);
                let case = format!("round {round}, change {change}: {members:?} {holders:?}");
                let fewest = fewest_moves(division, &members, &holders);
                let mut moved = 0;
                for (shard, member) in &placed {
                    moved += usize::from(holders.get(shard) != Some(*member));
                    holders.insert(*shard, (*member).clone());
                    let half_way = place(division, &members.iter().collect(), &holders);
                    assert_eq!(half_way, placed, "{case}: half way there");
                }
                check_even(division, &members, &placed, &case);
                assert_eq!(moved, fewest, "{case}");
            }
        }
    }

    /// What is not to be kept: as much is as there is room for, most of all where most is.
    fn fewest_moves(division: Division, members: &BTreeSet<Identity>, holders: &Holders) -> usize {
        let load = |member: &Identity| holders.values().filter(|holder| *holder == member).count();
        let mut loads: Vec<usize> = members.iter().map(load).collect();
        loads.sort_unstable_by_key(|load| Reverse(*load));
        let (each, more) = (
            division.count() / loads.len(),
            division.count() % loads.len(),
        );
        let ranked = loads.into_iter().enumerate();
        let kept = ranked.map(|(rank, load)| load.min(each + usize::from(rank < more)));
        division.count() - kept.sum::<usize>()
    }

    fn check_even(
        division: Division,
        members: &BTreeSet<Identity>,
        placed: &BTreeMap<Shard, &Identity>,
        case: &str,
    ) {
        assert_eq!(placed.len(), division.count(), "{case}");
        let load = |member| placed.values().filter(|holder| **holder == member).count();
        let loads: Vec<usize> = members.iter().map(load).collect();
        let (least, most) = (loads.iter().min(), loads.iter().max());
        assert!(most.unwrap() - least.unwrap() <= 1, "{case}");
    }
}
