// SPDX-License-Identifier: Apache-2.0

//! Looks on at requests: for metrics, for people, and to know which registries answer.

use std::sync::Arc;
use std::time::Duration;

use super::metrics::ControllerMetrics;
use super::page::RegistryTallies;
use super::turns::Turns;
use crate::oci::Registry;
use crate::registry::{Class, Observer};
use crate::runtime::clock;

/// Tells all of them.
pub(super) struct Onlooker {
    pub(super) metrics: Arc<ControllerMetrics>,
    pub(super) tallies: Arc<RegistryTallies>,
    pub(super) turns: Turns,
}

impl Observer for Onlooker {
    fn requested(&self, registry: &Registry, class: Class, status: Option<u16>) {
        if status.is_some() {
            self.turns.answered(registry);
        }
        self.tallies.requested(registry, status);
        self.metrics.requested(registry, class, status);
    }

    fn throttled(&self, registry: &Registry, wait: Duration) {
        self.tallies.throttled(registry, wait, clock::now());
        self.metrics.throttled(registry, wait);
    }

    fn pulled(&self, registry: &Registry) {
        self.metrics.pulled(registry);
    }
}
