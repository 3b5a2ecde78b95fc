// SPDX-License-Identifier: Apache-2.0

//! A way to the API server that fails as told and tells of every change.

use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use serde_json::json;

use super::super::front::{Additions, Door, Front, Watcher};
use super::super::http::Reply;
use super::super::http::script::{Draft, Recorded, Script};
use super::control_plane::ControlPlane;

/// Leases are written every two seconds, whatever else happens: nothing is counted by them.
const LEASES: &str = "/leases";

/// A proxy in front of the API server, with a certificate of the same authority. It ends when dropped.
///
/// Rules are those of the scripted servers; a watch is a `GET` with `watch=true` in its target.
pub struct ApiProxy<'a> {
    plane: &'a ControlPlane,
    front: Front,
    script: Arc<Script>,
}

impl<'a> ApiProxy<'a> {
    /// Puts a proxy in front of the API server.
    pub fn in_front_of(plane: &'a ControlPlane) -> Self {
        Self::serve(plane, None)
    }

    /// The same, and somebody is told about each request that changes something but a lease, and can kill
    /// who sent it.
    pub fn watched_by(plane: &'a ControlPlane, watcher: Watcher) -> Self {
        Self::serve(plane, Some(watcher))
    }

    fn serve(plane: &'a ControlPlane, watcher: Option<Watcher>) -> Self {
        let script: Arc<Script> = Arc::default();
        let additions = Additions {
            tls: Some(plane.authority().server()),
            upstream_tls: Some(plane.authority().client()),
            script: Some(Arc::clone(&script)),
            watcher,
            overlooked: Some(LEASES),
            ..Additions::default()
        };
        Self {
            plane,
            front: Door::open().serve(plane.address(), additions),
            script,
        }
    }

    /// Its URL.
    pub fn url(&self) -> String {
        format!("https://{}", self.front.address())
    }

    /// A kubeconfig for a way through it.
    pub fn kubeconfig_for(&self, token: &str) -> PathBuf {
        self.plane.kubeconfig_through(&self.url(), token)
    }

    /// Starts a rule for a method (`*` for any) and a part of the request target.
    pub fn on(&self, method: &'static str, part: impl Into<String>) -> Draft<'_> {
        self.script.on(method, part)
    }

    /// All rules and the record.
    pub fn script(&self) -> &Script {
        &self.script
    }

    /// Everything that was asked so far, also what was not passed on.
    pub fn requests(&self) -> Vec<Recorded> {
        self.script.requests()
    }

    /// How many requests that change something but a lease have arrived.
    pub fn changes(&self) -> usize {
        self.front.changes()
    }

    /// Breaks every connection, watches too; new ones are served.
    pub fn break_connections(&self) {
        self.front.break_connections();
    }

    /// Is an API server that has gone away, until [`Self::come_back`].
    pub fn go_down(&self) {
        self.front.go_down();
    }

    /// Serves again.
    pub fn come_back(&self) {
        self.front.come_back();
    }
}

/// A refusal as the API server writes it.
pub fn refusal(status: u16, reason: &str, message: &str) -> Reply {
    Reply::json(status, &status_object(status, reason, message))
}

/// 429: come back later.
pub fn throttled(seconds: u32) -> Reply {
    refusal(429, "TooManyRequests", "too many requests").header("retry-after", &seconds.to_string())
}

/// The answer to a watch whose resource version is too old: 200, and then an event that says 410.
pub fn expired_watch() -> Reply {
    let status = status_object(410, "Expired", "too old resource version");
    let event = json!({"type": "ERROR", "object": status});
    Reply::new(200)
        .header("content-type", "application/json")
        .body(Bytes::from(format!("{event}\n")))
}

fn status_object(code: u16, reason: &str, message: &str) -> serde_json::Value {
    json!({
        "apiVersion": "v1", "kind": "Status", "metadata": {}, "status": "Failure",
        "code": code, "reason": reason, "message": message,
    })
}
