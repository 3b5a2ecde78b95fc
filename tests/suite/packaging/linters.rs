// SPDX-License-Identifier: Apache-2.0

//! What kubeconform and kube-score say about the rendered chart.

use std::fs;
use std::path::Path;

use serde_json::{Map, Value, json};

use super::helm::{SETS, items, render, text};
use crate::support::cluster::ControlPlane;
use crate::support::program::Program;
use crate::support::tools;

/// Kinds of the Prometheus operator, which a plain API server has no schema of.
const FOREIGN: &str = "ServiceMonitor,PrometheusRule";

/// What kube-score asks for and the chart does not do, each for a reason.
const WAIVED: [&str; 1] = [
    // A mirror has to start while the registry with its own image is down.
    "container-image-pull-policy",
];

#[tokio::test(flavor = "multi_thread")]
async fn kube_score_finds_nothing_critical() {
    for (name, values) in SETS {
        // The minimal set leaves the network policy and the budget to others on purpose.
        if name == "minimal" {
            continue;
        }
        let mut program = Program::at(
            &tools::built("kube-score"),
            &["score", "--output-format=ci"],
        );
        for test in WAIVED {
            program = program.argument(format!("--ignore-test={test}"));
        }
        // There the cluster chooses the user.
        if name == "OpenShift" {
            program = program.argument("--ignore-test=container-security-context-user-group-id");
        }
        // There the pods of Jobs have a policy, and the controller makes them.
        if name == "everything" {
            program = program.argument("--ignore-test=networkpolicy-targets-pod");
        }
        let rendered = render(values).await.yaml;
        let finished = program.argument("-").input(rendered).run().await;
        finished.assert_success();
        assert!(
            finished.stdout.contains("[OK]"),
            "{name}: {}",
            finished.stdout
        );
        assert!(
            !finished.stdout.contains("[CRITICAL]"),
            "{name}: {}",
            finished.stdout
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn kubeconform_accepts_every_field() {
    let plane = ControlPlane::shared().await;
    let schemas = tempfile::tempdir().unwrap();
    let openapi = plane.read("/openapi/v2").await.expect("schemas");
    write_schemas(&openapi, schemas.path());
    let directory = schemas.path().display();
    let location = format!(
        "{directory}/{{{{.Group}}}}_{{{{.ResourceAPIVersion}}}}_{{{{.ResourceKind}}}}.json"
    );
    let check = async |yaml: String| {
        let arguments = ["-summary", "-skip", FOREIGN, "-schema-location", &location];
        Program::at(&tools::built("kubeconform"), &arguments)
            .input(yaml)
            .run()
            .await
    };
    for (name, values) in SETS {
        let rendered = render(values).await;
        let finished = check(rendered.yaml.clone()).await;
        finished.assert_success();
        let foreign = rendered
            .objects
            .iter()
            .filter(|object| FOREIGN.split(',').any(|kind| object["kind"] == kind));
        let skipped = format!("Skipped: {}", foreign.count());
        assert!(
            finished.stdout.contains(&skipped),
            "{name}: {}",
            finished.stdout
        );
    }
    // It would say so.
    let misspelled = render("")
        .await
        .yaml
        .replace("readOnlyRootFilesystem", "readonlyRootFilesystem");
    let finished = check(misspelled).await;
    assert_eq!(finished.code, Some(1));
    assert!(
        finished.stdout.contains("readonlyRootFilesystem"),
        "{}",
        finished.stdout
    );
}

/// Writes a schema for each kind that the API server serves, strict about names of fields.
fn write_schemas(openapi: &Value, directory: &Path) {
    let mut definitions = openapi["definitions"]
        .as_object()
        .expect("definitions")
        .clone();
    definitions.values_mut().for_each(close);
    for (name, definition) in &definitions {
        for kind in items(&definition["x-kubernetes-group-version-kind"]) {
            let [group, version, kind] =
                ["group", "version", "kind"].map(|field| text(&kind[field]));
            // The core group is named like its version there.
            let group = if group.is_empty() { version } else { group };
            let file = format!("{group}_{version}_{kind}.json").to_lowercase();
            let path = directory.join(file);
            let mut needed = Map::new();
            collect(name, &definitions, &mut needed);
            let schema = json!({"$ref": format!("#/definitions/{name}"), "definitions": needed});
            fs::write(path, schema.to_string()).unwrap();
        }
    }
}

/// Lets an object with named fields have no others, and an integer or string be both.
fn close(schema: &mut Value) {
    match schema {
        Value::Object(fields) => {
            if fields
                .get("format")
                .is_some_and(|format| format == "int-or-string")
            {
                fields.insert("type".to_owned(), json!(["integer", "string"]));
            }
            if fields.get("properties").is_some_and(Value::is_object)
                && !fields.contains_key("x-kubernetes-preserve-unknown-fields")
            {
                fields.insert("additionalProperties".to_owned(), json!(false));
            }
            fields.values_mut().for_each(close);
        }
        Value::Array(parts) => parts.iter_mut().for_each(close),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// A definition and all that it refers to.
fn collect(name: &str, definitions: &Map<String, Value>, needed: &mut Map<String, Value>) {
    let Some(definition) = definitions.get(name).filter(|_| !needed.contains_key(name)) else {
        return;
    };
    needed.insert(name.to_owned(), definition.clone());
    let mut parts = vec![definition];
    while let Some(part) = parts.pop() {
        if let Some(reference) = part["$ref"].as_str() {
            collect(
                reference.trim_start_matches("#/definitions/"),
                definitions,
                needed,
            );
        }
        parts.extend(part.as_object().into_iter().flat_map(Map::values));
        parts.extend(items(part));
    }
}
