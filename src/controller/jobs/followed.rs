// SPDX-License-Identifier: Apache-2.0

//! The Jobs of namespaces that are followed: a namespace has one watch, and so many of them at a time. Whoever makes mirrors
//! there takes no more connections by that.

use std::collections::{HashMap, HashSet};
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use futures::{Stream, StreamExt};
use k8s_openapi::api::batch::v1::Job;
use kube::runtime::watcher::{self, Event, watcher};
use kube::runtime::{WatchStreamExt, watcher::Error};
use kube::{Api, Client, ResourceExt};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio_util::task::AbortOnDropHandle;

use super::render::OURS;

/// Most Jobs of a namespace that are followed at a time: others are not made yet.
pub(in crate::controller) const MOST_JOBS: usize = 50;

/// The namespaces in which Jobs are followed.
pub(in crate::controller) struct FollowedJobs {
    client: Client,
    namespaces: Mutex<HashMap<String, Weak<NamespaceJobs>>>,
}

/// The Jobs of a namespace that are followed. The watch ends with the last one who holds it.
pub(in crate::controller) struct NamespaceJobs {
    turns: Arc<Semaphore>,
    views: Views,
    _watch: AbortOnDropHandle<()>,
}

/// A turn to follow a Job of a namespace.
pub(in crate::controller) struct JobTurn {
    jobs: Arc<NamespaceJobs>,
    _turn: Option<OwnedSemaphorePermit>,
}

/// What the watch tells of one Job.
pub(in crate::controller) struct JobView {
    uid: String,
    views: Views,
    seen: watch::Receiver<JobSight>,
}

/// A Job as the watch told of it last.
#[derive(Clone, Debug, Default)]
pub(in crate::controller) enum JobSight {
    /// Nothing was told yet.
    #[default]
    Untold,
    /// It was like this.
    There(Arc<Job>),
    /// It is no more, or the watch does not know it.
    Gone,
}

/// Who is told of which Job, by its UID.
#[derive(Clone, Default)]
struct Views(Arc<Mutex<HashMap<String, watch::Sender<JobSight>>>>);

// === impl FollowedJobs ===

impl FollowedJobs {
    /// None yet; `client` is for watches.
    pub(in crate::controller) fn new(client: Client) -> Self {
        Self {
            client,
            namespaces: Mutex::default(),
        }
    }

