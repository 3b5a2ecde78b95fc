// SPDX-License-Identifier: Apache-2.0

//! A process that shares the work.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::future::poll_fn;
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use futures::future::{Either, join_all, select};
use jiff::Timestamp;
use tokio::time::Instant;

use super::api::Versions;
use super::{Fate, Life, Mutant, World};
use crate::runtime::lease::claim::Term;
use crate::runtime::lease::shards::{Duties, Fleet, JointLease, Leases, Shard};
use crate::runtime::lease::{Identity, Settings, Timing};

/// Shards whose rounds are ending: a shard, and when the last one has.
type Ending = BTreeMap<Shard, Duration>;

/// One process, until it ends.
struct Incarnation {
    world: Rc<World>,
    life: Rc<Life>,
    me: Identity,
    timing: Timing,
    joint: RefCell<JointLease>,
}

/// Starts a process again whenever it ends, as long as there is to be one.
pub(super) async fn supervise(world: Rc<World>, life: Rc<Life>) {
    loop {
        if life.fate.get() == Fate::Works {
            let number = world.incarnations.get() + 1;
            world.incarnations.set(number);
            let process = Incarnation::new(&world, &life, &format!("m{number}"));
            let has_left = process.live().await;
            life.held.borrow_mut().clear();
            life.term.set(None);
            if has_left {
                let me = process.me.clone();
                world.ask(&life, move |api| api.members.remove(&me)).await;
            }
            if life.fate.get() == Fate::Leaves {
                life.fate.set(Fate::Gone);
            }
        }
        world.sleep(500 + world.random(1_500)).await;
        world.go_on(&life).await;
    }
}

