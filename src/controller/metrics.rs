// SPDX-License-Identifier: Apache-2.0

//! What Prometheus is told. Labels come from closed sets, or are bounded; never an image, tag or digest.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use jiff::Timestamp;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::{Family, MetricConstructor};
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry as Metrics, Unit};

use super::objects::MIRROR;
use crate::api::conditions::{self, Holds, PRUNED, READY};
use crate::api::image_mirror::{ImageMirrorStatus, TagCounts};
use crate::copy::progress::{self, Event};
use crate::oci::Registry;
use crate::registry::{self, Class};
use crate::runtime::clock;
use crate::runtime::metrics::Bounded;

/// The metrics of the controller.
pub(super) struct ControllerMetrics {
    registries: Bounded,
    leader: Gauge,
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

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Object {
    kind: &'static str,
    namespace: String,
    name: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct TagState {
    namespace: String,
    name: String,
    state: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Round {
    result: &'static str,
    reason: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Result {
    result: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Request {
    registry: Arc<str>,
    class: &'static str,
    code: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Host {
    registry: Arc<str>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Direction {
    direction: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct How {
    how: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct EventResult {
    r#type: &'static str,
    result: &'static str,
}

/// From a tenth of a second to about an hour and a half.
#[derive(Clone)]
struct Durations;

impl MetricConstructor<Histogram> for Durations {
    fn new_metric(&self) -> Histogram {
        Histogram::new(exponential_buckets(0.1, 3.0, 11))
    }
}

// === impl ControllerMetrics ===

impl ControllerMetrics {
    /// Metrics that are told with those of `registry`.
    pub(super) fn register(registry: &mut Metrics) -> Self {
        let metrics = Self {
            registries: Bounded::new(),
            leader: Gauge::default(),
            ready: Family::default(),
            suspended: Family::default(),
            last_success: Family::default(),
            tags: Family::default(),
            prune_candidates: Family::default(),
            prune_blocked: Family::default(),
            prune_deleted: Counter::default(),
            rounds: Family::default(),
            round_duration: Family::new_with_constructor(Durations),
            running: Gauge::default(),
            waiting: Gauge::default(),
            requests: Family::default(),
            throttled: Family::default(),
            paused_until: Family::default(),
            pulls: Family::default(),
            bytes: Family::default(),
            blobs: Family::default(),
            events: Family::default(),
            notifications: Family::default(),
            // From half a second to about two hours.
            lag: Histogram::new(exponential_buckets(0.5, 2.0, 15)),
            freshness: Family::default(),
            behind_since: Family::default(),
        };
        metrics.register_objects(registry);
        metrics.register_freshness(registry);
        metrics.register_pruning(registry);
        metrics.register_traffic(registry);
        metrics
    }

    fn register_objects(&self, registry: &mut Metrics) {
        registry.register(
            "leader",
            "Whether this replica holds the lease",
            self.leader.clone(),
        );
        registry.register(
            "resource_ready",
            "Whether the condition Ready is True (1), Unknown (0) or False (-1)",
            self.ready.clone(),
        );
        registry.register(
            "resource_suspended",
            "Whether spec.suspend is true",
            self.suspended.clone(),
        );
        registry.register_with_unit(
            "last_success_timestamp",
            "When a round last found or brought everything in place",
            Unit::Seconds,
            self.last_success.clone(),
        );
        registry.register(
            "tags",
            "Selected tags of a mirror by what became of them",
            self.tags.clone(),
        );
        registry.register("rounds", "Rounds that ended", self.rounds.clone());
        registry.register_with_unit(
            "round_duration",
            "How long rounds take",
            Unit::Seconds,
            self.round_duration.clone(),
        );
        registry.register("rounds_running", "Rounds that run", self.running.clone());
        registry.register(
            "rounds_waiting",
            "Rounds that wait for their turn",
            self.waiting.clone(),
        );
    }

    fn register_freshness(&self, registry: &mut Metrics) {
        registry.register(
            "notifications",
            "Messages to notifications, by their type and what came of them",
            self.notifications.clone(),
        );
        registry.register(
            "events",
            "Events of receivers, by their type and what came of them",
            self.events.clone(),
        );
        registry.register_with_unit(
            "lag",
            "From a push, or from the event that told of it, to the copy that was complete",
            Unit::Seconds,
            self.lag.clone(),
        );
        registry.register_with_unit(
            "freshness",
            "What spec.freshness of a mirror promises",
            Unit::Seconds,
            self.freshness.clone(),
        );
        registry.register_with_unit(
            "behind_since_timestamp",
            "Since when something that is known to have changed at the source is not at every destination",
            Unit::Seconds,
            self.behind_since.clone(),
        );
    }

    fn register_pruning(&self, registry: &mut Metrics) {
        registry.register(
            "prune_candidates",
            "Tags on record that are no longer wanted and that nothing protects",
            self.prune_candidates.clone(),
        );
        registry.register(
            "prune_blocked",
            "Whether something keeps a mirror from being pruned",
            self.prune_blocked.clone(),
        );
        registry.register(
            "prune_deleted",
            "Tags that were pruned",
            self.prune_deleted.clone(),
        );
    }

    fn register_traffic(&self, registry: &mut Metrics) {
        registry.register(
            "registry_requests",
            "Requests to registries; code 0 where no answer came",
            self.requests.clone(),
        );
        registry.register_with_unit(
            "throttled",
            "Time for which registries asked to be left alone",
            Unit::Seconds,
            self.throttled.clone(),
        );
        registry.register_with_unit(
            "paused_until_timestamp",
            "Until when a registry is left alone at the longest, for whoever asks it",
            Unit::Seconds,
            self.paused_until.clone(),
        );
        registry.register(
            "source_pulls",
            "Manifests that were read: what Docker Hub counts as pulls",
            self.pulls.clone(),
        );
        registry.register_with_unit(
            "transferred",
            "Content of blobs that was moved",
            Unit::Bytes,
            self.bytes.clone(),
        );
        registry.register(
            "blobs",
            "Blobs that destinations needed, by how they got them",
            self.blobs.clone(),
        );
    }

    /// Tells that this replica holds the lease: it does until the process ends.
    pub(super) fn lead(&self) {
        self.leader.set(1);
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

    fn host(&self, registry: &Registry) -> Host {
        Host {
            registry: self.registries.label(registry.as_str()),
        }
    }
}

fn object(kind: &'static str, namespace: &str, name: &str) -> Object {
    Object {
        kind,
        namespace: namespace.to_owned(),
        name: name.to_owned(),
    }
}

fn tag_state(namespace: &str, name: &str, state: &'static str) -> TagState {
    TagState {
        namespace: namespace.to_owned(),
        name: name.to_owned(),
        state,
    }
}

fn states(counts: TagCounts) -> [(&'static str, i32); 6] {
    let TagCounts {
        selected: _,
        synced,
        pending,
        failed,
        refused,
        quarantined,
        frozen,
    } = counts;
    [
        ("synced", synced),
        ("pending", pending),
        ("failed", failed),
        ("refused", refused),
        ("quarantined", quarantined),
        ("frozen", frozen),
    ]
}

impl registry::Observer for ControllerMetrics {
    fn requested(&self, registry: &Registry, class: Class, status: Option<u16>) {
        let Host { registry } = self.host(registry);
        let request = Request {
            registry,
            class: class.as_str(),
            code: status.unwrap_or_default(),
        };
        self.requests.get_or_create(&request).inc();
    }

    fn throttled(&self, registry: &Registry, wait: Duration) {
        let host = self.host(registry);
        self.throttled
            .get_or_create(&host)
            .inc_by(wait.as_secs_f64());
        let until = clock::now().as_second();
        let until = until.saturating_add(wait.as_secs().try_into().unwrap_or(i64::MAX));
        let paused = self.paused_until.get_or_create(&host);
        // Another credential, or another way, may be paused for longer.
        paused.set(until.max(paused.get()));
    }

    fn pulled(&self, registry: &Registry) {
        self.pulls.get_or_create(&self.host(registry)).inc();
    }
}

impl progress::Observer for ControllerMetrics {
    fn observe(&self, event: &Event) {
        let count_bytes = |direction, bytes| {
            let direction = Direction { direction };
            self.bytes.get_or_create(&direction).inc_by(bytes);
        };
        let count_blob = |how| self.blobs.get_or_create(&How { how }).inc();
        match *event {
            Event::Expected { bytes: _ } => {}
            Event::Skipped { bytes: _ } => {
                count_blob("skipped");
            }
            Event::Downloaded { bytes } => count_bytes("downloaded", bytes),
            Event::Uploaded { bytes } => {
                count_bytes("uploaded", bytes);
                count_blob("uploaded");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::registry::Observer as _;

    use super::*;

    #[test]
    fn the_longest_pause_of_a_registry_is_told() {
        let metrics = ControllerMetrics::register(&mut Metrics::default());
        let until = |registry: &Registry, seconds| {
            metrics.throttled(registry, Duration::from_secs(seconds));
            let paused = metrics.paused_until.get_or_create(&metrics.host(registry));
            paused.get() - clock::now().as_second()
        };
        let registry = "r.test".parse().unwrap();
        for (wait, least) in [(60, 59), (21_600, 21_590), (1, 21_590)] {
            assert!(until(&registry, wait) >= least, "{wait}");
        }
        assert!(until(&"s.test".parse().unwrap(), 5) <= 5);
    }
}
