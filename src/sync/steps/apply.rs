// SPDX-License-Identifier: Apache-2.0

//! Carries the plan out: one job an image, whatever the number of its destinations and tags.
//!
//! What is about to be pushed is on record before the first push, and nobody else has it on theirs. One job's failure never stops
//! another.

use std::collections::HashSet;
use std::convert::Infallible;
use std::pin::pin;
use std::time::Duration as StdDuration;

use futures::future::{Either, select};
use futures::{StreamExt, stream};
use tokio::time::{Instant, timeout_at};

use super::contention::{find_barred, withdraw_refused};
use super::doomed::find_doomed;
use super::groups::{Group, completions, group};
use crate::copy::{Done, Engine, Error};
use crate::plan::Mirror;
use crate::plan::report::{Failure, Outcome};
use crate::policy::Duration;
use crate::runtime::clock;
use crate::sync::copies::{Copies, Hearsay, Push};
use crate::sync::item::{Item, Step};
use crate::sync::ledger::{KeepError, Ledger, Looked, Record};
use crate::sync::mirror_round::MirrorRound;
use crate::sync::sighting::Sighting;
use crate::sync::{Observer, State};

/// Images that are copied at once. What a registry bears is decided by its own limits.
const IMAGES: usize = 64;

/// Time between two flushes of the records while images are copied.
const BATCH: StdDuration = StdDuration::from_secs(10);

/// What the step works with.
pub(in crate::sync) struct Deps<'a> {
    pub(in crate::sync) state: &'a State,
    pub(in crate::sync) observer: &'a dyn Observer,
    pub(in crate::sync) copies: Copies<'a>,
}

// === the step ===

/// Copies what is to be copied; one outcome for each item, in their order.
pub(in crate::sync) async fn apply(deps: &Deps<'_>, round: &mut MirrorRound) -> Vec<Outcome> {
    let began = Instant::now();
    let (mirror, items) = (round.mirror.clone(), &round.items);
    let ledger: &Ledger = &deps.state.ledger;
    let mut outcomes: Vec<Outcome> = items.iter().map(Item::foreseen).collect();
    let taken = find_barred(deps.state, &mirror, items, |_| true).await;
    write_ahead(ledger, items, |index| taken.is_free(index));
    let unkept = ledger.flush(&mirror).await.err();
    let unkept = |item: &Item| unkept.as_ref()?.about(&item.sighting.slot.page);
    refuse(items, unkept, &mut outcomes);
    let is_kept = |item: &Item| unkept(item).is_none();
    // Somebody else may have announced the same meanwhile.
    let disputed = find_barred(deps.state, &mirror, items, |index| taken.is_free(index)).await;
    disputed.withdraw(ledger, items);
    let doomed = find_doomed(deps.state, &mirror, items).await;
    doomed.withdraw(ledger, items);
    let barred = [taken, disputed, doomed];
    for barred in &barred {
        barred.tell(&mut outcomes);
    }
    let may_be_written =
        |index, item: &Item| barred.iter().all(|barred| barred.is_free(index)) && is_kept(item);
    let mut groups = match deps.copies {
        Copies::All | Copies::Part(_) => group(items, |index, item| {
            item.is_copied() && may_be_written(index, item)
        }),
        Copies::Elsewhere(told) => {
            hear(items, told, &mut outcomes);
            Vec::new()
        }
    };
    groups.extend(completions(items, may_be_written));
    let found = items.iter().zip(&outcomes);
    let found = found.map(|(item, outcome)| item.sighting.report(outcome.clone()));
    deps.observer.planned(found.collect());
    let time = (mirror.timeout, began.checked_add(mirror.timeout.as_std()));
    let copying = copy_all(deps, groups, time, items, outcomes);
    let outcomes = while_flushing(ledger, &mirror, copying).await;
    withdraw_refused(deps.state, items, &outcomes);
    if let Err(error) = ledger.flush(&mirror).await {
        round.fail_records(&error);
    }
    outcomes
}

/// Nothing is pushed that is not on record.
fn refuse<'a>(
    items: &[Item],
    unkept: impl Fn(&Item) -> Option<&'a KeepError>,
    outcomes: &mut [Outcome],
) {
    for (item, outcome) in items.iter().zip(outcomes) {
        let is_written = item.is_copied() || matches!(item.step, Step::Completed(_));
        if let Some(error) = unkept(item).filter(|_| is_written) {
            let subject = item.sighting.claim.to_string();
            *outcome = Outcome::Failed(Failure::unrecorded(&subject, error));
        }
    }
}

