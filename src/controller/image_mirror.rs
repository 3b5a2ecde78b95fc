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
use std::time::{Duration, Instant};

use futures::future::{Either, select};
use jiff::Timestamp;
use kube::core::PartialObjectMetaExt;
use kube::core::error_boundary::InvalidObject;
use kube::runtime::controller::Action;
use kube::{Resource, ResourceExt};
use tracing::Instrument;

use self::prepare::{Prepared, prepare};
use super::cluster::WriteError;
use super::context::{Context, MIRROR, earlier, generation};
use super::events;
use super::memory::{Failed, Remembered, name_of};
use super::progress::Progress;
use super::secrets::read_reach;
use crate::api::image_mirror::ImageMirrorStatus;
use crate::api::{ImageMirror, Reason, annotations};
use crate::plan::due::{Cause, Due, Situation};
use crate::plan::report::{MirrorReport, Totals};
use crate::plan::status::{self, Halt, Round};
use crate::runtime::clock;
use crate::sync::Mode;

/// Time until something that a mirror waits for is looked for again, should no event tell of it.
const LOOK_AGAIN: Duration = Duration::from_secs(5 * 60);
/// Longest time between two looks at a mirror: the clock may jump.
const LONGEST_SLEEP: Duration = Duration::from_secs(60 * 60);

/// How a round ended.
enum Ended {
    /// It came to its end.
    Finished(MirrorReport),
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
    let requested = annotations::requested_at(object.annotations());
    let remembered = context.shared.memory.read(object);
    let prepared = match prepare(object, &context.policies) {
        Ok(prepared) => prepared,
        Err(halt) => return stop(object, &remembered.status, &halt, context).await,
    };
    let Remembered {
        status,
        next,
        has_pending,
    } = remembered;
    let situation = Situation {
        status: &status,
        generation: generation(object),
        requested: requested.as_deref(),
        policies: &prepared.policies,
        has_pending,
        schedule: &prepared.mirror.schedule,
        next,
    };
    match situation.decide(clock::now()) {
        Due::Now(cause) => {
            let span = tracing::info_span!("round", mirror = name_of(object), ?cause);
            run(object, &prepared, cause, context)
                .instrument(span)
                .await
        }
        Due::At(time) => {
            // After a restart nothing was said to the metrics yet.
            context
                .write_status(object, &status, status.clone())
                .await?;
            Ok(wait_until(Some(time)))
        }
        Due::Never => Ok(Action::await_change()),
    }
}

/// One round, from the first word on the status to the last.
async fn run(
    object: &ImageMirror,
    prepared: &Prepared,
    cause: Cause,
    context: &Context,
) -> Result<Action, WriteError> {
    let requested = annotations::requested_at(object.annotations());
    let previous = context.shared.memory.read(object).status;
    let begun = status::begin(&previous, generation(object), clock::now());
    context.write_status(object, &previous, begun).await?;

    tracing::debug!(?cause, "waiting for a turn");
    context.shared.metrics.waiting.inc();
    let turn = context.shared.turns.take(&prepared.mirror.namespace).await;
    context.shared.metrics.waiting.dec();
    context.shared.metrics.running.inc();
    let (began, clock) = (clock::now(), Instant::now());
    let ended = run_round(object, prepared, context).await;
    context.shared.metrics.running.dec();
    drop(turn);

    let previous = context.shared.memory.read(object).status;
    match ended {
        Ended::Cancelled => {
            tracing::info!("cancelled: what was finished stays");
            context
                .shared
                .metrics
                .count_round("cancelled", "", clock.elapsed());
            Ok(Action::requeue(Duration::from_secs(1)))
        }
        Ended::Halted(halt) => {
            let failed = Failed::Yes { not_before: None };
            let schedule = &prepared.mirror.schedule;
            let next = context
                .shared
                .memory
                .record(object, schedule, began, clock::now(), failed);
            let halt = halt.until(next);
            stop(object, &previous, &halt, context).await?;
            Ok(wait_until(next))
        }
        Ended::Finished(report) => {
            let took = clock.elapsed();
            let next = report_round(
                object, prepared, &previous, &report, began, took, requested, context,
            )
            .await?;
            Ok(wait_until(next))
        }
    }
}

