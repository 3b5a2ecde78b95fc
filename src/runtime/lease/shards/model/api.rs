// SPDX-License-Identifier: Apache-2.0

//! What the API server has, and the way to it.

use std::collections::BTreeMap;
use std::rc::Rc;

use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::Lease;

use super::{Life, Mutant, World};
use crate::runtime::lease::Identity;
use crate::runtime::lease::shards::{Leases, Shard};

/// Milliseconds after which nobody waits for an answer any more.
const TIMEOUT: u64 = 5_000;

#[derive(Default)]
pub(super) struct Api {
    pub(super) members: BTreeMap<Identity, Timestamp>,
    shards: BTreeMap<Shard, (Option<Identity>, u64)>,
    joint: (Option<Lease>, u64),
    version: u64,
}

/// Who holds each shard that has a lease, if anybody, and the version of that.
pub(super) type Versions = BTreeMap<Shard, (Option<Identity>, u64)>;

/// What becomes of requests.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Link {
    Fine,
    /// None arrives.
    Cut,
    /// They arrive, and no answer comes.
    Deaf,
    /// They arrive late, some of them when nobody waits any more.
    Slow,
}

impl Api {
    /// All leases but the joint lease.
    pub(super) fn list(&self) -> (Leases, Versions) {
        let holders = self.shards.iter();
        let holders = holders.filter_map(|(shard, (holder, _))| Some((*shard, holder.clone()?)));
        let leases = Leases {
            members: self.members.clone(),
            holders: holders.collect(),
        };
        (leases, self.shards.clone())
    }

    pub(super) fn joint(&self) -> (Option<Lease>, u64) {
        self.joint.clone()
    }

    /// Writes a shard that is as it was seen, where it was.
    pub(super) fn write_shard(
        &mut self,
        shard: Shard,
        holder: Option<Identity>,
        seen: u64,
    ) -> bool {
        let version = self.shards.get(&shard).map(|(_, version)| *version);
        let is_as_seen = version.unwrap_or_default() == seen;
        if is_as_seen {
            self.version += 1;
            self.shards.insert(shard, (holder, self.version));
        }
        is_as_seen
    }

    /// Writes a shard whatever it is.
    pub(super) fn write_over(&mut self, shard: Shard, holder: Option<Identity>) -> bool {
        self.version += 1;
        self.shards.insert(shard, (holder, self.version));
        true
    }

    pub(super) fn write_joint_lease(&mut self, lease: Lease, seen: u64) -> bool {
        let is_as_seen = self.joint.1 == seen;
        if is_as_seen {
            self.version += 1;
            self.joint = (Some(lease), self.version);
        }
        is_as_seen
    }
}

impl World {
    /// Asks the API server. None: no answer came in time, and nobody knows whether it was done.
    pub(super) async fn ask<T: 'static>(
        self: &Rc<Self>,
        life: &Life,
        what: impl FnOnce(&mut Api) -> T + 'static,
    ) -> Option<T> {
        let is_slow = life.link.get() == Link::Slow;
        let most = if is_slow { TIMEOUT } else { 150 };
        let (there, back) = (1 + self.random(most), 1 + self.random(most));
        let answer = match life.link.get() {
            Link::Cut => {
                self.sleep(TIMEOUT).await;
                None
            }
            Link::Fine | Link::Slow if there + back < TIMEOUT => {
                self.sleep(there).await;
                let answer = what(&mut self.api.borrow_mut());
                self.sleep(back).await;
                Some(answer)
            }
            Link::Fine | Link::Slow | Link::Deaf => {
                let (world, late) = (self.clone(), there + self.random(2 * TIMEOUT));
                self.clock.spawn(async move {
                    world.sleep(late).await;
                    what(&mut world.api.borrow_mut());
                });
                self.sleep(TIMEOUT).await;
                None
            }
        };
        self.go_on(life).await;
        answer
    }

    /// Writes a shard. None: nobody knows.
    pub(super) async fn write_shard(
        self: &Rc<Self>,
        life: &Life,
        shard: Shard,
        holder: Option<Identity>,
        seen: u64,
    ) -> Option<bool> {
        if self.is(Mutant::WritesOver) {
            let write = self.ask(life, move |api| api.write_over(shard, holder));
            return write.await;
        }
        let write = self.ask(life, move |api| api.write_shard(shard, holder, seen));
        write.await
    }
}
