// SPDX-License-Identifier: Apache-2.0

//! Who asked the API server for what: its audit log.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::PathBuf;
use std::sync::Mutex;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::programs::HARNESS;

/// The log, in the control plane's directory.
pub(super) const FILE: &str = "audit.log";

/// The one request of the harness that is logged.
pub(super) const SENTINEL: &str = "/version";

/// A request that the API server has answered; for a watch, one that it has begun to answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The verb as RBAC knows it: `get`, `list`, `watch`, `create`, `update`, `patch`, `delete`, `deletecollection`.
    pub verb: String,
    /// The user, for a service account `system:serviceaccount:NAMESPACE:NAME`.
    pub user: String,
    /// The API group; empty for the core group.
    pub group: String,
    /// The resource in its plural; empty for a path that is no resource.
    pub resource: String,
    /// The subresource, empty if none.
    pub subresource: String,
    /// The namespace, empty if none.
    pub namespace: String,
    /// The name, empty if none.
    pub name: String,
    /// Path and query.
    pub path: String,
    /// The status answered.
    pub code: u64,
    /// When it was answered.
    pub answered: Timestamp,
}

/// The log as it grows.
pub(super) struct AuditLog {
    path: PathBuf,
    read: Mutex<(u64, Vec<Entry>)>,
}

impl Entry {
    /// Whether it asks for a change of an object.
    pub fn is_write(&self) -> bool {
        matches!(
            self.verb.as_str(),
            "create" | "update" | "patch" | "delete" | "deletecollection"
        )
    }

    /// The resource as `kubectl auth can-i` writes it: `imagemirrors.transship.dev/status`.
    pub fn full_resource(&self) -> String {
        let mut text = self.resource.clone();
        if !self.group.is_empty() {
            text = format!("{text}.{}", self.group);
        }
        if !self.subresource.is_empty() {
            text = format!("{text}/{}", self.subresource);
        }
        text
    }

    /// Reads a line. A watch has two, one when it begins and one when it ends: the first counts.
    fn parse(line: &str) -> Option<Self> {
        let event: Value = serde_json::from_str(line).ok()?;
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let time = |value: &Value| -> Timestamp { text(value).parse().expect("a time") };
        let (verb, object) = (text(&event["verb"]), &event["objectRef"]);
        if verb == "watch" && event["stage"] == "ResponseComplete" {
            return None;
        }
        Some(Self {
            verb,
            user: text(&event["user"]["username"]),
            group: text(&object["apiGroup"]),
            resource: text(&object["resource"]),
            subresource: text(&object["subresource"]),
            namespace: text(&object["namespace"]),
            name: text(&object["name"]),
            path: text(&event["requestURI"]),
            code: event["responseStatus"]["code"].as_u64().unwrap_or_default(),
            answered: time(&event["stageTimestamp"]),
        })
    }
}

impl AuditLog {
    pub(super) fn new(path: PathBuf) -> Self {
        Self {
            path,
            read: Mutex::default(),
        }
    }

    /// Everything logged so far.
    pub(super) fn entries(&self) -> Vec<Entry> {
        let mut read = self.read.lock().unwrap();
        let (offset, entries) = &mut *read;
        let mut file = File::open(&self.path).expect("an audit log");
        file.seek(SeekFrom::Start(*offset)).expect("a file");
        let mut new = Vec::new();
        file.read_to_end(&mut new).expect("a file");
        // A line that is still being written is read next time.
        let complete = new
            .iter()
            .rposition(|byte| *byte == b'\n')
            .map_or(0, |end| end + 1);
        let lines = String::from_utf8_lossy(&new[..complete]).into_owned();
        entries.extend(lines.lines().filter_map(Entry::parse));
        *offset += complete as u64;
        entries.clone()
    }
}

/// Every request of everybody, without bodies; of Kubernetes itself and of the harness only the sentinel.
pub(super) fn policy() -> Value {
    json!({
        "apiVersion": "audit.k8s.io/v1",
        "kind": "Policy",
        "omitStages": ["RequestReceived"],
        "rules": [
            {"level": "Metadata", "nonResourceURLs": [SENTINEL]},
            {"level": "None", "users": [HARNESS.name, "system:apiserver", "system:kube-controller-manager"]},
            {"level": "Metadata"},
        ],
    })
}
