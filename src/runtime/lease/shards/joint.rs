// SPDX-License-Identifier: Apache-2.0

//! The lease that a process without shards contends for, held by all members together.
//!
//! Each of them may renew it, and whoever finds that somebody did has no need to. A member acts only until the renew
//! deadline after a time that is known to be before the last renewal that it saw: until then nobody else takes the
//! lease.

use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::Lease;
use tokio::time::Instant;

use super::shard::Division;
use crate::runtime::lease::decide::{Step, View, decide};
use crate::runtime::lease::{Identity, Settings, record};

/// What one member knows of the lease.
#[derive(Debug)]
pub struct JointLease {
    /// The lease, with the name of all members as its candidate.
    settings: Settings,
    view: View,
    /// When the last look began.
    looked: Option<Instant>,
    /// A time before the last renewal by a member.
    renewed_after: Option<Instant>,
}

// === impl JointLease ===

impl JointLease {
    /// The lease with the name and namespace of these settings.
    pub fn new(settings: &Settings, division: Division) -> Self {
        Self {
            settings: Settings {
                identity: Identity::of_several(&division),
                ..settings.clone()
            },
            view: View::default(),
            looked: None,
            renewed_after: None,
        }
    }

    /// Takes in how the lease looks. `began` is when it was asked for, `now` when the answer was there.
    pub fn see(&mut self, lease: Option<Lease>, began: Instant, now: Instant) {
        let (identity, timing) = (&self.settings.identity, self.settings.timing);
        let spec = |view: &View| view.own(identity).and_then(|lease| lease.spec.clone());
        let before = spec(&self.view);
        self.view.see(lease, identity, timing.duration(), now);
        let after = spec(&self.view);
        // It was not renewed yet at the look before, which began then.
        if before.is_some() && after.is_some() && before != after {
            self.renewed_after = self.renewed_after.max(self.looked);
        }
        self.looked = Some(began);
    }

    /// Takes in the lease as it was just written here; `began` is when that began.
    pub fn renew(&mut self, lease: Lease, began: Instant, now: Instant) {
        self.see(Some(lease), began, now);
        self.renewed_after = self.renewed_after.max(Some(began));
    }

    /// The lease as it is to be written, if it is as it was seen: nothing where a member renewed it just now, or
    /// where it is somebody else's.
    pub fn next(&self, now: Instant, time: Timestamp) -> Option<Lease> {
        let step = decide(&self.view, &self.settings.identity, now);
        let fresh = self.settings.timing.retry() * 2;
        let is_fresh = self.renewed_after.is_some_and(|at| now < at + fresh);
        match step {
            Step::Wait { .. } => None,
            Step::Renew(_) if is_fresh => None,
            Step::Renew(lease) => Some(record::renewed(lease, &self.settings, time)),
            Step::Take(lease) => Some(record::taken(lease, &self.settings, time)),
            Step::Create => Some(record::created(&self.settings, time)),
        }
    }

    /// Until when nobody but members takes it.
    pub fn until(&self) -> Option<Instant> {
        let after = self.renewed_after?;
        Some(after + self.settings.timing.renew_deadline())
    }
}
