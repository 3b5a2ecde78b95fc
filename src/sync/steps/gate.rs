// SPDX-License-Identifier: Apache-2.0

//! What images must prove before they are copied, by the policies of their mirrors.
//!
//! Facts are found out here and judged in [`gates`]. A fact that cannot be found out is a failure of
//! the tag: the image has not passed, and nobody has refused it. Whatever is found out is about the
//! digest that is copied, wherever the tag has moved meanwhile.
//!
//! [`gates`]: crate::plan::gates

mod facts;
mod inquiry;
mod testimony;

use std::collections::BTreeSet;
use std::sync::Arc;

use futures::{StreamExt, stream};
use jiff::Timestamp;

pub(in crate::sync) use self::facts::Facts;
use self::inquiry::Unproven;
pub(in crate::sync) use self::testimony::Testimonies;
use self::testimony::Trust;
use crate::copy::Engine;
use crate::plan::Policy;
use crate::plan::gates::{Conclusion, Gates, Judgement, Verdict, Voucher};
use crate::plan::report::Failure;
use crate::runtime::{clock, memory};
use crate::sync::learned::Learned;
use crate::sync::ledger::{Ledger, Sight, Slot};
use crate::sync::mirror_round::MirrorRound;
use crate::sync::sighting::{Image, Sighting};
use crate::sync::trust::Authorities;
use crate::sync::wishes::Run;

/// Images that are judged at once. What a registry bears is decided by its own limits.
const JUDGEMENTS: usize = 64;

/// What the step works with.
pub(in crate::sync) struct Deps<'a> {
    pub(in crate::sync) engine: &'a Engine,
    pub(in crate::sync) ledger: &'a Ledger,
    pub(in crate::sync) learned: &'a Learned,
    /// Those whom the policies trust.
    pub(in crate::sync) authorities: &'a Authorities,
}

/// What becomes of a sighting, and who vouches for its image.
pub(in crate::sync) struct Judged {
    pub(in crate::sync) sighting: Sighting,
    pub(in crate::sync) verdict: Verdict,
    pub(in crate::sync) voucher: Option<Voucher>,
}

// === the step ===

/// Judges every image once, however many destination tags it has. Images without gates cost nothing.
pub(in crate::sync) async fn gate(
    deps: &Deps<'_>,
    run: Run,
    round: &mut MirrorRound,
    sightings: Vec<Sighting>,
) -> Vec<Judged> {
    let now = clock::now();
    let images: Vec<Vec<Sighting>> = group(sightings);
    let mut waiting = BTreeSet::new();
    for sightings in &images {
        waiting.extend(remember(deps.ledger, sightings, now));
    }
    // What was not seen because something failed may be wanted all the same.
    if round.is_complete() {
        deps.ledger.wait_only_for(&round.mirror.name, &waiting);
    }
    let judgements = images.into_iter().map(|sightings| async move {
        let judge = || judge(deps, run, &sightings, now);
        let (judgement, _) = memory::with_room(judge).await;
        (sightings, judgement)
    });
    let mut judgements = stream::iter(judgements).buffered(JUDGEMENTS);
    let mut judged = Vec::new();
    while let Some((sightings, judgement)) = judgements.next().await {
        judged.extend(take_note(round, sightings, judgement));
    }
    judged
}

/// Puts into the report what the policies made of an image; nothing becomes of one that they could not judge.
fn take_note(
    round: &mut MirrorRound,
    sightings: Vec<Sighting>,
    judgement: Result<Conclusion, Failure>,
) -> Vec<Judged> {
    let Some(Sighting { image, .. }) = sightings.first() else {
        return Vec::new();
    };
    match judgement {
        Ok(conclusion) => {
            let source = image.source.to_string();
            let (verdict, voucher) = round.report.judge(&source, conclusion);
            let judged = sightings.into_iter().map(|sighting| Judged {
                sighting,
                verdict: verdict.clone(),
                voucher: voucher.clone(),
            });
            judged.collect()
        }
        Err(failure) => {
            round.fail_tag(failure);
            Vec::new()
        }
    }
}

