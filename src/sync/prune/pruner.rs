// SPDX-License-Identifier: Apache-2.0

//! What pruning may do in this process, and by which clock.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

use crate::api::Reason;
use crate::oci::Registry;
use crate::plan::in_use::InUse;
use crate::plan::prune::{Clock, Stop};
use crate::runtime::clock;
use crate::sync::workloads::{Workloads, WorkloadsError};

/// How far the clock and the time that passed may be apart between two looks.
const TOLERANCE: SignedDuration = SignedDuration::from_mins(5);

/// What pruning may do in this process.
pub struct Pruner {
    workloads: Option<Arc<dyn Workloads>>,
    held: Option<Stop>,
    /// Whether nothing is on record but what this run itself wrote.
    forgets: bool,
    times: Box<dyn Fn() -> Times + Send + Sync>,
    /// When the candidates of each mirror were last looked at.
    looks: Mutex<HashMap<String, Times>>,
    /// The registries that take manifests along when they delete tags: at most one for each destination.
    takers: Mutex<HashSet<Registry>>,
}

/// Two clocks at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Times {
    /// The one that people read, and may set.
    pub now: Timestamp,
    /// How long the process has run, by one that nobody can set.
    pub running: Duration,
}

// === impl Pruner ===

impl Pruner {
    /// One that finds candidates and deletes none of them.
    pub fn held(stop: Stop) -> Self {
        let began = Instant::now();
        Self {
            workloads: None,
            held: Some(stop),
            forgets: false,
            times: Box::new(move || Times {
                now: clock::now(),
                running: began.elapsed(),
            }),
            looks: Mutex::default(),
            takers: Mutex::default(),
        }
    }

    /// One for a run of which no other one knows what it wrote.
    pub fn forgetful() -> Self {
        Self {
            forgets: true,
            ..Self::held(Stop::unremembered())
        }
    }

    /// One that deletes; what workloads use is protected as `workloads` tells it.
    pub fn deleting(workloads: Option<Arc<dyn Workloads>>) -> Self {
        Self {
            workloads,
            held: None,
            ..Self::held(Stop::by_command())
        }
    }

    /// The same, and what it protects is known although it deletes nothing.
    #[must_use]
    pub fn with_workloads(self, workloads: Arc<dyn Workloads>) -> Self {
        Self {
            workloads: Some(workloads),
            ..self
        }
    }

    /// The same by another clock.
    #[must_use]
    pub fn with_times(self, times: impl Fn() -> Times + Send + Sync + 'static) -> Self {
        Self {
            times: Box::new(times),
            ..self
        }
    }

    /// Why nothing is deleted in this process, if nothing is.
    pub(super) fn stop(&self) -> Option<&Stop> {
        self.held.as_ref()
    }

    /// Why there is nothing to look for.
    pub(super) fn oblivion(&self) -> Option<&Stop> {
        self.held.as_ref().filter(|_| self.forgets)
    }

    pub(super) fn times(&self) -> Times {
        (self.times)()
    }

    pub(super) fn now(&self) -> Timestamp {
        self.times().now
    }

    /// What workloads use at this moment. None where this process deletes nothing and cannot look.
    pub(super) async fn look(&self) -> Result<Option<InUse>, WorkloadsError> {
        match (&self.workloads, &self.held) {
            (Some(workloads), _) => workloads.look().await.map(Some),
            (None, Some(_)) => Ok(None),
            (None, None) => Err(WorkloadsError {
                reason: Reason::DependencyNotReady,
                message: "nobody looks at workloads".to_owned(),
            }),
        }
    }

    /// Whether as much time has passed since the last look at a mirror as the clock says; this is a look
    /// if `is_look` says so.
    pub(super) fn check(&self, mirror: &str, times: Times, is_look: bool) -> Clock {
        let mut looks = self.lock();
        let last = if is_look {
            looks.insert(mirror.to_owned(), times)
        } else {
            looks.get(mirror).copied()
        };
        let Some(last) = last else {
            return Clock::New;
        };
        let passed = SignedDuration::try_from(times.running.saturating_sub(last.running));
        let told = times.now.duration_since(last.now);
        let apart = told.saturating_sub(passed.unwrap_or(SignedDuration::MAX));
        if apart.abs() > TOLERANCE {
            Clock::Jumped
        } else {
            Clock::Steady
        }
    }

    /// Remembers that a registry takes the manifest along when it deletes a tag.
    pub(super) fn learn_takes_along(&self, registry: &Registry) {
        let mut takers = self.takers.lock().unwrap_or_else(PoisonError::into_inner);
        takers.insert(registry.stand_in());
    }

    /// Whether a registry was seen to take a manifest along.
    pub(super) fn takes_along(&self, registry: &Registry) -> bool {
        let takers = self.takers.lock().unwrap_or_else(PoisonError::into_inner);
        takers.contains(&registry.stand_in())
    }

    /// Forgets a mirror that is no more.
    pub(in crate::sync) fn forget(&self, mirror: &str) {
        self.lock().remove(mirror);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Times>> {
        self.looks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Pruner {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Pruner")
    }
}
