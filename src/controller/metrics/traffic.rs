// SPDX-License-Identifier: Apache-2.0

//! What is told of requests and blobs.

use std::time::Duration;

use super::ControllerMetrics;
use super::labels::{Direction, Host, How, Request};
use crate::copy::progress::{self, Event};
use crate::oci::Registry;
use crate::registry::{self, Class};
use crate::runtime::clock;

// === impl ControllerMetrics ===

impl ControllerMetrics {
    fn host(&self, registry: &Registry) -> Host {
        Host {
            registry: self.registries.label(registry.as_str()),
        }
    }
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
    use prometheus_client::registry::Registry as Metrics;

    use super::*;
    use crate::registry::Observer as _;

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
