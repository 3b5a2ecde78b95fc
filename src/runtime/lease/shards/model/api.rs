// SPDX-License-Identifier: Apache-2.0

//! What the API server has, and what becomes of requests to it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::Lease;

use crate::runtime::lease::Identity;
use crate::runtime::lease::shards::{Leases, Shard};

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
