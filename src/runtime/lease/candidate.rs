// SPDX-License-Identifier: Apache-2.0

//! A candidate: one look at the lease and one write to it at a time.

use std::fmt;
use std::mem;

use k8s_openapi::api::coordination::v1::Lease;
use kube::api::PostParams;
use kube::{Api, Client};
use tokio::time::{Instant, sleep, timeout};

use super::decide::{Step, View, decide};
use super::error::{CREATE, Error};
use super::record;
use super::settings::{Settings, Timing};
use crate::runtime::clock;

/// How often a release is tried when the lease changes under it.
const RELEASE_ATTEMPTS: u32 = 3;
/// After a conflict the next look comes this many times sooner.
const HURRY: u32 = 10;

/// Somebody who wants a lease, or has it.
pub(super) struct Candidate {
    leases: Api<Lease>,
    settings: Settings,
    view: View,
    /// Whether the view is the lease as it was last written, by us.
    fresh: bool,
}

/// What came of a turn.
#[derive(Debug)]
pub(super) enum Turn {
    /// The lease is ours.
    Won {
        /// When the write began that made it so.
        started: Instant,
    },
    /// The lease changed between the look and the write.
    Conflict,
    /// The lease is somebody else's.
    Wait {
        /// When it runs out, unless it is renewed.
        until: Instant,
    },
}

impl Candidate {
    pub(super) fn new(client: Client, settings: Settings) -> Self {
        Self {
            leases: Api::namespaced(client, &settings.namespace),
            settings,
            view: View::default(),
            fresh: false,
        }
    }

    pub(super) fn timing(&self) -> Timing {
        self.settings.timing
    }

    /// The lease, as people write it.
    pub(super) fn name(&self) -> String {
        format!("{}/{}", self.settings.namespace, self.settings.name)
    }

    /// Looks at the lease unless it is known, and does what there is to do.
    pub(super) async fn turn(&mut self) -> Result<Turn, Error> {
        // Whatever becomes of this turn, even if it is dropped half way: only its success is known.
        if !mem::take(&mut self.fresh) {
            self.look().await?;
        }
        let (started, now) = (Instant::now(), clock::now());
        let settings = &self.settings;
        let written = match decide(&self.view, &settings.identity, started) {
            Step::Wait { until } => return Ok(Turn::Wait { until }),
            Step::Create => self.create(&record::created(settings, now)).await,
            Step::Take(lease) => self.replace(&record::taken(lease, settings, now)).await,
            Step::Renew(lease) => self.replace(&record::renewed(lease, settings, now)).await,
        };
        match written {
            Ok(lease) => {
                self.see(Some(lease))?;
                self.fresh = true;
                Ok(Turn::Won { started })
            }
            Err(error) if error.is_conflict() => Ok(Turn::Conflict),
            Err(error) => Err(error),
        }
    }

    /// Renews the lease, which gives the time when that began. `None`: it is somebody else's.
    pub(super) async fn renew(&mut self) -> Option<Instant> {
        let retry = self.timing().retry();
        let mut pause = retry;
        loop {
            sleep(pause).await;
            pause = match self.turn().await {
                Ok(Turn::Won { started }) => return Some(started),
                Ok(Turn::Wait { .. }) => return None,
                Ok(Turn::Conflict) => retry / HURRY,
                Err(error) => {
                    tracing::warn!(%error, "the lease is not renewed, trying again");
                    retry
                }
            };
        }
    }

    /// Clears the holder, if it is us.
    pub(super) async fn release(mut self) -> Result<(), Error> {
        for _ in 0..RELEASE_ATTEMPTS {
            if !mem::take(&mut self.fresh) {
                self.look().await?;
            }
            let Some(own) = self.view.own(&self.settings.identity) else {
                return Ok(());
            };
            match self.replace(&record::released(own, clock::now())).await {
                Ok(_) => {
                    tracing::info!(lease = %self.name(), "released the lease");
                    return Ok(());
                }
                // A renewal was still under way.
                Err(error) if error.is_conflict() => {}
                Err(error) => return Err(error),
            }
        }
        // Somebody keeps changing it; it runs out by itself.
        Ok(())
    }

    async fn look(&mut self) -> Result<(), Error> {
        let lease = self.settings.name.as_str();
        let seen = self.call("get", self.leases.get_opt(lease)).await?;
        self.see(seen)
    }

    fn see(&mut self, seen: Option<Lease>) -> Result<(), Error> {
        let versioned = |lease: &Lease| lease.metadata.resource_version.is_some();
        if !seen.as_ref().is_none_or(versioned) {
            let lease = self.name();
            return Err(Error::Unversioned { lease });
        }
        let Settings {
            identity, timing, ..
        } = &self.settings;
        self.view
            .see(seen, identity, timing.duration(), Instant::now());
        Ok(())
    }

    async fn create(&self, lease: &Lease) -> Result<Lease, Error> {
        let parameters = PostParams::default();
        self.call(CREATE, self.leases.create(&parameters, lease))
            .await
    }

    /// Replaces the lease if it still has the resourceVersion of this one.
    async fn replace(&self, lease: &Lease) -> Result<Lease, Error> {
        let parameters = PostParams::default();
        let name = self.settings.name.as_str();
        self.call("update", self.leases.replace(name, &parameters, lease))
            .await
    }

    /// Waits for an answer, but not for long.
    async fn call<T>(
        &self,
        verb: &'static str,
        request: impl Future<Output = kube::Result<T>>,
    ) -> Result<T, Error> {
        let within = self.timing().request_timeout();
        match timeout(within, request).await {
            Ok(answer) => answer.map_err(|source| Error::Refused {
                verb,
                lease: self.name(),
                source,
            }),
            Err(_) => Err(Error::TimedOut {
                verb,
                lease: self.name(),
                within,
            }),
        }
    }
}

impl fmt::Debug for Candidate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Candidate")
            .field("settings", &self.settings)
            .field("view", &self.view)
            .finish_non_exhaustive()
    }
}
