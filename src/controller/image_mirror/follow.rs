// SPDX-License-Identifier: Apache-2.0

//! Follows a Job until it has ended.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures::future::{Either, select};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{Event, Pod};
use kube::api::ListParams;
use kube::{Api, ResourceExt};

use crate::api::ImageMirror;
use crate::api::image_mirror::JobStatus;
use crate::controller::cluster::WriteError;
use crate::controller::context::Context;
use crate::controller::jobs::{
    JobEnd, JobSight, JobTurn, hindrance, read_end, read_indexes, shares_of,
};
use crate::controller::objects::generation;
use crate::plan::status;
use crate::runtime::clock;
use crate::runtime::kubernetes::explain;

/// Time between two looks at what keeps pods from running.
const LOOK: Duration = Duration::from_secs(15);
/// Most pods and events that are looked at.
const OBJECTS: u32 = 500;

/// How a Job came to its end.
pub(super) enum Followed {
    /// All of its pods have ended.
    Ended(JobEnd),
    /// Somebody deleted it; its pods may still run.
    Gone,
}

/// Follows a Job until it has ended, and says on its mirror how far it is.
pub(super) async fn follow(
    object: &ImageMirror,
    named: &JobStatus,
    turn: &JobTurn,
    context: &Context,
) -> Result<Followed, WriteError> {
    let namespace = object.namespace().unwrap_or_default();
    let mut view = turn.look_at(&named.uid);
    let mut known = Known {
        object,
        named: named.clone(),
        hindrance: None,
    };
    let mut sight = read(named, &namespace, context).await;
    loop {
        if let JobSight::Gone = sight {
            // The watch may not know it yet, or not any more.
            sight = read(named, &namespace, context).await;
        }
        match &sight {
            JobSight::Gone => return Ok(Followed::Gone),
            JobSight::Untold => {}
            JobSight::There(job) => {
                known.count(job);
                if read_end(job).is_some() {
                    let (pods, events) = observe(named, &namespace, context).await;
                    let shares = shares_of(job).unwrap_or_default();
                    let end = JobEnd::of(job, shares, (&pods, &events));
                    return Ok(Followed::Ended(end));
                }
                known.tell(context).await?;
            }
        }
        sight = match select(pin!(view.changed()), pin!(tokio::time::sleep(LOOK))).await {
            Either::Left((JobSight::There(job), _)) if !is_it(&job, named) => JobSight::Gone,
            Either::Left((sight, _)) => sight,
            Either::Right(_) => {
                let (pods, events) = observe(named, &namespace, context).await;
                known.hindrance = hindrance(&pods, &events).map(|it| it.message);
                read(named, &namespace, context).await
            }
        };
    }
}

/// Looks at a Job. Where it cannot be seen, nothing is told.
async fn read(named: &JobStatus, namespace: &str, context: &Context) -> JobSight {
    let jobs: Api<Job> = Api::namespaced(context.shared.client.clone(), namespace);
    match jobs.get_opt(named.name.as_str()).await {
        Ok(Some(job)) if is_it(&job, named) => JobSight::There(Arc::new(job)),
        Ok(_) => JobSight::Gone,
        Err(error) => {
            let error = explain(&error);
            tracing::warn!(error, job = %named.name, "the Job cannot be read, trying again");
            JobSight::Untold
        }
    }
}

/// What is known of a Job.
struct Known<'a> {
    object: &'a ImageMirror,
    named: JobStatus,
    hindrance: Option<String>,
}

impl Known<'_> {
    fn count(&mut self, job: &Job) {
        let most = usize::try_from(self.named.indexes).unwrap_or_default();
        let count =
            |text: Option<&str>| i32::try_from(read_indexes(text, most).len()).unwrap_or(i32::MAX);
        let status = job.status.as_ref();
        self.named.succeeded = count(status.and_then(|it| it.completed_indexes.as_deref()));
        self.named.failed = count(status.and_then(|it| it.failed_indexes.as_deref()));
        if job.spec.as_ref().and_then(|spec| spec.suspend) == Some(true) {
            self.hindrance = Some("it is suspended, and waits for its queue".to_owned());
        } else if status.and_then(|status| status.ready).unwrap_or_default() > 0 {
            self.hindrance = None;
        }
    }

    /// Says it on the mirror. That it cannot be said is no reason to stop.
    async fn tell(&self, context: &Context) -> Result<(), WriteError> {
        let previous = context.shared.memory.read(self.object).status;
        let hindrance = self.hindrance.as_deref();
        let generation = generation(self.object);
        let status = status::follow(&previous, generation, &self.named, hindrance, clock::now());
        match context.write_status(self.object, &previous, status).await {
            Err(WriteError::LeaseLost) => Err(WriteError::LeaseLost),
            Err(error) => {
                tracing::warn!(%error, "how far the Job is was not written");
                Ok(())
            }
            Ok(()) => Ok(()),
        }
    }
}

fn is_it(job: &Job, named: &JobStatus) -> bool {
    job.uid().as_deref() == Some(&named.uid) && job.metadata.deletion_timestamp.is_none()
}

/// The pods of a Job and the events about it, as far as they can be seen.
async fn observe(named: &JobStatus, namespace: &str, context: &Context) -> (Vec<Pod>, Vec<Event>) {
    let client = &context.shared.client;
    let pods: Api<Pod> = Api::namespaced(client.clone(), namespace);
    let own = format!("batch.kubernetes.io/controller-uid={}", named.uid);
    let pods = pods
        .list(&ListParams::default().labels(&own).limit(OBJECTS))
        .await;
    let events: Api<Event> = Api::namespaced(client.clone(), namespace);
    let about = format!("involvedObject.uid={}", named.uid);
    let events = events
        .list(&ListParams::default().fields(&about).limit(OBJECTS))
        .await;
    let unseen = |error: &kube::Error| {
        let error = explain(error);
        tracing::warn!(error, job = %named.name, "it cannot be seen what its pods do");
    };
    (
        pods.inspect_err(unseen)
            .map(|list| list.items)
            .unwrap_or_default(),
        events
            .inspect_err(unseen)
            .map(|list| list.items)
            .unwrap_or_default(),
    )
}