    /// Those of a namespace.
    pub(in crate::controller) fn of(&self, namespace: &str) -> Arc<NamespaceJobs> {
        let mut namespaces = self.lock();
        namespaces.retain(|_, jobs| jobs.strong_count() > 0);
        let known = namespaces.get(namespace).and_then(Weak::upgrade);
        known.unwrap_or_else(|| {
            let api = Api::namespaced(self.client.clone(), namespace);
            let config = watcher::Config::default().labels(OURS);
            let events = watcher(api, config).default_backoff();
            let jobs = Arc::new(NamespaceJobs::watched_by(events));
            namespaces.insert(namespace.to_owned(), Arc::downgrade(&jobs));
            jobs
        })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Weak<NamespaceJobs>>> {
        self.namespaces
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl NamespaceJobs ===

impl NamespaceJobs {
    fn watched_by(events: impl Stream<Item = Result<Event<Job>, Error>> + Send + 'static) -> Self {
        let views = Views::default();
        let watching = tokio::spawn(tell(events, views.clone()));
        Self {
            turns: Arc::new(Semaphore::new(MOST_JOBS)),
            views,
            _watch: AbortOnDropHandle::new(watching),
        }
    }

    /// A turn, where one is free.
    pub(in crate::controller) fn try_turn(self: &Arc<Self>) -> Option<JobTurn> {
        let turn = self.turns.clone().try_acquire_owned().ok()?;
        Some(self.turn_with(Some(turn)))
    }

    /// Waits for a turn; who came first has it first.
    pub(in crate::controller) async fn turn(self: &Arc<Self>) -> JobTurn {
        // Nobody closes it.
        let turn = self.turns.clone().acquire_owned().await.ok();
        self.turn_with(turn)
    }

    fn turn_with(self: &Arc<Self>, turn: Option<OwnedSemaphorePermit>) -> JobTurn {
        JobTurn {
            jobs: self.clone(),
            _turn: turn,
        }
    }
}

// === impl JobTurn ===

impl JobTurn {
    /// Hears from now on what the watch tells of a Job.
    pub(in crate::controller) fn look_at(&self, uid: &str) -> JobView {
        let (sender, seen) = watch::channel(JobSight::Untold);
        let views = self.jobs.views.clone();
        views.lock().insert(uid.to_owned(), sender);
        JobView {
            uid: uid.to_owned(),
            views,
            seen,
        }
    }
}

// === impl JobView ===

impl JobView {
    /// Waits until something new is told.
    pub(in crate::controller) async fn changed(&mut self) -> JobSight {
        if self.seen.changed().await.is_err() {
            // Somebody else looks at it by now.
            std::future::pending::<()>().await;
        }
        self.seen.borrow_and_update().clone()
    }
}

impl Drop for JobView {
    fn drop(&mut self) {
        self.views.lock().remove(&self.uid);
    }
}

// === impl Views ===

impl Views {
    fn show(&self, uid: Option<&str>, sight: JobSight) {
        if let Some(view) = uid.and_then(|uid| self.lock().get(uid).cloned()) {
            view.send_replace(sight);
        }
    }

    /// Of those that are not listed nothing is there.
    fn lose_besides(&self, listed: &HashSet<String>) {
        let views = self.lock();
        let lost = views.iter().filter(|(uid, _)| !listed.contains(*uid));
        lost.for_each(|(_, view)| {
            view.send_replace(JobSight::Gone);
        });
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, watch::Sender<JobSight>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Tells of the Jobs that are followed; nothing of others is kept.
async fn tell(events: impl Stream<Item = Result<Event<Job>, Error>>, views: Views) {
    let mut events = pin!(events);
    let mut listed = HashSet::new();
    while let Some(event) = events.next().await {
        match event {
            Ok(Event::Init) => listed.clear(),
            Ok(Event::InitApply(job)) => {
                let uid = job.uid();
                listed.extend(uid.clone());
                views.show(uid.as_deref(), JobSight::There(Arc::new(job)));
            }
            Ok(Event::InitDone) => views.lose_besides(&std::mem::take(&mut listed)),
            Ok(Event::Apply(job)) => {
                let uid = job.uid();
                views.show(uid.as_deref(), JobSight::There(Arc::new(job)));
            }
            Ok(Event::Delete(job)) => views.show(job.uid().as_deref(), JobSight::Gone),
            Err(error) => tracing::warn!(%error, "Jobs cannot be watched, trying again"),
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;
    use futures::channel::mpsc::{UnboundedSender, unbounded};
    use serde_json::json;

    use super::*;

    type Told = Result<Event<Job>, Error>;

    fn jobs() -> (UnboundedSender<Told>, Arc<NamespaceJobs>) {
        let (sender, events) = unbounded();
        (sender, Arc::new(NamespaceJobs::watched_by(events)))
    }

    fn job(uid: &str) -> Job {
        serde_json::from_value(json!({"metadata": {"name": uid, "uid": uid}})).unwrap()
    }

    async fn seen(view: &mut JobView) -> String {
        match view.changed().await {
            JobSight::Untold => "untold".to_owned(),
            JobSight::There(job) => job.name_any(),
            JobSight::Gone => "gone".to_owned(),
        }
    }

    #[tokio::test]
    async fn everybody_hears_of_its_own_job() {
        let (told, jobs) = jobs();
        let (first, second) = (jobs.try_turn().unwrap(), jobs.try_turn().unwrap());
        let (mut a, mut b) = (first.look_at("a"), second.look_at("b"));
        for event in [Event::Apply(job("a")), Event::Apply(job("c"))] {
            told.unbounded_send(Ok(event)).unwrap();
        }
        assert_eq!(seen(&mut a).await, "a");
        told.unbounded_send(Ok(Event::Delete(job("b")))).unwrap();
        assert_eq!(seen(&mut b).await, "gone");
        assert!(a.changed().now_or_never().is_none());
        // What is missing from a new list is gone.
        for event in [Event::Init, Event::InitApply(job("b")), Event::InitDone] {
            told.unbounded_send(Ok(event)).unwrap();
        }
        assert_eq!(seen(&mut a).await, "gone");
        assert_eq!(seen(&mut b).await, "b");
        drop((a, b));
        assert!(jobs.views.lock().is_empty());
    }

    #[tokio::test]
    async fn so_many_are_followed_at_a_time_and_the_rest_in_their_order() {
        let (_told, jobs) = jobs();
        let mut turns: Vec<JobTurn> = (0..MOST_JOBS).filter_map(|_| jobs.try_turn()).collect();
        assert_eq!(turns.len(), MOST_JOBS);
        assert!(jobs.try_turn().is_none());
        let (mut next, mut last) = (pin!(jobs.turn()), pin!(jobs.turn()));
        assert!(next.as_mut().now_or_never().is_none());
        assert!(last.as_mut().now_or_never().is_none());
        turns.pop();
        assert!(last.as_mut().now_or_never().is_none());
        assert!(next.as_mut().now_or_never().is_some());
    }
}
