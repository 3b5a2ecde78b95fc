// SPDX-License-Identifier: Apache-2.0

//! The values of the chart: each is described, typed and spelled right, or refused.

use std::collections::BTreeSet;

use serde_json::Value;

use super::helm::{SETS, documents, helm, read};

/// What Helm adds, for charts that this one is a part of.
const HELMS_OWN: &str = "global";

/// Names of values with their parents, as `image.tag`, down to what is free in form.
fn names_in_values(value: &Value, parent: &str, schema: &Value, names: &mut BTreeSet<String>) {
    let fields = value.as_object().into_iter().flatten();
    for (name, field) in fields.filter(|_| schema["properties"].is_object()) {
        let path = format!("{parent}{name}");
        names_in_values(
            field,
            &format!("{path}."),
            &schema["properties"][name],
            names,
        );
        names.insert(path);
    }
}

fn names_in_schema(schema: &Value, parent: &str, names: &mut BTreeSet<String>) {
    for (name, field) in schema["properties"].as_object().into_iter().flatten() {
        let path = format!("{parent}{name}");
        names_in_schema(field, &format!("{path}."), names);
        names.insert(path);
    }
}

/// Objects with named fields that take other names, too.
fn open_objects(schema: &Value, path: &str, found: &mut Vec<String>) {
    if schema["properties"].is_object() && schema["additionalProperties"] != false {
        found.push(path.to_owned());
    }
    for (name, field) in schema["properties"].as_object().into_iter().flatten() {
        open_objects(field, &format!("{path}.{name}"), found);
        open_objects(&field["items"], &format!("{path}.{name}[]"), found);
    }
}

fn schema() -> Value {
    serde_json::from_str(&read("charts/transship/values.schema.json")).unwrap()
}

#[test]
fn the_schema_knows_exactly_the_values_that_there_are() {
    let values = &documents(&read("charts/transship/values.yaml"))[0];
    let (mut in_values, mut in_schema) = (BTreeSet::new(), BTreeSet::new());
    names_in_values(values, "", &schema(), &mut in_values);
    names_in_schema(&schema(), "", &mut in_schema);
    in_schema.remove(HELMS_OWN);
    assert_eq!(in_values, in_schema);
}

#[test]
fn the_schema_takes_no_other_names() {
    let mut open = Vec::new();
    open_objects(&schema(), "values", &mut open);
    assert_eq!(open, Vec::<String>::new());
}

#[test]
fn every_value_has_a_sentence() {
    let mut paths = BTreeSet::new();
    names_in_schema(&schema(), "", &mut paths);
    let names: BTreeSet<&str> = paths
        .iter()
        .filter_map(|path| path.rsplit('.').next())
        .collect();
    let text = read("charts/transship/values.yaml");
    let lines: Vec<&str> = text.lines().map(str::trim_start).collect();
    for (before, line) in lines.iter().zip(&lines[1..]) {
        let is_value = line
            .split_once(": ")
            .is_some_and(|(name, _)| names.contains(name));
        assert!(!is_value || before.starts_with("# "), "{line}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_misspelled_or_mistyped_is_refused() {
    for (values, expected) in [
        (
            "replicaCount: 3",
            "additional properties 'replicaCount' not allowed",
        ),
        ("image: {repo: x}", "'repo' not allowed"),
        ("image: {digest: latest}", "image.digest"),
        ("image: {pullPolicy: always}", "image.pullPolicy"),
        ("crds: {enabled: true}", "'enabled' not allowed"),
        ("replicas: two", "replicas"),
        ("replicas: -1", "replicas"),
        ("shards: 65", "shards"),
        (
            "{shards: 2, events: {enabled: true}}",
            "shards and events.enabled exclude each other",
        ),
        (
            "{shards: 2, watchNamespaces: [a, b]}",
            "shards needs all namespaces or a single one",
        ),
        ("watchNamespaces: platform", "watchNamespaces"),
        ("watchNamespaces: [Platform]", "watchNamespaces.0"),
        ("secretNamespaces: [a, a]", "secretNamespaces"),
        ("secretNamespaces: ['*']", "secretNamespaces.0"),
        ("identity: {namespaces: [A]}", "identity.namespaces.0"),
        (
            "identity: {serviceAccounts: [mirror]}",
            "identity.serviceAccounts.0",
        ),
        (
            "boundaries: {allowAddresses: [10.0.0.1]}",
            "boundaries.allowAddresses.0",
        ),
        (
            "boundaries: {insecureHosts: ['a,b']}",
            "boundaries.insecureHosts.0",
        ),
        (
            "boundaries: {allowedHosts: ['https://docker.io']}",
            "boundaries.allowedHosts.0",
        ),
        ("caBundle: {configMapName: a, secretName: b}", "caBundle"),
        ("rounds: {concurrent: 0}", "rounds.concurrent"),
        ("log: {level: trce}", "log.level"),
        ("extraEnv: [{key: A, value: b}]", "extraEnv.0"),
        ("resources: {request: {cpu: 1}}", "'request' not allowed"),
        (
            "networkPolicy: {registries: {ports: ['443']}}",
            "networkPolicy.registries.ports.0",
        ),
        (
            "metrics: {serviceMonitor: {enable: true}}",
            "'enable' not allowed",
        ),
        (
            "metrics: {serviceMonitor: {interval: often}}",
            "metrics.serviceMonitor.interval",
        ),
    ] {
        let finished = helm(&["template", "transship"], values).await;
        assert_eq!(finished.code, Some(1), "{values}: {}", finished.stdout);
        let place = expected.replace('.', "/");
        let said = &finished.stderr;
        assert!(
            said.contains(expected) || said.contains(&place),
            "{values}: {said}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_monitor_without_its_service_is_refused() {
    let values = "metrics: {service: {enabled: false}, serviceMonitor: {enabled: true}}";
    let finished = helm(&["template", "transship"], values).await;
    assert_eq!(finished.code, Some(1));
    assert!(
        finished.stderr.contains("needs metrics.service.enabled"),
        "{}",
        finished.stderr
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sets_of_the_tests_use_every_value() {
    let (mut known, mut used) = (BTreeSet::new(), BTreeSet::new());
    names_in_schema(&schema(), "", &mut known);
    for (_, values) in SETS {
        for document in documents(values) {
            names_in_values(&document, "", &schema(), &mut used);
        }
    }
    known.remove(HELMS_OWN);
    let unused: Vec<&String> = known.difference(&used).collect();
    assert_eq!(unused, Vec::<&String>::new());
}
