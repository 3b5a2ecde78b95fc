// SPDX-License-Identifier: Apache-2.0

//! The metrics under their names.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry as Metrics, Unit};

use super::ControllerMetrics;
use super::labels::Durations;
use crate::runtime::metrics::Bounded;

// === impl ControllerMetrics ===

impl ControllerMetrics {
    /// Metrics that are told with those of `registry`.
    pub(in crate::controller) fn register(registry: &mut Metrics) -> Self {
        let metrics = Self {
            registries: Bounded::new(),
            leader: Gauge::default(),
            shards: Family::default(),
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
            "Whether this replica holds the lease, or the first shard",
            self.leader.clone(),
        );
        registry.register(
            "shard_held",
            "Whether this replica works on the shard",
            self.shards.clone(),
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
}
