// SPDX-License-Identifier: Apache-2.0

//! Who looks at hands only.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::rc::Rc;

use super::{Fate, Life, World};

impl World {
    /// Notes a shard that is in two hands. To be asked whenever something came into a hand, or a claim was extended.
    pub(super) fn judge(&self) {
        let mut hands = BTreeSet::new();
        let mut kinds = BTreeSet::new();
        // Also who is stopped: it may go on at any time.
        for life in self.all().filter(|life| self.is_current(life)) {
            let held = life.held.borrow();
            let is_twice = held.iter().any(|shard| !hands.insert(*shard));
            if !held.is_empty() {
                kinds.insert(life.division.count());
            }
            if is_twice || kinds.len() > 1 {
                let told = format!("in two hands {}", self.tell());
                self.fault.borrow_mut().get_or_insert(told);
            }
        }
    }

    /// Whether each shard is in the hand of somebody who works, and no two have numbers that differ by more than one.
    pub(super) fn is_even(&self) -> bool {
        let load = |life: &Rc<Life>| {
            if self.is_current(life) {
                life.held.borrow().len()
            } else {
                0
            }
        };
        let able = self.lives.iter().filter(|life| self.is_able(life));
        let loads: Vec<usize> = able.map(load).collect();
        let (least, most) = (loads.iter().min(), loads.iter().max());
        loads.iter().sum::<usize>() == self.unsharded.division.count()
            && least
                .zip(most)
                .is_some_and(|(least, most)| most - least <= 1)
    }

    /// Whether it can work now.
    fn is_able(&self, life: &Life) -> bool {
        life.fate.get() == Fate::Works && life.stopped.get() <= self.clock.now()
    }

    pub(super) fn tell(&self) -> String {
        let mut told = format!("at {:?}", self.clock.now());
        for life in self.all() {
            let (fate, held) = (life.fate.get(), life.held.borrow());
            let claim = self.is_current(life);
            let _ = write!(told, "; {fate:?}, claim {claim}, holds {held:?}");
        }
        told
    }
}
