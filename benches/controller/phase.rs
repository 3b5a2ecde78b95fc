// SPDX-License-Identifier: Apache-2.0

//! The controller from one moment to another.

use std::time::Instant;

use crate::registry::{Registry, Requests};
use crate::report::{Api, Sample};
use crate::shared::process::{cpu_seconds, forget_peak_rss, peak_rss_bytes, rss_bytes};
use crate::support::cluster::ControlPlane;
use crate::support::cluster::audit::Entry;

/// The user in whose name the controller runs.
const USER: &str = "admin";

/// What the controller talks to.
pub(crate) struct Surroundings {
    /// The API server.
    pub(crate) plane: ControlPlane,
    /// Where images come from.
    pub(crate) source: Registry,
    /// Where they go.
    pub(crate) destination: Registry,
}

/// The beginning of a phase.
pub(crate) struct Phase {
    began: Instant,
    cpu_seconds: f64,
    api_requests: usize,
    source: Requests,
    destination: Requests,
}

impl Phase {
    /// A phase that begins now, of a process that runs already, or not yet.
    pub(crate) async fn begin(pid: Option<u32>, around: &Surroundings) -> Self {
        if let Some(pid) = pid {
            forget_peak_rss(pid);
        }
        Self {
            api_requests: around.plane.audit_of(USER).await.len(),
            began: Instant::now(),
            cpu_seconds: pid.and_then(cpu_seconds).unwrap_or_default(),
            source: around.source.requests(),
            destination: around.destination.requests(),
        }
    }

    /// What happened since; the phase ends now.
    pub(crate) async fn end(self, pid: u32, around: &Surroundings) -> Sample {
        let wall_seconds = self.began.elapsed().as_secs_f64();
        Sample {
            wall_seconds,
            cpu_seconds: cpu_seconds(pid).unwrap_or_default() - self.cpu_seconds,
            rss_bytes: rss_bytes(pid).unwrap_or_default(),
            peak_rss_bytes: peak_rss_bytes(pid).unwrap_or_default(),
            source: around.source.requests() - self.source,
            destination: around.destination.requests() - self.destination,
            api: count(&around.plane.audit_of(USER).await[self.api_requests..]),
        }
    }
}

fn count(entries: &[Entry]) -> Api {
    let mut api = Api::default();
    for entry in entries {
        let counter = match (entry.is_write(), entry.resource.as_str()) {
            (true, "leases") => &mut api.lease_writes,
            (true, _) => &mut api.writes,
            (false, _) if entry.verb == "watch" => &mut api.watches,
            (false, _) => &mut api.reads,
        };
        *counter += 1;
    }
    api
}
