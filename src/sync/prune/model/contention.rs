// SPDX-License-Identifier: Apache-2.0

//! What is wanted is put on record, and looked for on the records of other members, as the real code does both.

use std::collections::BTreeSet;

use futures::FutureExt;

use super::round::{End, Wanted, image};
use super::world::World;
use crate::sync::ledger::{Ownership, Record, RecordPlace, Wanting};
use crate::sync::steps::contention::find_contender;
use crate::sync::steps::doomed::is_news;

impl World {
    /// A tag that is there is put on record. False: somebody is about to delete it, and it is not.
    pub(super) fn adopt(&mut self, wanted: &Wanted, record: Record) -> Result<bool, End> {
        let ledger = self.state().ledger.clone();
        let before = ledger.read(&wanted.slot);
        let is_news = is_news(before.as_ref(), &record);
        ledger.write(wanted.slot.clone(), record);
        if !self.is_shared() {
            return Ok(true);
        }
        if is_news {
            self.announce(wanted);
            self.flush()?;
            if self.random.one_in(6) {
                self.let_others_go_on();
            }
            self.look_at_lease()?;
            if self.is_doomed(wanted) {
                self.withdraw(wanted, before);
                return Ok(false);
            }
        }
        self.settle_wish(wanted);
        Ok(true)
    }

    /// Whether a member has begun to delete a tag, or that cannot be seen.
    fn is_doomed(&self, wanted: &Wanted) -> bool {
        let Some(neighbours) = self.state().neighbours.clone() else {
            return false;
        };
        let repositories = BTreeSet::from([wanted.claim.repository.clone()]);
        let ledger = &self.state().ledger;
        let looked = neighbours.look_everywhere(ledger, &repositories);
        let is_seen = looked.now_or_never().unwrap().is_ok();
        let is_other = |name: &str| neighbours.is_other(name);
        let mut tags = wanted.claim.tags();
        let place = place(wanted);
        let deleter = tags.find_map(|tag| ledger.deleter((&place, tag), &wanted.digest, is_other));
        !is_seen || deleter.is_some()
    }

    /// Whether a mirror of another member has what is to be written, or that cannot be seen.
    pub(super) fn is_taken(&self, wanted: &Wanted, before: Option<&Record>) -> bool {
        let Some(neighbours) = self.state().neighbours.clone() else {
            return false;
        };
        let ledger = &self.state().ledger;
        let place = place(wanted);
        let places = BTreeSet::from([place.clone()]);
        let looked = neighbours.look(ledger, &places).now_or_never();
        let source = image(&wanted.source).to_string();
        let seniority = self.mirror().seniority();
        let wanting = Wanting {
            mirror: &seniority,
            source: &source,
            ownership: before.map_or(Ownership::Wanted, Record::ownership),
        };
        let among = (self.state(), &*neighbours);
        let contender = find_contender(among, (&place, &wanted.claim), &wanting);
        looked.unwrap().is_err() || contender.is_some()
    }

    /// What was announced is as it was before.
    pub(super) fn withdraw(&mut self, wanted: &Wanted, before: Option<Record>) {
        self.tell(|| format!("not written: {:?}", wanted.at));
        let ledger = &self.state().ledger;
        match before {
            Some(record) => ledger.write(wanted.slot.clone(), record),
            None => ledger.disown(&wanted.slot),
        }
    }

    pub(super) fn announce(&mut self, wanted: &Wanted) {
        let at = wanted.at.clone();
        self.member_mut().announced.insert(at);
    }

    /// A tag is the mirror's, and everybody can know.
    pub(super) fn settle_wish(&mut self, wanted: &Wanted) {
        let (at, digest) = (wanted.at.clone(), wanted.digest.clone());
        let member = self.member_mut();
        member.announced.remove(&at);
        member.settled.insert(at, digest);
    }
}

fn place(wanted: &Wanted) -> RecordPlace {
    (
        wanted.claim.registry.clone(),
        wanted.claim.repository.clone(),
    )
}
