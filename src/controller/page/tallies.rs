// SPDX-License-Identifier: Apache-2.0

//! How registries behaved, counted while requests happen.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::oci::Registry;
use crate::page::RegistryTraffic;

/// Most registries that are counted: mirrors decide how many there are.
const REGISTRIES: usize = 1_024;
/// Too many requests.
const TOO_MANY: u16 = 429;

/// How registries behaved since the process began.
#[derive(Debug, Default)]
pub(in crate::controller) struct RegistryTallies(Mutex<HashMap<Registry, RegistryTraffic>>);

// === impl RegistryTallies ===

impl RegistryTallies {
    /// A request was answered with this status, or not at all.
    pub(in crate::controller) fn requested(&self, registry: &Registry, status: Option<u16>) {
        self.change(registry, |tally| {
            tally.requests += 1;
            tally.refused += u64::from(status == Some(TOO_MANY));
            tally.unanswered += u64::from(status.is_none());
            tally.is_answering = status.is_some();
        });
    }

    /// A registry is left alone for so much longer. Another credential, or another way, may be for longer still.
    pub(in crate::controller) fn throttled(
        &self,
        registry: &Registry,
        wait: Duration,
        now: Timestamp,
    ) {
        let wait = SignedDuration::try_from(wait).unwrap_or(SignedDuration::MAX);
        let until = now.saturating_add(wait).unwrap_or(Timestamp::MAX);
        self.change(registry, |tally| {
            tally.paused_until = tally.paused_until.max(Some(until));
        });
    }

    /// All of them.
    pub(super) fn all(&self) -> Vec<RegistryTraffic> {
        self.lock().values().cloned().collect()
    }

    fn change(&self, registry: &Registry, change: impl FnOnce(&mut RegistryTraffic)) {
        let mut tallies = self.lock();
        if tallies.len() >= REGISTRIES && !tallies.contains_key(registry) {
            return;
        }
        let tally = tallies.entry(registry.clone());
        change(tally.or_insert_with(|| RegistryTraffic {
            registry: registry.clone(),
            paused_until: None,
            is_answering: true,
            requests: 0,
            refused: 0,
            unanswered: 0,
        }));
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Registry, RegistryTraffic>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn registries_are_counted_within_bounds() {
        let tallies = RegistryTallies::default();
        let now = Timestamp::UNIX_EPOCH;
        let registry: Registry = "registry.example.com".parse().unwrap();
        for status in [Some(200), Some(TOO_MANY), None] {
            tallies.requested(&registry, status);
        }
        tallies.throttled(&registry, Duration::from_secs(60), now);
        tallies.throttled(&registry, Duration::from_secs(5), now);
        let tally = RegistryTraffic {
            registry,
            paused_until: Some(Timestamp::from_second(60).unwrap()),
            is_answering: false,
            requests: 3,
            refused: 1,
            unanswered: 1,
        };
        assert_eq!(tallies.all(), [tally]);
        for number in 0..2 * REGISTRIES {
            let registry = format!("r{number}.example.com").parse().unwrap();
            tallies.requested(&registry, Some(200));
        }
        assert_eq!(tallies.all().len(), REGISTRIES);
    }
}
