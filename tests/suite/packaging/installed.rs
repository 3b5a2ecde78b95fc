// SPDX-License-Identifier: Apache-2.0

//! The chart, its upgrade and the base for kubectl on a real API server.

use serde_json::{Value, json};

use super::helm::{NAMESPACE, SETS, project, read, render, text};
use crate::support::cluster::ControlPlane;

/// The definitions that the chart brings.
const DEFINITIONS: [&str; 5] = [
    "imagemirrors.transship.dev",
    "imagenotifications.transship.dev",
    "imagepolicies.transship.dev",
    "imagereceivers.transship.dev",
    "mirroredrepositories.transship.dev",
];

async fn helm(plane: &ControlPlane, arguments: &[&str]) {
    let namespace = format!("--namespace={NAMESPACE}");
    plane
        .helm(&[arguments, &[&namespace]].concat())
        .await
        .assert_success();
}

fn path(name: &str) -> String {
    project(name).to_str().expect("a UTF-8 path").to_owned()
}

/// The names of `listed` objects that nobody has deleted.
fn not_deleted(listed: &str) -> Vec<String> {
    let listed: Value = serde_json::from_str(listed).expect("a list");
    let items = listed["items"].as_array().expect("items").iter();
    let deleted = |item: &&Value| item["metadata"]["deletionTimestamp"].is_string();
    let name = |item: &Value| item["metadata"]["name"].to_string();
    items.filter(|item| !deleted(item)).map(name).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn mirrors_outlive_the_release_and_the_next_one_takes_them_over() {
    let plane = ControlPlane::start_bare().await;
    let chart = path("charts/transship");
    helm(
        &plane,
        &["install", "transship", &chart, "--create-namespace"],
    )
    .await;
    let samples = format!("--kustomize={}", path("deploy/samples"));
    plane.kubectl_ok(&["apply", &samples]).await;

    helm(
        &plane,
        &["upgrade", "transship", &chart, "--set=replicas=3"],
    )
    .await;
    helm(&plane, &["uninstall", "transship"]).await;
    let in_release = format!("--namespace={NAMESPACE}");
    let left = plane
        .kubectl_ok(&[
            "get",
            "imir,impol,deploy,role,rolebinding,networkpolicy",
            &in_release,
            "--output=name",
            "--ignore-not-found",
        ])
        .await;
    insta::assert_snapshot!(left.trim(), @"
    imagemirror.transship.dev/base-images
    imagepolicy.transship.dev/stable
    ");

    helm(
        &plane,
        &["install", "transship", &chart, "--set=crds.keep=false"],
    )
    .await;
    let definitions = plane.kubectl_ok(&["get", "crd", "--output=json"]).await;
    assert_eq!(not_deleted(&definitions).len(), DEFINITIONS.len());
    helm(&plane, &["uninstall", "transship"]).await;
    // Deleted, not gone: an API server whose own two updates of a definition meet takes it up again at its
    // next resync, five minutes later (crd_finalizer.go of apiextensions-apiserver, 1.36).
    let definitions = plane.kubectl_ok(&["get", "crd", "--output=json"]).await;
    assert_eq!(not_deleted(&definitions), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn definitions_are_not_deleted_by_leaving_them_out() {
    let plane = ControlPlane::start_bare().await;
    let chart = path("charts/transship");
    let in_release = format!("--namespace={NAMESPACE}");
    let upgrade = |value: &'static str| {
        let set = format!("--set={value}");
        let arguments = ["upgrade", "transship", &chart, &in_release, &set].map(str::to_owned);
        let plane = &plane;
        async move {
            let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
            plane.helm(&arguments).await
        }
    };
    let install = [
        "install",
        "transship",
        &chart,
        "--create-namespace",
        "--set=crds.keep=false",
    ];
    helm(&plane, &install).await;
    let refused = upgrade("crds.install=false").await;
    assert_eq!(refused.code, Some(1), "{}", refused.stdout);
    assert!(
        refused.stderr.contains("crds.keep=true first"),
        "{}",
        refused.stderr
    );
    upgrade("crds.keep=true").await.assert_success();
    upgrade("crds.install=false").await.assert_success();
    plane
        .kubectl_ok(&[&["get", "crd"][..], &DEFINITIONS].concat())
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_notes_name_a_namespace_that_is_watched() {
    let chart = path("charts/transship");
    let namespaces = "--set=watchNamespaces={web},secretNamespaces={platform}";
    let arguments = [
        "install",
        "transship",
        &chart,
        "--dry-run=client",
        namespaces,
    ];
    let finished = ControlPlane::start_bare().await.helm(&arguments).await;
    finished.assert_success();
    let sample = "kind: ImageMirror\nmetadata: {name: base-images, namespace: web}";
    assert!(finished.stdout.contains(sample), "{}", finished.stdout);
}

#[tokio::test(flavor = "multi_thread")]
async fn kubectl_installs_the_base_and_the_samples_without_a_warning() {
    let plane = ControlPlane::start_bare().await;
    for directory in ["deploy", "deploy/samples"] {
        let base = format!("--kustomize={}", path(directory));
        let finished = plane.kubectl(&["apply", "--validate=strict", &base]).await;
        finished.assert_success();
        assert_eq!(finished.stderr, "", "{directory}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_api_server_takes_every_set_of_values() {
    let plane = ControlPlane::start_bare().await;
    let namespaces = [NAMESPACE, "platform", "web"];
    for namespace in namespaces {
        plane.kubectl_ok(&["create", "namespace", namespace]).await;
    }
    for (name, values) in SETS {
        let mut objects = render(values).await.objects;
        // Kinds of the Prometheus operator, which is not installed.
        objects.retain(|object| object["apiVersion"] != "monitoring.coreos.com/v1");
        let list = json!({"apiVersion": "v1", "kind": "List", "items": objects});
        let arguments = [
            "apply",
            "--validate=strict",
            "--dry-run=server",
            "--filename=-",
        ];
        let program = plane.kubectl_with(plane.kubeconfig(), &arguments);
        let finished = program.input(list.to_string()).run().await;
        finished.assert_success();
        assert_eq!(finished.stderr, "", "{name}");
    }
}

// === pod security ===

/// The pod of the chart, changed by one thing.
fn pod(template: &Value, change: impl Fn(&mut Value)) -> Value {
    let mut pod = json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "pod"}, "spec": template["spec"],
    });
    change(&mut pod["spec"]);
    pod
}

#[tokio::test(flavor = "multi_thread")]
async fn pods_need_no_right_that_the_strictest_level_forbids() {
    let plane = ControlPlane::shared().await;
    let namespace = plane.namespace("pod-security").await;
    let level =
        super::helm::documents(&read("deploy/namespace.yaml"))[0]["metadata"]["labels"].clone();
    let own = format!("/api/v1/namespaces/{}", namespace.name());
    let labels = json!({"metadata": {"labels": level}});
    plane.client().merge(&own, &labels).await.assert_success();
    let account = json!({"metadata": {"name": "transship"}});
    plane
        .client()
        .create(&format!("{own}/serviceaccounts"), &account)
        .await
        .assert_success();

    let rendered = render("").await;
    let create = async |pod: Value| {
        let pods = format!("{own}/pods?dryRun=All");
        plane.client().create(&pods, &pod).await
    };
    create(pod(rendered.pod(), |_| {})).await.assert_success();
    // Each of these is what the level is about: without it, the pod would not be taken.
    let container = "/containers/0/securityContext";
    for (parent, field) in [
        ("/securityContext", "runAsNonRoot"),
        ("/securityContext", "seccompProfile"),
        (container, "allowPrivilegeEscalation"),
        (container, "capabilities"),
    ] {
        let without = pod(rendered.pod(), |spec| {
            let parent = spec.pointer_mut(parent).unwrap().as_object_mut().unwrap();
            parent.remove(field).expect(field);
        });
        let answer = create(without).await;
        assert_eq!(answer.status, 403, "{field}: {}", answer.body);
        let message = text(&answer.body["message"]);
        assert!(message.contains("restricted"), "{message}");
        assert!(message.contains(field), "{field}: {message}");
    }
}
