// SPDX-License-Identifier: Apache-2.0

//! Which shard belongs where: as even as can be, with the fewest moves, and by rendezvous hashing where there is a choice.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use super::shard::Shard;
use crate::runtime::lease::Identity;

/// Who is to have each shard; nobody where there is no member. No two members differ by more than one.
///
/// All members decide the same from the same leases. Where they saw different ones they may want the same shard: one of
/// them gets its lease.
pub(super) fn place(
    members: &BTreeSet<&Identity>,
    holders: &BTreeMap<Shard, Identity>,
) -> BTreeMap<Shard, Identity> {
    let mut placed = BTreeMap::new();
    let mut room = rooms(members, holders);
    let mut wanted = Vec::new();
    for shard in Shard::all() {
        for member in members {
            let has_it = holders.get(&shard) == Some(*member);
            let preference = shard.preference(member.as_str());
            wanted.push((has_it, preference, shard, *member));
        }
    }
    // First what members have, and of that what they are preferred for.
    wanted.sort_unstable_by_key(|wanted| Reverse(*wanted));
    for (_, _, shard, member) in wanted {
        if placed.contains_key(&shard) {
            continue;
        }
        if let Some(left) = room.get_mut(member).filter(|left| **left > 0) {
            *left -= 1;
            placed.insert(shard, member.clone());
        }
    }
    placed
}

/// How many shards each member is to have. Where not all can have the same, those come first that have one more already;
/// how much more is no matter, so that the order stays as it is while shards change hands one by one.
fn rooms<'a>(
    members: &BTreeSet<&'a Identity>,
    holders: &BTreeMap<Shard, Identity>,
) -> BTreeMap<&'a Identity, usize> {
    let shards = Shard::all().count();
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
