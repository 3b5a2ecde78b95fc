//! Carries the plan out: one job an image, whatever the number of its destinations and tags.
//!
//! What is about to be pushed is on record before the first push. One job's failure never stops
//! another, and mirrors take turns.

use std::collections::{HashMap, HashSet};
use std::convert::Infallible;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration as StdDuration;

use futures::future::{Either, join_all, select};
use futures::{StreamExt, stream};
use jiff::Timestamp;
use tokio::time::{Instant, timeout_at};

use super::ledger::{KeepError, Looked, Record, Verified};
use super::resolve::Sighting;
use super::{Connect, Observer, Syncer};
use crate::copy::{Action, Done, Error, Job, Late, Seen, TagPush, Target, Visit};
use crate::oci::Digest;
use crate::plan::Mirror;
use crate::plan::decide::Decision;
use crate::plan::gates::Voucher;
use crate::plan::report::{Failure, Outcome};
use crate::policy::Duration;
use crate::runtime::clock;

/// Images that are copied at once. What a registry bears is decided by its own limits.
const IMAGES: usize = 64;

/// Time between two flushes of the records while images are copied.
const BATCH: StdDuration = StdDuration::from_secs(10);

/// The place of a mirror among those of the round, and why its records could not be kept.
pub(super) type Unkept = (usize, KeepError);

/// A sighting and what is to be done about it.
#[derive(Clone, Debug)]
pub(super) struct Item {
    pub(super) sighting: Sighting,
    pub(super) step: Step,
    /// Who vouches for the image.
    pub(super) voucher: Option<Voucher>,
    /// The look at what refers to the image that was just had.
    pub(super) looked: Option<Looked>,
}

/// What is to be done about a sighting.
#[derive(Clone, Debug)]
pub(super) enum Step {
    /// What the digests say.
    Decided(Decision),
    /// Nothing: a policy does not admit the image, with this outcome.
    Withheld(Outcome),
    /// The image is there, and something that refers to it is missing.
    Completed(Completion),
    /// The image is there, and it could not be seen what refers to it.
    Unseen(Failure),
}

/// What a destination lacks of what refers to an image that it has.
#[derive(Clone, Debug)]
pub(super) struct Completion {
    pub(super) visit: Arc<Visit>,
    pub(super) late: Arc<Late>,
    /// The place of the destination among the targets of the visit.
    pub(super) target: usize,
}

/// The items that one job serves.
pub(super) struct Group {
    /// The place of the mirror among the mirrors of the round.
    pub(super) mirror: usize,
    /// How long a round of the mirror may take.
    timeout: Duration,
    pub(super) job: Job,
    /// What is missing, where the image is there.
    completion: Option<(Arc<Visit>, Arc<Late>)>,
    /// Which item is served by which target of the job.
    pub(super) members: Vec<(usize, usize)>,
}

// === impl Syncer ===

impl<C: Connect> Syncer<C> {
    /// Copies what the plan says; one outcome for each item, in their order, and the mirrors whose
    /// outcomes could not be put on record.
    pub(super) async fn apply(
        &self,
        mirrors: &[&Mirror],
        items: &[Item],
        observer: &dyn Observer,
    ) -> (Vec<Outcome>, Vec<Unkept>) {
        let began = Instant::now();
        let mut outcomes: Vec<Outcome> = items.iter().map(Item::foreseen).collect();
        self.write_ahead(items);
        let unkept = self.flush_all(mirrors).await;
        let mut groups = group(mirrors, items, Item::is_copied);
        groups.extend(completions(mirrors, items));
        let mut groups = in_turns(groups);
        groups.retain(|group| {
            let error = unkept.iter().find(|(mirror, _)| *mirror == group.mirror);
            if let Some((_, error)) = error {
                group.refuse(items, error, &mut outcomes);
            }
            error.is_none()
        });
        let found = items.iter().zip(&outcomes);
        observer.planned(
            found
                .map(|(item, outcome)| item.sighting.report(outcome.clone()))
                .collect(),
        );
        let copying = pin!(self.copy_all(groups, began, items, observer, outcomes));
        let flushing = pin!(self.flush_in_batches(mirrors));
        let outcomes = match select(copying, flushing).await {
            Either::Left((outcomes, _)) => outcomes,
            Either::Right((never, _)) => match never {},
        };
        (outcomes, self.flush_all(mirrors).await)
    }

