// SPDX-License-Identifier: Apache-2.0

//! What came to refer to images after they were copied: signatures, scans and the like are often made later.
//!
//! A tag list that is read anyway tells of new tags for nothing. Otherwise the source is asked again after
//! the time that the mirror says, and at once where an event hints at something that refers to the image,
//! where nothing is on record, where a person asks for a round,
//! and where a policy admits the image by other evidence than before.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use futures::{StreamExt, stream};
use jiff::Timestamp;

use super::groups::group;
use crate::copy::{Engine, Error, Late, Origin, Place, Seen, Siblings, Visit};
use crate::oci::{Digest, Repository};
use crate::plan::ReferrerTypes;
use crate::plan::decide::Decision;
use crate::plan::recheck::LastLook;
use crate::plan::report::Failure;
use crate::runtime::clock;
use crate::sync::Mode;
use crate::sync::item::{Completion, Item, Step};
use crate::sync::ledger::Looked;
use crate::sync::mirror_round::MirrorRound;

/// Images that are looked at at once. What a registry bears is decided by its own limits.
const VISITS: usize = 64;

/// Why it is looked again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Cause {
    /// It is time, or there are new tags: what was seen before is at the destinations.
    Recheck,
    /// What the destinations have is not known, or is not believed.
    Doubt,
}

/// A look that is due.
struct DueLook {
    visit: Arc<Visit>,
    /// The items that it is for, each with its target.
    members: Vec<(usize, usize)>,
    cause: Cause,
}

// === the step ===

/// Looks what came to refer to images that are where they should be.
pub(in crate::sync) async fn look_again(engine: &Engine, round: &mut MirrorRound, mode: Mode) {
    let now = clock::now();
    let visits = visits(engine, round, mode, now);
    // What all images are made of is known before any look goes on: it tells how far tags lead.
    let outlines: Vec<_> = visits
        .into_iter()
        .map(|due| async move {
            let outline = engine.outline(&due.visit).await;
            (due, outline)
        })
        .collect();
    let outlines: Vec<_> = stream::iter(outlines)
        .buffer_unordered(VISITS)
        .collect()
        .await;
    let looks: Vec<_> = outlines
        .into_iter()
        .map(|(due, outline)| async move {
            let late = match outline {
                Ok(outline) => engine.visit(&due.visit, outline).await.map(Arc::new),
                Err(error) => Err(error),
            };
            (due, late)
        })
        .collect();
    let mut looks = stream::iter(looks).buffer_unordered(VISITS);
    while let Some((due, late)) = looks.next().await {
        let DueLook {
            visit,
            members,
            cause,
        } = due;
        for (item, target) in members {
            if let Some(item) = round.items.get_mut(item) {
                item.take_note(&visit, late.as_ref(), target, (cause, now));
            }
        }
    }
}

/// The looks that are due, each with the items that it is for and what makes it due.
fn visits(engine: &Engine, round: &MirrorRound, mode: Mode, now: Timestamp) -> Vec<DueLook> {
    let items = &round.items;
    let siblings = siblings(items);
    let mut visits = Vec::new();
    for group in group(items, |_, item| item.may_be_completed()) {
        let members = group.members.iter();
        let members: Vec<&Item> = members.filter_map(|(item, _)| items.get(*item)).collect();
        let Some(first) = members.first() else {
            continue;
        };
        let causes = members
            .iter()
            .map(|item| cause(engine, item, round, mode, now));
        let Some(cause) = causes.max().flatten() else {
            continue;
        };
        let origin = &group.job.origin;
        let siblings = siblings.get(&(origin.endpoint.place(), origin.repository.clone()));
        let seen = seen_alike(&members);
        let visit = Visit {
            expected: first.sighting.expected.clone(),
            is_index: first
                .sighting
                .image
                .is_index
                .or_else(|| seen.map(|seen| seen.is_index)),
            siblings: siblings.cloned().unwrap_or_default(),
            known: seen.filter(|_| cause == Cause::Recheck),
            job: group.job,
        };
        visits.push(DueLook {
            visit: Arc::new(visit),
            members: group.members,
            cause,
        });
    }
    visits
}

