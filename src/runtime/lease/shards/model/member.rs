// SPDX-License-Identifier: Apache-2.0

//! A process that shares the work.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::{Instant, sleep, sleep_until};

use super::{Fate, Life, World, judge};
use crate::runtime::lease::claim::Expiry;
use crate::runtime::lease::shards::{Beat, Duties, Fleet, Gate, Shard};
use crate::runtime::lease::{Identity, Settings, Timing};

/// Shards whose rounds are ending: a shard, and when the last one has.
type Ending = BTreeMap<Shard, Instant>;

/// One process, until it ends.
struct Incarnation {
    world: Rc<World>,
    life: Rc<Life>,
    me: Identity,
    timing: Timing,
    gate: RefCell<Gate>,
    expiry: RefCell<Option<Expiry>>,
    beats: Cell<u64>,
}

/// Starts a process again whenever it ends, as long as there is to be one.
pub(super) async fn supervise(world: Rc<World>, life: Rc<Life>) {
    loop {
        if life.fate.get() == Fate::Works {
            let number = world.incarnations.get() + 1;
            world.incarnations.set(number);
            let process = Incarnation::new(&world, &life, &format!("m{number}"));
            let left = tokio::select! {
                () = process.beat() => None,
                fleet = process.work() => Some(fleet),
                () = life.killed() => None,
            };
            if let Some(fleet) = left {
                process.leave(fleet).await;
            }
            life.held.borrow_mut().clear();
            *life.claim.borrow_mut() = None;
            if life.fate.get() == Fate::Leaves {
                life.fate.set(Fate::Gone);
            }
        }
        sleep(Duration::from_millis(500 + world.random(1_500))).await;
        life.go_on().await;
    }
}

impl Life {
    /// Waits for as long as it is stopped.
    pub(super) async fn go_on(&self) {
        while Instant::now() < self.stopped.get() {
            sleep_until(
                self.stopped
                    .get()
                    .min(Instant::now() + Duration::from_secs(1)),
            )
            .await;
        }
    }

    pub(super) async fn killed(&self) {
        while self.fate.get() != Fate::Gone {
            sleep(Duration::from_millis(100)).await;
        }
    }

    fn is_current(&self) -> bool {
        let claim = self.claim.borrow();
        claim
            .as_ref()
            .is_some_and(crate::runtime::lease::Claim::is_current)
    }
}

impl Incarnation {
    fn new(world: &Rc<World>, life: &Rc<Life>, name: &str) -> Self {
        let me = Identity::named(name);
        let settings = Settings {
            identity: me.clone(),
            ..Settings::new("system", "transship")
        };
        Self {
            world: world.clone(),
            life: life.clone(),
            me,
            timing: settings.timing,
            gate: RefCell::new(Gate::new(&settings)),
            expiry: RefCell::default(),
            beats: Cell::new(0),
        }
    }

    /// The time by the clock of this process.
    fn now(&self) -> Instant {
        self.world.began + self.world.began.elapsed().mul_f64(self.life.rate)
    }

    /// When it is as late as that by the clock of this process.
    fn really(&self, own: Instant) -> Instant {
        self.world.began + (own - self.world.began).div_f64(self.life.rate)
    }

    /// Renews the member's lease, and sees that the gate is held, until the claim is lost.
    async fn beat(&self) {
        let mut beaten = None;
        loop {
            let began = self.now();
            let (me, beats) = (self.me.clone(), self.beats.get() + 1);
            self.beats.set(beats);
            let beat = Beat {
                renewal: beats.to_string(),
                is_leaving: self.life.fate.get() == Fate::Leaves,
            };
            let written = self.world.ask(&self.life, move |api| {
                api.members.insert(me, beat);
            });
            if written.await.is_some() {
                beaten = Some(began);
            }
            self.hold_gate().await;
            let gate = self.gate.borrow().until();
            let until = beaten.map(|began| began + self.timing.renew_deadline());
            if let (Some(until), Some(gate)) = (until, gate)
                && !self.extend(self.really(until.min(gate)))
            {
                return;
            }
            sleep(self.timing.retry()).await;
            self.life.go_on().await;
        }
    }

    /// False: the claim is over.
    fn extend(&self, until: Instant) -> bool {
        let mut expiry = self.expiry.borrow_mut();
        if let Some(expiry) = expiry.as_ref() {
            return expiry.extend(until);
        }
        let (new, claim) = Expiry::new(until);
        *expiry = Some(new);
        *self.life.claim.borrow_mut() = Some(claim);
        true
    }