    async fn copy_all(
        &self,
        groups: Vec<Group>,
        began: Instant,
        items: &[Item],
        observer: &dyn Observer,
        mut outcomes: Vec<Outcome>,
    ) -> Vec<Outcome> {
        let mut results = stream::iter(groups)
            .map(|group| {
                let deadline = began.checked_add(group.timeout.as_std());
                async move { (self.copy(&group, deadline).await, group) }
            })
            .buffer_unordered(IMAGES);
        while let Some((results, group)) = results.next().await {
            let mut counted = HashSet::new();
            for (member, target) in group.members {
                let (Some(item), Some(place)) = (items.get(member), outcomes.get_mut(member))
                else {
                    continue;
                };
                let result = results.as_ref().and_then(|results| results.get(target));
                *place = item.outcome(result, group.timeout);
                if !counted.insert(target) {
                    // Several tags of one repository share the bytes of one copy.
                    place.forget_bytes();
                }
                observer.finished(&item.sighting.report(place.clone()));
                let done = result.and_then(|result| result.as_ref().ok());
                self.record(item, place, done.and_then(|done| done.seen));
            }
        }
        outcomes
    }

    /// Runs a job; nothing where the time of its mirror is over.
    async fn copy(
        &self,
        group: &Group,
        deadline: Option<Instant>,
    ) -> Option<Vec<Result<Done, Error>>> {
        let copy = async {
            match &group.completion {
                None => self.engine.copy(&group.job).await,
                Some((visit, late)) => self.engine.complete(visit, late).await,
            }
        };
        match deadline {
            Some(deadline) => timeout_at(deadline, copy).await.ok(),
            None => Some(copy.await),
        }
    }

    /// Puts everything that is about to be pushed on record, and what was found right.
    fn write_ahead(&self, items: &[Item]) {
        for item in items {
            let Sighting { slot, recorded, .. } = &item.sighting;
            let record = item.record_ahead();
            if let Some(record) = record.filter(|record| recorded.as_ref() != Some(record)) {
                self.ledger.write(slot.clone(), record);
            }
        }
    }

    fn record(&self, item: &Item, outcome: &Outcome, seen: Option<Seen>) {
        let slot = &item.sighting.slot;
        let is_right = matches!(outcome, Outcome::Unchanged | Outcome::Completed { .. });
        if is_right && matches!(item.step, Step::Completed(_)) {
            self.ledger.write(slot.clone(), item.record_right(true));
            return;
        }
        let digest = match outcome {
            Outcome::Copied { digest, .. } | Outcome::Retagged { digest } => digest.clone(),
            Outcome::Unchanged | Outcome::Completed { .. } => item.sighting.expected.clone(),
            Outcome::Planned { .. }
            | Outcome::Frozen
            | Outcome::Refused(_)
            | Outcome::Quarantined(_)
            | Outcome::Failed(_) => return,
        };
        let now = clock::now();
        let referrers = seen.map(|seen| Looked { at: now, seen });
        let record = Record {
            referrers,
            ..item.record(digest, Some(now))
        };
        self.ledger.write(slot.clone(), record);
    }

    /// Brings the records of the mirrors to where they are kept, and says for which mirrors it failed.
    async fn flush_all(&self, mirrors: &[&Mirror]) -> Vec<Unkept> {
        let flushes = mirrors.iter().enumerate().map(async |(index, mirror)| {
            let error = self.ledger.flush(&mirror.name).await.err()?;
            Some((index, error))
        });
        join_all(flushes).await.into_iter().flatten().collect()
    }

    /// Keeps what was done so far, now and then: an interrupted round is not started from nothing.
    async fn flush_in_batches(&self, mirrors: &[&Mirror]) -> Infallible {
        loop {
            tokio::time::sleep(BATCH).await;
            for (index, error) in self.flush_all(mirrors).await {
                let mirror = mirrors.get(index).map(|mirror| &mirror.name);
                tracing::warn!(mirror, %error, "the records were not kept: trying again");
            }
        }
    }
}

// === impl Item ===

impl Item {
    /// Whether the image is copied.
    fn is_copied(&self) -> bool {
        matches!(self.step, Step::Decided(Decision::Copy | Decision::Move))
    }

