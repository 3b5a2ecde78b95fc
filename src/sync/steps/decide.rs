// SPDX-License-Identifier: Apache-2.0

//! What is to be done about every destination tag.

use super::gate::Judged;
use crate::api::TagMutability;
use crate::plan::decide::{Observation, decide as decide_by_digests};
use crate::plan::gates::Verdict;
use crate::plan::report::Outcome;
use crate::sync::item::{Item, Step, Wholeness};
use crate::sync::mirror_round::MirrorRound;
use crate::sync::sighting::Sighting;

/// Decides what is to be done: what the digests say, unless a policy does not admit the image.
pub(in crate::sync) fn decide(round: &mut MirrorRound, judged: Vec<Judged>) {
    let mutability = round.mirror.tag_mutability;
    let items = judged.into_iter().map(|judged| item(judged, mutability));
    round.items = items.collect();
}

fn item(judged: Judged, mutability: TagMutability) -> Item {
    let Judged {
        sighting,
        verdict,
        voucher,
    } = judged;
    let step = match verdict {
        Verdict::Admitted => Step::Decided(decide_by_digests(observation(&sighting), mutability)),
        Verdict::Refused(refusal) => Step::Withheld(Outcome::Refused(refusal)),
        Verdict::Quarantined(quarantine) => Step::Withheld(Outcome::Quarantined(quarantine)),
    };
    Item {
        sighting,
        step,
        voucher,
        looked: None,
        wholeness: Wholeness::Unseen,
    }
}

fn observation(sighting: &Sighting) -> Observation<'_> {
    let Sighting {
        image,
        current,
        expected,
        recorded,
        ..
    } = sighting;
    let recorded = recorded.as_ref();
    Observation {
        source: &image.digest,
        expected,
        current: current.as_ref(),
        recorded: recorded.map(|record| &record.source_digest),
        is_reshaped: recorded.is_some_and(|record| record.shape != image.shape.to_string()),
    }
}
