// SPDX-License-Identifier: Apache-2.0

//! The way to the API server.

use std::rc::Rc;

use super::api::{Api, Link};
use super::{Life, Mutant, World};
use crate::runtime::lease::Identity;
use crate::runtime::lease::shards::Shard;

/// Milliseconds after which nobody waits for an answer any more.
const TIMEOUT: u64 = 5_000;

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
