// SPDX-License-Identifier: Apache-2.0

//! What a workload of any kind uses is not pruned, on a real API server; what cannot be seen stops pruning.

mod unseen;

use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use serde_json::{Value, json};

use super::objects::{Mirror, policy};
use super::stage::{change, controller_of, delete, protector, sync};
use crate::support::cluster::namespace::find_condition;
use crate::support::cluster::{ControlPlane, Namespace};
use crate::support::content::{Image, ImageBuilder};
use crate::support::faults::FaultRegistry;
use crate::support::registries::{Kind, Registry, Security};

/// The tag that stops being wanted.
const OLD: &str = "1";
/// The tag that stays.
const NEW: &str = "2";
/// Looks at what is left, at most, and the time between two.
const LOOKS: usize = 60;
const BETWEEN_LOOKS: Duration = Duration::from_secs(1);

/// Two registries, a mirror between them, and the workloads of a namespace.
struct Yard {
    name: String,
    source: FaultRegistry,
    destination: Registry,
    namespace: Namespace<'static>,
    repositories: Vec<String>,
}

/// An image that no other test has: a Pod of any namespace that names its digest protects it.
fn image(yard: &str, name: &str) -> Image {
    let mut hasher = DefaultHasher::new();
    (yard, name).hash(&mut hasher);
    let builder = ImageBuilder::new(hasher.finish()).layers(&[64]);
    builder.platforms(&["linux/amd64", "linux/arm64"]).build()
}

impl Yard {
    /// Everything is mirrored, and both tags of each repository are wanted.
    async fn open(name: &str, repositories: Vec<String>) -> Self {
        let source = FaultRegistry::start();
        for repository in &repositories {
            for tag in [OLD, NEW] {
                let image = image(name, &format!("{repository}:{tag}"));
                source.load(repository, tag, &image);
            }
        }
        Self {
            name: name.to_owned(),
            source,
            destination: Registry::start(Kind::Distribution3, Security::Plain).await,
            namespace: ControlPlane::shared().await.namespace(name).await,
            repositories,
        }
    }

    /// Applies the mirror, and waits until all of it is there.
    async fn mirror(&self) {
        let mut mirror = Mirror::of(&self.source.host())
            .policy("chosen")
            .destination("copy", &self.destination.host());
        for repository in &self.repositories {
            mirror = mirror.image(repository, &[]);
        }
        let prune = json!({"mode": "Delete", "grace": "0s", "maxDeletes": 1000, "maxPercent": 100});
        let mirror = mirror.with("/prune", prune);
        let all = policy("chosen", &json!({"include": [".*"]}));
        self.namespace.apply(&format!("{mirror}{all}")).await;
        self.namespace
            .wait_for_condition("imir", "mirror", "Ready", "True")
            .await;
    }

    /// The old tags are not wanted any more.
    async fn narrow(&self) {
        let narrow = json!({"spec": {"select": {"include": [NEW]}}});
        change(&self.namespace, "impol", "chosen", &narrow).await;
    }

    /// Which of the old tags are still there.
    async fn left(&self) -> Vec<String> {
        let mut left = Vec::new();
        for repository in &self.repositories {
            let tags = self.destination.client().tags(repository).await.unwrap();
            assert!(tags.iter().any(|tag| tag == NEW), "{repository}: {tags:?}");
            if tags.iter().any(|tag| tag == OLD) {
                left.push(repository.clone());
            }
        }
        left
    }

    /// Two rounds: the first finds out what is not wanted, the second deletes it.
    async fn prune(&self, name: &str) -> Value {
        sync(&self.namespace, "mirror", &format!("{name}-1")).await;
        sync(&self.namespace, "mirror", &format!("{name}-2")).await
    }

    /// The image that the old tag of a repository is.
    fn old(&self, repository: &str) -> Image {
        image(&self.name, &format!("{repository}:{OLD}"))
    }

    fn tag(&self, repository: &str) -> String {
        format!("{}/{repository}:{OLD}", self.destination.host())
    }
}

/// What the condition about pruning says.
fn pruned(mirror: &Value) -> (String, String) {
    let condition = find_condition(mirror, "Pruned").expect("a condition about pruning");
    let text = |field: &str| condition[field].as_str().unwrap_or_default().to_owned();
    (text("reason"), text("message"))
}

fn template(image: &str) -> Value {
    let spec = json!({"containers": [{"name": "a", "image": image}], "restartPolicy": "Always"});
    json!({"metadata": {"labels": {"app": "a"}}, "spec": spec})
}

fn job_template(image: &str) -> Value {
    let mut template = template(image);
    template["spec"]["restartPolicy"] = json!("Never");
    template
}

