// SPDX-License-Identifier: Apache-2.0

//! Histories of members that are killed, stopped, cut off, added and taken away, on clocks that go differently, and of a
//! process that knows nothing of shards. The code that decides is the real one; a judge looks at what processes hold and
//! whether their claims are current, and knows nothing of why.

mod api;
mod judge;
mod member;
mod unsharded;

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::rc::Rc;
use std::time::Duration;

use tokio::runtime::Builder;
use tokio::task::{LocalSet, spawn_local};
use tokio::time::{Instant, sleep, timeout};

use self::api::{Api, Link};
use super::shard::Shard;
use crate::runtime::lease::Claim;

/// Histories of each test; together more than 10,000.
const HISTORIES: u64 = 2_600;
/// How long it takes at most until the shards of a member that is no more are held by others.
const TAKEN_OVER: Duration = Duration::from_secs(20);
/// How long it takes at most until a member that comes or leaves in good order has, or has given, what it should.
const SHARED_OUT: Duration = Duration::from_secs(30);
/// Long enough for everything to settle, also after a process without shards has led.
const CALM: Duration = Duration::from_secs(60);

/// What happens in a history.
struct World {
    api: RefCell<Api>,
    began: Instant,
    lives: Vec<Rc<Life>>,
    /// The process without shards.
    unsharded: Rc<Life>,
    /// How often a shard came into a hand.
    moves: Cell<usize>,
    /// What the judge found.
    fault: RefCell<Option<String>>,
    incarnations: Cell<usize>,
    rng: RefCell<fastrand::Rng>,
}

/// What becomes of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Works,
    Leaves,
    Gone,
}

/// A process, from outside.
struct Life {
    fate: Cell<Fate>,
    link: Cell<Link>,
    /// Until when it is stopped.
    stopped: Cell<Instant>,
    /// How fast its clock goes.
    rate: f64,
    claim: RefCell<Option<Claim>>,
    held: RefCell<BTreeSet<Shard>>,
}

impl World {
    fn new(seed: u64) -> Rc<Self> {
        let mut rng = fastrand::Rng::with_seed(seed);
        let began = Instant::now();
        let mut life = |fate| {
            Rc::new(Life {
                fate: Cell::new(fate),
                link: Cell::new(Link::Fine),
                stopped: Cell::new(began),
                rate: 0.92 + 0.2 * rng.f64(),
                claim: RefCell::default(),
                held: RefCell::default(),
            })
        };
        let unsharded = life(Fate::Gone);
        let lives = (0..5).map(|_| life(Fate::Gone)).collect();
        Rc::new(Self {
            api: RefCell::default(),
            began,
            lives,
            unsharded,
            moves: Cell::new(0),
            fault: RefCell::default(),
            incarnations: Cell::new(0),
            rng: RefCell::new(rng),
        })
    }

    fn random(&self, below: u64) -> u64 {
        self.rng.borrow_mut().u64(..below)
    }

    fn working(&self) -> Vec<&Rc<Life>> {
        let lives = self.lives.iter();
        lives
            .filter(|life| life.fate.get() == Fate::Works)
            .collect()
    }

    fn pick(&self, fate: Fate) -> Option<&Rc<Life>> {
        let lives = self.lives.iter();
        let mut lives: Vec<_> = lives.filter(|life| life.fate.get() == fate).collect();
        let index = usize::try_from(self.random(lives.len().max(1) as u64)).unwrap();
        (index < lives.len()).then(|| lives.swap_remove(index))
    }

