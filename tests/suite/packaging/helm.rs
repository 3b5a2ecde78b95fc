// SPDX-License-Identifier: Apache-2.0

//! Renders the chart with the real helm, and finds things in what comes out.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::support::program::{Finished, Program};
use crate::support::tools;

/// The namespace of the release.
pub(super) const NAMESPACE: &str = "transship-system";

/// As little as possible.
pub(super) const MINIMAL: &str = include_str!("values/minimal.yaml");

/// All there is.
pub(super) const EVERYTHING: &str = include_str!("values/everything.yaml");

/// Those that the chart comes with.
pub(super) const OPENSHIFT: &str = include_str!("../../../charts/transship/values-openshift.yaml");

/// Values as operators would choose them.
pub(super) const SETS: [(&str, &str); 6] = [
    ("default", ""),
    ("minimal", MINIMAL),
    ("everything", EVERYTHING),
    ("OpenShift", OPENSHIFT),
    ("IPv6 alone", include_str!("values/ipv6.yaml")),
    (
        "one namespace, beside another release",
        include_str!("values/one-namespace.yaml"),
    ),
];

/// The objects of a release.
pub(super) struct Rendered {
    pub(super) yaml: String,
    pub(super) objects: Vec<Value>,
}

/// A path of the project.
pub(super) fn project(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// A file of the project.
pub(super) fn read(path: &str) -> String {
    fs::read_to_string(project(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// All documents of a YAML text but the empty ones.
pub(super) fn documents(yaml: &str) -> Vec<Value> {
    let mut documents: Vec<Value> =
        serde_saphyr::from_multiple(yaml).unwrap_or_else(|error| panic!("{error}\n{yaml}"));
    documents.retain(|document| !document.is_null());
    documents
}

/// Runs a helm command on the chart with these values.
pub(super) async fn helm(command: &[&str], values: &str) -> Finished {
    Program::at(&tools::built("helm"), command)
        .argument(project("charts/transship"))
        .argument(format!("--namespace={NAMESPACE}"))
        .argument("--values=-")
        .input(values)
        .run()
        .await
}

/// The release `transship` with these values.
pub(super) async fn render(values: &str) -> Rendered {
    let finished = helm(&["template", "transship"], values).await;
    finished.assert_success();
    Rendered {
        objects: documents(&finished.stdout),
        yaml: finished.stdout,
    }
}

impl Rendered {
    /// All objects of a kind.
    pub(super) fn of_kind(&self, kind: &str) -> impl Iterator<Item = &Value> {
        self.objects
            .iter()
            .filter(move |object| object["kind"] == kind)
    }

    /// The only object of a kind.
    pub(super) fn the(&self, kind: &str) -> &Value {
        let found: Vec<&Value> = self.of_kind(kind).collect();
        assert_eq!(found.len(), 1, "objects of kind {kind}");
        found[0]
    }

    /// The template of the pods.
    pub(super) fn pod(&self) -> &Value {
        &self.the("Deployment")["spec"]["template"]
    }

    /// A line for each object: kind, namespace and name.
    pub(super) fn summary(&self) -> String {
        let mut lines: Vec<String> = self
            .objects
            .iter()
            .map(|object| {
                let metadata = &object["metadata"];
                let namespace = metadata["namespace"].as_str();
                let name = text(&metadata["name"]);
                let place = namespace.map_or_else(String::new, |namespace| format!("{namespace}/"));
                format!("{} {place}{name}", text(&object["kind"]))
            })
            .collect();
        lines.sort();
        lines.join("\n")
    }
}

/// A string of an object.
pub(super) fn text(value: &Value) -> &str {
    value
        .as_str()
        .unwrap_or_else(|| panic!("{value} is no string"))
}

/// The items of a list; none, if it is not there.
pub(super) fn items(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}
