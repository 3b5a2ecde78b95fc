// SPDX-License-Identifier: Apache-2.0

//! What the API server has, and the way to it.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use k8s_openapi::api::coordination::v1::Lease;
use tokio::task::spawn_local;
use tokio::time::sleep;

use super::{Life, World};
use crate::runtime::lease::Identity;
use crate::runtime::lease::shards::{Beat, Shard};

const TIMEOUT: Duration = Duration::from_secs(5);

#[derive(Default)]
pub(super) struct Api {
    pub(super) members: BTreeMap<Identity, Beat>,
    shards: BTreeMap<Shard, (Option<Identity>, u64)>,
    gate: (Option<Lease>, u64),
    version: u64,
}

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
    pub(super) fn shards(&self) -> BTreeMap<Shard, (Option<Identity>, u64)> {
        self.shards.clone()
    }

    pub(super) fn gate(&self) -> (Option<Lease>, u64) {
        self.gate.clone()
    }

    /// Writes a shard that is as it was seen, where it was.
    pub(super) fn write_shard(
        &mut self,
        shard: Shard,
        holder: Option<Identity>,
        seen: u64,
    ) -> bool {
        let (_, version) = self.shards.get(&shard).cloned().unwrap_or_default();
        let is_as_seen = version == seen;
        if is_as_seen {
            self.version += 1;
            self.shards.insert(shard, (holder, self.version));
        }
        is_as_seen
    }

    pub(super) fn write_gate(&mut self, lease: Lease, seen: u64) -> Option<u64> {
        (self.gate.1 == seen).then(|| {
            self.version += 1;
            self.gate = (Some(lease), self.version);
            self.version
        })
    }
}

impl World {
    /// Asks the API server. None: no answer came in time, and nobody knows whether it was done.
    pub(super) async fn ask<T: 'static>(
        self: &Rc<Self>,
        life: &Life,
        what: impl FnOnce(&mut Api) -> T + 'static,
    ) -> Option<T> {
        let most = if life.link.get() == Link::Slow {
            5_000
        } else {
            150
        };
        let millis = |_| Duration::from_millis(1 + self.random(most));
        let (there, back) = (millis(()), millis(()));
        let answer = match life.link.get() {
            Link::Cut => {
                sleep(TIMEOUT).await;
                None
            }
            Link::Fine | Link::Slow if there + back < TIMEOUT => {
                sleep(there).await;
                let answer = what(&mut self.api.borrow_mut());
                sleep(back).await;
                Some(answer)
            }
            Link::Fine | Link::Slow | Link::Deaf => {
                let world = self.clone();
                let late = there * 2;
                spawn_local(async move {
                    sleep(late).await;
                    what(&mut world.api.borrow_mut());
                });
                sleep(TIMEOUT).await;
                None
            }
        };
        life.go_on().await;
        answer
    }
}
