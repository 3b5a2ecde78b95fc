// SPDX-License-Identifier: Apache-2.0

//! Reconciles an `ImageMirror`: is a round due, what does it need, run it, say what came of it.
//!
//! ```text
//! observe   what the API server has, and what this process knows
//! prepare   (pure) spec and policies -> a mirror, or why there is none
//! decide    (pure) is a round due
//! run       the Secrets, a turn, the round; it ends when the spec it was started for is gone
//! report    (pure) outcomes -> status, events; one write where something changed
//! glance    a look at some tags between rounds, because an event hints at them
//! ```

mod apart;
mod follow;
mod glance;
mod prepare;
mod running;

use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use kube::core::PartialObjectMetaExt;
use kube::core::error_boundary::InvalidObject;
use kube::runtime::controller::Action;
use kube::{Resource, ResourceExt};
use tracing::Instrument;

use self::apart::{abandon, run_apart, take_over};
use self::glance::{glance, put_back};
pub(super) use self::prepare::Prepared;
use self::prepare::prepare;
use self::running::{AFTER_CANCELLATION, Ended, Extent, log, outlook, run_round, wait_until};
use super::cluster::WriteError;
use super::context::Context;
use super::events;
use super::memory::{Remembered, name_of};
use super::objects::{MIRROR, generation};
use super::span::{Span, duration, earlier};
use crate::api::annotations::Requests;
use crate::api::image_mirror::ImageMirrorStatus;
use crate::api::{ImageMirror, Reason};
use crate::events::pending::DueHints;
use crate::plan::attempts::Outlook;
use crate::plan::due::{Due, Situation};
use crate::plan::report::Totals;
use crate::plan::status::{self, Halt, Round};
use crate::plan::{CopiedBy, Mirror};
use crate::runtime::clock;
use crate::sync::Mode;

/// Time until something that a mirror waits for is looked for again, should no event tell of it.
const LOOK_AGAIN: Duration = Duration::from_secs(5 * 60);

/// Brings a mirror up to date, if it is time. What was noted of one that went away meanwhile is forgotten.
pub(super) async fn reconcile(
    object: &ImageMirror,
    context: &Context,
) -> Result<Action, WriteError> {
    let action = bring_up_to_date(object, context).await;
    context.forget_if_gone(object);
    action
}

async fn bring_up_to_date(object: &ImageMirror, context: &Context) -> Result<Action, WriteError> {
    if object.metadata.deletion_timestamp.is_some() {
        context.shared.hinted.halt(&name_of(object));
        return Ok(Action::await_change());
    }
    // On the heap, here and below, what is over before a mirror waits for its turn, or begins after it: thousands may wait.
    Box::pin(catch_up(object, context)).await?;
    let requested = Requests::of(object.annotations());
    let remembered = context.shared.memory.read(object);
    let prepared = match make_ready(object, context) {
        Ok(prepared) => prepared,
        Err(halt) => {
            let stopping = stop(object, &remembered.status, &halt, context);
            let action = Box::pin(stopping).await?;
            Box::pin(abandon(object, context)).await?;
            return Ok(action);
        }
    };
    let Remembered {
        status,
        next,
        has_pending,
        tries: _,
        untold: _,
    } = remembered;
    let situation = Situation {
        status: &status,
        generation: generation(object),
        requested: &requested,
        policies: &prepared.policies,
        approved: prepared.mirror.prune.approved.as_ref(),
        has_pending: has_pending || status.job.is_some(),
        schedule: &prepared.mirror.schedule,
        next,
    };
    match situation.decide(clock::now()) {
        Due::Now(cause) => {
            let span = tracing::info_span!("round", mirror = name_of(object), ?cause);
            let mode = if situation.is_requested() {
                Mode::Refresh
            } else {
                Mode::Apply
            };
            // Thousands may wait for a turn: what they need then is made anew.
            drop((status, prepared.policies));
            run(object, prepared.mirror, mode, context)
                .instrument(span)
                .await
        }
        Due::At(time) => {
            context.shared.memory.resume(object, time);
            Box::pin(look_between(object, &prepared, Some(time), context)).await
        }
        Due::Never => Box::pin(look_between(object, &prepared, None, context)).await,
    }
}

/// Makes a mirror that can be run. Of one that cannot nothing is looked at: what ends the halt begins a round.
fn make_ready(object: &ImageMirror, context: &Context) -> Result<Prepared, Halt> {
    let hinted = &context.shared.hinted;
    let prepared = prepare(object, &context.policies, context.shared.longest_round);
    match &prepared {
        Ok(_) => hinted.go_on(&name_of(object)),
        Err(_) => hinted.halt(&name_of(object)),
    }
    prepared
}

