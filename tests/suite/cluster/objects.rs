// SPDX-License-Identifier: Apache-2.0

//! Mirrors, policies, Secrets and Pods as people apply them.

use std::fmt;

use serde_json::{Value, json};

use crate::support::credentials::{Login, docker_config};

/// An `ImageMirror` in the making. Its registries are on this machine and speak plain HTTP.
#[derive(Clone)]
pub(super) struct Mirror {
    name: String,
    spec: Value,
}

impl Mirror {
    /// A mirror of one registry that is synced once a day: what a test sees happen has another cause.
    pub(super) fn of(source: &str) -> Self {
        Self {
            name: "mirror".to_owned(),
            spec: json!({
                "source": {"registry": source, "insecure": true},
                "images": [],
                "policyRefs": [],
                "destinations": [],
                "interval": "24h",
            }),
        }
    }

    pub(super) fn named(mut self, name: &str) -> Self {
        name.clone_into(&mut self.name);
        self
    }

    /// An entry with these tags; without any, all that the policies select.
    pub(super) fn image(mut self, repository: &str, tags: &[&str]) -> Self {
        let mut entry = json!({"repository": repository});
        if !tags.is_empty() {
            entry["tags"] = json!(tags);
        }
        self.push("images", entry);
        self
    }

    /// A policy for all entries.
    pub(super) fn policy(mut self, name: &str) -> Self {
        self.push("policyRefs", json!({"name": name}));
        self
    }

    /// A destination, with the repositories of the source.
    pub(super) fn destination(mut self, name: &str, registry: &str) -> Self {
        let destination = json!({"name": name, "registry": registry, "insecure": true});
        self.push("destinations", destination);
        self
    }

    /// Any other field of the spec, by its JSON pointer.
    pub(super) fn with(mut self, pointer: &str, value: impl Into<Value>) -> Self {
        let (parent, field) = pointer.rsplit_once('/').expect("a pointer");
        let parent = self.spec.pointer_mut(parent).expect("a field");
        parent[field] = value.into();
        self
    }

    fn push(&mut self, list: &str, item: Value) {
        self.spec[list].as_array_mut().expect("a list").push(item);
    }
}

/// A document that others can follow in the same file.
impl fmt::Display for Mirror {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let object = json!({
            "apiVersion": "transship.dev/v1alpha1",
            "kind": "ImageMirror",
            "metadata": {"name": self.name},
            "spec": self.spec,
        });
        writeln!(f, "---\n{object}")
    }
}

/// An `ImagePolicy` with such a `select`.
pub(super) fn policy(name: &str, select: &Value) -> String {
    let object = json!({
        "apiVersion": "transship.dev/v1alpha1",
        "kind": "ImagePolicy",
        "metadata": {"name": name},
        "spec": {"select": select},
    });
    format!("---\n{object}\n")
}

/// A Pod that uses an image; there is no node to run it.
pub(super) fn pod(name: &str, image: &str) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name},
        "spec": {"containers": [{"name": "a", "image": image}]},
    })
}

/// A Secret with the login for a registry.
pub(super) fn login_secret(name: &str, registry: &str, login: &Login) -> String {
    let object = json!({
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "kubernetes.io/dockerconfigjson",
        "metadata": {"name": name},
        "stringData": {".dockerconfigjson": docker_config(&[(registry, login)])},
    });
    format!("---\n{object}\n")
}
