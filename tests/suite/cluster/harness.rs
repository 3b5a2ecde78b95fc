// SPDX-License-Identifier: Apache-2.0

//! The control plane is a real one, and the way to it fails exactly as told.

use std::fs::Permissions;
use std::ops::ControlFlow;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::{Arc, Mutex};

use futures::{FutureExt as _, StreamExt as _};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, Client, Config, ResourceExt as _};
use serde_json::json;

use crate::support::cluster::api_proxy::{expired_watch, refusal, throttled};
use crate::support::cluster::audit::Entry;
use crate::support::cluster::{ApiClient, ApiProxy, ControlPlane, Controller};
use crate::support::crash::KillSwitch;
use crate::support::front::Moment;
use crate::support::http::script::{Action, Gate, Recorded};
use crate::support::process::{Daemon, Sweeper};

/// A way to the API server as a program has it: with a kubeconfig.
async fn client(kubeconfig: &Path) -> Client {
    let kubeconfig = Kubeconfig::read_from(kubeconfig).unwrap();
    let options = KubeConfigOptions::default();
    let config = Config::from_custom_kubeconfig(kubeconfig, &options)
        .await
        .unwrap();
    Client::try_from(config).unwrap()
}

fn config_map(name: &str) -> serde_json::Value {
    json!({"metadata": {"name": name}})
}

/// The harness's client, through a proxy.
fn through(proxy: &ApiProxy<'_>, plane: &ControlPlane) -> ApiClient {
    ApiClient::new(&proxy.url(), plane.authority().pem(), plane.admin_token())
}

#[tokio::test]
async fn a_control_plane_ends_with_its_test() {
    let plane = ControlPlane::start().await;
    let (pids, directory) = (plane.pids(), plane.directory().to_path_buf());
    assert_eq!(pids.len(), 2);
    assert!(directory.exists());
    drop(plane);
    for pid in pids {
        assert!(!Path::new(&format!("/proc/{pid}")).exists());
    }
    assert!(!directory.exists());
}

