// SPDX-License-Identifier: Apache-2.0

//! Several controllers that share the mirrors, as members do: they come, leave, die, hang, and are cut off. Who takes and
//! hands over which shard is decided by the real code, and so is what may begin of it.

use std::num::NonZeroU8;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::fellows::{Fellows, shard_of};
use super::member::Member;
use super::mutants::Mutant;
use super::process::Process;
use super::sharing::{Replica, Sharing};
use super::world::World;
use crate::runtime::lease::shards::{Division, Fleet, Hands, Pass, Shard};
use crate::runtime::lease::{Identity, Timing};

/// So many shards there are: mirrors share some.
const SHARDS: u8 = 3;
/// Most members at once.
const MOST: usize = 3;
/// How often members look at the leases. After some looks one that is not seen to live has lapsed.
const BEAT: Duration = Duration::from_secs(4);
/// Looks after which nothing changes any more.
const BEATS: usize = 8;

/// That a mirror is worked on.
pub(super) enum Turn {
    /// By the one process that there is.
    Alone,
    /// By the member that has its shard, which stays its own meanwhile.
    Of(Pass),
}

// === impl World ===

impl World {
    /// Whether several members share the work.
    pub(super) fn is_shared(&self) -> bool {
        self.sharing.is_some()
    }

    /// Some members begin, and nobody else is there any more.
    pub(super) fn begin_sharing(&mut self) {
        let before = self.sharing.take().into_iter();
        for replica in before.flat_map(|sharing| sharing.replicas) {
            self.durable.fence(replica.process.number);
        }
        self.sharing = Some(Sharing::none());
        for _ in 0..2 {
            self.join();
        }
    }

    fn join(&mut self) {
        let division = Division::of(NonZeroU8::new(SHARDS).unwrap());
        let hands = Arc::new(Hands::empty(division));
        let (durable, mutant) = (self.durable.clone(), self.mutant);
        let fellows = |number| -> Arc<Fellows> {
            Arc::new(Fellows {
                durable: durable.clone(),
                hands: hands.clone(),
                number,
                mutant,
            })
        };
        let process = Process::join(&durable, &self.clocks, &self.nowhere, |number| {
            fellows(number)
        });
        let identity = Identity::named(&format!("replica-{}", process.number));
        self.tell(|| format!("{identity} joins"));
        let replica = Replica {
            fleet: Fleet::new(identity.clone(), division, Timing::default()),
            process,
            hands,
            identity,
            is_late: self.random.one_in(3),
        };
        self.tell_all_specs(&replica.process);
        self.sharing_mut().replicas.push(replica);
        self.look_at_leases();
    }

    /// Members renew and look, until who is to have what has it.
    fn look_at_leases(&mut self) {
        for _ in 0..BEATS {
            self.beat(None);
        }
    }

    fn beat(&mut self, leaving: Option<u64>) {
        let durable = self.durable.clone();
        let sharing = self.sharing_mut();
        sharing.now += BEAT;
        sharing.renewals += 1;
        let renewed = Timestamp::from_second(sharing.renewals).unwrap();
        for replica in &sharing.replicas {
            if durable.hears(replica.process.number) {
                let identity = replica.identity.clone();
                sharing.leases.members.insert(identity, renewed);
            }
        }
        for index in 0..sharing.replicas.len() {
            let number = self.sharing().replicas[index].process.number;
            if durable.hears(number) {
                self.look_as(index, leaving == Some(number));
            }
        }
    }

    /// What one member does about shards, as `membership` does it.
    fn look_as(&mut self, index: usize, is_leaving: bool) {
        let sharing = self.sharing_mut();
        let (leases, now) = (sharing.leases.clone(), sharing.now);
        let replica = &mut sharing.replicas[index];
        replica.fleet.see(leases, now, now);
        let duties = replica.fleet.decide(&replica.hands.held(), is_leaving);
        let (hands, identity) = (replica.hands.clone(), replica.identity.clone());
        for shard in duties.hand_over {
            hands.close(shard);
            if hands.is_idle(shard) {
                self.hand_over(index, shard);
            }
        }
        for shard in duties.take {
            self.sharing_mut()
                .leases
                .holders
                .insert(shard, identity.clone());
            hands.take(shard);
            self.take_over(index, shard);
        }
        for gone in duties.clear {
            self.sharing_mut().leases.members.remove(&gone);
        }
    }

    /// A lease is given back, and what was known of its mirrors is not known any more.
    fn hand_over(&mut self, index: usize, shard: Shard) {
        let sharing = self.sharing_mut();
        let replica = &sharing.replicas[index];
        if sharing.leases.holders.get(&shard) == Some(&replica.identity) {
            sharing.leases.holders.remove(&shard);
        }
        let (process, hands) = (replica.process.clone(), replica.hands.clone());
        self.tell(|| format!("replica-{} gives shard {shard}", process.number));
        hands.let_go(shard);
        self.set_aside(&process, &hands, shard);
    }