impl Life {
    /// Waits until it is to be no more, whether it is stopped or not.
    pub(super) async fn killed(&self) {
        poll_fn(|_| match self.fate.get() {
            Fate::Gone => Poll::Ready(()),
            Fate::Works | Fate::Leaves => Poll::Pending,
        })
        .await;
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
            joint: RefCell::new(JointLease::new(&settings, life.division)),
        }
    }

    /// Whether it has left in good order.
    async fn live(&self) -> bool {
        let (work, beat) = (pin!(self.work()), pin!(self.beat()));
        let killed = pin!(self.life.killed());
        let ended = select(killed, select(work, beat)).await;
        matches!(ended, Either::Right((Either::Left(_), _)))
    }

    fn now(&self) -> Instant {
        self.world.now(&self.life)
    }

    /// Waits for so long by the clock of this process, and for as long as it is stopped.
    async fn sleep(&self, time: Duration) {
        let at = self.world.clock.now() + time.div_f64(self.life.rate);
        self.world.clock.sleep_until(at).await;
        self.world.go_on(&self.life).await;
    }

    /// Sees that the joint lease is held, and then renews the member's lease, until the claim is lost.
    async fn beat(&self) {
        let mut beaten = None;
        loop {
            self.hold_joint_lease().await;
            let joint = self.joint.borrow().until();
            let is_ignored = self.world.is(Mutant::IgnoresTheJointLease);
            if joint.is_some() || is_ignored || self.world.is(Mutant::BeatsTooSoon) {
                beaten = self.write_beat().await.or(beaten);
            }
            let until = beaten.map(|beaten: Instant| beaten + self.timing.renew_deadline());
            let joint = joint.or(until.filter(|_| is_ignored));
            if let (Some(until), Some(joint)) = (until, joint) {
                let until = if is_ignored { until } else { until.min(joint) };
                if !self.extend(until) {
                    return;
                }
            }
            self.sleep(self.timing.retry()).await;
        }
    }

    /// When the beat began, where it was written.
    async fn write_beat(&self) -> Option<Instant> {
        let began = self.now();
        let (me, time) = (self.me.clone(), self.time());
        let written = self.world.ask(&self.life, move |api| {
            api.members.insert(me, time);
        });
        written.await?;
        Some(self.counted(began))
    }

    /// From when on a claim counts.
    fn counted(&self, began: Instant) -> Instant {
        if self.world.is(Mutant::LastsTooLong) {
            self.now() + self.timing.duration() - self.timing.renew_deadline()
        } else {
            began
        }
    }

    /// False: the claim is over.
    fn extend(&self, until: Instant) -> bool {
        let mut term = self.life.term.get();
        let lives = match &mut term {
            Some(term) if !self.world.is(Mutant::ComesBack) => term.extend(until, self.now()),
            _ => {
                term = Some(Term::new(until));
                true
            }
        };
        self.life.term.set(term);
        self.world.judge();
        lives
    }

    async fn hold_joint_lease(&self) {
        let began = self.now();
        let seen = self.world.ask(&self.life, |api| api.joint()).await;
        let Some((lease, version)) = seen else { return };
        self.joint.borrow_mut().see(lease, began, self.now());
        let began = self.now();
        let Some(next) = self.joint.borrow().next(began, self.time()) else {
            return;
        };
        let written = next.clone();
        let write = self.world.ask(&self.life, move |api| {
            api.write_joint_lease(written, version)
        });
        if write.await == Some(true) {
            let began = self.counted(began);
            self.joint.borrow_mut().renew(next, began, self.now());
        }
    }

    fn time(&self) -> Timestamp {
        let since = self.now().duration_since(self.world.began);
        Timestamp::UNIX_EPOCH.checked_add(since).unwrap()
    }

    /// Does what there is to do about shards, until it has left.
    async fn work(&self) {
        let early = Timing::every(self.timing.retry() / 2);
        let is_early = self.world.is(Mutant::TakesEarly);
        let timing = if is_early { early } else { self.timing };
        let mut fleet = Fleet::new(self.me.clone(), self.life.division, timing);
        let mut ending = Ending::new();
        loop {
            let is_leaving = self.life.fate.get() == Fate::Leaves;
            let began = self.now();
            let mut wait = self.timing.retry();
            let seen = self.world.ask(&self.life, |api| api.list()).await;
            if let Some((leases, versions)) = seen
                && self.world.is_current(&self.life)
            {
                fleet.see(self.blur(leases), began, self.now());
                let held = self.life.held.borrow().clone();
                if is_leaving && held.is_empty() && !fleet.has_any() {
                    return;
                }
                let duties = fleet.decide(&held, is_leaving);
                if let Some(again) = duties.again {
                    wait = wait.min(again.saturating_duration_since(self.now()));
                }
                self.hand_over(&duties.hand_over, &versions, &mut ending)
                    .await;
                self.take(&duties, &versions).await;
                self.clear(duties.clear).await;
            }
            self.sleep(wait.max(Duration::from_millis(50))).await;
        }
    }

    fn blur(&self, mut leases: Leases) -> Leases {
        if self.world.is(Mutant::SeesTheDead) {
            for renewed in leases.members.values_mut() {
                *renewed = self.time();
            }
        }
        leases
    }

    /// Lets rounds end, and gives what has none any more.
    async fn hand_over(&self, due: &BTreeSet<Shard>, versions: &Versions, ending: &mut Ending) {
        if self.world.is(Mutant::KeepsAll) {
            return;
        }
        let now = self.world.clock.now();
        for shard in due {
            let rounds = Duration::from_millis(self.world.random(8_000));
            let is_held = self.life.held.borrow().contains(shard);
            let rounds = if is_held { rounds } else { Duration::ZERO };
            ending.entry(*shard).or_insert(now + rounds);
        }
        let is_early = self.world.is(Mutant::HandsOverEarly);
        let released = due.iter().filter_map(|shard| {
            let has_ended = ending.get(shard).is_some_and(|at| *at <= now);
            let (holder, version) = versions.get(shard)?;
            let is_mine = holder.as_ref() == Some(&self.me);
            ((has_ended || is_early) && is_mine).then_some((*shard, *version))
        });
        let released: Vec<_> = released.collect();
        ending.retain(|shard, at| {
            let has_ended = *at <= now;
            if has_ended {
                // Whatever comes of the write: it is not worked on any more.
                self.life.held.borrow_mut().remove(shard);
            }
            !has_ended
        });
        let writes = released
            .into_iter()
            .map(|(shard, version)| self.write(shard, None, version));
        join_all(writes).await;
    }

    async fn take(&self, duties: &Duties, versions: &Versions) {
        let takes = duties.take.iter().map(async |shard| {
            let seen = versions.get(shard);
            let version = seen.map(|(_, version)| *version).unwrap_or_default();
            if self.write(*shard, Some(self.me.clone()), version).await {
                self.life.held.borrow_mut().insert(*shard);
                self.world.moves.set(self.world.moves.get() + 1);
                self.world.judge();
            }
        });
        if self.world.is(Mutant::WritesOneByOne) {
            for take in takes {
                take.await;
                self.sleep(self.timing.retry()).await;
            }
        } else {
            join_all(takes).await;
        }
    }

    /// Whether it was written. Nothing is without a claim.
    async fn write(&self, shard: Shard, holder: Option<Identity>, version: u64) -> bool {
        if !self.world.is_current(&self.life) {
            return false;
        }
        let write = self.world.write_shard(&self.life, shard, holder, version);
        let is_blind = self.world.is(Mutant::HoldsWithoutAnswer);
        write.await.unwrap_or(is_blind)
    }

    async fn clear(&self, gone: BTreeSet<Identity>) {
        if !gone.is_empty() {
            let clear = self.world.ask(&self.life, move |api| {
                api.members.retain(|member, _| !gone.contains(member));
            });
            clear.await;
        }
    }
}