    async fn hold_gate(&self) {
        let began = self.now();
        let Some((lease, version)) = self.world.ask(&self.life, |api| api.gate()).await else {
            return;
        };
        self.gate.borrow_mut().see(lease, began, self.now());
        let began = self.now();
        let Some(next) = self.gate.borrow().next(began, self.time()) else {
            return;
        };
        let written = next.clone();
        let asked = self
            .world
            .ask(&self.life, move |api| api.write_gate(written, version));
        if asked.await.flatten().is_some() {
            self.gate.borrow_mut().renew(next, began, self.now());
        }
    }

    fn time(&self) -> Timestamp {
        let nanos = i128::try_from(self.now().duration_since(self.world.began).as_nanos());
        Timestamp::from_nanosecond(nanos.unwrap()).unwrap()
    }

    /// Does what there is to do about shards, until it has left.
    async fn work(&self) -> Fleet {
        let mut fleet = Fleet::new(self.me.clone(), self.timing);
        let mut ending = Ending::new();
        loop {
            let is_leaving = self.life.fate.get() == Fate::Leaves;
            let began = self.now();
            let mut wait = self.timing.retry();
            let members = self.world.ask(&self.life, |api| api.members.clone());
            if let Some(members) = members.await
                && let Some(leases) = self.world.ask(&self.life, |api| api.shards()).await
                && self.life.is_current()
            {
                let holders = leases.iter();
                let holders =
                    holders.filter_map(|(shard, (holder, _))| Some((*shard, holder.clone()?)));
                let holders: BTreeMap<_, _> = holders.collect();
                fleet.see(members, &holders, began, self.now());
                let held = self.life.held.borrow().clone();
                let duties = fleet.decide(&holders, &held, is_leaving);
                if let Some(again) = duties.again {
                    wait = wait.min(again.saturating_duration_since(self.now()));
                }
                let version = |shard| {
                    leases
                        .get(&shard)
                        .map(|(_, version)| *version)
                        .unwrap_or_default()
                };
                self.act(&duties, version, &mut ending).await;
                let is_mine = |holder: &Identity| *holder == self.me;
                if is_leaving && held.is_empty() && !holders.values().any(is_mine) {
                    return fleet;
                }
            }
            sleep(wait.max(Duration::from_millis(50))).await;
            self.life.go_on().await;
        }
    }

    async fn act(&self, duties: &Duties, version: impl Fn(Shard) -> u64, ending: &mut Ending) {
        let now = Instant::now();
        for shard in &duties.hand_over {
            let rounds = Duration::from_millis(self.world.random(8_000));
            ending.entry(*shard).or_insert(now + rounds);
        }
        let ended: Vec<Shard> = ending
            .iter()
            .filter(|(_, at)| **at <= now)
            .map(|(shard, _)| *shard)
            .collect();
        for shard in ended {
            // Whatever comes of it: it is not worked on any more.
            ending.remove(&shard);
            self.life.held.borrow_mut().remove(&shard);
            if duties.hand_over.contains(&shard) {
                self.write(shard, None, version(shard)).await;
            }
        }
        for shard in &duties.take {
            if self
                .write(*shard, Some(self.me.clone()), version(*shard))
                .await
                && self.life.is_current()
            {
                self.life.held.borrow_mut().insert(*shard);
                self.world.moves.set(self.world.moves.get() + 1);
                judge::note_hands(&self.world);
            }
        }
    }

    /// Whether it was written. Nothing is without a claim.
    async fn write(&self, shard: Shard, holder: Option<Identity>, version: u64) -> bool {
        if !self.life.is_current() {
            return false;
        }
        let write = self.world.ask(&self.life, move |api| {
            api.write_shard(shard, holder, version)
        });
        write.await.unwrap_or_default()
    }

    /// The last one gives the gate back, for a process without shards that waits for it.
    async fn leave(&self, mut fleet: Fleet) {
        let (world, life) = (&self.world, &self.life);
        let began = self.now();
        let Some((lease, version)) = world.ask(life, |api| api.gate()).await else {
            return;
        };
        let mut gate = Gate::new(&Settings::new("system", "transship"));
        gate.see(lease, began, self.now());
        let began = self.now();
        let Some(members) = world.ask(life, |api| api.members.clone()).await else {
            return;
        };
        let Some(leases) = world.ask(life, |api| api.shards()).await else {
            return;
        };
        let holders = leases.into_iter();
        let holders = holders.filter_map(|(shard, (holder, _))| Some((shard, holder?)));
        let holders = holders.collect();
        fleet.see(members, &holders, began, self.now());
        if fleet.is_alone(&holders)
            && let Some(released) = gate.released(self.time())
        {
            world
                .ask(life, move |api| api.write_gate(released, version))
                .await;
        }
        let me = self.me.clone();
        world.ask(life, move |api| api.members.remove(&me)).await;
    }
}
