// SPDX-License-Identifier: Apache-2.0

//! A round whose images a Job copies.
//!
//! ```text
//! plan     the round as ever, but for the copies: those go on record; where there are none, it is done
//! wait     until one more Job of the namespace may be followed; no turn of a round is held from here on
//! create   the Job, and its name on the status: from then on its pods may write
//! follow   until it has ended
//! settle   what its pods say that they pushed is read, and the round as ever finds it in place, prunes and says what came
//!          of it. It is believed of what was announced before, and of what the destination has then
//! ```

use std::collections::BTreeMap;
use std::sync::Arc;

use k8s_openapi::api::batch::v1::Job;
use kube::{Api, ResourceExt};

use super::follow::{Followed, follow};
use super::prepare::Prepared;
use super::running::{Ended, Extent, run_round};
use crate::api::image_mirror::JobStatus;
use crate::api::{ImageMirror, Reason};
use crate::controller::cluster::WriteError;
use crate::controller::context::{Context, RunningTurn, Shared};
use crate::controller::jobs::{
    JobEnd, JobSettings, JobTurn, MOST_JOBS, NamespaceJobs, Planned, generation_of, shares_of,
};
use crate::controller::objects::generation;
use crate::controller::records::{self, HeardObjects, ToldPushes};
use crate::controller::rounds::RunningRound;
use crate::oci::Repository;
use crate::plan::report::{MirrorReport, Outcome};
use crate::plan::status::{self, Halt};
use crate::plan::{CopiedBy, JobExecution, Shares, SourceImage};
use crate::runtime::clock;
use crate::runtime::kubernetes::explain;
use crate::runtime::lease::tenure::FENCE;
use crate::sync::{Mode, NotAsked};

/// Why a mirror with a Job cannot run here.
const NO_JOBS: &str = "spec.execution.mode is Job, and this controller makes no Jobs: set jobs.enabled of the Helm \
                       chart (--job-image), or write mode: InProcess";

/// What a Job is followed for.
enum Work {
    /// It copies already.
    Begun(JobStatus),
    /// It is to be made, for these shares.
    Planned(Shares),
}

/// Runs a round of which a Job copies the images. `running` is one that does already.
pub(super) async fn run_apart(
    object: &ImageMirror,
    prepared: &Prepared,
    (mode, execution): (Mode, &JobExecution),
    (guard, turn): (&RunningRound, RunningTurn),
    running: Option<JobStatus>,
    context: &Context,
) -> Result<Ended, WriteError> {
    let Some(settings) = &context.shared.jobs else {
        return Ok(Ended::Halted(waiting(Reason::DependencyNotReady, NO_JOBS)));
    };
    let work = if let Some(job) = running {
        Work::Begun(job)
    } else {
        let planned = plan(object, prepared, mode, guard, context).await;
        let report = match planned {
            Ended::Finished(report) => report,
            ended @ (Ended::Halted(_) | Ended::Cancelled) => return Ok(ended),
        };
        let repositories = repositories(&report);
        if repositories.is_empty() {
            return Ok(Ended::Finished(report));
        }
        Work::Planned(Shares::balance(&repositories, execution.parallelism))
    };
    // No round waits for what Jobs do.
    drop(turn);
    let Some(turn) = take_job_turn(object, guard, context).await? else {
        return cancelled(object, guard, context).await;
    };
    let job = match work {
        Work::Begun(job) => job,
        Work::Planned(shares) => {
            match create(object, prepared, (execution, &shares, settings), context).await? {
                Ok(job) => job,
                Err(halt) => return Ok(Ended::Halted(halt)),
            }
        }
    };
    let following = Box::pin(follow(object, &job, &turn, context));
    let Some(followed) = guard.unless_cancelled(following).await else {
        return cancelled(object, guard, context).await;
    };
    drop(turn);
    match followed? {
        Followed::Ended(end) => {
            leave(object, false, context).await?;
            let bytes = end.bytes;
            let ended = settle(object, prepared, end, guard, context).await?;
            Ok(with_bytes(ended, bytes))
        }
        Followed::Gone => {
            abandon(object, context).await?;
            let message = format!("Job {} was deleted: the next round goes on", job.name);
            Ok(Ended::Halted(waiting(
                Reason::ProgressingWithRetry,
                &message,
            )))
        }
    }
}

/// The process ends, and the next one follows the Job; or the mirror wants none any more.
async fn cancelled(
    object: &ImageMirror,
    guard: &RunningRound,
    context: &Context,
) -> Result<Ended, WriteError> {
    if !guard.ends_with_process() {
        abandon(object, context).await?;
    }
    Ok(Ended::Cancelled)
}

