// SPDX-License-Identifier: Apache-2.0

//! Who looks at hands only.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::rc::Rc;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::{Fate, Life, World};
use crate::runtime::lease::Claim;
use crate::runtime::lease::shards::Shard;

/// Looks at all times.
pub(super) async fn watch(world: Rc<World>, seed: u64) {
    loop {
        note_hands(&world);
        let fault = world.fault.borrow().clone();
        assert_eq!(fault, None, "{seed}: a shard is in two hands");
        sleep(Duration::from_millis(250)).await;
    }
}

/// Notes a shard that is in two hands.
pub(super) fn note_hands(world: &World) {
    if let Some(shard) = in_two_hands(world) {
        let told = format!("{shard:?} {}", tell(world));
        world.fault.borrow_mut().get_or_insert(told);
    }
}

fn in_two_hands(world: &World) -> Option<Shard> {
    let mut hands = BTreeMap::<Shard, u32>::new();
    for life in world.lives.iter().chain([&world.unsharded]) {
        let claim = life.claim.borrow();
        // Also who is stopped: it may go on at any time.
        if claim.as_ref().is_some_and(Claim::is_current) {
            for shard in life.held.borrow().iter() {
                *hands.entry(*shard).or_default() += 1;
            }
        }
    }
    hands
        .into_iter()
        .find(|(_, hands)| *hands > 1)
        .map(|(shard, _)| shard)
}

/// Those that can work now.
fn is_able(life: &&Rc<Life>) -> bool {
    life.fate.get() == Fate::Works && life.stopped.get() <= Instant::now()
}

/// Whether each shard is in the hand of somebody who works, and no two have numbers that differ by more than one.
fn is_even(world: &World) -> bool {
    let able = world.lives.iter().filter(is_able);
    let loads = able.map(|life| {
        let claim = life.claim.borrow();
        let is_current = claim.as_ref().is_some_and(Claim::is_current);
        if is_current {
            life.held.borrow().len()
        } else {
            0
        }
    });
    let loads: Vec<usize> = loads.collect();
    let (least, most) = (loads.iter().min(), loads.iter().max());
    loads.iter().sum::<usize>() == Shard::all().count()
        && least
            .zip(most)
            .is_some_and(|(least, most)| most - least <= 1)
}

pub(super) fn check_even(world: &World, seed: u64, when: &str) {
    assert!(is_even(world), "{seed}: {when}: {}", tell(world));
}

pub(super) async fn until_even(world: &World) {
    while !is_even(world) {
        sleep(Duration::from_millis(100)).await;
    }
}

pub(super) fn tell(world: &World) -> String {
    let mut told = format!("at {:?}", world.began.elapsed());
    for life in world.lives.iter().chain([&world.unsharded]) {
        let claim = life.claim.borrow();
        let is_current = claim.as_ref().is_some_and(Claim::is_current);
        let (fate, held) = (life.fate.get(), life.held.borrow());
        let _ = write!(told, "; {fate:?}, claim {is_current}, holds {held:?}");
    }
    told
}
