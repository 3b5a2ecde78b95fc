// SPDX-License-Identifier: Apache-2.0

//! A round whose images a Job copies.
//!
//! ```text
//! plan     the round as ever, but for the copies: those go on record; where there are none, it is done
//! create   the Job, and its name on the status: from then on its pods may write
//! follow   until it has ended; no turn is held meanwhile
//! settle   what its pods put on record is read, and the round as ever finds it in place, prunes and says what came of it
//! ```

use std::collections::{BTreeMap, HashSet};

use k8s_openapi::api::batch::v1::Job;
use kube::{Api, ResourceExt};

use super::follow::{Followed, follow};
use super::prepare::Prepared;
use super::running::{Ended, Extent, run_round};
use crate::api::image_mirror::JobStatus;
use crate::api::{ImageMirror, Reason};
use crate::controller::cluster::WriteError;
use crate::controller::context::{Context, RunningTurn};
use crate::controller::jobs::{JobSettings, Planned, generation_of, shares_of};
use crate::controller::memory::name_of;
use crate::controller::objects::generation;
use crate::controller::rounds::RunningRound;
use crate::oci::Repository;
use crate::plan::report::{MirrorReport, Outcome};
use crate::plan::status::{self, Halt};
use crate::plan::{CopiedBy, JobExecution, Shares, SourceImage};
use crate::runtime::clock;
use crate::runtime::kubernetes::explain;
use crate::runtime::lease::tenure::FENCE;
use crate::sync::{Hearsay, Mode, NotAsked};

/// Why a mirror with a Job cannot run here.
const NO_JOBS: &str = "spec.execution.mode is Job, and this controller makes no Jobs: set jobs.enabled of the Helm \
                       chart (--job-image), or write mode: InProcess";

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
    let (job, planned) = if let Some(job) = running {
        (job, HashSet::new())
    } else {
        let extent = Extent::Elsewhere(mode, &NotAsked);
        let report = match run_round(object, prepared, extent, guard, context).await {
            Ended::Finished(report) => report,
            ended @ (Ended::Halted(_) | Ended::Cancelled) => return Ok(ended),
        };
        let (planned, repositories) = planned(&report);
        if planned.is_empty() {
            return Ok(Ended::Finished(report));
        }
        let shares = Shares::balance(&repositories, execution.parallelism);
        match create(object, prepared, (execution, &shares, settings), context).await? {
            Ok(job) => (job, planned),
            Err(halt) => return Ok(Ended::Halted(halt)),
        }
    };
    drop(turn);
    let following = Box::pin(follow(object, &job, planned, context));
    let Some(followed) = guard.unless_cancelled(following).await else {
        // The next process follows it.
        if !guard.ends_with_process() {
            abandon(object, context).await?;
        }
        return Ok(Ended::Cancelled);
    };
    match followed? {
        Followed::Ended(end) => {
            leave(object, false, context).await?;
            let bytes = end.bytes;
            let ended = settle(object, prepared, &end, guard, context).await?;
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

/// Reads what the pods put on record, and runs the round to its end.
async fn settle(
    object: &ImageMirror,
    prepared: &Prepared,
    told: &dyn Hearsay,
    guard: &RunningRound,
    context: &Context,
) -> Result<Ended, WriteError> {
    let turn = context.take_turn(&prepared.mirror);
    let Some(_turn) = guard.unless_cancelled(turn).await else {
        return Ok(Ended::Cancelled);
    };
    if let Err(error) = reload(prepared, context).await {
        let message = format!("the records of the Job cannot be read: {}", explain(&error));
        return Ok(Ended::Halted(waiting(Reason::Unreachable, &message)));
    }
    let extent = Extent::Elsewhere(Mode::Apply, told);
    Ok(run_round(object, prepared, extent, guard, context).await)
}

/// Takes over what pods put on record.
async fn reload(prepared: &Prepared, context: &Context) -> Result<(), kube::Error> {
    let (mirror, shared) = (&prepared.mirror, &context.shared);
    let records = &shared.records;
    let restored = records
        .reload(&shared.client, mirror, &shared.ledger)
        .await?;
    shared
        .state
        .restore_claims(mirror.seniority(), restored.claims);
    Ok(())
}

/// What is to be copied: tags at destinations, and how many there are in each repository.
fn planned(report: &MirrorReport) -> (HashSet<String>, BTreeMap<Repository, usize>) {
    let (mut targets, mut repositories) = (HashSet::new(), BTreeMap::new());
    let tags = report.tags.iter();
    for tag in tags.filter(|tag| matches!(tag.outcome, Outcome::Planned { .. })) {
        if let Some(image) = SourceImage::read(&tag.target) {
            *repositories.entry(image.repository).or_default() += 1;
            targets.insert(tag.target.clone());
        }
    }
    (targets, repositories)
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
    let name = name_of(object);
    let Some(named) = context.shared.memory.read(object).status.job else {
        context.shared.state.take_back(&name);
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
    context.shared.state.take_back(&name);
    leave(object, false, context).await
}

async fn leave(object: &ImageMirror, stopping: bool, context: &Context) -> Result<(), WriteError> {
    let previous = context.shared.memory.read(object).status;
    let status = status::leave_job(&previous, stopping);
    context.write_status(object, &previous, status).await
}