fn selecting(image: &str) -> Value {
    json!({"selector": {"matchLabels": {"app": "a"}}, "template": template(image), "replicas": 0})
}

fn object(api_version: &str, kind: &str, name: &str, mut fields: Value) -> Value {
    let mut object = json!({"apiVersion": api_version, "kind": kind, "metadata": {"name": name}});
    for (key, value) in fields.as_object_mut().expect("fields") {
        object[key] = value.take();
    }
    object
}

/// An object of each kind that uses an image, and the users that may be named for it.
fn kinds(image: &str) -> Vec<(&'static str, Value)> {
    let mut daemon_set = selecting(image);
    daemon_set.as_object_mut().unwrap().remove("replicas");
    let mut stateful_set = selecting(image);
    stateful_set["serviceName"] = json!("a");
    let data = json!({"spec": {"template": template(image)}});
    let cron_job = json!({
        "schedule": "0 0 1 1 *", "suspend": true, "jobTemplate": {"spec": {"template": job_template(image)}},
    });
    let controller = json!({"replicas": 0, "selector": {"app": "a"}, "template": template(image)});
    vec![
        (
            "Deployment",
            object(
                "apps/v1",
                "Deployment",
                "deployment",
                json!({"spec": selecting(image)}),
            ),
        ),
        (
            "ReplicaSet",
            object(
                "apps/v1",
                "ReplicaSet",
                "replicaset",
                json!({"spec": selecting(image)}),
            ),
        ),
        (
            "StatefulSet",
            object(
                "apps/v1",
                "StatefulSet",
                "statefulset",
                json!({"spec": stateful_set}),
            ),
        ),
        (
            "DaemonSet",
            object(
                "apps/v1",
                "DaemonSet",
                "daemonset",
                json!({"spec": daemon_set}),
            ),
        ),
        (
            "ControllerRevision",
            object(
                "apps/v1",
                "ControllerRevision",
                "controllerrevision",
                json!({"data": data, "revision": 1}),
            ),
        ),
        (
            "Job",
            object(
                "batch/v1",
                "Job",
                "job",
                json!({"spec": {"suspend": true, "template": job_template(image)}}),
            ),
        ),
        (
            "CronJob",
            object("batch/v1", "CronJob", "cronjob", json!({"spec": cron_job})),
        ),
        (
            "ReplicationController",
            object(
                "v1",
                "ReplicationController",
                "replicationcontroller",
                json!({"spec": controller}),
            ),
        ),
        (
            "PodTemplate",
            object(
                "v1",
                "PodTemplate",
                "podtemplate",
                json!({"template": template(image)}),
            ),
        ),
        (
            "Pod",
            object(
                "v1",
                "Pod",
                "pod",
                json!({"spec": {"containers": [{"name": "a", "image": image}]}}),
            ),
        ),
    ]
}

const NAMES: [&str; 10] = [
    "deployment",
    "replicaset",
    "statefulset",
    "daemonset",
    "controllerrevision",
    "job",
    "cronjob",
    "replicationcontroller",
    "podtemplate",
    "pod",
];

#[tokio::test(flavor = "multi_thread")]
async fn a_workload_of_each_kind_protects_what_it_uses_for_as_long_as_it_is_there() {
    let mut repositories: Vec<String> = NAMES.iter().map(|name| format!("kinds/{name}")).collect();
    repositories.push("kinds/unused".to_owned());
    let yard = Yard::open("in-use-kinds", repositories).await;
    let namespace = &yard.namespace;
    let _controller = controller_of(namespace).argument("--in-use").start().await;
    yard.mirror().await;
    let mut users = Vec::new();
    for (index, name) in NAMES.into_iter().enumerate() {
        let repository = format!("kinds/{name}");
        let (user, object) = kinds(&yard.tag(&repository)).swap_remove(index);
        namespace.apply(&object.to_string()).await;
        users.push((repository, user, name));
    }
    yard.narrow().await;
    let mirror = yard.prune("used").await;
    let used: Vec<String> = users
        .iter()
        .map(|(repository, ..)| repository.clone())
        .collect();
    let by = protector(namespace, "kinds/unused", OLD).await;
    assert_eq!(yard.left().await, used, "{by:?} uses it: {mirror}");
    assert_eq!(pruned(&mirror).0, "Succeeded");
    for (repository, user, _) in &users {
        let by = protector(namespace, repository, OLD).await.unwrap();
        assert!(
            by.starts_with(&format!("{user} {}/", namespace.name())),
            "{repository}: {by}"
        );
    }
    for (.., name) in &users {
        delete(namespace, name, name).await;
    }
    for (.., name) in &users {
        namespace.wait_until_gone(name, name).await;
    }
    // What they owned goes a little later, and is in use until then.
    let mut mirror = yard.prune("unused").await;
    for look in 0..LOOKS {
        if yard.left().await.is_empty() {
            return;
        }
        tokio::time::sleep(BETWEEN_LOOKS).await;
        mirror = yard.prune(&format!("unused-{look}")).await;
    }
    panic!("{:?} is left: {mirror}", yard.left().await);
}

