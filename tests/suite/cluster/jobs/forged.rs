// SPDX-License-Identifier: Apache-2.0

//! What pods may say, and whoever may be their account: nothing goes because of it but what the controller itself had them
//! push.

use serde_json::{Value, json};

use super::super::pruning_records::PRUNE;
use super::super::stage::{change, ready_for, sync, until, within};
use super::pods::Pods;
use super::{copied, image, making_jobs, mirror_of, open, source, wait_for_job};
use crate::support::cluster::Namespace;
use crate::support::cluster::namespace::find_condition;
use crate::support::faults::FaultRegistry;
use crate::support::http::script::{Action, Gate};

const COPIED: &str = "transship.dev/copied";
/// A tag at the destination that somebody else pushed.
const THEIRS: &str = "theirs";

/// Everything of the source, and what is not wanted any more goes at once.
fn pruning(source: &FaultRegistry, destination: &FaultRegistry) -> super::Mirror {
    let prune: Value = serde_json::from_str(PRUNE).unwrap();
    mirror_of(source, destination, 2).with("/prune", prune)
}

/// The mirror wants this repository alone from now on, and has had two rounds for it.
async fn narrow(namespace: &Namespace<'_>, repository: &str) {
    let images = json!([{"repository": repository, "tags": ["*"]}]);
    change(
        namespace,
        "imir",
        "mirror",
        &json!({"spec": {"images": images}}),
    )
    .await;
    for round in ["narrow-1", "narrow-2"] {
        sync(namespace, "mirror", round).await;
    }
}

/// What the account of the pods asks of the API server.
async fn ask(namespace: &Namespace<'_>, arguments: &[&str]) -> (Option<i32>, String) {
    let user = format!("--as=system:serviceaccount:{}:mirrors", namespace.name());
    let asked: Vec<&str> = arguments.iter().copied().chain([&*user]).collect();
    let finished = namespace.kubectl(&asked).await;
    (
        finished.code,
        format!("{}{}", finished.stdout, finished.stderr),
    )
}

/// The record of a repository.
async fn record(namespace: &Namespace<'_>, repository: &str) -> Value {
    let records = namespace.list("mrepo").await.into_iter();
    let mut found = records.filter(|record| {
        let name = record["spec"]["repository"].as_str().unwrap();
        name.ends_with(&format!("/{repository}"))
    });
    found.next().expect("a record")
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_account_of_the_pods_may_write() {
    let namespace = open("may").await;
    let records = "mirroredrepositories.transship.dev";
    let mut table = Vec::new();
    for resource in [records, "imagemirrors.transship.dev", "jobs.batch"] {
        for subresource in ["", "status"] {
            for verb in ["create", "update", "patch", "delete", "deletecollection"] {
                let subresource = format!("--subresource={subresource}");
                let (_, answer) =
                    ask(&namespace, &["auth", "can-i", verb, resource, &subresource]).await;
                if answer.trim_start().starts_with("yes") {
                    table.push(format!("{verb} {resource} {subresource}"));
                }
            }
        }
    }
    insta::assert_snapshot!(table.join("\n"), @"patch mirroredrepositories.transship.dev --subresource=");
}

/// What a tenant may read besides, as the chart's role for those who look gives it.
const READER: &str = r"
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: reader}
rules:
  - {apiGroups: [transship.dev], resources: [mirroredrepositories, mirroredrepositories/status], verbs: [get]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: reader}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: reader}
subjects: [{kind: ServiceAccount, name: mirrors}]
";

