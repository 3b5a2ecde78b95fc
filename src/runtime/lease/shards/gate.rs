// SPDX-License-Identifier: Apache-2.0

//! The lease that a process without shards contends for, held by all members together.
//!
//! Each of them may renew it, and whoever finds that somebody did has no need to. A member acts only until the renew
//! deadline after a time that is known to be before the last renewal that it saw: until then nobody else takes the lease.

use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::Lease;
use tokio::time::Instant;

use crate::runtime::lease::decide::{Step, View, decide};
use crate::runtime::lease::{Identity, Settings, record};

/// What one member knows of the lease.
#[derive(Debug)]
pub struct Gate {
    /// The lease, with the name of all members as its candidate.
    settings: Settings,
    view: View,
    last: Option<Lease>,
    /// When the last look began.
    looked: Option<Instant>,
    /// A time before the last renewal by a member.
    renewed_after: Option<Instant>,
}

// === impl Gate ===

impl Gate {
    /// The lease with the name and namespace of these settings. Until it has been renewed here it is not known to be
    /// held: a member that left may have given it back.
    pub fn new(settings: &Settings) -> Self {
        Self {
            settings: Settings {
                identity: Identity::of_all_members(),
                ..settings.clone()
            },
            view: View::default(),
            last: None,
            looked: None,
            renewed_after: None,
        }
    }

    /// Takes in how the lease looks. `began` is when it was asked for, `now` when the answer was there.
    pub fn see(&mut self, lease: Option<Lease>, began: Instant, now: Instant) {
        let spec = |lease: &Option<Lease>| lease.as_ref().and_then(|lease| lease.spec.clone());
        let is_renewed =
            self.view.own(&self.settings.identity).is_some() && spec(&lease) != spec(&self.last);
        let (identity, timing) = (&self.settings.identity, self.settings.timing);
        self.view
            .see(lease.clone(), identity, timing.duration(), now);
        // It was not there yet at the look before.
        if is_renewed && self.view.own(identity).is_some() && self.renewed_after.is_some() {
            self.renewed_after = self.renewed_after.max(self.looked);
        }
        self.last = lease;
        self.looked = Some(began);
    }

    /// Takes in the lease as it was just written here; `began` is when that began.
    pub fn renew(&mut self, lease: Lease, began: Instant, now: Instant) {
        self.see(Some(lease), began, now);
        self.renewed_after = self.renewed_after.max(Some(began));
    }

    /// The lease as it is to be written, if it is as it was seen: nothing where a member renewed it just now, or where it
    /// is somebody else's.
    pub fn next(&self, now: Instant, time: Timestamp) -> Option<Lease> {
        let step = decide(&self.view, &self.settings.identity, now);
        let timing = self.settings.timing;
        let is_fresh = self
            .renewed_after
            .is_some_and(|at| now < at + timing.retry() * 2);
        match step {
            Step::Wait { .. } => None,
            Step::Renew(_) if is_fresh => None,
            Step::Renew(lease) => Some(record::renewed(lease, &self.settings, time)),
            Step::Take(lease) => Some(record::taken(lease, &self.settings, time)),
            Step::Create => Some(record::created(&self.settings, time)),
        }
    }

    /// The lease given back, as it is to be written if it is as it was seen: for the last one to leave.
    pub fn released(&self, time: Timestamp) -> Option<Lease> {
        let own = self.view.own(&self.settings.identity)?;
        Some(record::released(own, time))
    }

    /// Until when nobody but members takes it.
    pub fn until(&self) -> Option<Instant> {
        let after = self.renewed_after?;
        Some(after + self.settings.timing.renew_deadline())
    }
}