/// The round itself. It ends early when the spec it was started for is gone.
async fn run_round(object: &ImageMirror, prepared: &Prepared, context: &Context) -> Ended {
    let round = context.shared.rounds.begin(object);
    let mirror = &prepared.mirror;
    let progress = Progress::new(&mirror.name);
    let work = async {
        let reach = match read_reach(&context.shared.client, mirror).await {
            Ok(reach) => reach,
            Err(unreached) => {
                return Ended::Halted(Halt::Waiting {
                    reason: unreached.reason,
                    message: unreached.message,
                    next: None,
                });
            }
        };
        let _held = context.shared.reaches.hold(&mirror.name, reach);
        context.shared.records.identify(object, mirror);
        let mirrors = [mirror];
        let round = context
            .shared
            .syncer
            .round(&mirrors, Mode::Apply, &progress);
        let mut report = match select(pin!(round), pin!(progress.tell(object, context))).await {
            Either::Left((report, _)) => report,
            Either::Right((never, _)) => match never {},
        };
        let report = report.mirrors.pop();
        Ended::Finished(report.unwrap_or_else(|| MirrorReport::new(&mirror.name)))
    };
    tokio::select! {
        biased;
        () = round.cancelled() => {
            // What was finished stays on record.
            if let Err(error) = context.shared.syncer.flush(&mirror.name).await {
                tracing::warn!(%error, "the records of a cancelled round were not kept");
            }
            Ended::Cancelled
        }
        ended = work => ended,
    }
}

/// Says what came of a round, and when the next one begins.
#[expect(
    clippy::too_many_arguments,
    reason = "each is one thing that a round leaves behind"
)]
async fn report_round(
    object: &ImageMirror,
    prepared: &Prepared,
    previous: &ImageMirrorStatus,
    report: &MirrorReport,
    began: Timestamp,
    took: Duration,
    requested: Option<String>,
    context: &Context,
) -> Result<Option<Timestamp>, WriteError> {
    let ended = clock::now();
    let schedule = &prepared.mirror.schedule;
    let failed = failed(report);
    let next = context
        .shared
        .memory
        .record(object, schedule, began, ended, failed);
    let round = Round {
        generation: generation(object),
        report,
        began,
        ended,
        next,
        policies: &prepared.policies,
    };
    let status = status::finish(previous, &round, requested);
    let totals = Totals::of(report);
    log(&totals, took, report);
    count(object, report, took, ended, context);
    if context
        .shared
        .usage
        .record(&prepared.mirror.name, &report.policies)
    {
        context.look_at_policies(object);
    }
    let news = events::of_round(previous, &status, &totals);
    context.write_status(object, previous, status).await?;
    let about = object.object_ref(&());
    for event in &news {
        context.shared.cluster.publish(&about, event).await;
    }
    Ok(next)
}

/// Says why no round runs.
async fn stop(
    object: &ImageMirror,
    previous: &ImageMirrorStatus,
    halt: &Halt,
    context: &Context,
) -> Result<Action, WriteError> {
    let requested = annotations::requested_at(object.annotations());
    let now = clock::now();
    let status = status::halt(previous, generation(object), halt, requested, now);
    let event = events::of_transition(previous, &status);
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
        None,
        time.unwrap_or_default(),
    );
    context
        .shared
        .cluster
        .write_status(&metadata, &status)
        .await?;
    Ok(Action::await_change())
}

fn failed(report: &MirrorReport) -> Failed {
    let healable = status::failures(report)
        .map(|(_, failure)| failure)
        .filter(|failure| !status::needs_person(failure.reason));
    let mut failed = Failed::No;
    for failure in healable {
        let earliest = match failed {
            Failed::No => None,
            Failed::Yes { not_before } => not_before,
        };
        failed = Failed::Yes {
            not_before: earlier(earliest, failure.next_attempt_time),
        };
    }
    failed
}

fn log(totals: &Totals, took: Duration, report: &MirrorReport) {
    let Totals {
        copied,
        retagged,
        planned: _,
        unchanged,
        frozen,
        failed,
        bytes,
    } = *totals;
    let milliseconds = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
    tracing::info!(
        copied,
        retagged,
        unchanged,
        frozen,
        failed,
        bytes,
        milliseconds,
        "the round ended"
    );
    for (_, failure) in status::failures(report).take(status::TOLD) {
        let (subject, error) = (&failure.subject, &failure.message);
        tracing::warn!(subject, reason = %failure.reason, error, "failed");
    }
}

fn count(
    object: &ImageMirror,
    report: &MirrorReport,
    took: Duration,
    now: Timestamp,
    context: &Context,
) {
    let (namespace, name) = (object.namespace().unwrap_or_default(), object.name_any());
    match status::worst(report) {
        None => {
            let reason = Reason::Succeeded.as_str();
            context
                .shared
                .metrics
                .count_round("succeeded", reason, took);
            let second = now.as_second();
            context
                .shared
                .metrics
                .observe_success(MIRROR, &namespace, &name, second);
        }
        Some(failure) => {
            let reason = failure.reason.as_str();
            context.shared.metrics.count_round("failed", reason, took);
        }
    }
}

fn wait_until(time: Option<Timestamp>) -> Action {
    let Some(time) = time else {
        return Action::await_change();
    };
    let left = Duration::try_from(time.duration_since(clock::now())).unwrap_or_default();
    Action::requeue(left.min(LONGEST_SLEEP))
}
