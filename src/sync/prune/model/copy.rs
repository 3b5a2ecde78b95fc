// SPDX-License-Identifier: Apache-2.0

//! What is wanted is brought to the destinations: on record first, then signed, then visible.

use super::known::Image;
use super::round::{End, Wanted, image};
use super::world::World;
use crate::sync::ledger::{Leaf, Record};

/// How a tag came to be at its destination.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Standing {
    Pending,
    Written,
    Adopted,
}

impl World {
    /// Copies what is not there; says how much was there and not on record, and whether others have some of it.
    pub(super) fn copy(&mut self, wanted: &[Wanted]) -> Result<(usize, bool), End> {
        let (mut rebuilt, mut is_disputed) = (0, false);
        for wanted in wanted {
            let Wanted {
                slot, at, digest, ..
            } = wanted;
            let ledger = self.state().ledger.clone();
            let known = ledger.read(slot);
            if self.ask(at).as_ref() == Some(digest) {
                rebuilt += usize::from(known.is_none());
                let known = known.filter(|record| {
                    record.digest == *digest
                        && !record.is_pending()
                        && record.registry.as_ref() == Some(&wanted.claim.registry)
                });
                let record = match known {
                    Some(known) => Record {
                        unwanted: None,
                        ..known
                    },
                    None => self.record(wanted, Standing::Adopted),
                };
                is_disputed |= !self.adopt(wanted, record)?;
                continue;
            }
            if self.is_taken(wanted, ledger.read(slot).as_ref()) {
                is_disputed = true;
                continue;
            }
            let before = ledger.read(slot);
            let deleted = |leaf: &Leaf| Some(leaf.deleted.get(&slot.tag)?.digest.clone());
            if let Some(deleted) = self.kept(&slot.page, deleted) {
                let image = (at.0, slot.page.repository.clone(), deleted);
                self.notes.abandoned.insert(image);
            }
            self.announce(wanted);
            ledger.write(slot.clone(), self.record(wanted, Standing::Pending));
            self.notes.is_written(at);
            self.step()?;
            self.flush()?;
            self.step()?;
            // Somebody may be faster.
            if !self.is_quiet && self.random.one_in(16) {
                self.tell(|| format!("somebody pushes {slot:?} first"));
                self.put(at, digest);
                self.step()?;
            }
            if self.random.one_in(24) {
                self.let_others_go_on();
            }
            if self.is_taken(wanted, before.as_ref()) {
                self.withdraw(wanted, before);
                is_disputed = true;
                continue;
            }
            self.look_at_lease()?;
            self.tell(|| format!("push {at:?} = {digest}"));
            // Signed before it is visible.
            let (tag, signature) = &Image::of(digest).signature;
            self.put(&(at.0, (at.1.0.clone(), tag.clone())), signature);
            self.step()?;
            self.put(at, digest);
            self.step()?;
            let me = self.me;
            self.notes.seen.insert((me, at.clone(), digest.clone()));
            let unapproved = &mut self.member_mut().unapproved;
            unapproved.retain(|(of, _)| of != slot);
            ledger.write(slot.clone(), self.record(wanted, Standing::Written));
            self.settle_wish(wanted);
        }
        self.flush()?;
        Ok((rebuilt, is_disputed))
    }

    fn record(&self, wanted: &Wanted, standing: Standing) -> Record {
        let now = self.state().pruner.now();
        Record {
            source: image(&wanted.source).to_string(),
            source_digest: wanted.digest.clone(),
            digest: wanted.digest.clone(),
            shape: "all platforms".to_owned(),
            first_seen: now,
            copied_at: (standing == Standing::Written).then_some(now),
            adopted: standing == Standing::Adopted,
            refused: false,
            registry: Some(wanted.claim.registry.clone()),
            unwanted: None,
            verified: None,
            referrers: None,
            checked_at: None,
            own_referrers: match standing {
                Standing::Written => vec![Image::of(&wanted.digest).signature.1.clone()],
                Standing::Pending | Standing::Adopted => Vec::new(),
            },
        }
    }
}
