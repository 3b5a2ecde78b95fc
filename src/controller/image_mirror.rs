// SPDX-License-Identifier: Apache-2.0

//! Reconciles an `ImageMirror`: is a round due, what does it need, run it, say what came of it.
//!
//! ```text
//! observe   what the API server has, and what this process knows
//! prepare   (pure) spec and policies -> a mirror, or why there is none
//! decide    (pure) is a round due
//! run       the Secrets, a turn, the round; it ends when the spec it was started for is gone
//! report    (pure) outcomes -> status, events; one write where something changed
//! ```

mod prepare;

use std::pin::pin;
use std::time::Duration;

use futures::future::{Either, select};
use jiff::Timestamp;
use kube::core::PartialObjectMetaExt;
use kube::core::error_boundary::InvalidObject;
use kube::runtime::controller::Action;
use kube::{Resource, ResourceExt};
use tracing::Instrument;

pub(super) use self::prepare::Prepared;
use self::prepare::prepare;
use super::cluster::WriteError;
use super::context::{Context, Shared};
use super::events;
use super::memory::{Remembered, name_of};
use super::objects::{MIRROR, generation};
use super::progress::Progress;
use super::rounds::RunningRound;
use super::secrets::read_reach;
use super::span::{Span, duration, earlier};
use crate::api::annotations::Requests;
use crate::api::image_mirror::ImageMirrorStatus;
use crate::api::{ImageMirror, Reason};
use crate::plan::attempts::Outlook;
use crate::plan::due::{Due, Situation};
use crate::plan::report::{MirrorReport, Totals};
use crate::plan::status::{self, Halt, Round};
use crate::runtime::clock;
use crate::sync::{self, Mode, RoundInput};

/// Time until something that a mirror waits for is looked for again, should no event tell of it.
const LOOK_AGAIN: Duration = Duration::from_secs(5 * 60);
/// Time until a mirror is looked at again whose round was cancelled: the change that did it comes too.
const AFTER_CANCELLATION: Duration = Duration::from_secs(1);
/// Longest time between two looks at a mirror: the clock may jump.
const LONGEST_SLEEP: Duration = Duration::from_secs(60 * 60);

/// How a round ended.
enum Ended {
    /// It came to its end.
    Finished(Box<MirrorReport>),
    /// It cannot begin.
    Halted(Halt),
    /// What it was started for is gone.
    Cancelled,
}

/// Brings a mirror up to date, if it is time.
pub(super) async fn reconcile(
    object: &ImageMirror,
    context: &Context,
) -> Result<Action, WriteError> {
    if object.metadata.deletion_timestamp.is_some() {
        return Ok(Action::await_change());
    }
    catch_up(object, context).await?;
    let requested = Requests::of(object.annotations());
    let remembered = context.shared.memory.read(object);
    let prepared = match prepare(object, &context.policies, context.shared.longest_round) {
        Ok(prepared) => prepared,
        Err(halt) => return stop(object, &remembered.status, &halt, context).await,
    };
    let Remembered {
        status,
        next,
        has_pending,
        untold: _,
    } = remembered;
    let situation = Situation {
        status: &status,
        generation: generation(object),
        requested: &requested,
        policies: &prepared.policies,
        approved: prepared.mirror.prune.approved.as_ref(),
        has_pending,
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
            let action = run(object, &prepared, mode, context).instrument(span).await;
            context.forget_if_gone(object);
            action
        }
        Due::At(time) => {
            context.shared.memory.resume(object, time);
            // After a restart nothing was said to the metrics yet.
            context
                .write_status(object, &status, status.clone())
                .await?;
            Ok(wait_until(Some(time)))
        }
        Due::Never => Ok(Action::await_change()),
    }
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

