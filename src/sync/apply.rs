// SPDX-License-Identifier: Apache-2.0

//! Carries the plan out: one job an image, whatever the number of its destinations and tags.
//!
//! What is about to be pushed is on record before the first push. One job's failure never stops
//! another, and mirrors take turns.

use std::collections::HashSet;
use std::convert::Infallible;
use std::pin::pin;
use std::time::Duration as StdDuration;

use futures::future::{Either, join_all, select};
use futures::{StreamExt, stream};
use tokio::time::{Instant, timeout_at};

use super::groups::{Group, completions, group, in_turns};
use super::item::{Item, Step};
use super::ledger::{KeepError, Looked, Record};
use super::sighting::Sighting;
use super::{Connect, Observer, Syncer};
use crate::copy::{Done, Error};
use crate::plan::Mirror;
use crate::plan::report::Outcome;
use crate::runtime::clock;

/// Images that are copied at once. What a registry bears is decided by its own limits.
const IMAGES: usize = 64;

/// Time between two flushes of the records while images are copied.
const BATCH: StdDuration = StdDuration::from_secs(10);

/// The place of a mirror among those of the round, and why its records could not be kept.
pub(super) type Unkept = (usize, KeepError);

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
                let mirror = &item.sighting.slot.page.mirror;
                observer.finished(mirror, &item.sighting.report(place.clone()));
                let done = result.and_then(|result| result.as_ref().ok());
                self.record(item, place, done);
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

    fn record(&self, item: &Item, outcome: &Outcome, done: Option<&Done>) {
        let slot = &item.sighting.slot;
        let attached = done.map_or(&[][..], |done| &done.attached);
        let is_right = matches!(outcome, Outcome::Unchanged | Outcome::Completed { .. });
        if is_right && matches!(item.step, Step::Completed(_)) {
            let mut record = item.record_right(true);
            record.add_referrers(attached);
            self.ledger.write(slot.clone(), record);
            return;
        }
        let (digest, is_own) = match outcome {
            Outcome::Copied { digest, .. } | Outcome::Retagged { digest } => (digest.clone(), true),
            // It became right by another's hand.
            Outcome::Unchanged | Outcome::Completed { .. } => {
                (item.sighting.expected.clone(), false)
            }
            Outcome::Planned { .. }
            | Outcome::Frozen
            | Outcome::Refused(_)
            | Outcome::Quarantined(_)
            | Outcome::Failed(_) => return,
        };
        let now = clock::now();
        let seen = done.and_then(|done| done.seen);
        let referrers = seen.map(|seen| Looked { at: now, seen });
        let mut record = Record {
            referrers,
            adopted: !is_own,
            ..item.record(digest, is_own.then_some(now))
        };
        record.add_referrers(attached);
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
