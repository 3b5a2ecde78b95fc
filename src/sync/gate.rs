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
use std::sync::atomic::Ordering;

use futures::{StreamExt, stream};
use jiff::Timestamp;

pub(super) use self::facts::Facts;
use self::inquiry::Unproven;
pub(super) use self::testimony::Testimonies;
use self::testimony::Trust;
use super::collected::Collected;
use super::ledger::{Sight, Slot};
use super::sighting::{Image, Sighting};
use super::{Connect, Syncer};
use crate::plan::gates::{Conclusion, Gates, Judgement, Verdict, Voucher};
use crate::plan::report::Failure;
use crate::plan::{Mirror, Policy};
use crate::runtime::{clock, memory};

/// Images that are judged at once. What a registry bears is decided by its own limits.
const JUDGEMENTS: usize = 64;

/// What becomes of a sighting, and who vouches for its image.
pub(super) struct Judged {
    pub(super) sighting: Sighting,
    pub(super) verdict: Verdict,
    pub(super) voucher: Option<Voucher>,
}

// === impl Syncer ===

impl<C: Connect> Syncer<C> {
    /// Judges every image once, however many destination tags it has. Images without gates cost nothing.
    pub(super) async fn gate(
        &self,
        mirrors: &[&Mirror],
        sightings: Vec<Sighting>,
        collected: &mut Collected<'_>,
    ) -> Vec<Judged> {
        let now = clock::now();
        let round = self.rounds.fetch_add(1, Ordering::Relaxed);
        let images: Vec<Vec<Sighting>> = group(sightings);
        let mut waiting = BTreeSet::new();
        for sightings in &images {
            waiting.extend(self.remember(sightings, now));
        }
        collected.keep_waiting(&self.ledger, &waiting);
        let judgements = images.into_iter().map(|sightings| async move {
            let judge = || self.judge(mirrors, &sightings, now, round);
            let (judgement, _) = memory::with_room(judge).await;
            (sightings, judgement)
        });
        let mut judgements = stream::iter(judgements).buffered(JUDGEMENTS);
        let mut judged = Vec::new();
        while let Some((sightings, judgement)) = judgements.next().await {
            let Some(Sighting { image, .. }) = sightings.first() else {
                continue;
            };
            if let Some((verdict, voucher)) = collected.judge(image, judgement) {
                judged.extend(sightings.into_iter().map(|sighting| Judged {
                    sighting,
                    verdict: verdict.clone(),
                    voucher: voucher.clone(),
                }));
            }
        }
        judged
    }

    /// Puts on record since when the tag has had its digest, where a policy asks for it. The tags that
    /// must be kept on record.
    fn remember(&self, sightings: &[Sighting], now: Timestamp) -> Vec<Slot> {
        let Some(Sighting { image, .. }) = sightings.first() else {
            return Vec::new();
        };
        if !has(image, |gates| gates.min_age.is_some()) {
            return Vec::new();
        }
        let first_seen = self.first_seen(sightings, now);
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
                self.ledger.wait(&sighting.slot, sight.clone());
                sighting.slot.clone()
            })
            .collect()
    }

    /// When the tag of an image was first seen with its digest, by the records of any destination.
    fn first_seen(&self, sightings: &[Sighting], now: Timestamp) -> Timestamp {
        let sights = sightings.iter().filter_map(|Sighting { slot, image, .. }| {
            self.ledger.first_sight(slot, &image.digest)
        });
        sights.min().unwrap_or(now)
    }

    async fn judge(
        &self,
        mirrors: &[&Mirror],
        sightings: &[Sighting],
        now: Timestamp,
        round: u64,
    ) -> Result<Conclusion, Failure> {
        let mut judgement = Judgement::default();
        let Some(Sighting { image, .. }) = sightings.first() else {
            return Ok(judgement.conclude());
        };
        let policies = &image.policies;
        judgement.judge_tag(policies, &image.source.tag);
        if !judgement.is_refused() {
            let mirror = mirrors.get(image.mirror).copied();
            self.judge_evidence(mirror, image, &mut judgement, round)
                .await?;
        }
        if has(image, Gates::needs_image) && !judgement.is_refused() {
            let images = self.facts.of(&self.engine, image).await;
            let images =
                images.map_err(|error| Failure::judging(&image.source.to_string(), &error))?;
            judgement.judge_images(policies, &images, now);
        }
        if has(image, |gates| gates.min_age.is_some()) {
            judgement.judge_age(policies, self.first_seen(sightings, now), now);
        }
        Ok(judgement.conclude())
    }

    /// Judges what the authorities of the policies say of an image.
    async fn judge_evidence(
        &self,
        mirror: Option<&Mirror>,
        image: &Image,
        judgement: &mut Judgement,
        round: u64,
    ) -> Result<(), Failure> {
        let asks = |policy: &&Arc<Policy>| {
            let verify = policy.gates.as_ref().map(|gates| &gates.verify);
            verify.is_some_and(|verify| !verify.is_empty()) && !judgement.is_broken(policy)
        };
        let policies: Vec<&Arc<Policy>> = image.policies.iter().filter(asks).collect();
        let Some(mirror) = mirror.filter(|_| !policies.is_empty()) else {
            return Ok(());
        };
        let subject = image.source.to_string();
        let authorities = self.connect.authorities(mirror);
        let authorities = authorities.map_err(|error| Failure::connecting(&subject, error))?;
        let trusts = policies.iter().filter_map(|policy| {
            Some(Trust {
                policy,
                gates: policy.gates.as_ref()?,
                authorities: authorities.of(&policy.name),
            })
        });
        let trusts: Vec<Trust<'_>> = trusts.collect();
        let testimonies = self
            .testimonies
            .of(&self.engine, image, &trusts, round)
            .await;
        let testimonies = testimonies.map_err(|unproven| match unproven {
            Unproven::Read(error) => Failure::judging(&subject, &error),
            Unproven::Unreadable(problem) => Failure::verifying(&subject, &problem),
        })?;
        for (trust, testimony) in trusts.iter().zip(testimonies) {
            judgement.judge_testimony(trust.policy, &testimony);
        }
        Ok(())
    }
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
