// SPDX-License-Identifier: Apache-2.0

//! Follows a Job until it has ended.

use std::collections::HashSet;
use std::pin::pin;
use std::time::Duration;

use futures::StreamExt;
use futures::future::{Either, select};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{Event, Pod};
use kube::api::ListParams;
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::watch_object;
use kube::{Api, ResourceExt};

use crate::api::ImageMirror;
use crate::api::image_mirror::JobStatus;
use crate::controller::cluster::WriteError;
use crate::controller::context::Context;
use crate::controller::jobs::{JobEnd, hindrance, read_end, read_indexes, shares_of};
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
    planned: HashSet<String>,
    context: &Context,
) -> Result<Followed, WriteError> {
    let namespace = object.namespace().unwrap_or_default();
    let watches = context.shared.watches.clone();
    let jobs: Api<Job> = Api::namespaced(watches, &namespace);
    let mut changes = pin!(watch_object(jobs, named.name.as_str()).default_backoff());
    let mut known = Known {
        object,
        named: named.clone(),
        hindrance: None,
    };
    loop {
        let job = match select(changes.next(), pin!(tokio::time::sleep(LOOK))).await {
            Either::Left((Some(Ok(Some(job))), _)) if is_it(&job, named) => job,
            Either::Left((Some(Ok(_)) | None, _)) => return Ok(Followed::Gone),
            Either::Left((Some(Err(error)), _)) => {
                tracing::warn!(%error, job = %named.name, "the Job cannot be watched, trying again");
                continue;
            }
            Either::Right(_) => {
                let (pods, events) = observe(named, &namespace, context).await;
                known.hindrance = hindrance(&pods, &events).map(|it| it.message);
                known.tell(context).await?;
                continue;
            }
        };
        known.count(&job);
        if read_end(&job).is_some() {
            let (pods, events) = observe(named, &namespace, context).await;
            let shares = shares_of(&job).unwrap_or_default();
            let end = JobEnd::of(&job, shares, (&pods, &events), planned);
            return Ok(Followed::Ended(end));
        }
        known.tell(context).await?;
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