    /// What is on record of a shard is read, and its mirrors are worked on.
    fn take_over(&mut self, index: usize, shard: Shard) {
        let replica = &self.sharing().replicas[index];
        let (process, hands) = (replica.process.clone(), replica.hands.clone());
        self.tell(|| format!("replica-{} takes shard {shard}", process.number));
        let Some(pass) = hands.prepare(shard) else {
            return;
        };
        self.set_aside(&process, &hands, shard);
        self.tell_all_specs(&process);
        for (page, leaf) in &*self.durable.leaves.lock().unwrap() {
            if shard_of(&hands, &page.mirror) == shard {
                let mut leaf = leaf.clone();
                if self.is(Mutant::HandoverForgetsDeleted) {
                    leaf.deleted.clear();
                }
                process.state.ledger.restore(page, leaf);
            }
        }
        hands.open(&pass);
    }

    fn set_aside(&self, process: &Process, hands: &Hands, shard: Shard) {
        let mirrors = self.members.iter();
        for member in mirrors.filter(|member| shard_of(hands, &member.mirror.name) == shard) {
            let name = &member.mirror.name;
            process.state.forget(name, Some(member.spec()));
        }
    }

    /// A process knows of every mirror what its spec tells.
    fn tell_all_specs(&self, process: &Process) {
        let specs = self.members.iter().map(Member::spec);
        process.state.stand_by(specs);
    }

    /// The spec of the mirror whose turn it is has changed. Who works on it knows; others may be told late.
    pub(super) fn tell_spec(&mut self) {
        let spec = self.member().spec();
        for index in 0..self.sharing().replicas.len() {
            let replica = &self.sharing().replicas[index];
            let is_mine = replica.hands.is_held(shard_of(&replica.hands, &spec.name));
            let state = replica.process.state.clone();
            if is_mine || !replica.is_late || self.random.one_in(2) {
                state.stand_by([spec.clone()]);
            }
        }
    }

    /// Whether the process whose turn it is works on a mirror, or is told of its spec in time.
    pub(super) fn knows_spec_of(&self, number: usize) -> bool {
        let Some(sharing) = &self.sharing else {
            return true;
        };
        let mut replicas = sharing.replicas.iter();
        let me = replicas.find(|replica| replica.process.number == self.process.number);
        // One that hung is told nothing.
        me.is_some_and(|replica| !replica.is_late || self.works_on(number))
    }

    /// Whether the process whose turn it is works on a mirror.
    pub(super) fn works_on(&self, number: usize) -> bool {
        let Some(sharing) = &self.sharing else {
            return true;
        };
        let mut replicas = sharing.replicas.iter();
        let me = replicas.find(|replica| replica.process.number == self.process.number);
        let name = &self.members[number].mirror.name;
        me.is_some_and(|replica| replica.hands.is_held(shard_of(&replica.hands, name)))
    }

    /// The process that works on the mirror whose turn it is takes its turn. None: nobody does now.
    pub(super) fn enter(&mut self) -> Option<Turn> {
        let Some(sharing) = &self.sharing else {
            return Some(Turn::Alone);
        };
        let mut replicas = sharing.replicas.iter();
        let entered = replicas.find_map(|replica| {
            let shard = shard_of(&replica.hands, &self.mirror().name);
            Some((replica.hands.enter(shard)?, replica.process.clone()))
        });
        let (pass, process) = entered?;
        self.tell(|| format!("it is of replica-{}", process.number));
        self.process = process;
        Some(Turn::Of(pass))
    }

    /// A round has ended: what waited for that is handed over. Who was cut off meanwhile has lost its lease.
    pub(super) fn leave(&mut self, turn: Turn) {
        let Turn::Of(pass) = turn else { return };
        drop(pass);
        if !self.durable.hears(self.process.number) {
            self.lose(self.process.number);
        }
        self.look_at_leases();
    }

    /// A member is no more, or may not act any more, and the others see that in time.
    pub(super) fn lose(&mut self, number: u64) {
        self.tell(|| format!("replica-{number} is lost"));
        self.durable.fence(number);
        let sharing = self.sharing_mut();
        sharing
            .replicas
            .retain(|replica| replica.process.number != number);
        if sharing.replicas.is_empty() {
            self.join();
        } else {
            self.look_at_leases();
        }
    }

    /// A member comes, leaves, dies, or is not heard any more.
    pub(super) fn change_members(&mut self) {
        let count = self.sharing().replicas.len();
        let index = self.random.index(count);
        let number = self.sharing().replicas[index].process.number;
        match self.random.below(5) {
            0 | 1 if count < MOST => self.join(),
            2 if count > 1 => {
                self.tell(|| format!("replica-{number} leaves"));
                for _ in 0..BEATS {
                    self.beat(Some(number));
                }
                self.lose(number);
            }
            3 => {
                self.tell(|| format!("replica-{number} is cut off"));
                self.durable.cut_off(number);
            }
            _ => self.lose(number),
        }
    }

    fn sharing(&self) -> &Sharing {
        self.sharing.as_ref().unwrap()
    }

    fn sharing_mut(&mut self) -> &mut Sharing {
        self.sharing.as_mut().unwrap()
    }
}