/// What is to be done while no round is due: what events hint at is looked at.
async fn look_between(
    object: &ImageMirror,
    prepared: &Prepared,
    next: Option<Timestamp>,
    context: &Context,
) -> Result<Action, WriteError> {
    let name = name_of(object);
    let next = match context.shared.hinted.take(&name) {
        DueHints::Tags(spots) if matches!(prepared.mirror.execution, CopiedBy::Job(_)) => {
            // A Job looks at all of them.
            put_back(object, spots, context);
            let span = tracing::info_span!("round", mirror = name, cause = "Hinted");
            let round = run(object, prepared.mirror.clone(), Mode::Apply, context);
            return round.instrument(span).await;
        }
        DueHints::Tags(spots) => {
            let span = tracing::info_span!("glance", mirror = name);
            let glance = glance(object, prepared, (spots, next), context);
            return glance.instrument(span).await;
        }
        DueHints::Everything(_) => {
            let span = tracing::info_span!("round", mirror = name, cause = "Hinted");
            let round = run(object, prepared.mirror.clone(), Mode::Apply, context);
            return round.instrument(span).await;
        }
        DueHints::NotBefore(instant) => {
            let wait = instant.saturating_duration_since(Instant::now());
            earlier(next, clock::now().checked_add(wait).ok())
        }
        DueHints::Nothing => next,
    };
    // After a restart nothing was said to the metrics yet, and promises are missed by waiting.
    let status = context.shared.memory.read(object).status;
    context
        .write_status(object, &status, status.clone())
        .await?;
    Ok(wait_until(object, next, context))
}

/// Writes what came of the last round, where that was not possible at its end: the next one may be hours
/// away.
async fn catch_up(object: &ImageMirror, context: &Context) -> Result<(), WriteError> {
    let remembered = context.shared.memory.read(object);
    let Some(untold) = remembered.untold else {
        return Ok(());
    };
    context
        .write_status(object, &remembered.status, untold)
        .await
}

/// One round, from the first word on the status to the last. While it waits for its turn, nothing of the mirror is held
/// but the object.
async fn run(
    object: &ImageMirror,
    mirror: Arc<Mirror>,
    mode: Mode,
    context: &Context,
) -> Result<Action, WriteError> {
    Box::pin(announce(object, context)).await?;
    let round = context.shared.rounds.begin(object);
    if context.is_outdated(object) {
        // The change came before anybody listened for it, and brings another look.
        return Ok(Action::await_change());
    }
    let Some(running) = round
        .unless_cancelled(take_over(object, &mirror.execution, context))
        .await
    else {
        return Ok(Action::requeue(AFTER_CANCELLATION));
    };
    let running = running?;
    let turn = context.take_turn(&mirror);
    drop(mirror);
    let Some(turn) = round.unless_cancelled(turn).await else {
        return Ok(Action::requeue(AFTER_CANCELLATION));
    };
    let requested = Requests::of(object.annotations());
    let prepared = match make_ready(object, context) {
        Ok(prepared) => prepared,
        Err(halt) => {
            let previous = context.shared.memory.read(object).status;
            return Box::pin(stop(object, &previous, &halt, context)).await;
        }
    };
    let began = clock::now();
    // What comes from now on may be of after it was looked at.
    let taken = context.shared.hinted.take_all(&name_of(object));
    // On the heap, so that thousands that wait for a turn are small.
    let ended = match &prepared.mirror.execution {
        CopiedBy::InProcess => {
            let extent = Extent::Whole(mode);
            Box::pin(run_round(object, &prepared, extent, &round, context)).await
        }
        CopiedBy::Job(execution) => {
            let (how, held) = ((mode, &**execution), (&round, turn));
            Box::pin(run_apart(object, &prepared, how, held, running, context)).await?
        }
    };
    let span = Span {
        began,
        ended: clock::now(),
    };
    match &ended {
        Ended::Cancelled => context.shared.hinted.put_back(&name_of(object), taken),
        Ended::Halted(_) => context.shared.hinted.settle(&name_of(object)),
        Ended::Finished(report) => context.settle(object, &taken.spots, report, span.ended),
    }
    let concluding = conclude(object, &prepared, requested, (ended, span), context);
    Box::pin(concluding).await
}

/// Says on the status that a round begins.
async fn announce(object: &ImageMirror, context: &Context) -> Result<(), WriteError> {
    let previous = context.shared.memory.read(object).status;
    if previous.observed_generation != generation(object) {
        // A round for the spec before may have ended meanwhile, and said what that one wanted.
        context.stand_by(object);
    }
    let beginning = status::begin(&previous, generation(object), clock::now());
    context.write_status(object, &previous, beginning).await
}