/// Waits until one more Job of the namespace may be followed, and says so on the mirror. None where the round has to end
/// first.
async fn take_job_turn(
    object: &ImageMirror,
    guard: &RunningRound,
    context: &Context,
) -> Result<Option<JobTurn>, WriteError> {
    let namespace = object.namespace().unwrap_or_default();
    let jobs: Arc<NamespaceJobs> = context.shared.followed.of(&namespace);
    if let Some(turn) = jobs.try_turn() {
        return Ok(Some(turn));
    }
    let message = format!(
        "{MOST_JOBS} Jobs of the namespace are followed at a time: the mirror waits for its turn"
    );
    let previous = context.shared.memory.read(object).status;
    let status = status::queue(&previous, generation(object), &message, clock::now());
    context.write_status(object, &previous, status).await?;
    Ok(guard.unless_cancelled(jobs.turn()).await)
}

/// Finds what is to be copied, and puts it on record. Of what pods of an earlier Job pushed they may have told since.
async fn plan(
    object: &ImageMirror,
    prepared: &Prepared,
    mode: Mode,
    guard: &RunningRound,
    context: &Context,
) -> Ended {
    let told = match hear(prepared, context).await {
        Ok(told) => told,
        Err(halt) => return Ended::Halted(halt),
    };
    let (pushed, heard) = told.split();
    let extent = Extent::Elsewhere(mode, &NotAsked(pushed));
    let ended = run_round(object, prepared, extent, guard, context).await;
    put_away(prepared, (&ended, heard), context).await;
    ended
}

/// Hears what the pods pushed, and runs the round to its end.
async fn settle(
    object: &ImageMirror,
    prepared: &Prepared,
    end: JobEnd,
    guard: &RunningRound,
    context: &Context,
) -> Result<Ended, WriteError> {
    let turn = context.take_turn(&prepared.mirror);
    let Some(_turn) = guard.unless_cancelled(turn).await else {
        return Ok(Ended::Cancelled);
    };
    let told = match hear(prepared, context).await {
        Ok(told) => told,
        Err(halt) => return Ok(Ended::Halted(halt)),
    };
    let (pushed, heard) = told.split();
    let end = end.with_pushed(pushed);
    let extent = Extent::Elsewhere(Mode::Apply, &end);
    let ended = run_round(object, prepared, extent, guard, context).await;
    put_away(prepared, (&ended, heard), context).await;
    Ok(ended)
}

/// What pods told of the pushes that the mirror announced.
async fn hear(prepared: &Prepared, context: &Context) -> Result<ToldPushes, Halt> {
    let Shared { client, ledger, .. } = &*context.shared;
    let told = records::hear(client, &prepared.mirror, ledger).await;
    told.map_err(|error| {
        let message = format!(
            "what the pods of the Job pushed cannot be read: {}",
            explain(&error)
        );
        waiting(Reason::Unreachable, &message)
    })
}

/// What a round has heard is on record, as far as it is believed.
async fn put_away(prepared: &Prepared, (ended, heard): (&Ended, HeardObjects), context: &Context) {
    if matches!(ended, Ended::Finished(_)) {
        records::take_away(&context.shared.cluster, &prepared.mirror, heard).await;
    }
}

/// What is to be copied: how many tags of each repository.
fn repositories(report: &MirrorReport) -> BTreeMap<Repository, usize> {
    let mut repositories = BTreeMap::new();
    let tags = report.tags.iter();
    for tag in tags.filter(|tag| matches!(tag.outcome, Outcome::Planned { .. })) {
        if let Some(image) = SourceImage::read(&tag.target) {
            *repositories.entry(image.repository).or_default() += 1;
        }
    }
    repositories
}

/// The bytes are those of all pods together.
fn with_bytes(mut ended: Ended, sent: u64) -> Ended {
    if let Ended::Finished(report) = &mut ended {
        let mut outcomes = report.tags.iter_mut().map(|tag| &mut tag.outcome);
        let first = outcomes.find_map(|outcome| {
            if let Outcome::Copied { bytes, .. } = outcome {
                Some(bytes)
            } else {
                None
            }
        });
        if let Some(bytes) = first {
            *bytes = sent;
        }
    }
    ended
}

