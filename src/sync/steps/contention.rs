// SPDX-License-Identifier: Apache-2.0

//! Tags that mirrors of other processes have: what is about to be pushed is looked for on their records, before it is
//! announced on ours and again after that.

use std::collections::BTreeSet;

use crate::api::Reason;
use crate::plan::Mirror;
use crate::plan::conflicts::{Claim, ConflictKind};
use crate::plan::report::{Failure, Outcome};
use crate::sync::State;
use crate::sync::failure::name_for;
use crate::sync::item::{Item, Step};
use crate::sync::ledger::{
    Contender, Ledger, Ownership, Record, RecordPlace, Rival, Stand, Wanting,
};
use crate::sync::neighbours::{Neighbours, NeighboursError};
use crate::sync::sighting::Sighting;

/// What keeps each item from being written, in their order.
pub(super) struct Barred(Vec<Option<Failure>>);

impl Barred {
    /// Nothing keeps any of so many.
    pub(super) fn nothing(items: &[Item]) -> Self {
        Self(items.iter().map(|_| None).collect())
    }

    /// Something keeps one.
    pub(super) fn bar(&mut self, index: usize, failure: Failure) {
        if let Some(slot) = self.0.get_mut(index) {
            *slot = Some(failure);
        }
    }

    pub(super) fn is_free(&self, index: usize) -> bool {
        self.0.get(index).is_none_or(Option::is_none)
    }

    /// What is barred has failed.
    pub(super) fn tell(&self, outcomes: &mut [Outcome]) {
        for (failure, outcome) in self.0.iter().zip(outcomes) {
            if let Some(failure) = failure {
                *outcome = Outcome::Failed(failure.clone());
            }
        }
    }

    /// Takes back what was announced of tags that are barred.
    pub(super) fn withdraw(&self, ledger: &Ledger, items: &[Item]) {
        let barred = self.0.iter().zip(items);
        for (_, item) in barred.filter(|(failure, _)| failure.is_some()) {
            withdraw(ledger, &item.sighting);
        }
    }
}

/// Looks at what others have on record of the tags that are to be written. Nothing is barred where nobody else works.
pub(super) async fn find_barred(
    state: &State,
    mirror: &Mirror,
    items: &[Item],
    is_meant: impl Fn(usize) -> bool,
) -> Barred {
    let mut barred = Barred::nothing(items);
    let Some(neighbours) = &state.neighbours else {
        return barred;
    };
    let written = items.iter().enumerate();
    let written = written.filter(|(index, item)| is_meant(*index) && is_written(item));
    let places: BTreeSet<RecordPlace> = written
        .clone()
        .map(|(_, item)| place(&item.sighting))
        .collect();
    if places.is_empty() {
        return barred;
    }
    let looked = neighbours.look(&state.ledger, &places).await;
    for (index, item) in written {
        let found = match &looked {
            Ok(()) => contend((state, &**neighbours), mirror, &item.sighting),
            Err(unseen) => Some(unseen_failure(&item.sighting, unseen)),
        };
        if let Some(failure) = found {
            barred.bar(index, failure);
        }
    }
    barred
}

/// Whether the destination is written to.
fn is_written(item: &Item) -> bool {
    item.is_copied() || matches!(item.step, Step::Completed(_))
}

pub(super) fn place(sighting: &Sighting) -> RecordPlace {
    let claim = &sighting.claim;
    (claim.registry.clone(), claim.repository.clone())
}

fn contend(
    (state, neighbours): (&State, &dyn Neighbours),
    mirror: &Mirror,
    sighting: &Sighting,
) -> Option<Failure> {
    let recorded = sighting.recorded.as_ref();
    let source = sighting.image.source.to_string();
    let seniority = mirror.seniority();
    let wanting = Wanting {
        mirror: &seniority,
        source: &source,
        ownership: recorded.map_or(Ownership::Wanted, Record::ownership),
    };
    let place = place(sighting);
    let contender = find_contender((state, neighbours), (&place, &sighting.claim), &wanting)?;
    Some(failure(mirror, sighting, contender))
}

/// A mirror that keeps somebody from a tag. Of the mirrors that this process has not heard it knows more than stands on
/// record.
pub(in crate::sync) fn find_contender(
    (state, neighbours): (&State, &dyn Neighbours),
    (place, claim): (&RecordPlace, &Claim),
    wanting: &Wanting<'_>,
) -> Option<Contender> {
    let claims = state.claims();
    let mut tags = claim.tags();
    tags.find_map(|tag| {
        let rival = |name: &str| {
            let spec = claims.unheard(name);
            let is_other = spec.is_some() || neighbours.is_other(name);
            is_other.then(|| Rival::of(spec, place, tag))
        };
        state.ledger.contender((place, tag), wanting, rival)
    })
}

fn failure(mirror: &Mirror, sighting: &Sighting, contender: Contender) -> Failure {
    let subject = sighting.claim.to_string();
    let Contender {
        mirror: other,
        source,
        stand,
    } = contender;
    let image = sighting.image.source.to_string();
    let own = mirror.name.clone();
    let who = name_for(mirror, &other);
    let is_near = who == other;
    match stand {
        Stand::Deletes => return Failure::disputed(&subject, who, "delete"),
        Stand::Announces => return Failure::disputed(&subject, who, "write"),
        Stand::Has => {}
    }
    let target = subject.clone();
    let kind = if is_near {
        ConflictKind::Taken {
            target,
            first: source,
            first_mirror: other,
            second: image,
            second_mirror: own,
        }
    } else {
        ConflictKind::TakenElsewhere {
            target,
            image,
            mirror: own,
        }
    };
    Failure::conflict(&subject, &kind)
}

fn unseen_failure(sighting: &Sighting, unseen: &NeighboursError) -> Failure {
    Failure::unseen(&sighting.claim.to_string(), unseen)
}

/// Of a push that was refused nothing stands on record that was not there before: whoever cannot write to a registry
/// keeps nobody from it.
pub(super) fn withdraw_refused(state: &State, items: &[Item], outcomes: &[Outcome]) {
    if state.neighbours.is_none() {
        return;
    }
    for (item, outcome) in items.iter().zip(outcomes) {
        let Outcome::Failed(failure) = outcome else {
            continue;
        };
        let is_refused = matches!(
            failure.reason,
            Reason::AccessDenied
                | Reason::AuthenticationFailed
                | Reason::NotFound
                | Reason::InvalidSpec
        );
        let slot = &item.sighting.slot;
        let is_new = item.sighting.recorded.is_none();
        let read = || state.ledger.read(slot);
        if is_refused && is_new && read().is_some_and(|record| record.is_pending()) {
            state.ledger.disown(slot);
        }
    }
}

fn withdraw(ledger: &Ledger, sighting: &Sighting) {
    match &sighting.recorded {
        Some(record) => ledger.write(sighting.slot.clone(), record.clone()),
        None => ledger.disown(&sighting.slot),
    }
}