/// What follows from how a round ended.
async fn conclude(
    object: &ImageMirror,
    prepared: &Prepared,
    requested: Requests,
    (ended, span): (Ended, Span),
    context: &Context,
) -> Result<Action, WriteError> {
    match ended {
        Ended::Cancelled => {
            tracing::info!("cancelled: what was finished stays");
            context
                .shared
                .metrics
                .count_round("cancelled", "", span.duration());
            Ok(Action::requeue(AFTER_CANCELLATION))
        }
        Ended::Halted(halt) => {
            let outlook = Outlook {
                failed: true,
                ..Outlook::default()
            };
            let next = context.plan_next(object, prepared, span, outlook);
            let previous = context.shared.memory.read(object).status;
            stop(object, &previous, &halt.until(next), context).await?;
            Ok(wait_until(object, next, context))
        }
        Ended::Finished(report) => {
            let outlook = outlook(&report, span.ended);
            let next = context.plan_next(object, prepared, span, outlook);
            let round = Round {
                generation: generation(object),
                report: &report,
                began: span.began,
                ended: span.ended,
                next,
                policies: &prepared.policies,
            };
            tell(object, &round, requested, context).await?;
            Ok(wait_until(object, next, context))
        }
    }
}

/// Says what came of a round: to the log, Prometheus, the policies, the status and its events.
async fn tell(
    object: &ImageMirror,
    round: &Round<'_>,
    requested: Requests,
    context: &Context,
) -> Result<(), WriteError> {
    let Remembered {
        status: previous,
        tries,
        next: _,
        has_pending: _,
        untold: _,
    } = context.shared.memory.read(object);
    let (status, tries) = status::finish(&previous, &tries, round, requested);
    context.shared.memory.count(object, tries);
    let totals = Totals::of(round.report);
    log(&totals, round);
    context.shared.metrics.count_pruned(totals.pruned);
    count(object, round, context);
    let name = name_of(object);
    if context.shared.usage.record(&name, &round.report.policies) {
        context.look_at_policies_of(object);
    }
    let news = events::of_round(&previous, &status, &totals);
    let written = context.write_status(object, &previous, status.clone());
    if let Err(error) = written.await {
        context.shared.memory.owe(object, status);
        return Err(error);
    }
    let about = object.object_ref(&());
    for event in &news {
        context.shared.cluster.publish(&about, event).await;
    }
    Ok(())
}

/// Says why no round runs.
async fn stop(
    object: &ImageMirror,
    previous: &ImageMirrorStatus,
    halt: &Halt,
    context: &Context,
) -> Result<Action, WriteError> {
    let requested = Requests::of(object.annotations());
    let now = clock::now();
    let status = status::halt(previous, generation(object), halt, requested, now);
    let event = match halt {
        Halt::Suspended => events::of_suspension(previous, &status),
        Halt::Stalled { .. } | Halt::Waiting { .. } => events::of_transition(previous, &status),
    };
    context.write_status(object, previous, status).await?;
    if let Some(event) = event {
        let about = object.object_ref(&());
        context.shared.cluster.publish(&about, &event).await;
    }
    Ok(match halt {
        Halt::Stalled { .. } | Halt::Suspended => Action::await_change(),
        Halt::Waiting { .. } => Action::requeue(LOOK_AGAIN),
    })
}

/// Says that an object cannot be understood, such as one of a newer version: nothing is done for it.
pub(super) async fn refuse(
    object: &InvalidObject,
    context: &Context,
) -> Result<Action, WriteError> {
    let metadata = object.metadata.clone();
    let metadata = metadata.into_request_partial::<ImageMirror>();
    let halt = Halt::Stalled {
        reason: Reason::InvalidSpec,
        message: format!(
            "this version of transship does not understand it: {}",
            object.error
        ),
    };
    let generation = object.metadata.generation.unwrap_or_default();
    // Nothing is known of what was written before: the same object must give the same status.
    let time = metadata.creation_timestamp().map(|time| time.0);
    let status = status::halt(
        &ImageMirrorStatus::default(),
        generation,
        &halt,
        Requests::default(),
        time.unwrap_or_default(),
    );
    context
        .shared
        .cluster
        .write_status(&metadata, &status)
        .await?;
    Ok(Action::await_change())
}

fn count(object: &ImageMirror, round: &Round<'_>, context: &Context) {
    let (namespace, name) = (object.namespace().unwrap_or_default(), object.name_any());
    let took = duration(round.began, round.ended);
    let metrics = &context.shared.metrics;
    match status::worst(round.report) {
        None => {
            metrics.count_round("succeeded", Reason::Succeeded.as_str(), took);
            metrics.observe_success(MIRROR, &namespace, &name, round.ended.as_second());
        }
        Some(failure) => metrics.count_round("failed", failure.reason.as_str(), took),
    }
}