fn cause(
    engine: &Engine,
    item: &Item,
    round: &MirrorRound,
    mode: Mode,
    now: Timestamp,
) -> Option<Cause> {
    let Item {
        sighting, voucher, ..
    } = item;
    let image = &sighting.image;
    let recorded = sighting.recorded.as_ref();
    let verified = recorded.and_then(|record| record.verified.as_ref());
    let is_proven = voucher.as_ref().is_none_or(|voucher| {
        verified.is_some_and(|verified| verified.evidence == voucher.vouched.evidence)
    });
    let Some((record, looked)) = recorded.and_then(|record| Some((record, record.referrers?)))
    else {
        return Some(Cause::Doubt);
    };
    if mode == Mode::Refresh || !is_proven || item.wholeness.whole_at().is_some() {
        return Some(Cause::Doubt);
    }
    let last = LastLook {
        image: &image.digest,
        at: looked.at,
        is_first: record.copied_at.is_none_or(|copied| looked.at <= copied),
    };
    let is_hinted = round.only.as_ref().is_some_and(|only| {
        let Origin { repository, .. } = &image.origin;
        only.may_be_referred_to(repository, &image.digest)
    });
    let is_due = is_hinted
        || last.is_over(round.mirror.referrers.recheck, now)
        || engine.shows_others(&image.origin, &image.digest, &looked.seen);
    is_due.then_some(Cause::Recheck)
}

/// The images of each source repository.
fn siblings(items: &[Item]) -> HashMap<(Place, Repository), Arc<Siblings>> {
    let mut digests: HashMap<(Place, Repository), HashSet<Digest>> = HashMap::new();
    for Item { sighting, .. } in items {
        let origin = &sighting.image.origin;
        let key = (origin.endpoint.place(), origin.repository.clone());
        let known = digests.entry(key).or_default();
        known.insert(sighting.image.digest.clone());
    }
    let siblings = digests.into_iter();
    siblings
        .map(|(key, digests)| (key, Arc::new(Siblings::new(digests))))
        .collect()
}

/// What was seen the last time, where it is the same for all of these.
fn seen_alike(items: &[&Item]) -> Option<Seen> {
    let mut seen = items.iter().map(|item| {
        let recorded = item.sighting.recorded.as_ref()?;
        Some(recorded.referrers?.seen)
    });
    let first = seen.next().flatten()?;
    seen.all(|other| other == Some(first)).then_some(first)
}

// === impl Item ===

impl Item {
    /// Whether the image is where it should be, and something may have come that refers to it. In the
    /// repository that it comes from nothing is missing.
    fn may_be_completed(&self) -> bool {
        let Self { sighting, step, .. } = self;
        let image = &sighting.image;
        let is_elsewhere = image.origin.repository != sighting.claim.repository
            || image.origin.endpoint.place() != sighting.endpoint.place();
        let is_there = matches!(step, Step::Decided(Decision::Unchanged));
        is_there && is_elsewhere && image.shape.referrers != ReferrerTypes::None
    }

    /// Takes note of what a look found.
    fn take_note(
        &mut self,
        visit: &Arc<Visit>,
        late: Result<&Arc<Late>, &Error>,
        target: usize,
        (cause, now): (Cause, Timestamp),
    ) {
        let found = late.and_then(|late| match late.lacks.get(target) {
            Some(Ok(lack)) => Ok((late, !lack.is_empty())),
            Some(Err(error)) => Err(error),
            None => Ok((late, false)),
        });
        match found {
            Ok((late, lacks)) => {
                let seen = late.seen;
                let before = self.sighting.recorded.as_ref();
                let before = before.and_then(|record| record.referrers);
                let is_known = before.is_some_and(|before| before.seen.is_like(&seen));
                // A look that was not due and found nothing new is not worth a write.
                if cause == Cause::Recheck || lacks || !is_known {
                    self.looked = Some(Looked { at: now, seen });
                }
                if lacks {
                    self.step = Step::Completed(Completion {
                        visit: visit.clone(),
                        late: late.clone(),
                        target,
                    });
                }
            }
            Err(error) => {
                let subject = self.sighting.claim.to_string();
                self.step = Step::Unseen(Failure::copying(&subject, error));
            }
        }
    }
}