/// Puts on record since when the tag has had its digest, where a policy asks for it. The tags that
/// must be kept on record.
fn remember(ledger: &Ledger, sightings: &[Sighting], now: Timestamp) -> Vec<Slot> {
    let Some(Sighting { image, .. }) = sightings.first() else {
        return Vec::new();
    };
    if !has(image, |gates| gates.min_age.is_some()) {
        return Vec::new();
    }
    let first_seen = first_seen(ledger, sightings, now);
    let unwritten = sightings.iter().filter(|sighting| {
        let recorded = sighting.recorded.as_ref();
        recorded.is_none_or(|record| record.source_digest != image.digest)
    });
    let sight = Sight {
        source_digest: image.digest.clone(),
        first_seen,
    };
    unwritten
        .map(|sighting| {
            ledger.wait(&sighting.slot, sight.clone());
            sighting.slot.clone()
        })
        .collect()
}

/// When the tag of an image was first seen with its digest, by the records of any destination.
fn first_seen(ledger: &Ledger, sightings: &[Sighting], now: Timestamp) -> Timestamp {
    let sights = sightings
        .iter()
        .filter_map(|Sighting { slot, image, .. }| ledger.first_sight(slot, &image.digest));
    sights.min().unwrap_or(now)
}

async fn judge(
    deps: &Deps<'_>,
    run: Run,
    sightings: &[Sighting],
    now: Timestamp,
) -> Result<Conclusion, Failure> {
    let mut judgement = Judgement::default();
    let Some(Sighting { image, .. }) = sightings.first() else {
        return Ok(judgement.conclude());
    };
    let policies = &image.policies;
    judgement.judge_tag(policies, &image.source.tag);
    if !judgement.is_refused() {
        judge_evidence(deps, run, image, &mut judgement).await?;
    }
    if has(image, Gates::needs_image) && !judgement.is_refused() {
        let images = deps.learned.facts.of(deps.engine, image).await;
        let images = images.map_err(|error| Failure::judging(&image.source.to_string(), &error))?;
        judgement.judge_images(policies, &images, now);
    }
    if has(image, |gates| gates.min_age.is_some()) {
        judgement.judge_age(policies, first_seen(deps.ledger, sightings, now), now);
    }
    Ok(judgement.conclude())
}

/// Judges what the authorities of the policies say of an image.
async fn judge_evidence(
    deps: &Deps<'_>,
    run: Run,
    image: &Image,
    judgement: &mut Judgement,
) -> Result<(), Failure> {
    let asks = |policy: &&Arc<Policy>| {
        let verify = policy.gates.as_ref().map(|gates| &gates.verify);
        verify.is_some_and(|verify| !verify.is_empty()) && !judgement.is_broken(policy)
    };
    let policies: Vec<&Arc<Policy>> = image.policies.iter().filter(asks).collect();
    if policies.is_empty() {
        return Ok(());
    }
    let subject = image.source.to_string();
    let trusts = policies.iter().filter_map(|policy| {
        Some(Trust {
            policy,
            gates: policy.gates.as_ref()?,
            authorities: deps.authorities.of(&policy.name),
        })
    });
    let trusts: Vec<Trust<'_>> = trusts.collect();
    let testimonies = &deps.learned.testimonies;
    let testimonies = testimonies.of(deps.engine, image, &trusts, run).await;
    let testimonies = testimonies.map_err(|unproven| match unproven {
        Unproven::Read(error) => Failure::judging(&subject, &error),
        Unproven::Unreadable(problem) => Failure::verifying(&subject, &problem),
    })?;
    for (trust, testimony) in trusts.iter().zip(testimonies) {
        judgement.judge_testimony(trust.policy, &testimony);
    }
    Ok(())
}

/// The sightings of each image.
fn group(sightings: Vec<Sighting>) -> Vec<Vec<Sighting>> {
    let mut groups: Vec<Vec<Sighting>> = Vec::new();
    for sighting in sightings {
        let last = groups.last_mut();
        match last.filter(|group| group.iter().any(|known| known.is_of(&sighting.image))) {
            Some(group) => group.push(sighting),
            None => groups.push(vec![sighting]),
        }
    }
    groups
}

/// Whether a policy of an image asks for something.
fn has(image: &Image, asks: impl Fn(&Gates) -> bool) -> bool {
    let policies = image.policies.iter();
    policies
        .filter_map(|policy| policy.gates.as_ref())
        .any(asks)
}
