//! Carries the plan out: one job an image, whatever the number of its destinations and tags.
//!
//! What is about to be pushed is on record before the first push. One job's failure never stops
//! another, and mirrors take turns.

use std::collections::{HashMap, HashSet};
use std::convert::Infallible;
use std::pin::pin;
use std::time::Duration as StdDuration;

use futures::future::{Either, join_all, select};
use futures::{StreamExt, stream};
use jiff::Timestamp;
use tokio::time::{Instant, timeout_at};

use super::ledger::{KeepError, Record, Verified};
use super::resolve::Sighting;
use super::{Connect, Observer, Syncer};
use crate::copy::{Action, Done, Error, Job, TagPush, Target};
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
}

/// What is to be done about a sighting.
#[derive(Clone, Debug)]
pub(super) enum Step {
    /// What the digests say.
    Decided(Decision),
    /// Nothing: a policy does not admit the image, with this outcome.
    Withheld(Outcome),
}

/// The items that one job serves.
struct Group {
    /// The place of the mirror among the mirrors of the round.
    mirror: usize,
    /// How long a round of the mirror may take.
    timeout: Duration,
    job: Job,
    /// Which item is served by which target of the job.
    members: Vec<(usize, usize)>,
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
        let mut groups = in_turns(group(mirrors, items));
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
                self.record(item, place);
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
        let copy = self.engine.copy(&group.job);
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

    fn record(&self, item: &Item, outcome: &Outcome) {
        let digest = match outcome {
            Outcome::Copied { digest, .. } | Outcome::Retagged { digest } => digest.clone(),
            Outcome::Unchanged => item.sighting.expected.clone(),
            Outcome::Planned { .. }
            | Outcome::Frozen
            | Outcome::Refused(_)
            | Outcome::Quarantined(_)
            | Outcome::Failed(_) => return,
        };
        self.ledger.write(
            item.sighting.slot.clone(),
            item.record(digest, Some(clock::now())),
        );
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
    /// What is known before anything is copied.
    pub(super) fn foreseen(&self) -> Outcome {
        let decision = match &self.step {
            Step::Decided(decision) => *decision,
            Step::Withheld(outcome) => return outcome.clone(),
        };
        match decision {
            Decision::Unchanged => Outcome::Unchanged,
            Decision::Copy => Outcome::Planned { moves: false },
            Decision::Move => Outcome::Planned { moves: true },
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
            })) => match action {
                Action::Unchanged => Outcome::Unchanged,
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
            Step::Decided(decision) => decision,
            Step::Withheld(_) => return kept(true),
        };
        let copied_at = match (decision, recorded) {
            (Decision::Copy | Decision::Move, _) | (Decision::Unchanged, None) => None,
            // A push whose end nobody saw.
            (Decision::Unchanged, Some(recorded)) if recorded.is_pending() => Some(clock::now()),
            (Decision::Unchanged, Some(_)) => {
                return Some(Record {
                    verified: self.verified(),
                    ..kept(false)?
                });
            }
            (Decision::Freeze | Decision::Refuse, _) => return kept(false),
        };
        Some(Record {
            adopted: decision == Decision::Unchanged && recorded.is_none(),
            ..self.record(expected.clone(), copied_at)
        })
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

/// One job for each image of a mirror, one target for each repository, all of its tags together.
fn group(mirrors: &[&Mirror], items: &[Item]) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    let mut known = HashMap::new();
    for (index, Item { sighting, step, .. }) in items.iter().enumerate() {
        match step {
            Step::Decided(Decision::Copy | Decision::Move) => {}
            Step::Decided(Decision::Unchanged | Decision::Freeze | Decision::Refuse)
            | Step::Withheld(_) => continue,
        }
        let image = &sighting.image;
        let Some(mirror) = mirrors.get(image.mirror) else {
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
                members: Vec::new(),
            });
            groups.len() - 1
        });
        if let Some(group) = groups.get_mut(place) {
            let target = group.add(sighting);
            group.members.push((index, target));
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

    fn add(&mut self, sighting: &Sighting) -> usize {
        let Sighting {
            endpoint,
            claim,
            current,
            expected,
            ..
        } = sighting;
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
