// SPDX-License-Identifier: Apache-2.0

//! What the listener works with.

use std::sync::Arc;

use jiff::Timestamp;

use super::doors::Doors;
use super::told::Told;
use crate::controller::hinted::Hinted;
use crate::controller::metrics::ControllerMetrics;
use crate::events::Hint;
use crate::identity::Identities;

/// The listener.
pub(in crate::controller) struct Hooks {
    pub(super) doors: Arc<Doors>,
    hinted: Arc<Hinted>,
    pub(super) metrics: Arc<ControllerMetrics>,
    pub(super) identities: Identities,
    pub(super) told: Told,
}

impl Hooks {
    /// A listener over these receivers.
    pub(in crate::controller) fn new(
        doors: Arc<Doors>,
        hinted: Arc<Hinted>,
        metrics: Arc<ControllerMetrics>,
        identities: Identities,
    ) -> Self {
        Self {
            doors,
            hinted,
            metrics,
            identities,
            told: Told::nothing(),
        }
    }

    /// Has looked at what was hinted at. Says whether any mirror may want some of it.
    pub(super) fn tell(&self, namespace: &str, hints: &[Hint], now: Timestamp) -> bool {
        let wanting = hints
            .iter()
            .map(|hint| self.hinted.note(namespace, hint, now));
        wanting.sum::<usize>() > 0
    }
}