/// What becomes of a request.
#[derive(Clone, Copy)]
enum Fate {
    /// There is no right to this verb.
    Forbidden(&'static str),
    /// What a record is about never changes.
    Refused,
    /// It is taken, and says nothing.
    Taken,
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_tenant_forges_withholds_nothing_and_deletes_nothing() {
    let (source, destination) = (source(2), FaultRegistry::start());
    source.load("foreign", "1", &image(5));
    let namespace = open("forged").await;
    namespace.apply(READER).await;
    let _pods = Pods::of(&namespace);
    let controller = making_jobs(&namespace).start().await;
    namespace
        .apply(&pruning(&source, &destination).to_string())
        .await;
    ready_for(&namespace, "imir", "mirror", "Succeeded").await;
    controller.stop().await;
    destination.load("app00", THEIRS, &image(9));

    let before = record(&namespace, "app00").await;
    let name = before["metadata"]["name"].as_str().unwrap();
    let digest = image(9).digest().to_owned();
    let mut theirs = before["status"]["tags"][0].clone();
    for (field, value) in [
        ("tag", THEIRS),
        ("digest", &digest),
        ("sourceDigest", &digest),
    ] {
        theirs[field] = json!(value);
    }
    let own_push = json!({"status": {"tagCount": 1, "tags": [theirs], "candidateCount": 1, "candidates": [{
        "tag": THEIRS, "digest": digest, "reason": "NotNamed",
        "since": "2020-01-01T00:00:00Z", "seen": "2020-02-01T00:00:00Z",
    }]}});
    let mut tombstone = theirs.clone();
    tombstone["deletedAt"] = json!("2026-01-01T00:00:00Z");
    for field in ["firstSeen", "copiedAt"] {
        tombstone.as_object_mut().unwrap().remove(field);
    }
    let tombstone = json!({"status": {"deleted": [tombstone]}});
    let elsewhere = json!({"spec": {"repository": format!("{}/foreign", destination.host())}});
    let told = json!({"job": "j", "tags": {THEIRS: {"digest": digest}, "1": {"digest": digest}}});
    let told = json!({"metadata": {"annotations": {COPIED: told.to_string()}}});
    // A claim to a repository of somebody else.
    let mut claim = before.clone();
    claim["metadata"] = json!({
        "name": "mr-claim", "ownerReferences": before["metadata"]["ownerReferences"],
        "labels": before["metadata"]["labels"],
    });
    claim["spec"]["repository"] = elsewhere["spec"]["repository"].clone();
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("claim.json");
    std::fs::write(&file, claim.to_string()).unwrap();
    let file = format!("--filename={}", file.display());

    let patch = |patch: &Value| patch.to_string();
    let (own_push, tombstone, elsewhere, told) = (
        patch(&own_push),
        patch(&tombstone),
        patch(&elsewhere),
        patch(&told),
    );
    let (status, merge) = ("--subresource=status", "--type=merge");
    let rows: [(&str, Fate, &[&str]); 8] = [
        ("a claim", Fate::Forbidden("create"), &["create", &file]),
        (
            "a claim that is applied",
            Fate::Forbidden("create"),
            &["apply", "--server-side", "--field-manager=transship", &file],
        ),
        (
            "an own push that is not wanted",
            Fate::Forbidden("patch"),
            &["patch", "mrepo", name, status, merge, "-p", &own_push],
        ),
        (
            "a tombstone",
            Fate::Forbidden("patch"),
            &["patch", "mrepo", name, status, merge, "-p", &tombstone],
        ),
        (
            "a record that goes",
            Fate::Forbidden("delete"),
            &["delete", "mrepo", name],
        ),
        (
            "another repository",
            Fate::Refused,
            &["patch", "mrepo", name, merge, "-p", &elsewhere],
        ),
        (
            "a status beside its place",
            Fate::Taken,
            &["patch", "mrepo", name, merge, "-p", &own_push],
        ),
        (
            "a push that was not announced",
            Fate::Taken,
            &["patch", "mrepo", name, merge, "-p", &told],
        ),
    ];
    for (what, fate, arguments) in rows {
        let (code, answer) = ask(&namespace, arguments).await;
        let expected = match fate {
            Fate::Forbidden(verb) => format!("cannot {verb} resource"),
            Fate::Refused => "a record belongs to its repository for good".to_owned(),
            Fate::Taken => "patched".to_owned(),
        };
        assert!(answer.contains(&expected), "{what}: {answer}");
        assert_eq!(code == Some(0), matches!(fate, Fate::Taken), "{what}");
    }
    let after = record(&namespace, "app00").await;
    assert_eq!(after["status"], before["status"]);

    let _controller = making_jobs(&namespace).start().await;
    let second = super::Mirror::of(&source.host())
        .named("second")
        .image("foreign", &["1"])
        .destination("copy", &destination.host());
    namespace.apply(&second.to_string()).await;
    ready_for(&namespace, "imir", "second", "Succeeded").await;
    narrow(&namespace, "app01").await;
    // What the controller had them push goes; nothing else does.
    assert_eq!(destination.tags("app00"), [THEIRS]);
    assert_eq!(destination.tags("app01"), ["1"]);
    assert_eq!(destination.tags("foreign"), ["1"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_pods_pushed_while_no_controller_ran_is_ours_and_pruned_later() {
    let (source, destination) = (source(4), FaultRegistry::start());
    let gate = Gate::closed();
    destination
        .on("PUT", "/app03/manifests/")
        .does(Action::Hold(gate.clone()));
    let namespace = open("ours").await;
    let pods = Pods::of(&namespace);
    let controller = making_jobs(&namespace).start().await;
    namespace
        .apply(&pruning(&source, &destination).to_string())
        .await;
    within("a push", gate.reached()).await;
    controller.stop().await;
    gate.open();
    until("the pods end", async || {
        pods.started() == 2 && !pods.runs(0) && !pods.runs(1)
    })
    .await;
    let told = record(&namespace, "app03").await;
    assert!(told["metadata"]["annotations"][COPIED].is_string());
    assert_eq!(told["status"]["tags"][0]["state"], "Pending");

    let _next = making_jobs(&namespace).start().await;
    let ready = ready_for(&namespace, "imir", "mirror", "Succeeded").await;
    assert_eq!(ready["status"]["history"][0]["copied"], 4);
    for record in namespace.list("mrepo").await {
        let tag = &record["status"]["tags"][0];
        assert!(tag["copiedAt"].is_string(), "{record:#}");
        assert_eq!(tag["adopted"], Value::Null, "{record:#}");
        // What was heard is taken away.
        let left = &record["metadata"]["annotations"][COPIED];
        assert_eq!(*left, Value::Null, "{record:#}");
    }
    narrow(&namespace, "app00").await;
    assert_eq!(copied(&destination), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_somebody_pushed_before_the_pods_came_is_theirs() {
    let (source, destination) = (source(3), FaultRegistry::start());
    let namespace = open("theirs").await;
    let _pods = Pods::of(&namespace);
    let _controller = making_jobs(&namespace).start().await;
    let labels = json!({"kueue.x-k8s.io/queue-name": "bulk"});
    let mirror = pruning(&source, &destination).with("/execution/template/labels", labels);
    namespace.apply(&mirror.to_string()).await;
    let named = wait_for_job(&namespace).await;
    destination.load("app00", "1", &image(0));
    let name = named["name"].as_str().unwrap();
    let begin = json!({"spec": {"suspend": false}});
    change(&namespace, "jobs.batch", name, &begin).await;
    let ready = ready_for(&namespace, "imir", "mirror", "Succeeded").await;
    assert_eq!(find_condition(&ready, "Reconciling"), None);
    let record = record(&namespace, "app00").await;
    assert_eq!(record["status"]["tags"][0]["adopted"], true, "{record:#}");
    narrow(&namespace, "app02").await;
    assert_eq!(destination.tags("app00"), ["1"]);
    assert_eq!(destination.tags("app01"), Vec::<String>::new());
}