/// One round, from the first word on the status to the last.
async fn run(
    object: &ImageMirror,
    prepared: &Prepared,
    mode: Mode,
    context: &Context,
) -> Result<Action, WriteError> {
    let requested = Requests::of(object.annotations());
    let previous = context.shared.memory.read(object).status;
    if previous.observed_generation != generation(object) {
        // A round for the spec before may have ended meanwhile, and said what that one wanted.
        context.stand_by(object);
    }
    let beginning = status::begin(&previous, generation(object), clock::now());
    context.write_status(object, &previous, beginning).await?;

    let round = context.shared.rounds.begin(object);
    if context.is_outdated(object) {
        // The change came before anybody listened for it, and brings another look.
        return Ok(Action::await_change());
    }
    let turn = context.take_turn(&prepared.mirror);
    let Some(_turn) = round.unless_cancelled(turn).await else {
        return Ok(Action::requeue(AFTER_CANCELLATION));
    };
    let began = clock::now();
    // On the heap, so that thousands that wait for a turn are small.
    let ended = Box::pin(run_round(object, prepared, mode, &round, context)).await;
    let span = Span {
        began,
        ended: clock::now(),
    };
    conclude(object, prepared, requested, (ended, span), context).await
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
            Ok(wait_until(next))
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
            Ok(wait_until(next))
        }
    }
}

/// The round itself. It ends early when the spec it was started for is gone.
async fn run_round(
    object: &ImageMirror,
    prepared: &Prepared,
    mode: Mode,
    guard: &RunningRound,
    context: &Context,
) -> Ended {
    let mirror = &prepared.mirror;
    let progress = Progress::new(&mirror.name);
    let work = async {
        let Shared {
            client, identities, ..
        } = &*context.shared;
        let reach = match read_reach(client, identities, mirror).await {
            Ok(reach) => reach,
            Err(unreached) => {
                return Ended::Halted(Halt::Waiting {
                    reason: unreached.reason,
                    message: unreached.message,
                    next: None,
                });
            }
        };
        let input = [RoundInput {
            mirror: mirror.clone(),
            connection: context.shared.connector.connect(mirror, reach),
        }];
        let round = sync::round(&context.shared.state, &input, mode, &progress);
        let mut report = match select(pin!(round), pin!(progress.tell(object, context))).await {
            Either::Left((report, _)) => report,
            Either::Right((never, _)) => match never {},
        };
        let report = report.mirrors.pop();
        let report = report.unwrap_or_else(|| MirrorReport::new(&mirror.name));
        Ended::Finished(Box::new(report))
    };
    if let Some(ended) = guard.unless_cancelled(work).await {
        return ended;
    }
    // What was finished stays on record.
    if let Err(error) = context.shared.state.flush(mirror).await {
        tracing::warn!(%error, "the records of a cancelled round were not kept");
    }
    Ended::Cancelled
}

/// Says what came of a round: to the log, Prometheus, the policies, the status and its events.
async fn tell(
    object: &ImageMirror,
    round: &Round<'_>,
    requested: Requests,
    context: &Context,
) -> Result<(), WriteError> {
    let previous = context.shared.memory.read(object).status;
    let status = status::finish(&previous, round, requested);
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

/// What a round says about the next one. Of failures only those count that time may heal.
fn outlook(report: &MirrorReport, now: Timestamp) -> Outlook {
    let healable = status::failures(report)
        .map(|(_, failure)| failure)
        .filter(|failure| !status::needs_person(failure.reason));
    let mut outlook = Outlook {
        admission: earlier(report.next_admission(), report.next_prune(now)),
        ..Outlook::default()
    };
    for failure in healable {
        outlook.failed = true;
        outlook.not_before = earlier(outlook.not_before, failure.next_attempt_time);
    }
    outlook
}

fn log(totals: &Totals, round: &Round<'_>) {
    let Totals {
        copied,
        retagged,
        completed,
        planned: _,
        unchanged,
        frozen,
        refused,
        quarantined,
        pruned,
        failed,
        bytes,
    } = *totals;
    let milliseconds = round.ended.duration_since(round.began).as_millis();
    tracing::info!(
        copied,
        retagged,
        completed,
        unchanged,
        frozen,
        refused,
        quarantined,
        pruned,
        failed,
        bytes,
        milliseconds,
        "the round ended"
    );
    let pruning = round.report.prune.iter().flat_map(|prune| &prune.failures);
    let failures = status::failures(round.report).map(|(_, failure)| failure);
    for failure in failures.chain(pruning).take(status::TOLD) {
        let (subject, error) = (&failure.subject, &failure.message);
        tracing::warn!(subject, reason = %failure.reason, error, "failed");
    }
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

fn wait_until(time: Option<Timestamp>) -> Action {
    let Some(time) = time else {
        return Action::await_change();
    };
    Action::requeue(duration(clock::now(), time).min(LONGEST_SLEEP))
}
