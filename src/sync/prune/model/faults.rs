// SPDX-License-Identifier: Apache-2.0

//! What goes wrong in a history: processes, clocks, records, and what registries say.

use jiff::SignedDuration;

use super::process::Process;
use super::world::World;

impl World {
    pub(super) fn restart(&mut self) {
        self.tell(|| "restart".to_owned());
        self.fuse = None;
        if self.is_shared() {
            self.begin_sharing();
        } else {
            self.process = Process::start(&self.durable, &self.clocks, &self.nowhere);
            self.stand_by();
        }
        if self.random.one_in(4) {
            self.pass_time();
        }
    }

    /// The process stops for a while in the middle of a round, and wakes when another one has the lease.
    pub(super) fn sleep(&mut self) {
        if self.is_quiet || self.is_within {
            return;
        }
        self.is_within = true;
        let (me, sleeper, fuse) = (self.me, self.process.clone(), self.fuse);
        self.tell(|| "the process stops for a while".to_owned());
        if self.is_shared() {
            self.fuse = None;
            self.lose(sleeper.number);
        } else {
            self.restart();
        }
        for _ in 0..=self.random.below(4) {
            self.happen();
        }
        self.tell(|| "the process goes on".to_owned());
        let other = std::mem::replace(&mut self.process, sleeper);
        self.leader = (!self.is_shared()).then_some(other);
        (self.me, self.fuse) = (me, fuse);
        self.is_within = false;
    }

    /// Another mirror has its round meanwhile, in the same process or in another one.
    pub(super) fn let_others_go_on(&mut self) {
        if self.is_quiet || self.is_within || self.members.len() == 1 {
            return;
        }
        self.is_within = true;
        let (me, fuse) = (self.me, self.fuse.take());
        let process = self.process.clone();
        let hindered = self.notes.hindered;
        self.me = (me + 1 + self.random.index(self.members.len() - 1)) % self.members.len();
        if self.random.one_in(2) {
            self.push_at_source();
        }
        if self.is_shared() {
            match self.random.below(6) {
                0 => self.change_members(),
                1 | 2 => self.edit_policy(),
                _ => {}
            }
        }
        self.round();
        self.process = process;
        (self.me, self.fuse) = (me, fuse);
        self.notes.hindered = hindered;
        self.is_within = false;
    }

    /// The process dies in the next round, or cannot keep its records.
    pub(super) fn break_next_round(&mut self) {
        if self.random.one_in(4) {
            *self.durable.is_failing.lock().unwrap() = true;
        } else {
            self.fuse = Some(self.random.below(24));
        }
        self.tell(|| format!("the next round breaks: {:?}", self.fuse));
    }

    pub(super) fn mend(&mut self) {
        *self.durable.is_failing.lock().unwrap() = false;
        self.fuse = None;
    }

    /// Somebody sets the clock: by a year, and sometimes back again.
    pub(super) fn set_clock(&mut self) {
        let year = SignedDuration::from_hours(365 * 24);
        let offset = match self.random.below(3) {
            0 => year,
            1 => -year,
            _ => SignedDuration::ZERO,
        };
        self.notes.is_time_lost = true;
        self.tell(|| format!("clock: {offset:?}"));
        self.clocks.lock().unwrap().1 = offset;
    }

    /// The lists of the source leave something out, or not any more.
    pub(super) fn cut_list(&mut self) {
        let place = self.any_place();
        self.tell(|| format!("cut: {}:{}", place.0, place.1));
        if self.random.one_in(3) {
            self.cut.clear();
        } else {
            self.cut.insert(place);
        }
    }

    /// The lists of the source, or what destinations say of their tags, stay what they are now for a while.
    pub(super) fn lag(&mut self) {
        match self.random.below(4) {
            0 => self.old_list = Some(self.source.keys().cloned().collect()),
            1 => self.past = Some(self.registry.clone()),
            _ => (self.old_list, self.past) = (None, None),
        }
        let (list, past) = (self.old_list.is_some(), self.past.is_some());
        self.tell(|| format!("lists lag: {list}, destinations lag: {past}"));
    }

    /// Records are lost, or an older copy takes their place.
    pub(super) fn mistake_records(&mut self) {
        let mut leaves = self.durable.leaves.lock().unwrap();
        match self.random.below(3) {
            0 => self.backup = Some(leaves.clone()),
            1 => {
                let name = &self.members[self.me].mirror.name;
                leaves.retain(|page, _| page.mirror != *name);
                // "Kept in the record": what this mirror knew of them is lost with it.
                let me = self.me;
                self.notes.taken.retain(|_, taken| taken.mirror != me);
            }
            _ => match self.backup.take() {
                Some(backup) => {
                    // Where records are kept, an older copy is told from one's own: nothing in it is ours.
                    *leaves = backup;
                    for leaf in leaves.values_mut() {
                        for record in leaf.records.values_mut() {
                            record.adopted = true;
                            record.own_referrers.clear();
                        }
                        let deleted = leaf.deleted.values_mut();
                        deleted.for_each(|tombstone| tombstone.referrers.clear());
                    }
                    self.notes.taken.clear();
                }
                None => return,
            },
        }
        drop(leaves);
        self.tell(|| "records are lost or rolled back".to_owned());
        self.notes.is_time_lost = true;
        self.notes.records_lost = Some(self.passed());
        self.restart();
    }

    /// Somebody edits a record, or copies those of a repository to where no destination is.
    pub(super) fn forge_record(&mut self) {
        let mut leaves = self.durable.leaves.lock().unwrap();
        let name = &self.members[self.me].mirror.name;
        let mut pages: Vec<_> = leaves.keys().filter(|page| page.mirror == *name).collect();
        pages.sort_unstable();
        if pages.is_empty() {
            return;
        }
        let mut page = pages[self.random.index(pages.len())].clone();
        let mut leaf = leaves[&page].clone();
        let kind = self.random.below(6);
        let count = leaf.records.len().max(1);
        let index = self.random.index(count);
        if let Some(record) = leaf.records.values_mut().nth(index) {
            match kind {
                0 => record.registry = None,
                1 => "nonsense".clone_into(&mut record.source),
                2 => record.copied_at = None,
                3 => record.adopted = true,
                4 => record.digest = record.digest.algorithm().digest(b"forged"),
                _ => "gone".clone_into(&mut page.destination),
            }
        }
        leaves.insert(page, leaf);
        drop(leaves);
        self.tell(|| format!("a record is forged: {kind}"));
        self.notes.is_time_lost = true;
        self.notes.records_lost = Some(self.passed());
        self.restart();
    }
}