/// Says what came of the images that others were to copy.
fn hear(items: &[Item], told: &dyn Hearsay, outcomes: &mut [Outcome]) {
    for (Item { sighting, step, .. }, outcome) in items.iter().zip(outcomes) {
        let Sighting {
            claim,
            slot,
            expected,
            recorded,
            ..
        } = sighting;
        let push = told.pushed(slot);
        let is_theirs = push.is_some() && recorded.as_ref().and_then(Push::of).as_ref() == push;
        let is_planned = matches!(outcome, Outcome::Planned { .. });
        if is_planned && matches!(step, Step::Decided(_)) {
            let failure = told.why_absent(claim);
            *outcome = failure.map_or_else(|| outcome.clone(), Outcome::Failed);
        } else if *outcome == Outcome::Unchanged && is_theirs {
            *outcome = Outcome::Copied {
                digest: expected.clone(),
                bytes: 0,
            };
        }
    }
}

/// Runs the jobs. `timeout` is how long a round of the mirror may take, and `deadline` when that is over.
async fn copy_all(
    deps: &Deps<'_>,
    groups: Vec<Group>,
    (timeout, deadline): (Duration, Option<Instant>),
    items: &[Item],
    mut outcomes: Vec<Outcome>,
) -> Vec<Outcome> {
    let mut results = stream::iter(groups)
        .map(|group| async move { (copy(&deps.state.engine, &group, deadline).await, group) })
        .buffer_unordered(IMAGES);
    while let Some((results, group)) = results.next().await {
        let mut counted = HashSet::new();
        for (member, target) in group.members {
            let (Some(item), Some(place)) = (items.get(member), outcomes.get_mut(member)) else {
                continue;
            };
            let result = results.as_ref().and_then(|results| results.get(target));
            let outcome = item.outcome(result, timeout);
            *place = item.look_after(&deps.state.engine, outcome).await;
            if !counted.insert(target) {
                // Several tags of one repository share the bytes of one copy.
                place.forget_bytes();
            }
            let mirror = &item.sighting.slot.page.mirror;
            let told = item.sighting.report(place.clone());
            deps.observer.finished(mirror, &told);
            let done = result.and_then(|result| result.as_ref().ok());
            record(&deps.state.ledger, item, place, done);
        }
    }
    outcomes
}

/// Runs a job; nothing where the time of its mirror is over.
async fn copy(
    engine: &Engine,
    group: &Group,
    deadline: Option<Instant>,
) -> Option<Vec<Result<Done, Error>>> {
    let copy = async {
        match &group.completion {
            None => engine.copy(&group.job).await,
            Some((visit, late)) => engine.complete(visit, late).await,
        }
    };
    match deadline {
        Some(deadline) => timeout_at(deadline, copy).await.ok(),
        None => Some(copy.await),
    }
}

/// Puts everything that is about to be pushed on record, and what was found right.
fn write_ahead(ledger: &Ledger, items: &[Item], is_meant: impl Fn(usize) -> bool) {
    let meant = items.iter().enumerate();
    for (_, item) in meant.filter(|(index, _)| is_meant(*index)) {
        let Sighting { slot, recorded, .. } = &item.sighting;
        let record = item.record_ahead();
        if let Some(record) = record.filter(|record| recorded.as_ref() != Some(record)) {
            ledger.write(slot.clone(), record);
        }
    }
}

fn record(ledger: &Ledger, item: &Item, outcome: &Outcome, done: Option<&Done>) {
    let slot = &item.sighting.slot;
    let attached = done.map_or(&[][..], |done| &done.attached);
    let is_right = matches!(outcome, Outcome::Unchanged | Outcome::Completed { .. });
    if is_right && matches!(item.step, Step::Completed(_)) {
        let mut record = item.record_right(true);
        record.add_referrers(attached);
        ledger.write(slot.clone(), record);
        return;
    }
    let (digest, is_own) = match outcome {
        Outcome::Copied { digest, .. } | Outcome::Retagged { digest } => (digest.clone(), true),
        // It became right by another's hand.
        Outcome::Unchanged | Outcome::Completed { .. } => (item.sighting.expected.clone(), false),
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
    ledger.write(slot.clone(), record);
}

/// Does something, and keeps what was done so far meanwhile.
async fn while_flushing<T>(ledger: &Ledger, mirror: &Mirror, job: impl Future<Output = T>) -> T {
    match select(pin!(job), pin!(flush_in_batches(ledger, mirror))).await {
        Either::Left((done, _)) => done,
        Either::Right((never, _)) => match never {},
    }
}

/// Keeps what was done so far, now and then: an interrupted round is not started from nothing.
async fn flush_in_batches(ledger: &Ledger, mirror: &Mirror) -> Infallible {
    loop {
        tokio::time::sleep(BATCH).await;
        if let Err(error) = ledger.flush(mirror).await {
            tracing::warn!(mirror = mirror.name, %error, "the records were not kept: trying again");
        }
    }
}
