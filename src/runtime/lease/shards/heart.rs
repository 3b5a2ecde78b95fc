// SPDX-License-Identifier: Apache-2.0

//! What keeps a member alive: the joint lease, and a lease of its own.

use std::time::Duration;

use k8s_openapi::api::coordination::v1::Lease;
use tokio::time::{Instant, sleep};

use super::joint::JointLease;
use super::shard::Division;
use super::store::LeaseStore;
use crate::runtime::clock;
use crate::runtime::lease::error::Error;

/// Renews both.
pub(super) struct Heart {
    store: LeaseStore,
    joint: JointLease,
    /// The lease of this member, as it was last written here; nothing where that is not known.
    own: Option<Lease>,
    /// When the last renewal began that succeeded.
    beaten: Option<Instant>,
    complaint: Option<String>,
}

// === impl Heart ===

impl Heart {
    pub(super) fn new(store: LeaseStore, division: Division) -> Self {
        Self {
            joint: JointLease::new(store.settings(), division),
            store,
            own: None,
            beaten: None,
            complaint: None,
        }
    }

    /// Time between two beats.
    pub(super) fn retry(&self) -> Duration {
        self.store.settings().timing.retry()
    }

    /// Tries until this process is a member; says until when it is.
    pub(super) async fn first_claim(&mut self) -> Instant {
        loop {
            if let Some(until) = self.beat().await {
                return until;
            }
            sleep(self.retry()).await;
        }
    }

    /// One beat; says until when the process is a member by now. Nobody beats who is not covered by the joint lease.
    pub(super) async fn beat(&mut self) -> Option<Instant> {
        let joint = self.hold_joint_lease().await;
        self.complain(joint);
        self.joint.until()?;
        let began = Instant::now();
        match self.renew().await {
            Ok(true) => self.beaten = Some(began),
            Ok(false) => {}
            Err(error) => {
                self.own = None;
                self.complain(Err(error));
            }
        }
        let deadline = self.store.settings().timing.renew_deadline();
        Some(self.joint.until()?.min(self.beaten? + deadline))
    }

    async fn hold_joint_lease(&mut self) -> Result<(), Error> {
        let began = Instant::now();
        let seen = self.store.joint().await?;
        self.joint.see(seen, began, Instant::now());
        let began = Instant::now();
        let Some(next) = self.joint.next(began, clock::now()) else {
            return Ok(());
        };
        if let Some(written) = self.store.write(&next).await? {
            self.joint.renew(written, began, Instant::now());
        }
        Ok(())
    }

    /// Renews the lease of this member. False: it was not as it is known here.
    async fn renew(&mut self) -> Result<bool, Error> {
        if self.own.is_none() {
            self.own = self.store.own().await?;
        }
        let next = self.store.beaten(self.own.as_ref());
        self.own = self.store.write(&next).await?;
        Ok(self.own.is_some())
    }

    /// An API server that is down for an hour is one line.
    fn complain(&mut self, outcome: Result<(), Error>) {
        let complaint = outcome.err().map(|error| error.to_string());
        if let Some(error) = complaint.as_ref().filter(|_| self.complaint != complaint) {
            tracing::warn!(error, "this member is not renewed, trying again");
        }
        self.complaint = complaint;
    }
}