    /// What is known before anything is copied.
    pub(super) fn foreseen(&self) -> Outcome {
        let decision = match &self.step {
            Step::Decided(decision) => *decision,
            Step::Withheld(outcome) => return outcome.clone(),
            Step::Completed(_) => return planned(false, true),
            Step::Unseen(failure) => return Outcome::Failed(failure.clone()),
        };
        match decision {
            Decision::Unchanged => Outcome::Unchanged,
            Decision::Copy => planned(false, false),
            Decision::Move => planned(true, false),
            Decision::Freeze => Outcome::Frozen,
            Decision::Refuse => Outcome::Failed(Failure::moved(
                &self.sighting.claim.to_string(),
                format!(
                    "{} moved to {} at the source, and tagMutability is Fail: the destination keeps {}",
                    self.sighting.image.source,
                    self.sighting.image.digest,
                    self.sighting
                        .current
                        .as_ref()
                        .map_or("nothing", Digest::as_str),
                ),
            )),
        }
    }

    /// What a copy came to; nothing came of it where its time was over.
    fn outcome(&self, result: Option<&Result<Done, Error>>, timeout: Duration) -> Outcome {
        let claim = &self.sighting.claim;
        let subject = claim.to_string();
        let done = result.map(|result| result.as_ref().and_then(|done| done.about(&claim.tag)));
        match done {
            Some(Ok(Done {
                digest,
                action,
                bytes,
                unmoved: _,
                seen: _,
            })) => match action {
                Action::Unchanged => Outcome::Unchanged,
                Action::Completed => Outcome::Completed {
                    digest: digest.clone(),
                    bytes: *bytes,
                },
                Action::Retagged => Outcome::Retagged {
                    digest: digest.clone(),
                },
                Action::Copied => Outcome::Copied {
                    digest: digest.clone(),
                    bytes: *bytes,
                },
            },
            Some(Err(error)) => Outcome::Failed(Failure::copying(&subject, error)),
            None => Outcome::Failed(Failure::timed_out(&subject, timeout)),
        }
    }

    /// What stands on record before anything is pushed; nothing where nothing was ever written.
    fn record_ahead(&self) -> Option<Record> {
        let Sighting {
            image,
            expected,
            recorded,
            ..
        } = &self.sighting;
        let kept = |refused| {
            let recorded = recorded.clone()?;
            Some(Record {
                source: image.source.to_string(),
                refused,
                unwanted: None,
                ..recorded
            })
        };
        let decision = match self.step {
            Step::Decided(Decision::Unchanged) => return Some(self.record_right(true)),
            Step::Completed(_) | Step::Unseen(_) => return Some(self.record_right(false)),
            Step::Decided(decision) => decision,
            Step::Withheld(_) => return kept(true),
        };
        match decision {
            Decision::Copy | Decision::Move => Some(self.record(expected.clone(), None)),
            Decision::Unchanged | Decision::Freeze | Decision::Refuse => kept(false),
        }
    }

    /// What stands on record of a tag that is right, and whether all that refers to its image is there.
    fn record_right(&self, is_complete: bool) -> Record {
        let Sighting {
            image,
            expected,
            recorded,
            ..
        } = &self.sighting;
        let before = recorded.as_ref();
        let looked = self.looked.filter(|_| is_complete);
        let referrers = looked.or_else(|| before.and_then(|record| record.referrers));
        let verified = if is_complete {
            self.verified()
        } else {
            before.and_then(|record| record.verified.clone())
        };
        let new = |copied_at| self.record(expected.clone(), copied_at);
        let record = match before {
            None => Record {
                adopted: true,
                ..new(None)
            },
            // A push whose end nobody saw.
            Some(recorded) if recorded.is_pending() => new(Some(clock::now())),
            Some(recorded) => Record {
                source: image.source.to_string(),
                refused: false,
                unwanted: None,
                ..recorded.clone()
            },
        };
        Record {
            verified,
            referrers,
            ..record
        }
    }

    fn record(&self, digest: Digest, copied_at: Option<Timestamp>) -> Record {
        let Sighting {
            image, recorded, ..
        } = &self.sighting;
        let known = recorded
            .as_ref()
            .filter(|known| known.source_digest == image.digest);
        let now = clock::now();
        Record {
            source: image.source.to_string(),
            source_digest: image.digest.clone(),
            digest,
            first_seen: known.map_or(copied_at.unwrap_or(now), |known| known.first_seen),
            shape: image.shape.to_string(),
            copied_at,
            adopted: false,
            refused: false,
            registry: Some(self.sighting.claim.registry.clone()),
            unwanted: None,
            verified: self.verified(),
            referrers: None,
        }
    }

