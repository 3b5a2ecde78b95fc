// SPDX-License-Identifier: Apache-2.0

//! What reconcilers work with.

use std::sync::Arc;

use jiff::Timestamp;
use kube::runtime::reflector::{ObjectRef, Store};
use kube::{Client, ResourceExt};
use prometheus_client::metrics::gauge::Gauge;
use tokio::sync::mpsc::UnboundedSender;

use super::cluster::{Cluster, WriteError};
use super::connect::Connector;
use super::hinted::Hinted;
use super::hooks::Doors;
use super::identities::OwnIdentities;
use super::image_mirror::Prepared;
use super::jobs::{FollowedJobs, JobSettings};
use super::memory::{Memory, name_of};
use super::metrics::ControllerMetrics;
use super::notifications::Notifier;
use super::objects::{Guarded, MIRROR, generation};
use super::page::WatchedObjects;
use super::portion::Portion;
use super::pulls::Pulls;
use super::records::Records;
use super::rounds::Rounds;
use super::span::Span;
use super::turns::{Turn, Turns};
use super::usage::Usage;
use super::users::{self, PolicyRef, Users};
use super::watch::Listed;
use crate::api::image_mirror::ImageMirrorStatus;
use crate::api::{ImageMirror, ImageNotification, ImagePolicy, ImageReceiver};
use crate::plan::Mirror;
use crate::plan::attempts::Outlook;
use crate::plan::news::news;
use crate::plan::report::MirrorReport;
use crate::plan::status;
use crate::policy::Duration;
use crate::runtime::clock;
use crate::sync::{Ledger, State};

/// What the reconcilers of all namespaces share.
pub(super) struct Shared {
    /// For reading.
    pub(super) client: Client,
    /// The Jobs that are followed.
    pub(super) followed: FollowedJobs,
    /// For writing.
    pub(super) cluster: Cluster,
    /// What this process works on.
    pub(super) portion: Portion,
    /// What rounds share.
    pub(super) state: State,
    /// What is on record.
    pub(super) ledger: Arc<Ledger>,
    /// What Jobs are made with; nothing where none are made.
    pub(super) jobs: Option<JobSettings>,
    pub(super) connector: Arc<Connector>,
    /// Who mirrors may be in the clouds.
    pub(super) identities: OwnIdentities,
    pub(super) records: Records,
    pub(super) rounds: Rounds,
    pub(super) turns: Turns,
    /// Longest time of a round, whatever its mirror says.
    pub(super) longest_round: Option<Duration>,
    pub(super) memory: Memory,
    pub(super) usage: Usage,
    pub(super) users: Users,
    /// What events hint at.
    pub(super) hinted: Arc<Hinted>,
    /// Where events are taken.
    pub(super) doors: Arc<Doors>,
    /// What the page shows.
    pub(super) watched: Arc<WatchedObjects>,
    /// Queues that events are taken from.
    pub(super) pulls: Pulls,
    /// Who is told of what becomes of mirrors.
    pub(super) notifier: Arc<Notifier>,
    pub(super) metrics: Arc<ControllerMetrics>,
}

/// What the reconcilers of one namespace, or of all of them watched together, work with.
pub(super) struct Context {
    pub(super) shared: Arc<Shared>,
    pub(super) mirrors: Store<Guarded<ImageMirror>>,
    pub(super) policies: Store<Guarded<ImagePolicy>>,
    pub(super) receivers: Store<Guarded<ImageReceiver>>,
    pub(super) notifications: Store<Guarded<ImageNotification>>,
    pub(super) mirrors_listed: Listed,
    pub(super) policies_listed: Listed,
    /// Whether it is known who is to be told, or was waited for long enough.
    pub(super) notifications_found: Listed,
    /// Mirrors to look at again.
    pub(super) changed_mirrors: UnboundedSender<ObjectRef<Guarded<ImageMirror>>>,
    /// Policies whose status may have to change.
    pub(super) used_policies: UnboundedSender<PolicyRef>,
}

/// A turn that is counted for as long as it is held.
pub(super) struct RunningTurn {
    _turn: Turn,
    _running: Counted,
}

/// One that is counted until it is dropped.
struct Counted(Gauge);

impl Counted {
    fn new(gauge: &Gauge) -> Self {
        gauge.inc();
        Self(gauge.clone())
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.dec();
    }
}

