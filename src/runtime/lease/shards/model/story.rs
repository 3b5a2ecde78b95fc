// SPDX-License-Identifier: Apache-2.0

//! What happens in a history: trouble, a calm, and one change.

use std::rc::Rc;
use std::time::Duration;

use super::api::Link;
use super::{Fate, Life, Mutant, World, member, unsharded};

/// How long it takes at most until the shards of a member that is no more are held by others.
const TAKEN_OVER: Duration = Duration::from_secs(20);
/// How long it takes at most until a member that comes or leaves in good order has, or has given, what it should.
const SHARED_OUT: Duration = Duration::from_secs(30);
/// Long enough for everything to settle, also after a process without shards has led.
const CALM: Duration = Duration::from_secs(60);
/// Long enough to see that nothing moves on.
const AFTERWARDS: Duration = Duration::from_secs(15);

/// What happens to members that were calm.
struct Change {
    what: &'static str,
    /// What must come of it in time.
    within: Duration,
    /// With so many moves.
    fewest: usize,
}

/// Plays a history. Some where the judge blames somebody.
pub(super) fn blame(seed: u64, mutant: Option<Mutant>) -> Option<String> {
    let world = World::new(seed, mutant);
    for life in world.lives.iter().chain([&world.foreign]) {
        let living = member::supervise(world.clone(), life.clone());
        world.clock.spawn(living);
    }
    let living = unsharded::supervise(world.clone(), world.unsharded.clone());
    world.clock.spawn(living);
    let told = tell(&world).err();
    world.clock.end();
    told.map(|blame| format!("history {seed}: {blame}"))
}

fn tell(world: &Rc<World>) -> Result<(), String> {
    let chaos = Duration::from_secs(10 + world.random(50));
    while world.clock.now() < chaos {
        world.disturb();
        world.pass(Duration::from_millis(world.random(6_000)))?;
    }
    world.calm();
    world.pass(CALM)?;
    if !world.is_even() {
        return Err(format!("uneven after a calm {}", world.tell()));
    }
    if world.is_wild {
        return Ok(());
    }
    let before = world.moves.get();
    let Change {
        what,
        within,
        fewest,
    } = world.change();
    let until = world.clock.now() + within;
    if !world
        .clock
        .run(until, || world.has_fault() || world.is_even())
    {
        return Err(format!("{what}: not in time {}", world.tell()));
    }
    world.pass(AFTERWARDS)?;
    if !world.is_even() {
        return Err(format!("{what}: uneven afterwards {}", world.tell()));
    }
    let moved = world.moves.get() - before;
    if moved != fewest {
        let told = world.tell();
        return Err(format!("{what}: {moved} moves instead of {fewest} {told}"));
    }
    Ok(())
}

impl World {
    fn has_fault(&self) -> bool {
        self.fault.borrow().is_some()
    }

    fn pass(&self, time: Duration) -> Result<(), String> {
        let until = self.clock.now() + time;
        self.clock.run(until, || self.has_fault());
        self.fault.borrow().clone().map_or(Ok(()), Err)
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
        let any = match self.random(12) {
            0 | 1 => &self.unsharded,
            2 => &self.foreign,
            _ => any,
        };
        match self.random(8) {
            0 => any.fate.set(Fate::Gone),
            1 if any.fate.get() == Fate::Works => any.fate.set(Fate::Leaves),
            1..=3 => any.fate.set(Fate::Works),
            4 => {
                let long = Duration::from_secs(1 + self.random(40));
                any.stopped.set(self.clock.now() + long);
            }
            5 => any.link.set(Link::Cut),
            6 if self.random(2) == 0 => any.link.set(Link::Deaf),
            6 => any.link.set(Link::Slow),
            _ => any.link.set(Link::Fine),
        }
        self.clock.wake_all();
    }

    /// Some members, and nothing that keeps them from their work.
    fn calm(&self) {
        for life in self.all() {
            life.link.set(Link::Fine);
            life.stopped.set(Duration::ZERO);
            life.fate.set(Fate::Gone);
        }
        let count = usize::try_from(2 + self.random(3)).unwrap();
        for life in self.lives.iter().take(count) {
            life.fate.set(Fate::Works);
        }
        self.clock.wake_all();
    }

    fn change(&self) -> Change {
        let working = self.lives.iter();
        let working = working.filter(|life| life.fate.get() == Fate::Works);
        let (count, shards) = (working.count(), self.unsharded.division.count());
        let one = self.pick(Fate::Works).expect("some work");
        let fewest = one.held.borrow().len();
        let (what, within, fewest) = match self.random(5) {
            0 => {
                self.foreign.fate.set(Fate::Works);
                ("one of another kind waits", AFTERWARDS, 0)
            }
            1 => {
                one.fate.set(Fate::Gone);
                ("one is killed", TAKEN_OVER, fewest)
            }
            2 => {
                one.fate.set(Fate::Leaves);
                ("one leaves", SHARED_OUT, fewest)
            }
            3 => {
                one.stopped.set(self.clock.now() + CALM);
                ("one is stopped", TAKEN_OVER, fewest)
            }
            _ => {
                let newcomer = self.pick(Fate::Gone).expect("one is spare");
                newcomer.fate.set(Fate::Works);
                ("one comes", SHARED_OUT, shards / (count + 1))
            }
        };
        self.clock.wake_all();
        Change {
            what,
            within,
            fewest,
        }
    }
}