    /// Who vouches for the image; since when stays, as long as it is the same evidence.
    fn verified(&self) -> Option<Verified> {
        let Sighting {
            image, recorded, ..
        } = &self.sighting;
        let new = Verified::new(self.voucher.as_ref()?, clock::now());
        let known = recorded
            .as_ref()
            .filter(|known| known.source_digest == image.digest)
            .and_then(|known| known.verified.clone());
        Some(known.filter(|known| known.is_like(&new)).unwrap_or(new))
    }
}

fn planned(moves: bool, completes: bool) -> Outcome {
    Outcome::Planned { moves, completes }
}

/// One job for each image of a mirror of which items are wanted, one target for each repository, all of its
/// tags together.
pub(super) fn group(
    mirrors: &[&Mirror],
    items: &[Item],
    is_wanted: impl Fn(&Item) -> bool,
) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    let mut known = HashMap::new();
    for (index, item) in items.iter().enumerate() {
        let image = &item.sighting.image;
        let Some(mirror) = mirrors.get(image.mirror).filter(|_| is_wanted(item)) else {
            continue;
        };
        let key = (
            image.mirror,
            image.origin.repository.clone(),
            image.digest.clone(),
        );
        let place = *known.entry(key).or_insert_with(|| {
            groups.push(Group {
                mirror: image.mirror,
                timeout: mirror.timeout,
                job: image.job(),
                completion: None,
                members: Vec::new(),
            });
            groups.len() - 1
        });
        if let Some(group) = groups.get_mut(place) {
            let target = group.add(item);
            group.members.push((index, target));
        }
    }
    groups
}

/// The groups that were looked at and of which something is missing.
fn completions(mirrors: &[&Mirror], items: &[Item]) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    for (index, Item { sighting, step, .. }) in items.iter().enumerate() {
        let Step::Completed(Completion {
            visit,
            late,
            target,
        }) = step
        else {
            continue;
        };
        let Some(mirror) = mirrors.get(sighting.image.mirror) else {
            continue;
        };
        let known = groups.iter_mut().rev().find(|group| {
            let completion = group.completion.as_ref();
            completion.is_some_and(|(known, _)| Arc::ptr_eq(known, visit))
        });
        match known {
            Some(group) => group.members.push((index, *target)),
            None => groups.push(Group {
                mirror: sighting.image.mirror,
                timeout: mirror.timeout,
                job: visit.job.clone(),
                completion: Some((visit.clone(), late.clone())),
                members: vec![(index, *target)],
            }),
        }
    }
    groups
}

impl Group {
    /// Nothing is pushed that is not on record.
    fn refuse(&self, items: &[Item], error: &KeepError, outcomes: &mut [Outcome]) {
        for (member, _) in &self.members {
            if let (Some(item), Some(place)) = (items.get(*member), outcomes.get_mut(*member)) {
                let subject = item.sighting.claim.to_string();
                *place = Outcome::Failed(Failure::unrecorded(&subject, error));
            }
        }
    }

    fn add(&mut self, item: &Item) -> usize {
        let Sighting {
            endpoint,
            claim,
            current,
            expected,
            ..
        } = &item.sighting;
        let used = item.voucher.iter().flat_map(|voucher| &voucher.used);
        for digest in used {
            if !self.job.evidence.contains(digest) {
                self.job.evidence.push(digest.clone());
            }
        }
        let tag = TagPush {
            tag: claim.tag.clone(),
            // The right digest in another shape is pushed as if it were not there.
            current: current.clone().filter(|current| current != expected),
            previous: claim.previous.clone(),
        };
        let place = endpoint.place();
        let known = self.job.targets.iter_mut().enumerate().find(|(_, target)| {
            target.repository == claim.repository && target.endpoint.place() == place
        });
        if let Some((index, target)) = known {
            target.tags.push(tag);
            return index;
        }
        self.job.targets.push(Target {
            endpoint: endpoint.clone(),
            repository: claim.repository.clone(),
            tags: vec![tag],
        });
        self.job.targets.len() - 1
    }
}

/// One group of each mirror after the other, so that a large mirror does not hold up a small one.
fn in_turns(groups: Vec<Group>) -> Vec<Group> {
    let mut turns: HashMap<usize, usize> = HashMap::new();
    let mut ordered: Vec<(usize, Group)> = groups
        .into_iter()
        .map(|group| {
            let turn = turns.entry(group.mirror).or_default();
            *turn += 1;
            (*turn, group)
        })
        .collect();
    ordered.sort_by_key(|(turn, _)| *turn);
    ordered.into_iter().map(|(_, group)| group).collect()
}
