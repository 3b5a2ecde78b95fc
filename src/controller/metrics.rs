// SPDX-License-Identifier: Apache-2.0

//! What Prometheus is told.

mod labels;
mod register;
mod traffic;

use std::sync::atomic::AtomicU64;
use std::time::Duration;

use jiff::Timestamp;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;

use self::labels::{
    Direction, Durations, EventResult, Host, How, Object, Request, Result, Round, ShardLabel,
    TagState, object, states, tag_state,
};
use super::objects::MIRROR;
use crate::api::conditions::{self, Holds, PRUNED, READY};
use crate::api::image_mirror::{ImageMirrorStatus, TagCounts};
use crate::runtime::lease::shards::{Division, ShardStage, ShardStages};
use crate::runtime::metrics::Bounded;

/// The metrics of the controller.
pub(super) struct ControllerMetrics {
    registries: Bounded,
    leader: Gauge,
    shards: Family<ShardLabel, Gauge>,
    ready: Family<Object, Gauge>,
    suspended: Family<Object, Gauge>,
    last_success: Family<Object, Gauge>,
    tags: Family<TagState, Gauge>,
    prune_candidates: Family<Object, Gauge>,
    prune_blocked: Family<Object, Gauge>,
    prune_deleted: Counter,
    rounds: Family<Round, Counter>,
    round_duration: Family<Result, Histogram, Durations>,
    /// Rounds that run, and those that wait for a turn.
    pub(super) running: Gauge,
    /// The same.
    pub(super) waiting: Gauge,
    requests: Family<Request, Counter>,
    throttled: Family<Host, Counter<f64, AtomicU64>>,
    paused_until: Family<Host, Gauge>,
    pulls: Family<Host, Counter>,
    bytes: Family<Direction, Counter>,
    blobs: Family<How, Counter>,
    events: Family<EventResult, Counter>,
    notifications: Family<EventResult, Counter>,
    lag: Histogram,
    freshness: Family<Object, Gauge>,
    behind_since: Family<Object, Gauge>,
}

// === impl ControllerMetrics ===

impl ControllerMetrics {
    /// Tells that this replica holds the lease: it does until the process ends.
    pub(super) fn lead(&self) {
        self.leader.set(1);
    }

    /// Tells which shards this replica works on. It leads where it has the first one.
    pub(super) fn hold(&self, division: Division, stages: &ShardStages) {
        for shard in division.shards() {
            let label = ShardLabel {
                shard: shard.to_string(),
            };
            let is_held = stages.get(&shard) == Some(&ShardStage::Open);
            self.shards.get_or_create(&label).set(i64::from(is_held));
            if shard == division.first() {
                self.leader.set(i64::from(is_held));
            }
        }
    }

    /// Tells how an object is.
    pub(super) fn observe_ready(
        &self,
        kind: &'static str,
        namespace: &str,
        name: &str,
        conditions: &[k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition],
        suspended: bool,
    ) {
        let object = object(kind, namespace, name);
        let ready = conditions::find(conditions, READY).map(|ready| ready.status.as_str());
        let value = match ready {
            Some(status) if status == Holds::True.as_str() => 1,
            Some(status) if status == Holds::False.as_str() => -1,
            Some(_) | None => 0,
        };
        self.ready.get_or_create(&object).set(value);
        self.suspended
            .get_or_create(&object)
            .set(i64::from(suspended));
    }

    /// Tells how many tags of a mirror came to what.
    pub(super) fn observe_tags(&self, namespace: &str, name: &str, status: &ImageMirrorStatus) {
        let Some(counts) = status.tags else { return };
        for (state, count) in states(counts) {
            let labels = tag_state(namespace, name, state);
            self.tags.get_or_create(&labels).set(i64::from(count));
        }
    }

    /// Tells what there is to prune of a mirror, and whether something stands in the way; nothing of one
    /// that retains everything.
    pub(super) fn observe_pruning(&self, namespace: &str, name: &str, status: &ImageMirrorStatus) {
        let labels = object(MIRROR, namespace, name);
        let Some(prune) = &status.prune else {
            self.prune_candidates.remove(&labels);
            self.prune_blocked.remove(&labels);
            return;
        };
        let pruned = conditions::find(&status.conditions, PRUNED);
        let is_blocked = pruned.is_some_and(|pruned| pruned.status != Holds::True.as_str());
        self.prune_candidates
            .get_or_create(&labels)
            .set(i64::from(prune.candidates));
        self.prune_blocked
            .get_or_create(&labels)
            .set(i64::from(is_blocked));
    }

    /// Tells what a mirror promises, and since when it is behind; nothing of one that promises nothing.
    pub(super) fn observe_freshness(
        &self,
        namespace: &str,
        name: &str,
        promise: Option<Duration>,
        behind: Option<Timestamp>,
    ) {
        let labels = object(MIRROR, namespace, name);
        match promise {
            Some(promise) => {
                let seconds = i64::try_from(promise.as_secs()).unwrap_or(i64::MAX);
                self.freshness.get_or_create(&labels).set(seconds);
            }
            None => {
                self.freshness.remove(&labels);
            }
        }
        match behind.filter(|_| promise.is_some()) {
            Some(since) => {
                self.behind_since
                    .get_or_create(&labels)
                    .set(since.as_second());
            }
            None => {
                self.behind_since.remove(&labels);
            }
        }
    }

    /// Tells what came of an event.
    pub(super) fn count_event(&self, r#type: &'static str, result: &'static str) {
        let labels = EventResult { r#type, result };
        self.events.get_or_create(&labels).inc();
    }

    /// Tells what came of a message.
    pub(super) fn count_notification(&self, r#type: &'static str, result: &'static str) {
        let labels = EventResult { r#type, result };
        self.notifications.get_or_create(&labels).inc();
    }

    /// Tells how long it took from a push to its copy.
    pub(super) fn observe_lag(&self, lag: Duration) {
        self.lag.observe(lag.as_secs_f64());
    }

    /// Tells that tags were pruned.
    pub(super) fn count_pruned(&self, tags: usize) {
        self.prune_deleted
            .inc_by(tags.try_into().unwrap_or_default());
    }

    /// Tells that a round ended.
    pub(super) fn count_round(&self, result: &'static str, reason: &str, took: Duration) {
        let reason = reason.to_owned();
        self.rounds.get_or_create(&Round { result, reason }).inc();
        self.round_duration
            .get_or_create(&Result { result })
            .observe(took.as_secs_f64());
    }

    /// Tells that everything of a mirror was in place.
    pub(super) fn observe_success(
        &self,
        kind: &'static str,
        namespace: &str,
        name: &str,
        now: i64,
    ) {
        self.last_success
            .get_or_create(&object(kind, namespace, name))
            .set(now);
    }

    /// Tells nothing more of an object that is gone.
    pub(super) fn forget(&self, kind: &'static str, namespace: &str, name: &str) {
        let object = object(kind, namespace, name);
        self.ready.remove(&object);
        self.suspended.remove(&object);
        self.last_success.remove(&object);
        self.prune_candidates.remove(&object);
        self.prune_blocked.remove(&object);
        self.freshness.remove(&object);
        self.behind_since.remove(&object);
        for (state, _) in states(TagCounts::default()) {
            self.tags.remove(&tag_state(namespace, name, state));
        }
    }
}
