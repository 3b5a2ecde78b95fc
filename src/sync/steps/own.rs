// SPDX-License-Identifier: Apache-2.0

//! Two images never share a destination tag: who owns it is settled over all mirrors that may want it.

use std::collections::HashSet;
use std::sync::Arc;

use crate::plan::report::{Failure, Outcome};
use crate::plan::{Claim, Mirror, SourceImage};
use crate::sync::claims::{Claims, Hindrance};
use crate::sync::failure::name_for;
use crate::sync::item::Item;
use crate::sync::ledger::{Ledger, Ownership, Record};
use crate::sync::mirror_round::MirrorRound;
use crate::sync::sighting::Sighting;
use crate::sync::wishes::{Run, Wish, Wishes};

/// What a mirror wants at its destinations.
pub(in crate::sync) fn wishes(
    claims: &Claims,
    round: &MirrorRound,
    sightings: &[Sighting],
) -> Wishes {
    let tags = sightings.iter().map(|sighting| {
        let Sighting { image, claim, .. } = sighting;
        let held = || claims.held(&round.mirror.name, &image.source, claim);
        wish(sighting, sighting.ownership(held))
    });
    Wishes {
        mirror: round.mirror.clone(),
        is_complete: round.is_complete(),
        tags: tags.collect(),
    }
}

fn wish(sighting: &Sighting, ownership: Ownership) -> Wish {
    Wish {
        source: sighting.image.source.clone(),
        claim: sighting.claim.clone(),
        digest: sighting.expected.clone(),
        ownership,
    }
}

/// Takes out the tags that another image or mirror has: they fail, and nothing is written to them.
pub(in crate::sync) fn own(
    claims: &mut Claims,
    (run, is_here): (Run, &dyn Fn(&str) -> bool),
    round: &mut MirrorRound,
    (own, all): (&Wishes, &[Arc<Wishes>]),
    sightings: Vec<Sighting>,
) -> Vec<Sighting> {
    let absent = std::mem::take(&mut round.absent);
    let conflicts = if round.only.is_some() {
        claims.settle_some(run, own, all)
    } else {
        let conflicts = claims.settle(run, own, all, is_here);
        for absent in absent {
            claims.withhold_absent(&round.mirror, &absent);
        }
        conflicts
    };
    let (mut owned, mut told) = (Vec::new(), HashSet::new());
    for sighting in sightings {
        let key = (&sighting.image.source, &sighting.claim);
        match conflicts.get(&key) {
            None => owned.push(sighting),
            Some(obstacle) => {
                let subject = sighting.claim.to_string();
                let failed = Outcome::Failed(explain(&round.mirror, &subject, obstacle));
                if told.insert((sighting.image.source.clone(), subject)) {
                    round.report.tags.push(sighting.report(failed));
                }
            }
        }
    }
    owned
}

fn explain(mirror: &Mirror, subject: &str, obstacle: &Hindrance) -> Failure {
    match obstacle {
        Hindrance::Conflict(kind) => Failure::conflict(subject, kind),
        Hindrance::Undecided(other) => Failure::undecided(subject, name_for(mirror, other)),
    }
}

/// Puts on record which pushes that have begun are not to be ended, since others have their tags: who copies what is on
/// record does not know of them.
pub(in crate::sync) fn hold_back(ledger: &Ledger, found: &[Sighting], owned: &[Sighting]) {
    let owned: HashSet<(&SourceImage, &Claim)> = owned.iter().map(place).collect();
    for sighting in found.iter().filter(|it| !owned.contains(&place(it))) {
        if let Some(record) = sighting.recorded.clone().filter(Record::is_pending) {
            let refused = true;
            ledger.write(sighting.slot.clone(), Record { refused, ..record });
        }
    }
}

fn place(sighting: &Sighting) -> (&SourceImage, &Claim) {
    (&sighting.image.source, &sighting.claim)
}

/// Takes note of which tags the mirror has come to have, and which it could not write. What policies hold back, or a
/// person, stays its own.
pub(in crate::sync) fn conclude(
    claims: &mut Claims,
    ledger: &Ledger,
    run: Run,
    round: &MirrorRound,
    outcomes: &[Outcome],
) {
    for (Item { sighting, .. }, outcome) in round.items.iter().zip(outcomes) {
        match outcome {
            Outcome::Copied { .. }
            | Outcome::Retagged { .. }
            | Outcome::Completed { .. }
            | Outcome::Unchanged => {
                let record = ledger.read(&sighting.slot);
                let ownership = record.map(|record| record.ownership()).unwrap_or_default();
                claims.conclude(run, &round.mirror, &wish(sighting, ownership));
            }
            Outcome::Failed(_) => claims.fail(&round.mirror.name, &sighting.claim),
            Outcome::Planned { .. }
            | Outcome::Frozen
            | Outcome::Refused(_)
            | Outcome::Quarantined(_) => {}
        }
    }
}