impl Context {
    /// Writes the status of a mirror where it changed, and tells people what is new.
    pub(super) async fn write_status(
        &self,
        object: &ImageMirror,
        previous: &ImageMirrorStatus,
        mut status: ImageMirrorStatus,
    ) -> Result<(), WriteError> {
        self.judge_freshness(object, &mut status);
        let (namespace, name) = (object.namespace().unwrap_or_default(), object.name_any());
        self.shared.metrics.observe_ready(
            MIRROR,
            &namespace,
            &name,
            &status.conditions,
            object.spec.suspend,
        );
        let metrics = &self.shared.metrics;
        metrics.observe_tags(&namespace, &name, &status);
        metrics.observe_pruning(&namespace, &name, &status);
        if status == *previous {
            return Ok(());
        }
        if let Some(written) = self.shared.cluster.write_status(object, &status).await? {
            // What stands on the status was told, and is told by nobody again.
            let news = news(previous, &status);
            self.shared.memory.write(&written, status);
            self.shared.notifier.tell(object, &news);
        }
        Ok(())
    }

    /// Says on a status whether the mirror is as fresh as it promises.
    fn judge_freshness(&self, object: &ImageMirror, status: &mut ImageMirrorStatus) {
        let promise = object.spec.freshness;
        let behind = status::behind_since(status, self.shared.hinted.oldest(&name_of(object)));
        status::judge_freshness(status, promise, behind, generation(object), clock::now());
        let (namespace, name) = (object.namespace().unwrap_or_default(), object.name_any());
        let promise = promise.map(Duration::as_std);
        let metrics = &self.shared.metrics;
        metrics.observe_freshness(&namespace, &name, promise, behind);
    }

    /// When a mirror is to be looked at at the latest, besides its rounds: it may be later than it promises by then.
    pub(super) fn late_from(&self, object: &ImageMirror) -> Option<Timestamp> {
        let promise = object.spec.freshness?;
        let status = self.shared.memory.read(object).status;
        let hinted = self.shared.hinted.oldest(&name_of(object));
        let late = status::late_from(promise, status::behind_since(&status, hinted)?);
        Some(late).filter(|late| *late > clock::now())
    }

    /// Writes how far a round is.
    pub(super) async fn advance(
        &self,
        object: &ImageMirror,
        report: &MirrorReport,
    ) -> Result<(), WriteError> {
        let previous = self.shared.memory.read(object).status;
        let advanced = status::advance(&previous, generation(object), report, clock::now());
        self.write_status(object, &previous, advanced).await
    }

    /// What the API server has under the name of a mirror, as far as the watch has told.
    pub(super) fn current(&self, mirror: &ImageMirror) -> Option<Arc<Guarded<ImageMirror>>> {
        let namespace = mirror.namespace().unwrap_or_default();
        let name = ObjectRef::new(&mirror.name_any()).within(&namespace);
        self.mirrors.get(&name)
    }

    /// Whether the API server has another spec by now, or no such object, or another member is to work on it.
    pub(super) fn is_outdated(&self, object: &ImageMirror) -> bool {
        if !self.shared.portion.has(object) {
            return true;
        }
        let current = self.current(object);
        let current = current.as_ref().and_then(|current| current.0.as_ref().ok());
        current.is_none_or(|current| {
            current.uid() != object.uid() || generation(current) != generation(object)
        })
    }

    /// Waits until a mirror may run a round. It is not held meanwhile.
    pub(super) fn take_turn<'a>(
        &'a self,
        mirror: &Mirror,
    ) -> impl Future<Output = RunningTurn> + use<'a> {
        let (namespace, registries) = (mirror.namespace.clone(), mirror.registries());
        let metrics = &self.shared.metrics;
        async move {
            let waiting = Counted::new(&metrics.waiting);
            let turn = self.shared.turns.take(&namespace, &registries).await;
            drop(waiting);
            RunningTurn {
                _turn: turn,
                _running: Counted::new(&metrics.running),
            }
        }
    }

    /// Takes note of a round that ended, and says when the next one begins.
    pub(super) fn plan_next(
        &self,
        object: &ImageMirror,
        prepared: &Prepared,
        span: Span,
        outlook: Outlook,
    ) -> Option<Timestamp> {
        let schedule = &prepared.mirror.schedule;
        self.shared.memory.record(object, schedule, span, outlook)
    }

    /// Asks for another look at the policies of a mirror.
    pub(super) fn look_at_policies_of(&self, mirror: &ImageMirror) {
        self.look_at_policies(users::policies(mirror));
    }

    /// Asks for another look at these policies.
    pub(super) fn look_at_policies(&self, policies: impl IntoIterator<Item = PolicyRef>) {
        for policy in policies {
            // The receiver ends with the process only.
            let _ = self.used_policies.send(policy);
        }
    }
}
