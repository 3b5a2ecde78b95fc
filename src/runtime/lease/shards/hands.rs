// SPDX-License-Identifier: Apache-2.0

//! What a member holds, between who renews leases and who works.
//!
//! ```text
//!         take            open                close             drop, once nothing of it runs
//! (none) ──────> Taken ──────────> Open ──────────────> Closing ────────────────────────────────> (none)
//!                  └───────────────────────────────────────^
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, watch};

use super::fleet::Roster;
use super::shard::{Division, Shard};

/// The shards that this process holds.
#[derive(Debug)]
pub struct Hands {
    division: Division,
    stages: watch::Sender<ShardStages>,
    /// How much of each shard is under way.
    passes: Mutex<BTreeMap<Shard, usize>>,
    /// Nothing of a shard is under way any more.
    idle: Notify,
    /// How many members there are.
    members: watch::Sender<usize>,
    roster: Mutex<Roster>,
}

/// How far the shards are that are held.
pub type ShardStages = BTreeMap<Shard, ShardStage>;

/// How far a shard is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ShardStage {
    /// It was taken, and what is on record of it has not been read yet.
    Taken,
    /// It is worked on.
    Open,
    /// What runs of it comes to its end, and nothing new begins.
    Closing,
}

/// Something of a shard that is under way. The shard stays held until it is dropped.
#[derive(Debug)]
pub struct Pass {
    hands: Arc<Hands>,
    shard: Shard,
}

// === impl Hands ===

impl Hands {
    /// Nothing is held yet.
    pub fn empty(division: Division) -> Self {
        Self {
            division,
            stages: watch::channel(ShardStages::new()).0,
            passes: Mutex::default(),
            idle: Notify::new(),
            members: watch::channel(1).0,
            roster: Mutex::default(),
        }
    }

    /// How the work is divided.
    pub fn division(&self) -> Division {
        self.division
    }

    /// The shards that are held, and how far each is, whenever that changes.
    pub fn follow(&self) -> watch::Receiver<ShardStages> {
        self.stages.subscribe()
    }

    /// How many members there are, whenever that changes.
    pub fn follow_members(&self) -> watch::Receiver<usize> {
        self.members.subscribe()
    }

    /// Who shares the work, and who holds what, as it was seen last.
    pub fn roster(&self) -> Roster {
        let roster = self.roster.lock().unwrap_or_else(PoisonError::into_inner);
        roster.clone()
    }

    /// Whether what is on record of a shard is known here.
    pub fn is_known(&self, shard: Shard) -> bool {
        let stage = self.stages.borrow().get(&shard).copied();
        matches!(stage, Some(ShardStage::Open | ShardStage::Closing))
    }

    /// Whether a shard is worked on here.
    pub fn is_open(&self, shard: Shard) -> bool {
        self.stages.borrow().get(&shard) == Some(&ShardStage::Open)
    }

    /// Whether a shard is held here, however far it is.
    pub fn is_held(&self, shard: Shard) -> bool {
        self.stages.borrow().contains_key(&shard)
    }

    /// Begins something of a shard that is worked on here.
    pub fn enter(self: &Arc<Self>, shard: Shard) -> Option<Pass> {
        self.enter_at(shard, ShardStage::Open)
    }

    /// Begins to read what is on record of a shard that was taken.
    pub fn prepare(self: &Arc<Self>, shard: Shard) -> Option<Pass> {
        self.enter_at(shard, ShardStage::Taken)
    }

    fn enter_at(self: &Arc<Self>, shard: Shard, stage: ShardStage) -> Option<Pass> {
        // Counted first: who closes a shard looks at the count after that.
        *self.lock().entry(shard).or_default() += 1;
        let pass = Pass {
            hands: Arc::clone(self),
            shard,
        };
        (self.stages.borrow().get(&shard) == Some(&stage)).then_some(pass)
    }

    /// Lets a shard be worked on that was taken and is prepared. False: it is to be handed over already.
    pub fn open(&self, pass: &Pass) -> bool {
        self.advance(pass.shard, ShardStage::Taken, ShardStage::Open)
    }

    /// Its lease has this process as its holder.
    pub fn take(&self, shard: Shard) {
        self.stages.send_modify(|stages| {
            stages.insert(shard, ShardStage::Taken);
        });
    }

    /// Nothing more of it begins.
    pub fn close(&self, shard: Shard) {
        let _ = self.advance(shard, ShardStage::Open, ShardStage::Closing)
            || self.advance(shard, ShardStage::Taken, ShardStage::Closing);
    }

    /// It is held no more.
    pub fn let_go(&self, shard: Shard) {
        self.stages.send_modify(|stages| {
            stages.remove(&shard);
        });
    }

    /// Whether nothing of it is under way.
    pub fn is_idle(&self, shard: Shard) -> bool {
        !self.lock().contains_key(&shard)
    }

    /// Waits until something is idle that was not.
    pub(super) async fn idled(&self) {
        self.idle.notified().await;
    }

    /// All that are held.
    pub fn held(&self) -> BTreeSet<Shard> {
        self.stages.borrow().keys().copied().collect()
    }

    /// Takes note of who shares the work.
    pub(super) fn know(&self, roster: Roster) {
        // Who leaves as the last one is one still.
        let count = roster.members.len().max(1);
        *self.roster.lock().unwrap_or_else(PoisonError::into_inner) = roster;
        self.members.send_if_modified(|known| {
            let is_news = *known != count;
            *known = count;
            is_news
        });
    }

    fn advance(&self, shard: Shard, from: ShardStage, to: ShardStage) -> bool {
        self.stages
            .send_if_modified(|stages| match stages.get_mut(&shard) {
                Some(stage) if *stage == from => {
                    *stage = to;
                    true
                }
                Some(_) | None => false,
            })
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Shard, usize>> {
        self.passes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Pass ===

impl Drop for Pass {
    fn drop(&mut self) {
        let mut passes = self.hands.lock();
        if let Some(count) = passes.get_mut(&self.shard) {
            *count -= 1;
            if *count == 0 {
                passes.remove(&self.shard);
                self.hands.idle.notify_one();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU8;

    use super::*;

    #[test]
    fn a_shard_is_idle_once_nothing_of_it_runs() {
        let division = Division::of(NonZeroU8::MIN);
        let hands = Arc::new(Hands::empty(division));
        let shard = division.shards().next().unwrap();
        assert!(hands.enter(shard).is_none(), "it is not held");
        hands.take(shard);
        assert!(hands.enter(shard).is_none(), "nothing of it is known yet");
        let reading = hands.prepare(shard).unwrap();
        assert!(hands.open(&reading));
        drop(reading);
        let round = hands.enter(shard).unwrap();
        hands.close(shard);
        assert!(hands.enter(shard).is_none(), "nothing more of it begins");
        assert!(!hands.is_idle(shard));
        drop(round);
        assert!(hands.is_idle(shard));
        hands.let_go(shard);
        assert_eq!(hands.held(), BTreeSet::new());
    }

    #[test]
    fn what_is_closed_while_it_is_prepared_is_not_opened() {
        let division = Division::of(NonZeroU8::MIN);
        let hands = Arc::new(Hands::empty(division));
        let shard = division.shards().next().unwrap();
        hands.take(shard);
        let reading = hands.prepare(shard).unwrap();
        hands.close(shard);
        assert!(!hands.open(&reading));
        assert!(
            !hands.is_idle(shard),
            "who takes it next waits for the reading"
        );
    }
}
