// SPDX-License-Identifier: Apache-2.0

//! Rounds whose images the pods of a Job copy.

mod forged;
mod held;
mod many;
mod pods;

use serde_json::{Value, json};

use self::pods::Pods;
use super::kubectl::Plugin;
use super::objects::{Mirror, login_secret};
use super::shards::changes;
use super::stage::{change, controller_of, message, ready_for, sync, until, within};
use crate::support::cluster::controller::{Controller, Options};
use crate::support::cluster::namespace::find_condition;
use crate::support::cluster::{ControlPlane, Namespace};
use crate::support::content::{Image, ImageBuilder};
use crate::support::credentials::Login;
use crate::support::faults::FaultRegistry;
use crate::support::http::Reply;
use crate::support::http::script::{Action, Gate};

/// The rights of the chart's cluster roles `transship-job` and `transship-secret-reader`, for the account of the pods.
const RIGHTS: &str = r"
apiVersion: v1
kind: ServiceAccount
metadata: {name: mirrors}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: job}
rules:
  - {apiGroups: [transship.dev], resources: [imagemirrors, imagepolicies], verbs: [get]}
  - {apiGroups: [transship.dev], resources: [mirroredrepositories], verbs: [list, patch]}
  - {apiGroups: [''], resources: [secrets], verbs: [get]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: job}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: job}
subjects: [{kind: ServiceAccount, name: mirrors}]
";

fn image(seed: u64) -> Image {
    ImageBuilder::new(seed).layers(&[64]).build()
}

/// A registry with so many repositories of one tag.
fn source(repositories: u64) -> FaultRegistry {
    let registry = FaultRegistry::start();
    for number in 0..repositories {
        registry.load(&format!("app{number:02}"), "1", &image(number));
    }
    registry
}

/// Everything of the source, copied by so many pods.
fn mirror_of(source: &FaultRegistry, destination: &FaultRegistry, parallelism: u64) -> Mirror {
    let template = json!({"serviceAccountName": "mirrors"});
    Mirror::of(&source.host())
        .image("app*", &["*"])
        .destination("copy", &destination.host())
        .with(
            "/execution",
            json!({"mode": "Job", "parallelism": parallelism, "template": template}),
        )
}

async fn open(name: &str) -> Namespace<'static> {
    let namespace = ControlPlane::with_jobs().await.namespace(name).await;
    namespace.apply(RIGHTS).await;
    namespace
}

/// A controller that makes Jobs.
fn making_jobs(namespace: &Namespace<'_>) -> Options {
    controller_of(namespace).argument("--job-image=registry.test/transship:1")
}

/// A controller that makes Jobs, pods that run, and everything of the source, copied by two of them.
async fn begin(
    name: &str,
    source: &FaultRegistry,
    destination: &FaultRegistry,
) -> (Namespace<'static>, Pods, Controller) {
    let namespace = open(name).await;
    let pods = Pods::of(&namespace);
    let controller = making_jobs(&namespace).start().await;
    let mirror = mirror_of(source, destination, 2);
    namespace.apply(&mirror.to_string()).await;
    (namespace, pods, controller)
}

/// What is at the destination, repository by repository.
fn copied(destination: &FaultRegistry) -> usize {
    let repositories = destination.repositories().into_iter();
    repositories
        .filter(|repository| !destination.tags(repository).is_empty())
        .count()
}

