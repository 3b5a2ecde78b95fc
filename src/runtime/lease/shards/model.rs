// SPDX-License-Identifier: Apache-2.0

//! Histories of members that are killed, stopped, cut off, added and taken away, on clocks that go differently, and
//! of a process that knows nothing of shards, and one of another number of them. The code that decides is the real
//! one; a judge looks at what processes hold and whether their claims are current, and knows nothing of why.
//!
//! - No shard is in two hands, ever, and nobody holds any while one of another kind does.
//! - Some time after the last trouble each shard is in one, and no two members differ by more than one.
//! - The shards of a member that dies or hangs are with others within 20 seconds; one that comes has its part, and one
//!   that leaves has given its, within 30. No shard moves that need not, and none moves on; one of another kind that waits
//!   changes nothing.
//!
//! What makes a claim safe to count on is put out of order, one thing at a time, and the judge must find it.

mod api;
mod clock;
mod judge;
mod member;
mod mutants;
mod requests;
mod story;
mod unsharded;

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::num::{NonZero, NonZeroU8};
use std::ops::Range;
use std::rc::Rc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::thread;
use std::time::Duration;

use tokio::time::Instant;

use self::api::{Api, Link};
use self::clock::Clock;
use self::mutants::{MUTANTS, Mutant};
use super::shard::{Division, Shard};
use crate::runtime::lease::claim::Term;

/// Histories that are played.
const HISTORIES: u64 = 10_000;
/// Histories within which whatever is put out of order is found.
const FOUND_WITHIN: u64 = 4_000;

/// What happens in a history.
struct World {
    api: RefCell<Api>,
    clock: Rc<Clock>,
    began: Instant,
    lives: Vec<Rc<Life>>,
    /// A process without shards.
    unsharded: Rc<Life>,
    /// A member of those that have another number of shards.
    foreign: Rc<Life>,
    /// Whether clocks go so wrong that nothing can be promised of times.
    is_wild: bool,
    mutant: Option<Mutant>,
    /// How often a shard came into a hand.
    moves: Cell<usize>,
    /// What the judge found.
    fault: RefCell<Option<String>>,
    incarnations: Cell<u32>,
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
    stopped: Cell<Duration>,
    /// How fast its clock goes.
    rate: f64,
    division: Division,
    term: Cell<Option<Term>>,
    held: RefCell<BTreeSet<Shard>>,
}

impl World {
    fn new(seed: u64, mutant: Option<Mutant>) -> Rc<Self> {
        let mut rng = fastrand::Rng::with_seed(seed);
        let is_wild = rng.u8(..4) == 0;
        let off = if is_wild { 0.12 } else { 0.04 };
        let shards = rng.u8(1..8);
        let mut life = |shards| {
            Rc::new(Life {
                division: Division::of(NonZeroU8::new(shards).unwrap()),
                fate: Cell::new(Fate::Gone),
                link: Cell::new(Link::Fine),
                stopped: Cell::default(),
                rate: 1.0 + off * (2.0 * rng.f64() - 1.0),
                term: Cell::default(),
                held: RefCell::default(),
            })
        };
        let (unsharded, foreign) = (life(shards), life(shards + 1));
        let lives = (0..5).map(|_| life(shards)).collect();
        Rc::new(Self {
            api: RefCell::default(),
            clock: Rc::default(),
            began: Instant::now(),
            lives,
            unsharded,
            foreign,
            is_wild,
            mutant,
            moves: Cell::new(0),
            fault: RefCell::default(),
            incarnations: Cell::new(0),
            rng: RefCell::new(rng),
        })
    }

    fn random(&self, below: u64) -> u64 {
        self.rng.borrow_mut().u64(..below)
    }

    fn is(&self, mutant: Mutant) -> bool {
        self.mutant == Some(mutant)
    }

    /// All processes.
    fn all(&self) -> impl Iterator<Item = &Rc<Life>> {
        self.lives.iter().chain([&self.unsharded, &self.foreign])
    }

    /// Waits, for so many milliseconds.
    async fn sleep(&self, millis: u64) {
        let at = self.clock.now() + Duration::from_millis(millis);
        self.clock.sleep_until(at).await;
    }

    /// The time by the clock of a process.
    fn now(&self, life: &Life) -> Instant {
        self.began + self.clock.now().mul_f64(life.rate)
    }

    fn is_current(&self, life: &Life) -> bool {
        let term = life.term.get();
        term.is_some_and(|term| term.is_current(self.now(life)))
    }

    /// Waits for as long as a process is stopped.
    async fn go_on(&self, life: &Life) {
        while self.clock.now() < life.stopped.get() {
            self.sleep(1_000).await;
        }
    }
}

/// Plays histories on all processors, until the judge blames somebody.
fn play(seeds: &Range<u64>, mutant: Option<Mutant>) -> Option<String> {
    let threads = thread::available_parallelism().map_or(2, NonZero::get);
    let (next, blame) = (AtomicU64::new(seeds.start), Mutex::new(None));
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while blame.lock().unwrap().is_none() {
                    let seed = next.fetch_add(1, Relaxed);
                    if seed >= seeds.end {
                        return;
                    }
                    if let Some(found) = story::blame(seed, mutant) {
                        blame.lock().unwrap().get_or_insert(found);
                    }
                }
            });
        }
    });
    blame.into_inner().unwrap()
}

#[test]
fn no_shard_is_in_two_hands_and_each_is_in_one_in_time() {
    assert_eq!(play(&(0..HISTORIES), None), None);
}

#[test]
fn whatever_is_put_out_of_order_is_found() {
    let seeds = HISTORIES..HISTORIES + FOUND_WITHIN;
    let missed = MUTANTS.into_iter().filter(|(mutant, what)| {
        let found = play(&seeds, Some(*mutant));
        eprintln!("{what}: {found:.70?}");
        found.is_none()
    });
    let missed: Vec<_> = missed.collect();
    assert_eq!(missed, []);
}
