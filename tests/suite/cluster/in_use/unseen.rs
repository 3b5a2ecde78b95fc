// SPDX-License-Identifier: Apache-2.0

//! What cannot be seen, what an operator adds, and what nobody may look at.

use serde_json::{Value, json};

use super::{OLD, Yard, object, pruned};
use crate::cluster::stage::{change, controller_of, delete, protector, sync, until};
use crate::support::cluster::api_proxy::refusal;
use crate::support::cluster::namespace::find_condition;
use crate::support::cluster::{ApiProxy, Controller, Namespace};

/// A controller that comes to the API server through a proxy, with every right.
fn controller_through(
    proxy: &ApiProxy<'_>,
    namespace: &Namespace<'_>,
) -> crate::support::cluster::controller::Options {
    let kubeconfig = proxy.kubeconfig_for(namespace.plane().admin_token());
    Controller::options(&kubeconfig).namespace(namespace.name())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_seen_as_a_whole_stops_pruning() {
    let yard = Yard::open("in-use-unseen", vec!["unseen/app".to_owned()]).await;
    let namespace = &yard.namespace;
    let proxy = ApiProxy::in_front_of(namespace.plane());
    let _controller = controller_through(&proxy, namespace)
        .argument("--in-use")
        .start()
        .await;
    yard.mirror().await;
    yard.narrow().await;
    sync(namespace, "mirror", "narrowed").await;
    let failures = [
        (
            "/api/v1/pods?",
            refusal(500, "InternalError", "etcd is slow"),
            "Unreachable",
            "the pods cannot be listed: etcd is slow",
        ),
        (
            "/apis/batch/v1/cronjobs?",
            refusal(403, "Forbidden", "cronjobs.batch is forbidden"),
            "AccessDenied",
            "may not list the cronjobs of all namespaces: set inUse.enabled of the Helm chart",
        ),
        (
            "/apis/apps/v1/deployments?",
            refusal(410, "Expired", "too old"),
            "Unreachable",
            "the list of deployments expired 3 times",
        ),
        (
            "/api/v1/podtemplates?",
            refusal(401, "Unauthorized", "who are you"),
            "AuthenticationFailed",
            "the podtemplates cannot be listed: who are you",
        ),
        (
            "/apis/apps/v1/replicasets?",
            refusal(404, "NotFound", "no such thing"),
            "DependencyNotReady",
            "the API server does not serve apps/v1",
        ),
    ];
    for (index, (path, answer, expected, why)) in failures.into_iter().enumerate() {
        proxy.on("GET", path).responds(answer);
        let mirror = sync(namespace, "mirror", &format!("blind-{index}")).await;
        assert_eq!(yard.left().await, ["unseen/app"], "{path}");
        let (reason, message) = pruned(&mirror);
        assert_eq!(reason, expected, "{message}");
        assert!(message.contains(why), "{message}");
        proxy.script().clear_rules();
    }
    sync(namespace, "mirror", "seeing").await;
    assert_eq!(yard.left().await, Vec::<String>::new());
}

/// A custom resource whose objects may hold anything.
fn custom_resource(plural: &str, kind: &str) -> Value {
    let anything = json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
    let version = |name: &str, is_stored: bool| {
        json!({
            "name": name, "served": true, "storage": is_stored, "schema": {"openAPIV3Schema": anything},
        })
    };
    json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": format!("{plural}.in-use.test")},
        "spec": {
            "group": "in-use.test", "scope": "Namespaced",
            "names": {"plural": plural, "singular": kind.to_lowercase(), "kind": kind},
            "versions": [version("v1alpha1", true), version("v1", false)],
        },
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn kinds_that_the_operator_adds_protect_what_any_of_their_strings_names() {
    let words = ["custom", "argument", "configmap", "node"];
    let repositories: Vec<String> = words.iter().map(|word| format!("extra/{word}")).collect();
    let yard = Yard::open("in-use-extra", repositories.clone()).await;
    let namespace = &yard.namespace;
    let definition = custom_resource("scaledthings", "ScaledThing").to_string();
    namespace.apply(&definition).await;
    let established = [
        "wait",
        "--for=condition=Established",
        "crd/scaledthings.in-use.test",
    ];
    namespace.kubectl_ok(&established).await;
    let _controller = controller_of(namespace)
        .argument("--in-use")
        .argument("--in-use-extra=scaledthings.in-use.test,configmaps,nodes")
        .start()
        .await;
    yard.mirror().await;
    let tag = |word: &str| yard.tag(&format!("extra/{word}"));
    let custom = object(
        "in-use.test/v1alpha1",
        "ScaledThing",
        "thing",
        json!({"spec": {"executor": {"image": tag("custom")}, "args": [format!("--executor-image={}", tag("argument"))]}}),
    );
    let values = format!("replicas: 1\nimage: {}\n", tag("configmap"));
    let config_map = object(
        "v1",
        "ConfigMap",
        "values",
        json!({"data": {"values.yaml": values}}),
    );
    let node = object("v1", "Node", "in-use-extra", json!({}));
    for object in [&custom, &config_map, &node] {
        namespace.apply(&object.to_string()).await;
    }
    let images = json!({"status": {"images": [{"names": [tag("node")], "sizeBytes": 7}]}});
    let client = namespace.plane().client();
    client
        .merge("/api/v1/nodes/in-use-extra/status", &images)
        .await
        .assert_success();
    yard.narrow().await;
    let mirror = yard.prune("used").await;
    assert_eq!(yard.left().await, repositories, "{mirror}");
    let place = namespace.name();
    for (word, user) in words.into_iter().zip([
        format!("ScaledThing {place}/thing"),
        format!("ScaledThing {place}/thing"),
        format!("ConfigMap {place}/values"),
        "Node in-use-extra".to_owned(),
    ]) {
        let by = protector(namespace, &format!("extra/{word}"), OLD).await;
        assert_eq!(by, Some(user));
    }
    for (kind, name) in [
        ("scaledthing", "thing"),
        ("configmap", "values"),
        ("node", "in-use-extra"),
    ] {
        namespace.kubectl_ok(&["delete", kind, name]).await;
    }
    let mirror = yard.prune("unused").await;
    assert_eq!(yard.left().await, Vec::<String>::new(), "{mirror}");
    namespace
        .kubectl_ok(&["delete", "crd", "scaledthings.in-use.test"])
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_added_kind_that_cannot_be_listed_stops_pruning() {
    let yard = Yard::open("in-use-extra-unseen", vec!["extra-unseen/app".to_owned()]).await;
    let namespace = &yard.namespace;
    let proxy = ApiProxy::in_front_of(namespace.plane());
    let _controller = controller_through(&proxy, namespace)
        .argument("--in-use")
        .argument("--in-use-extra=configmaps,scaledjobs.not-served.test")
        .start()
        .await;
    yard.mirror().await;
    yard.narrow().await;
    let mirror = yard.prune("not-served").await;
    assert_eq!(yard.left().await, ["extra-unseen/app"]);
    let (reason, message) = pruned(&mirror);
    assert_eq!(reason, "DependencyNotReady", "{message}");
    let expected = "the API server does not serve scaledjobs.not-served.test: install what serves not-served.test, or \
                    take it out of inUse.extra of the Helm chart (--in-use-extra)";
    assert!(message.contains(expected), "{message}");

    proxy.on("GET", "/api/v1/configmaps?").responds(refusal(
        403,
        "Forbidden",
        "configmaps is forbidden",
    ));
    let mirror = sync(namespace, "mirror", "forbidden").await;
    assert_eq!(yard.left().await, ["extra-unseen/app"]);
    let (reason, message) = pruned(&mirror);
    assert_eq!(reason, "AccessDenied", "{message}");
    let expected =
        "may not list the configmaps of all namespaces: name it in inUse.extra of the Helm chart";
    assert!(message.contains(expected), "{message}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_who_does_not_let_it_look_keeps_everything() {
    let yard = Yard::open("in-use-off", vec!["off/app".to_owned()]).await;
    let namespace = &yard.namespace;
    let _controller = controller_of(namespace).start().await;
    yard.mirror().await;
    yard.narrow().await;
    let mirror = yard.prune("blind").await;
    assert_eq!(yard.left().await, ["off/app"]);
    let (reason, message) = pruned(&mirror);
    assert_eq!(reason, "DependencyNotReady", "{message}");
    assert!(
        message.contains("set inUse.enabled of the Helm chart"),
        "{message}"
    );
    assert_eq!(find_condition(&mirror, "Ready").unwrap()["status"], "True");

    // A mirror that does not care needs no look.
    let ignoring = json!({"spec": {"prune": {"inUse": "Ignore"}}});
    change(namespace, "imir", "mirror", &ignoring).await;
    yard.prune("careless").await;
    assert_eq!(yard.left().await, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn deleting_the_mirror_deletes_nothing() {
    let yard = Yard::open("in-use-gone", vec!["gone/app".to_owned()]).await;
    let namespace = &yard.namespace;
    let _controller = controller_of(namespace).argument("--in-use").start().await;
    yard.mirror().await;
    yard.narrow().await;
    delete(namespace, "imir", "mirror").await;
    namespace.wait_until_gone("imir", "mirror").await;
    until("the records are gone", async || {
        namespace.list("mrepo").await.is_empty()
    })
    .await;
    assert_eq!(yard.left().await, ["gone/app"]);
}
