// SPDX-License-Identifier: Apache-2.0

//! What is told of requests while they happen, for metrics.

use std::time::Duration;

use super::class::Class;
use crate::oci::Registry;

/// Looks on. It is called in the middle of the work, so it must not wait.
pub trait Observer: Send + Sync {
    /// A request was sent, and answered with this status or not at all. Redirects and repetitions are
    /// requests too; those to token servers are not counted.
    fn requested(&self, registry: &Registry, class: Class, status: Option<u16>);

    /// A registry asked to be left alone for so much longer.
    fn throttled(&self, registry: &Registry, wait: Duration);

    /// A manifest was read: what Docker Hub counts as a pull.
    fn pulled(&self, registry: &Registry);
}

/// Nobody looks on.
pub(super) struct Unobserved;

impl Observer for Unobserved {
    fn requested(&self, _registry: &Registry, _class: Class, _status: Option<u16>) {}
    fn throttled(&self, _registry: &Registry, _wait: Duration) {}
    fn pulled(&self, _registry: &Registry) {}
}