    /// Something goes wrong, or is put right.
    fn disturb(&self) {
        let any = &self.lives[usize::try_from(self.random(5)).unwrap()];
        let any = if self.random(6) == 0 {
            &self.unsharded
        } else {
            any
        };
        match self.random(8) {
            0 => any.fate.set(Fate::Gone),
            1 if any.fate.get() == Fate::Works => any.fate.set(Fate::Leaves),
            1..=3 => any.fate.set(Fate::Works),
            4 => any
                .stopped
                .set(Instant::now() + Duration::from_secs(1 + self.random(40))),
            5 => any.link.set(Link::Cut),
            6 => any.link.set(if self.random(2) == 0 {
                Link::Deaf
            } else {
                Link::Slow
            }),
            _ => any.link.set(Link::Fine),
        }
    }

    /// Some members, and nothing that keeps them from their work.
    fn calm(&self) {
        for life in self.lives.iter().chain([&self.unsharded]) {
            life.link.set(Link::Fine);
            life.stopped.set(self.began);
        }
        self.unsharded.fate.set(Fate::Gone);
        let count = usize::try_from(2 + self.random(3)).unwrap();
        for (index, life) in self.lives.iter().enumerate() {
            life.fate.set(if index < count {
                Fate::Works
            } else {
                Fate::Gone
            });
        }
    }
}

/// What happens to members that were calm, and what must come of it, in time and with the fewest moves.
async fn change(world: &World) -> (&'static str, Duration, usize) {
    let count = world.working().len();
    let (what, within, fate) = match world.random(4) {
        0 => ("one is killed", TAKEN_OVER, Fate::Gone),
        1 => ("one leaves", SHARED_OUT, Fate::Leaves),
        2 => ("one is stopped", TAKEN_OVER, Fate::Works),
        _ => {
            let newcomer = world.pick(Fate::Gone).expect("one is spare");
            newcomer.fate.set(Fate::Works);
            return ("one comes", SHARED_OUT, Shard::all().count() / (count + 1));
        }
    };
    let one = world.pick(Fate::Works).expect("some work");
    let lost = one.held.borrow().len();
    if fate == Fate::Works {
        one.stopped.set(Instant::now() + CALM);
    } else {
        one.fate.set(fate);
    }
    // What it held is not counted as held by anybody from now on, but its claim is still judged.
    sleep(Duration::from_millis(1)).await;
    (what, within, lost)
}

async fn live(seed: u64) {
    let world = World::new(seed);
    for life in &world.lives {
        spawn_local(member::supervise(world.clone(), life.clone()));
    }
    spawn_local(unsharded::supervise(world.clone(), world.unsharded.clone()));
    tokio::select! {
        () = judge::watch(world.clone(), seed) => {}
        () = tell_story(&world, seed) => {}
    }
}

/// Trouble, a calm, and one change.
async fn tell_story(world: &World, seed: u64) {
    let chaos = Instant::now() + Duration::from_secs(20 + world.random(60));
    while Instant::now() < chaos {
        world.disturb();
        sleep(Duration::from_millis(world.random(6_000))).await;
    }
    world.calm();
    sleep(CALM).await;
    judge::check_even(world, seed, "after a calm");
    let moves = world.moves.get();
    let (what, within, fewest) = change(world).await;
    let even = timeout(within, judge::until_even(world)).await;
    assert!(even.is_ok(), "{seed}: {what}: {}", judge::tell(world));
    assert_eq!(world.moves.get() - moves, fewest, "{seed}: {what}: moves");
    sleep(Duration::from_secs(10)).await;
    assert_eq!(
        world.moves.get() - moves,
        fewest,
        "{seed}: {what}: nothing moves on"
    );
}

fn check(first: u64) {
    for seed in first..first + HISTORIES {
        let runtime = Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        let tasks = LocalSet::new();
        runtime.block_on(tasks.run_until(live(seed)));
    }
}

#[test]
fn no_shard_is_in_two_hands_first() {
    check(0);
}

#[test]
fn no_shard_is_in_two_hands_second() {
    check(1_000_000);
}

#[test]
fn no_shard_is_in_two_hands_third() {
    check(2_000_000);
}

#[test]
fn no_shard_is_in_two_hands_fourth() {
    check(3_000_000);
}