/// Makes the Job, and names it on the status.
async fn create(
    object: &ImageMirror,
    prepared: &Prepared,
    (execution, shares, settings): (&JobExecution, &Shares, &JobSettings),
    context: &Context,
) -> Result<Result<JobStatus, Halt>, WriteError> {
    let planned = Planned {
        mirror: &prepared.mirror,
        generation: generation(object),
        execution,
        shares,
        now: clock::now(),
    };
    let unnamed = || Ok(Err(waiting(Reason::CopyFailed, "the Job has no name")));
    let Some(job) = planned.render(settings) else {
        return unnamed();
    };
    let created = match context.shared.cluster.create_job(&job).await {
        Ok(created) => created,
        Err(WriteError::Request(error)) => {
            return Ok(Err(refused(&error, &prepared.mirror.namespace)));
        }
        Err(error @ WriteError::LeaseLost) => return Err(error),
    };
    let (Ok(name), Some(uid)) = (created.name_any().parse(), created.uid()) else {
        return unnamed();
    };
    let named = JobStatus {
        name,
        uid,
        indexes: i32::try_from(shares.count()).unwrap_or(i32::MAX),
        succeeded: 0,
        failed: 0,
        stopping: false,
    };
    tracing::info!(job = %named.name, indexes = named.indexes, "a Job copies");
    let previous = context.shared.memory.read(object).status;
    let generation = generation(object);
    let status = status::follow(&previous, generation, &named, None, clock::now());
    context.write_status(object, &previous, status).await?;
    Ok(Ok(named))
}

/// Why a Job is not made, and what to do.
fn refused(error: &kube::Error, namespace: &str) -> Halt {
    let message = explain(error);
    let is_forbidden = matches!(error, kube::Error::Api(status) if status.is_forbidden());
    let is_invalid = matches!(error, kube::Error::Api(status) if status.code == 422);
    if is_forbidden && message.contains("exceeded quota") {
        return waiting(
            Reason::QuotaExceeded,
            &format!("the Job cannot be made: {message}"),
        );
    }
    if is_forbidden {
        let message = format!(
            "the Job cannot be made: {message}. Where namespace {namespace:?} has not opted in, add it to \
             jobs.namespaces of the Helm chart, or bind the ClusterRole transship-job-runner to Transship's service \
             account there"
        );
        return waiting(Reason::AccessDenied, &message);
    }
    let reason = if is_invalid {
        Reason::InvalidSpec
    } else {
        Reason::Unreachable
    };
    waiting(reason, &format!("the Job cannot be made: {message}"))
}

fn waiting(reason: Reason, message: &str) -> Halt {
    Halt::Waiting {
        reason,
        message: message.to_owned(),
        next: None,
    }
}

/// The Job that an earlier round left, where it copies what the mirror still wants. Another one is ended, and its pods
/// are waited for.
pub(super) async fn take_over(
    object: &ImageMirror,
    execution: &CopiedBy,
    context: &Context,
) -> Result<Option<JobStatus>, WriteError> {
    let Some(named) = context.shared.memory.read(object).status.job else {
        return Ok(None);
    };
    let may_go_on = matches!(execution, CopiedBy::Job(_)) && !named.stopping;
    if may_go_on && context.shared.jobs.is_some() {
        let namespace = object.namespace().unwrap_or_default();
        let jobs: Api<Job> = Api::namespaced(context.shared.client.clone(), &namespace);
        let job = match jobs.get_opt(named.name.as_str()).await {
            // What the namespace does not let be seen any more cannot be followed.
            Err(kube::Error::Api(status)) if status.is_forbidden() => None,
            found => found?,
        };
        let is_it = |job: &Job| {
            let meant = generation_of(job);
            job.uid().as_deref() == Some(&named.uid)
                && meant == Some(generation(object))
                && shares_of(job).is_some()
        };
        if job.is_some_and(|job| is_it(&job)) {
            tracing::info!(job = %named.name, "a Job copies already");
            return Ok(Some(named));
        }
    }
    abandon(object, context).await?;
    Ok(None)
}

/// Ends the Job that the status names, and waits until its pods write no more.
pub(super) async fn abandon(object: &ImageMirror, context: &Context) -> Result<(), WriteError> {
    let Some(named) = context.shared.memory.read(object).status.job else {
        return Ok(());
    };
    tracing::info!(job = %named.name, "the Job is ended");
    leave(object, true, context).await?;
    let namespace = object.namespace().unwrap_or_default();
    let deleted = context.shared.cluster.delete_job(&namespace, &named);
    match deleted.await {
        Err(WriteError::LeaseLost) => return Err(WriteError::LeaseLost),
        // Its pods end by themselves, and it goes in its time.
        Err(error) => tracing::warn!(%error, job = %named.name, "the Job cannot be deleted"),
        Ok(()) => {}
    }
    tokio::time::sleep(FENCE).await;
    leave(object, false, context).await
}

async fn leave(object: &ImageMirror, stopping: bool, context: &Context) -> Result<(), WriteError> {
    let previous = context.shared.memory.read(object).status;
    let status = status::leave_job(&previous, stopping);
    context.write_status(object, &previous, status).await
}
