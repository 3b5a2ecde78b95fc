// SPDX-License-Identifier: Apache-2.0

//! What is kept twice: the definitions in the chart, and the chart for kubectl.

use std::fs;

use serde_json::{Value, json};

use super::helm::{NAMESPACE, documents, project, read, render, text};
use crate::support::program::Program;

#[test]
fn the_definitions_of_the_chart_are_those_of_the_project() {
    let names = |directory: &str| {
        let entries = fs::read_dir(project(directory)).unwrap_or_else(|_| panic!("{directory}"));
        let mut names: Vec<String> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    };
    let in_chart = names("charts/transship/files/crds");
    assert_eq!(in_chart, names("crds"), "run make deploy");
    for name in in_chart {
        let of_chart = read(&format!("charts/transship/files/crds/{name}"));
        let of_project = read(&format!("crds/{name}"));
        assert!(
            of_chart == of_project,
            "{name} has changed: run make deploy"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn definitions_are_installed_as_they_are_and_outlive_the_release() {
    for (values, annotation) in [("", json!("keep")), ("crds: {keep: false}", Value::Null)] {
        let rendered = render(values).await;
        assert_eq!(rendered.of_kind("CustomResourceDefinition").count(), 5);
        for definition in rendered.of_kind("CustomResourceDefinition") {
            let metadata = &definition["metadata"];
            let plural = text(&definition["spec"]["names"]["plural"]);
            let file = read(&format!("charts/transship/files/crds/{plural}.yaml"));
            let original = &documents(&file)[0];
            assert_eq!(definition["spec"], original["spec"], "{plural}");
            assert_eq!(metadata["name"], original["metadata"]["name"]);
            assert_eq!(
                metadata["annotations"]["helm.sh/resource-policy"],
                annotation
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_base_for_kubectl_is_the_rendered_chart() {
    let directory = tempfile::tempdir().unwrap();
    let mut script = Program::at(&project("hack/deploy.sh"), &[]).argument(directory.path());
    for name in ["HOME", "TRANSSHIP_TOOLS", "XDG_CACHE_HOME"] {
        if let Some(value) = std::env::var_os(name) {
            script = script.environment(name, value);
        }
    }
    script.run().await.assert_success();
    for name in ["crds.yaml", "controller.yaml"] {
        let rendered = fs::read_to_string(directory.path().join(name)).unwrap();
        let committed = read(&format!("deploy/{name}"));
        assert!(rendered == committed, "{name} has changed: run make deploy");
        for object in documents(&committed) {
            let namespace = object["metadata"]["namespace"].as_str();
            assert!(namespace.is_none_or(|namespace| namespace == NAMESPACE));
            assert!(!object.to_string().contains("helm.sh"), "{object}");
        }
    }
}
