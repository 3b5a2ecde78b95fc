// SPDX-License-Identifier: Apache-2.0

//! Two images never share a destination tag: who owns it is settled over all mirrors that may want it.

use std::sync::Arc;

use crate::plan::conflicts::ConflictKind;
use crate::plan::report::Failure;
use crate::sync::claims::Claims;
use crate::sync::mirror_round::MirrorRound;
use crate::sync::sighting::Sighting;
use crate::sync::wishes::{Run, Wish, Wishes};

/// What a mirror wants at its destinations.
pub(in crate::sync) fn wishes(round: &MirrorRound, sightings: &[Sighting]) -> Wishes {
    let tags = sightings.iter().map(|sighting| Wish {
        source: sighting.image.source.clone(),
        claim: sighting.claim.clone(),
        digest: sighting.expected.clone(),
    });
    Wishes {
        mirror: round.mirror.clone(),
        is_complete: round.is_complete(),
        tags: tags.collect(),
    }
}

/// Takes out everything where another image or mirror has some of it: nothing is written then.
pub(in crate::sync) fn own(
    claims: &mut Claims,
    run: Run,
    round: &mut MirrorRound,
    (own, all): (&Wishes, &[Arc<Wishes>]),
    sightings: Vec<Sighting>,
) -> Vec<Sighting> {
    if round.only.is_some() {
        let conflicts = claims.settle_some(run, own, all);
        round.absent.clear();
        return conclude(round, conflicts, sightings);
    }
    let conflicts = claims.settle(run, own, all);
    for absent in std::mem::take(&mut round.absent) {
        claims.withhold_absent(&round.mirror, &absent);
    }
    conclude(round, conflicts, sightings)
}

/// With a conflict nothing of the mirror is written.
fn conclude(
    round: &mut MirrorRound,
    conflicts: Vec<(String, ConflictKind)>,
    sightings: Vec<Sighting>,
) -> Vec<Sighting> {
    let is_stalled = !conflicts.is_empty();
    for (claim, kind) in conflicts {
        round.fail(Failure::conflict(&claim, &kind));
    }
    if is_stalled { Vec::new() } else { sightings }
}
