// SPDX-License-Identifier: Apache-2.0

//! Leader election: of several processes one acts, the one that holds a `Lease` of the cluster.
//!
//! ```text
//!            acquire                     renew fails until the deadline, or somebody else holds it
//! candidate ─────────> Held { Claim } ──────────────────────────────────────────────> Claim ends
//!     ^                  │ release
//!     └──────────────────┘
//! ```
//!
//! A claim ends before anybody else may take the lease: the holder counts the renew deadline from
//! before its last renewal, everybody else counts the longer duration from when they saw it. Both
//! count on their own monotonic clock. The times in the record are for people.
//!
//! The lease alone does not stop a write that is already under way, so whoever writes asks
//! [`Claim::is_current`] right before.

mod candidate;
mod claim;
mod decide;
mod error;
mod record;
mod settings;
pub mod shards;
pub mod tenure;
#[cfg(test)]
mod tests;

use kube::Client;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

pub use self::claim::Claim;
pub use self::error::Error;
pub use self::settings::{Identity, Settings, Timing};

use self::candidate::{Candidate, Turn};
use self::claim::Expiry;

/// The way to the lease.
#[derive(Debug)]
pub struct Lease;

/// The lease, held by this process and renewed in the background. Dropping it ends the claim and
/// leaves the lease to run out; [`Held::release`] hands it on at once.
#[derive(Debug)]
pub struct Held {
    claim: Claim,
    stop: CancellationToken,
    renewal: AbortOnDropHandle<Option<Candidate>>,
}

// === impl Lease ===

impl Lease {
    /// Waits until this process holds the lease. `None`: `cancel` came first.
    ///
    /// Failures of the API server are logged and waited out, whatever they are.
    pub async fn acquire(
        client: Client,
        settings: Settings,
        cancel: &CancellationToken,
    ) -> Option<Held> {
        let candidate = Candidate::new(client, settings);
        cancel.run_until_cancelled(contend(candidate)).await
    }
}

/// Tries until the lease is held.
async fn contend(mut candidate: Candidate) -> Held {
    let mut complaint = None;
    loop {
        let turn = candidate.turn().await;
        let retry = Instant::now() + candidate.timing().retry();
        let next = match turn {
            Ok(Turn::Won { started }) => return Held::new(candidate, started),
            // At the very moment when the lease runs out, not at the first look after it.
            Ok(Turn::Wait { until }) => retry.min(until),
            Ok(Turn::Conflict) => retry,
            Err(error) => {
                let text = error.to_string();
                // An API server that is down for an hour is one line.
                if complaint.as_ref() != Some(&text) {
                    tracing::warn!(error = text, "cannot look for the lease, trying again");
                    complaint = Some(text);
                }
                retry
            }
        };
        sleep_until(next).await;
    }
}

// === impl Held ===

impl Held {
    fn new(candidate: Candidate, started: Instant) -> Self {
        tracing::info!(lease = %candidate.name(), "holding the lease");
        let (expiry, claim) = Expiry::new(started + candidate.timing().renew_deadline());
        let stop = CancellationToken::new();
        let renewal = tokio::spawn(keep(candidate, expiry, stop.clone()));
        Self {
            claim,
            stop,
            renewal: AbortOnDropHandle::new(renewal),
        }
    }

    /// The right to act.
    pub fn claim(&self) -> Claim {
        self.claim.clone()
    }

    /// Ends the claim and clears the holder, so that the next process takes over at once. For a
    /// clean stop, when nothing writes any more. A lease that was lost before is left alone.
    pub async fn release(self) -> Result<(), Error> {
        self.stop.cancel();
        match self.renewal.await {
            Ok(Some(candidate)) => candidate.release().await,
            // Lost, or ended by a panic that is in the log: the lease runs out by itself.
            Ok(None) | Err(_) => Ok(()),
        }
    }
}

/// Renews the lease until told to stop, which gives the candidate back, or until it is lost. The
/// claim ends with it.
async fn keep(
    mut candidate: Candidate,
    expiry: Expiry,
    stop: CancellationToken,
) -> Option<Candidate> {
    loop {
        let renewed = tokio::select! {
            // After a stopped process goes on everything is due at once. The deadline counts.
            biased;
            () = stop.cancelled() => return Some(candidate),
            () = sleep_until(expiry.at()) => {
                tracing::error!(lease = %candidate.name(), "the lease could not be renewed in time");
                return None;
            }
            renewed = candidate.renew() => renewed,
        };
        let Some(started) = renewed else {
            tracing::error!(lease = %candidate.name(), "somebody else holds the lease");
            return None;
        };
        if !expiry.extend(started + candidate.timing().renew_deadline()) {
            tracing::error!(lease = %candidate.name(), "the lease was renewed too late");
            return None;
        }
    }
}