/// Ways to name or to run the old tag of a repository, as a Pod.
fn ways(yard: &Yard, way: &str, repository: &str) -> (Value, Option<Value>) {
    let image = yard.old(repository);
    let (host, source) = (yard.destination.host(), yard.source.host());
    let digest = image.digest();
    let child = &image.children[0].digest;
    let config: Value = serde_json::from_slice(&image.children[0].bytes).unwrap();
    let config = config["config"]["digest"].as_str().unwrap();
    let plain = |name: &str| json!({"containers": [{"name": "a", "image": name}]});
    let other = "else.where/x:1";
    let status = |list: &str, image_id: &str| {
        let running = json!({
            "name": "a", "image": other, "imageID": image_id, "ready": true, "restartCount": 0,
        });
        Some(json!({"status": {list: [running]}}))
    };
    match way {
        "container" => (plain(&format!("{host}/{repository}:{OLD}")), None),
        "init" => {
            let mut spec = plain(other);
            spec["initContainers"] =
                json!([{"name": "b", "image": format!("{host}/{repository}:{OLD}")}]);
            (spec, None)
        }
        "volume" => {
            let mut spec = plain(other);
            let reference = format!("{host}/{repository}:{OLD}");
            spec["volumes"] = json!([{"name": "v", "image": {"reference": reference}}]);
            (spec, None)
        }
        "ephemeral" => (plain(other), None),
        "digest" => (plain(&format!("{host}/{repository}@{digest}")), None),
        "child" => (plain(&format!("unheard.of/name@{child}")), None),
        "source" => (plain(&format!("{source}/{repository}:{OLD}")), None),
        "short" => (plain(&format!("{repository}:{OLD}")), None),
        "alias" => (plain(&format!("cache.corp/hub/{repository}:{OLD}")), None),
        "runs-index" => (
            plain(other),
            status("containerStatuses", &format!("x.y/z@{digest}")),
        ),
        "runs-child" => (
            plain(other),
            status("containerStatuses", &format!("x.y/z@{child}")),
        ),
        "runs-config" => (plain(other), status("containerStatuses", config)),
        "init-runs-child" => (
            plain(other),
            status(
                "initContainerStatuses",
                &format!("docker-pullable://x.y/z@{child}"),
            ),
        ),
        _ => panic!("{way}"),
    }
}

const WAYS: [&str; 13] = [
    "container",
    "init",
    "volume",
    "ephemeral",
    "digest",
    "child",
    "source",
    "short",
    "alias",
    "runs-index",
    "runs-child",
    "runs-config",
    "init-runs-child",
];

#[tokio::test(flavor = "multi_thread")]
async fn a_pod_protects_what_it_names_or_runs_in_any_way() {
    let repositories: Vec<String> = WAYS.iter().map(|way| format!("ways/{way}")).collect();
    let yard = Yard::open("in-use-ways", repositories).await;
    let namespace = &yard.namespace;
    let _controller = controller_of(namespace).argument("--in-use").start().await;
    yard.mirror().await;
    for way in WAYS {
        let repository = format!("ways/{way}");
        let (spec, status) = ways(&yard, way, &repository);
        let pod = object("v1", "Pod", way, json!({"spec": spec}));
        namespace.apply(&pod.to_string()).await;
        let path = namespace.path("pod", way).await;
        let client = namespace.plane().client();
        if let Some(status) = status {
            client
                .merge(&format!("{path}/status"), &status)
                .await
                .assert_success();
        }
        if way == "ephemeral" {
            let added = json!([{"name": "e", "image": yard.tag(&repository)}]);
            let change = json!({"spec": {"ephemeralContainers": added}});
            client
                .merge(&format!("{path}/ephemeralcontainers"), &change)
                .await
                .assert_success();
        }
    }
    yard.narrow().await;
    let mirror = yard.prune("used").await;
    assert_eq!(yard.left().await, yard.repositories, "{mirror}");
    for way in WAYS {
        let by = protector(namespace, &format!("ways/{way}"), OLD).await;
        let expected = format!("Pod {}/{way}", namespace.name());
        assert_eq!(by, Some(expected));
        delete(namespace, "pod", way).await;
    }
    for way in WAYS {
        namespace.wait_until_gone("pod", way).await;
    }
    let mirror = yard.prune("unused").await;
    assert_eq!(yard.left().await, Vec::<String>::new(), "{mirror}");
}
