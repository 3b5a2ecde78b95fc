// SPDX-License-Identifier: Apache-2.0

//! Who works on which mirrors, where several processes share the work.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use kube::ResourceExt;

use crate::api::ImageMirror;
use crate::controller::objects::Guarded;
use crate::page::{SharedWork, WorkingMember};
use crate::plan::why::RecordKeeper;
use crate::runtime::lease::Identity;
use crate::runtime::lease::shards::{Hands, Roster, Shard};

/// Who has what is on record of a mirror; nobody else where this process has it.
pub(super) fn other_keeper(hands: &Hands, mirror: &ImageMirror) -> Option<RecordKeeper> {
    let namespace = mirror.namespace().unwrap_or_default();
    let shard = hands.division().shard_of(&namespace, &mirror.name_any());
    if hands.is_known(shard) {
        return None;
    }
    let Roster { me, holders, .. } = hands.roster();
    let holder = holders.get(&shard);
    // What has its own name is being read, or handed over.
    let other = holder.filter(|holder| Some(*holder) != me.as_ref());
    Some(RecordKeeper {
        member: other.map(Identity::to_string),
        shard: shard.to_string(),
    })
}

/// Who works on these mirrors.
pub(super) fn shared_work(hands: &Hands, mirrors: &[Arc<Guarded<ImageMirror>>]) -> SharedWork {
    let Roster {
        me,
        members,
        holders,
    } = hands.roster();
    let division = hands.division();
    let mut counts: BTreeMap<Shard, usize> = BTreeMap::new();
    let mut workers = BTreeMap::new();
    for mirror in mirrors {
        let (namespace, name) = (mirror.namespace().unwrap_or_default(), mirror.name_any());
        let shard = division.shard_of(&namespace, &name);
        *counts.entry(shard).or_default() += 1;
        let worker = match holders.get(&shard) {
            Some(holder) => format!("{holder}, shard {shard}"),
            None => format!("nobody yet, shard {shard}"),
        };
        workers.insert(format!("{namespace}/{name}"), worker);
    }
    let all: BTreeSet<&Identity> = members.iter().chain(holders.values()).collect();
    let members = all.into_iter().map(|member| {
        let held = holders.iter().filter(|(_, holder)| *holder == member);
        let held: Vec<Shard> = held.map(|(shard, _)| *shard).collect();
        let mirrors = held.iter().filter_map(|shard| counts.get(shard)).sum();
        WorkingMember {
            name: member.to_string(),
            shards: held.iter().map(Shard::to_string).collect(),
            mirrors,
        }
    });
    let unheld = division
        .shards()
        .filter(|shard| !holders.contains_key(shard));
    SharedWork {
        own: me.map_or_else(String::new, |me| me.to_string()),
        members: members.collect(),
        unheld: unheld.map(|shard| shard.to_string()).collect(),
        workers,
    }
}