#[tokio::test]
async fn a_directory_is_swept_when_the_test_is_killed() {
    let directory = tempfile::tempdir().unwrap().keep();
    let sweeper = Sweeper::of(&directory);
    // Closing the pipe is all that the kernel does for a test process that is killed.
    drop(sweeper);
    while directory.exists() {
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn a_process_can_be_killed_from_anywhere() {
    let directory = tempfile::tempdir().unwrap();
    let sleep = ["-c", "exec sleep 1000"];
    let mut daemon = Daemon::spawn(Path::new("/bin/sh"), &sleep, directory.path());
    let process = daemon.process();
    assert!(process.is_alive() && daemon.is_running());
    process.kill().await;
    assert!(!process.is_alive());
    assert_eq!(daemon.ended().await.code(), None);
}

#[tokio::test]
async fn objects_are_applied_read_and_awaited() {
    let plane = ControlPlane::shared().await;
    let namespace = plane.namespace("objects").await;
    let yaml = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {key: value}\n";
    assert_eq!(namespace.json("cm", "a").await, None);
    namespace.apply(yaml).await;
    let object = namespace.json("configmaps", "a").await.unwrap();
    assert_eq!(object["data"]["key"], "value");
    assert_eq!(
        namespace
            .kubectl_ok(&["get", "cm", "a", "--output=name"])
            .await,
        "configmap/a\n"
    );
    let change = json!({"data": {"key": "other"}});
    let path = namespace.path("cm", "a").await;
    plane.client().merge(&path, &change).await.assert_success();
    let is_other = |object: &serde_json::Value| object["data"]["key"] == "other";
    namespace.wait_for("cm", "a", "other", is_other).await;
    let refused = namespace
        .try_apply(&yaml.replace("{name: a}", "{name: A}"))
        .await;
    assert_eq!(refused.code, Some(1));
    assert!(
        refused.stderr.contains("Invalid value: \"A\""),
        "{refused:?}"
    );
}

#[tokio::test]
async fn what_is_owned_or_in_a_deleted_namespace_goes_away() {
    let plane = ControlPlane::shared().await;
    let namespace = plane.namespace("deletion").await;
    let objects = plane.client().path("cm", Some(namespace.name())).await;
    let owner = plane.client().create(&objects, &config_map("owner")).await;
    let uid = owner.assert_success()["metadata"]["uid"].clone();
    let reference = json!({"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": uid});
    let dependent = json!({"metadata": {"name": "owned", "ownerReferences": [reference]}});
    plane
        .client()
        .create(&objects, &dependent)
        .await
        .assert_success();
    namespace.kubectl_ok(&["delete", "cm", "owner"]).await;
    namespace.wait_until_gone("cm", "owned").await;
    namespace.delete().await;
}

#[tokio::test]
async fn rights_are_those_of_the_token_and_stand_in_the_audit_log() {
    let plane = ControlPlane::shared().await;
    let namespace = plane.namespace("rights").await;
    namespace
        .kubectl_ok(&["create", "serviceaccount", "reader"])
        .await;
    let reader = "--serviceaccount=".to_owned() + namespace.name() + ":reader";
    let role = [
        "create",
        "role",
        "reader",
        "--verb=get",
        "--resource=configmaps",
    ];
    namespace.kubectl_ok(&role).await;
    namespace
        .kubectl_ok(&["create", "rolebinding", "reader", "--role=reader", &reader])
        .await;
    let token = plane.token_for(namespace.name(), "reader").await;
    let client = plane.client_of(&token);
    let (configs, secrets) = (
        namespace.path("cm", "none").await,
        namespace.path("secret", "none").await,
    );
    let statuses = [
        client.get(&configs).await.status,
        client.get(&secrets).await.status,
        plane.client_of("nobody's").get(&configs).await.status,
    ];
    assert_eq!(statuses, [404, 403, 401]);
    let kubeconfig = plane.kubeconfig_for(&token);
    let arguments = ["auth", "can-i", "get", "secrets"];
    let asked = plane.kubectl_with(&kubeconfig, &arguments).run().await;
    assert_eq!(asked.stdout.trim(), "no");
    let user = format!("system:serviceaccount:{}:reader", namespace.name());
    let audit = plane.audit_of(&user).await;
    let seen: Vec<_> = audit
        .iter()
        .map(|entry| (entry.verb.as_str(), entry.full_resource(), entry.code))
        .collect();
    assert_eq!(seen[0], ("get", "configmaps".to_owned(), 404));
    assert_eq!(seen[1], ("get", "secrets".to_owned(), 403));
    let is_review =
        |entry: &Entry| entry.is_write() && entry.resource == "selfsubjectaccessreviews";
    assert!(audit.iter().any(is_review), "{audit:?}");
}

#[tokio::test]
async fn helm_installs_a_chart() {
    let plane = ControlPlane::shared().await;
    let namespace = plane.namespace("helm").await;
    let chart = tempfile::tempdir().unwrap();
    let file = |name: &str, content: &str| {
        let path = chart.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    };
    file(
        "Chart.yaml",
        "{apiVersion: v2, name: c, version: 0.1.0, kubeVersion: '>=1.36.0-0'}",
    );
    file(
        "templates/cm.yaml",
        "{apiVersion: v1, kind: ConfigMap, metadata: {name: '{{ .Release.Name }}'}}",
    );
    let path = chart.path().to_str().unwrap();
    namespace
        .helm(&["install", "release", path])
        .await
        .assert_success();
    assert!(namespace.json("cm", "release").await.is_some());
    namespace.helm(&["template", path]).await.assert_success();
}

#[tokio::test]
async fn a_proxy_records_and_refuses() {
    let plane = ControlPlane::shared().await;
    let namespace = plane.namespace("proxy").await;
    let objects = plane.client().path("cm", Some(namespace.name())).await;
    let proxy = ApiProxy::in_front_of(plane);
    proxy
        .on("POST", "/configmaps")
        .nth(2)
        .responds(throttled(7));
    proxy
        .on("POST", "/configmaps")
        .nth(3)
        .does(Action::CommitThen(refusal(
            500,
            "InternalError",
            "after the fact",
        )));
    let client = through(&proxy, plane);
    let mut statuses = Vec::new();
    for name in ["a", "b", "c", "d"] {
        statuses.push(client.create(&objects, &config_map(name)).await.status);
    }
    assert_eq!(statuses, [201, 429, 500, 201]);
    let names: Vec<_> = namespace
        .list("cm")
        .await
        .iter()
        .map(|object| object["metadata"]["name"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(names, ["a", "c", "d"]);
    let recorded = proxy.requests();
    assert_eq!(proxy.changes(), 4);
    assert_eq!(
        (
            recorded[1].method.as_str(),
            &recorded[1].path,
            recorded[1].status
        ),
        ("POST", &objects, Some(429))
    );
    assert_eq!(recorded[1].body_length, config_map("b").to_string().len());
}

#[tokio::test]
async fn a_proxy_streams_a_watch_and_can_end_it() {
    let plane = ControlPlane::shared().await;
    let namespace = plane.namespace("watch").await;
    let objects = plane.client().path("cm", Some(namespace.name())).await;
    let proxy = ApiProxy::in_front_of(plane);
    proxy
        .on("GET", "watch=true")
        .nth(2)
        .responds(expired_watch());
    let client = client(&proxy.kubeconfig_for(plane.admin_token())).await;
    let api: Api<ConfigMap> = Api::namespaced(client, namespace.name());
    let mut events = watcher(api, watcher::Config::default()).boxed();
    let mut until = async |is_it: &dyn Fn(&Event<ConfigMap>) -> bool| {
        // What goes wrong on the way is the watcher's to mend.
        while !events
            .next()
            .await
            .unwrap()
            .is_ok_and(|event| is_it(&event))
        {}
    };
    let watches = || {
        let recorded = proxy.requests();
        let watches = |request: &&Recorded| request.query.contains("watch=true");
        recorded.iter().filter(watches).count()
    };
    for (name, seen) in [("first", 1), ("second", 3)] {
        until(&|event| matches!(event, Event::InitDone)).await;
        let created = plane.client().create(&objects, &config_map(name)).await;
        created.assert_success();
        until(&|event| matches!(event, Event::Apply(object) if object.name_any() == name)).await;
        assert_eq!(watches(), seen, "{name}");
        proxy.break_connections();
    }
}

#[tokio::test]
async fn a_proxy_goes_down_and_comes_back() {
    let plane = ControlPlane::shared().await;
    let proxy = ApiProxy::in_front_of(plane);
    let client = through(&proxy, plane);
    assert!(client.is_answered("/readyz").await);
    proxy.go_down();
    assert!(!client.is_answered("/readyz").await);
    proxy.come_back();
    assert!(client.is_answered("/readyz").await);
    let gate = Gate::closed();
    proxy.on("GET", "/readyz").does(Action::Hold(gate.clone()));
    let held = tokio::spawn(async move { client.get("/readyz").await });
    gate.reached().await;
    assert!(!held.is_finished());
    gate.open();
    assert_eq!(held.await.unwrap().status, 200);
}

#[tokio::test]
async fn a_proxy_tells_of_each_change_before_and_after() {
    let plane = ControlPlane::shared().await;
    let namespace = plane.namespace("moments").await;
    let objects = plane.client().path("cm", Some(namespace.name())).await;
    let seen: Arc<Mutex<Vec<_>>> = Arc::default();
    let (record, harness, path) = (Arc::clone(&seen), plane.client().clone(), objects.clone());
    let proxy = ApiProxy::watched_by(
        plane,
        Arc::new(move |moment, number| {
            let (record, harness) = (Arc::clone(&record), harness.clone());
            let path = format!("{path}/a");
            async move {
                let status = harness.get(&path).await.status;
                record.lock().unwrap().push((number, moment, status));
                ControlFlow::Continue(())
            }
            .boxed()
        }),
    );
    let client = through(&proxy, plane);
    client.get(&objects).await.assert_success();
    client
        .create(&objects, &config_map("a"))
        .await
        .assert_success();
    assert_eq!(
        seen.lock().unwrap()[..2],
        [
            (1, Moment::BeforeForward, 404),
            (1, Moment::BeforeReply, 200)
        ]
    );
}

/// A stand-in that says where it listens, and its arguments, and ends when asked to.
const STAND_IN: &str = r#"#!/bin/sh
trap 'echo "{\"message\":\"stopped\",\"word\":\"$WORD\"}" >&2; exit 0' TERM
echo "not JSON" >&2
echo "{\"message\":\"listening\",\"address\":\"127.0.0.1:9\",\"arguments\":\"$*\"}" >&2
while :; do sleep 0.01; done
"#;

#[tokio::test]
async fn a_controller_is_started_halted_and_stopped() {
    let directory = tempfile::tempdir().unwrap();
    let program = directory.path().join("stand-in");
    std::fs::write(&program, STAND_IN).unwrap();
    std::fs::set_permissions(&program, Permissions::from_mode(0o755)).unwrap();
    let options = Controller::options(Path::new("/a/kubeconfig"))
        .program(&program)
        .namespace("one")
        .environment("WORD", "value");
    let controller = options.start().await;
    assert_eq!(controller.address().to_string(), "127.0.0.1:9");
    let line = controller
        .wait_for_log(|line| line["message"] == "listening")
        .await;
    let arguments = line["arguments"].as_str().unwrap();
    assert!(
        arguments.starts_with("controller --kubeconfig=/a/kubeconfig ")
            && arguments.ends_with(" --lease-namespace=one"),
        "{arguments}"
    );
    controller.halt().await;
    assert!(controller.process().is_halted());
    controller.go_on();
    assert!(!controller.process().is_halted());
    let (status, output) = controller.stop().await;
    assert_eq!(status.code(), Some(0));
    assert!(
        output.contains(r#"{"message":"stopped","word":"value"}"#),
        "{output}"
    );
}

#[tokio::test]
async fn a_program_is_killed_at_a_change_counted_over_servers() {
    let plane = ControlPlane::shared().await;
    let switch = KillSwitch::new();
    let own = ApiProxy::watched_by(plane, switch.watcher());
    let other = ApiProxy::watched_by(plane, switch.watcher());
    let kubeconfig = own.kubeconfig_for(plane.admin_token());
    let objects = ["a", "b"]
        .map(|name| format!("---\napiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\n"));
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("objects.yaml");
    std::fs::write(&file, objects.concat()).unwrap();
    let cases = [
        (Moment::BeforeForward, 2, "", true),
        (Moment::BeforeReply, 2, "a", true),
        (Moment::BeforeForward, 3, "a", true),
        (Moment::BeforeReply, 3, "a b", true),
        (Moment::BeforeForward, 4, "a b", false),
    ];
    for (moment, change, created, is_killed) in cases {
        let namespace = plane.namespace("switch").await;
        switch.arm(moment, change);
        let mut elsewhere = config_map("elsewhere");
        elsewhere["metadata"]["labels"] = json!({"elsewhere": "yes"});
        let path = plane.client().path("cm", Some(namespace.name())).await;
        let first = through(&other, plane).create(&path, &elsewhere).await;
        first.assert_success();
        let running = plane
            .kubectl_with(&kubeconfig, &["create", "--namespace", namespace.name()])
            .argument("--filename")
            .argument(&file)
            .start();
        switch.aim(running.process());
        let finished = running.finish().await;
        assert_eq!(
            finished.code.is_none(),
            is_killed,
            "{moment:?} {change}: {finished:?}"
        );
        assert_eq!(switch.disarm(), !is_killed);
        let names: Vec<_> = namespace.list("cm").await;
        let names: Vec<_> = names
            .iter()
            .filter(|object| object["metadata"]["labels"].is_null())
            .filter_map(|object| object["metadata"]["name"].as_str())
            .collect();
        assert_eq!(names.join(" "), created, "{moment:?} {change}");
    }
}