/// Waits until the mirror names a Job, and answers with its status.
async fn wait_for_job(namespace: &Namespace<'_>) -> Value {
    let has_job = |mirror: &Value| mirror["status"]["job"]["uid"].is_string();
    let mirror = namespace.wait_for("imir", "mirror", "a Job", has_job).await;
    mirror["status"]["job"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn pods_copy_with_their_own_account_and_the_round_ends_as_ever() {
    let source = source(12);
    let destination = FaultRegistry::options().basic().start();
    let namespace = open("job").await;
    let _pods = Pods::of(&namespace);
    let controller = making_jobs(&namespace).start().await;
    let secret = login_secret("push", &destination.host(), &Login::valid());
    let mirror = mirror_of(&source, &destination, 3)
        .with("/destinations/0/secretRef", json!({"name": "push"}));
    namespace.apply(&format!("{secret}{mirror}")).await;
    let ready = ready_for(&namespace, "imir", "mirror", "Succeeded").await;
    assert_eq!(copied(&destination), 12);
    let status = &ready["status"];
    assert_eq!(status["synced"], "12/12");
    assert_eq!(status["job"], Value::Null);
    assert_eq!(status["history"][0]["copied"], 12);
    assert!(status["history"][0]["bytes"].as_i64() > Some(12 * 64));
    assert_eq!(find_condition(&ready, "Reconciling"), None);

    // Disjoint parts, each with something, and nobody else wrote anything.
    let pods = namespace.list("pod").await;
    assert_eq!(pods.len(), 3);
    let told = pods.iter().map(|pod| {
        let end = &pod["status"]["containerStatuses"][0]["state"]["terminated"];
        let told: Value = serde_json::from_str(end["message"].as_str().unwrap()).unwrap();
        told["copied"].as_u64().unwrap()
    });
    let told: Vec<u64> = told.collect();
    assert_eq!(told, [4, 4, 4]);
    let job = namespace.list("jobs.batch").await.remove(0);
    assert_eq!(job["status"]["completedIndexes"], "0-2");
    let owner = &job["metadata"]["ownerReferences"][0];
    assert_eq!(owner["uid"], ready["metadata"]["uid"]);

    // Secrets were read, and what was written put on record, by the account of the namespace.
    let account = format!("system:serviceaccount:{}:mirrors", namespace.name());
    let entries = namespace.plane().audit_of(&account).await;
    let did = |verb: &str, resource: &str| {
        let mut entries = entries.iter();
        entries.any(|entry| entry.verb == verb && entry.resource == resource)
    };
    assert!(did("get", "secrets"));
    assert!(did("patch", "mirroredrepositories"));
    for record in namespace.list("mrepo").await {
        let tag = &record["status"]["tags"][0];
        assert!(tag["copiedAt"].is_string(), "{record:#}");
        assert_eq!(tag["adopted"], Value::Null, "{record:#}");
    }

    // A round that finds nothing to do makes no Job, and neither does the next process.
    sync(&namespace, "mirror", "again").await;
    controller.stop().await;
    let _next = making_jobs(&namespace).start().await;
    sync(&namespace, "mirror", "once more").await;
    assert_eq!(namespace.list("jobs.batch").await.len(), 1);
    let pushes = destination.requests();
    let pushes = pushes
        .iter()
        .filter(|it| it.method == "PUT" && it.path.ends_with("/manifests/1"));
    assert_eq!(pushes.filter(|it| it.status == Some(201)).count(), 12);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pod_that_is_evicted_is_taken_up_again() {
    let (source, destination) = (source(6), FaultRegistry::start());
    let gate = Gate::closed();
    destination
        .on("PUT", "/app01/manifests/")
        .first(1)
        .does(Action::Hold(gate.clone()));
    let (namespace, pods, _controller) = begin("evicted", &source, &destination).await;
    within("a push", gate.reached()).await;
    until("the other part", async || {
        !pods.runs(1) && pods.started() == 2
    })
    .await;
    let named = wait_for_job(&namespace).await;
    assert_eq!(named["indexes"], 2);
    let is_told = |mirror: &Value| {
        let reconciling = find_condition(mirror, "Reconciling");
        let told = reconciling.and_then(|it| it["message"].as_str());
        told.is_some_and(|told| told.contains("1 of 2 parts are done"))
    };
    namespace
        .wait_for("imir", "mirror", "progress", is_told)
        .await;
    pods.evict(0);
    gate.open();
    let ready = ready_for(&namespace, "imir", "mirror", "Succeeded").await;
    assert_eq!(ready["status"]["synced"], "6/6");
    assert_eq!(copied(&destination), 6);
    assert_eq!(pods.started(), 3);
    assert_eq!(namespace.list("jobs.batch").await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_next_controller_follows_the_job_of_the_last_one() {
    let (source, destination) = (source(4), FaultRegistry::start());
    let gate = Gate::closed();
    destination
        .on("PUT", "/app03/manifests/")
        .does(Action::Hold(gate.clone()));
    let (namespace, _pods, controller) = begin("followed", &source, &destination).await;
    within("a push", gate.reached()).await;
    controller.stop().await;
    let next = making_jobs(&namespace).start().await;
    let is_following = |line: &Value| line["message"] == "a Job copies already";
    next.wait_for_log(is_following).await;
    gate.open();
    ready_for(&namespace, "imir", "mirror", "Succeeded").await;
    assert_eq!(copied(&destination), 4);
    assert_eq!(namespace.list("jobs.batch").await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_job_of_a_mirror_that_is_suspended_is_ended_and_writes_no_more() {
    let (source, destination) = (source(4), FaultRegistry::start());
    let gate = Gate::closed();
    destination
        .on("PUT", "/app00/manifests/")
        .does(Action::Hold(gate.clone()));
    let (namespace, pods, _controller) = begin("suspended", &source, &destination).await;
    within("a push", gate.reached()).await;
    change(
        &namespace,
        "imir",
        "mirror",
        &json!({"spec": {"suspend": true}}),
    )
    .await;
    let is_left = |mirror: &Value| mirror["status"]["job"].is_null();
    namespace.wait_for("imir", "mirror", "left", is_left).await;
    assert!(namespace.list("jobs.batch").await.is_empty());
    until("its pods have ended", async || !pods.runs(0)).await;
    assert_eq!(destination.tags("app00"), Vec::<String>::new());
    // What was on its way may arrive, and nothing follows it.
    let before = changes(&destination.requests());
    gate.open();
    destination.quiet().await;
    assert_eq!(changes(&destination.requests()), before);
    // And goes on as ever.
    change(
        &namespace,
        "imir",
        "mirror",
        &json!({"spec": {"suspend": false}}),
    )
    .await;
    ready_for(&namespace, "imir", "mirror", "Succeeded").await;
    assert_eq!(copied(&destination), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_pods_could_not_copy_is_told_with_its_reason() {
    let (source, destination) = (source(4), FaultRegistry::start());
    let full = Reply::error(507, "UNKNOWN", "no room");
    destination.on("PUT", "/app00/manifests/").responds(full);
    let (namespace, _pods, _controller) = begin("failing", &source, &destination).await;
    let has_failed = |mirror: &Value| mirror["status"]["tags"]["failed"] == 1;
    let failed = namespace
        .wait_for("imir", "mirror", "failed", has_failed)
        .await;
    let failures = failed["status"]["failures"].as_array().unwrap();
    let failures = failures.iter().map(|failure| {
        let text = |field: &str| failure[field].as_str().unwrap().to_owned();
        format!("{} {}: {}", text("image"), text("reason"), text("message"))
    });
    let told = failures.collect::<Vec<_>>().join("\n");
    let told = told.replace(&destination.host(), "DESTINATION");
    insta::assert_snapshot!(told, @r#"DESTINATION/app00:1 QuotaExceeded: cannot store the manifest DESTINATION/app00:1: 507 Insufficient Storage (UNKNOWN): the registry has no room left: free some or raise the quota; it says "no room""#);
    assert_eq!(failed["status"]["tags"]["synced"], 3);
    assert_eq!(failed["status"]["job"], Value::Null);
}

#[tokio::test(flavor = "multi_thread")]
async fn where_no_job_can_be_made_the_mirror_says_what_to_do() {
    let (source, destination) = (source(1), FaultRegistry::start());
    let namespace = open("refused").await;
    let controller = controller_of(&namespace).start().await;
    let mirror = mirror_of(&source, &destination, 1);
    namespace.apply(&mirror.to_string()).await;
    let told = ready_for(&namespace, "imir", "mirror", "DependencyNotReady").await;
    insta::assert_snapshot!(message(&told), @"spec.execution.mode is Job, and this controller makes no Jobs: set jobs.enabled of the Helm chart (--job-image), or write mode: InProcess");
    controller.stop().await;

    // A quota for Jobs, and an account that may not read the mirror.
    let quota = json!({
        "apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "none"},
        "spec": {"hard": {"count/jobs.batch": "0"}},
    });
    namespace.apply(&quota.to_string()).await;
    namespace
        .wait_for("quota", "none", "counted", |it| {
            it["status"]["hard"].is_object()
        })
        .await;
    let _controller = making_jobs(&namespace).start().await;
    sync(&namespace, "mirror", "1").await;
    let told = ready_for(&namespace, "imir", "mirror", "QuotaExceeded").await;
    assert!(
        message(&told).contains("exceeded quota"),
        "{}",
        message(&told)
    );
    let path = namespace.path("quota", "none").await;
    namespace
        .plane()
        .client()
        .delete(&path)
        .await
        .assert_success();
    let path = namespace.path("rolebinding", "job").await;
    namespace
        .plane()
        .client()
        .delete(&path)
        .await
        .assert_success();
    let _pods = Pods::of(&namespace);
    change(
        &namespace,
        "imir",
        "mirror",
        &json!({"spec": {"interval": "23h"}}),
    )
    .await;
    let told = ready_for(&namespace, "imir", "mirror", "AccessDenied").await;
    assert!(
        message(&told).contains("bind the ClusterRole transship-job to it there"),
        "{}",
        message(&told)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_queued_job_is_made_suspended_and_the_mirror_says_so() {
    let (source, destination) = (source(1), FaultRegistry::start());
    let namespace = open("queued").await;
    let _pods = Pods::of(&namespace);
    let _controller = making_jobs(&namespace).start().await;
    let labels = json!({"kueue.x-k8s.io/queue-name": "bulk"});
    let mirror = mirror_of(&source, &destination, 1).with("/execution/template/labels", labels);
    namespace.apply(&mirror.to_string()).await;
    let named = wait_for_job(&namespace).await;
    let is_told = |mirror: &Value| {
        let reconciling = find_condition(mirror, "Reconciling");
        let told = reconciling.and_then(|it| it["message"].as_str());
        told.is_some_and(|told| told.contains("it is suspended, and waits for its queue"))
    };
    namespace
        .wait_for("imir", "mirror", "queued", is_told)
        .await;
    let name = named["name"].as_str().unwrap();
    let told = format!(
        "job Job {name} copies: 0 of 1 parts are done; it is suspended, and waits for its queue"
    );
    for words in ["status", "status mirror"] {
        Plugin::of(&namespace).assert(words, 0, &told).await;
    }
    assert!(namespace.list("pod").await.is_empty());
    change(
        &namespace,
        "jobs.batch",
        name,
        &json!({"spec": {"suspend": false}}),
    )
    .await;
    ready_for(&namespace, "imir", "mirror", "Succeeded").await;
    assert_eq!(copied(&destination), 1);
}
