// SPDX-License-Identifier: Apache-2.0

//! Objects for tests of what people are told.

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::api::{ImageMirror, ImagePolicy, MirroredRepository};

/// The time at which tests look.
pub(crate) fn now() -> Timestamp {
    "2026-11-30T12:00:00Z".parse().unwrap()
}

/// A mirror of generation 3 with these fields of the spec, and this status.
pub(crate) fn mirror(name: &str, spec: &Value, status: &Value) -> ImageMirror {
    let mut object = json!({
        "apiVersion": "transship.dev/v1alpha1", "kind": "ImageMirror",
        "metadata": {"name": name, "namespace": "platform", "generation": 3},
        "spec": {
            "source": {"registry": "docker.io"},
            "images": [{"repository": "library/nginx", "tags": ["1.*"]}],
            "destinations": [{"name": "eu", "registry": "registry.example.com", "repository": "mirror/{repository}"}],
        },
        "status": {"observedGeneration": 3},
    });
    for (part, fields) in [("spec", spec), ("status", status)] {
        for (name, value) in fields.as_object().unwrap() {
            object[part][name] = value.clone();
        }
    }
    serde_json::from_value(object).unwrap()
}

/// A policy with this spec.
pub(crate) fn policy(name: &str, spec: &Value) -> ImagePolicy {
    let object = json!({
        "apiVersion": "transship.dev/v1alpha1", "kind": "ImagePolicy",
        "metadata": {"name": name, "namespace": "platform"},
        "spec": spec,
    });
    serde_json::from_value(object).unwrap()
}

/// A record of a mirror with this status.
pub(crate) fn record(mirror: &str, repository: &str, status: &Value) -> MirroredRepository {
    let object = json!({
        "apiVersion": "transship.dev/v1alpha1", "kind": "MirroredRepository",
        "metadata": {"name": "mr-1", "namespace": "platform"},
        "spec": {"mirror": mirror, "destination": "eu", "repository": repository, "part": 0},
        "status": status,
    });
    serde_json::from_value(object).unwrap()
}
