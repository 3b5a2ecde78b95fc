// SPDX-License-Identifier: Apache-2.0

//! A cluster of one node, with the release and its registries.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::super::objects::{Mirror, policy};
use super::super::release::chart;
use crate::support::apart::Apart;
use crate::support::cluster::namespace::find_condition;
use crate::support::cluster::{ControlPlane, Namespace, Node, images};
use crate::support::faults::FaultRegistry;
use crate::support::program::Finished;
use crate::support::registries::{Kind, Registry, Security};
use crate::support::witness::Witness;

/// How long a release may take to be ready.
const PATIENCE: &str = "--timeout=10m";

/// How long it may take until somebody works, on a busy machine.
const TAKEOVER: Duration = Duration::from_secs(240);

/// How often the lease is looked at.
const POLL: Duration = Duration::from_millis(200);

/// What tests need of a node.
pub(super) struct House<'a> {
    pub(super) node: Node<'a>,
    /// Whence images are copied, which may be slow.
    pub(super) source: FaultRegistry,
    source_host: String,
    /// Whence the node takes images, and where copies go.
    pub(super) registry: Registry,
    /// What that is called on the node and in its pods.
    pub(super) host: String,
    /// Where the release is.
    pub(super) system: Namespace<'a>,
    /// Where mirrors are, and who uses what they copy.
    pub(super) work: Namespace<'a>,
}

/// A pod of the release.
#[derive(Debug)]
pub(super) struct Running {
    pub(super) name: String,
    pub(super) container: String,
}

impl<'a> House<'a> {
    /// A control plane for it.
    pub(super) async fn plane() -> ControlPlane {
        ControlPlane::start_for_node().await
    }

    /// Starts all but the release.
    pub(super) async fn build(apart: &Apart, plane: &'a ControlPlane) -> Self {
        let registry = Registry::start(Kind::Distribution3, Security::Plain).await;
        let (mut node, host) = Node::start(apart, plane, &registry).await;
        let source = FaultRegistry::start();
        let source_host = node.admit(source.host().parse().expect("an address"));
        images::push_controller(&registry, "system/transship:v1").await;
        for tag in ["1", "2"] {
            images::push_pause(&registry, &format!("system/program:{tag}"), tag).await;
        }
        let system = plane.namespace("system").await;
        let restricted = "pod-security.kubernetes.io/enforce=restricted";
        let label = ["label", "namespace", system.name(), restricted];
        plane.kubectl_ok(&label).await;
        let work = plane.namespace("work").await;
        Self {
            node,
            source,
            source_host,
            registry,
            host,
            system,
            work,
        }
    }

    /// Installs or upgrades the release, and waits until it is ready.
    pub(super) async fn helm(&self, verb: &str, more: &[&str]) -> Finished {
        let chart = chart();
        let boundaries = format!(
            "boundaries.allowAddresses={{192.0.2.0/24}},boundaries.insecureHosts={{{},{}}},inUse.enabled=true",
            self.host, self.source_host
        );
        let common = [
            verb,
            "transship",
            &chart,
            "--wait",
            PATIENCE,
            "--set",
            &boundaries,
        ];
        self.system.helm(&[&common, more].concat()).await
    }

    /// The pods of the release that are ready and stay.
    pub(super) async fn running_pods(&self) -> Vec<Running> {
        let pods = self.system.list("pods").await;
        let stays = |pod: &&Value| {
            pod["metadata"]["deletionTimestamp"].is_null()
                && find_condition(pod, "Ready").is_some_and(|ready| ready["status"] == "True")
        };
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let running = pods.iter().filter(stays).map(|pod| Running {
            name: text(&pod["metadata"]["name"]),
            container: text(&pod["status"]["containerStatuses"][0]["containerID"]),
        });
        running.collect()
    }

    /// What the API server knows of the release's pods, for who has to find out why they do not run.
    pub(super) async fn pods_told(&self) -> String {
        let described = self.system.kubectl(&["describe", "pods"]).await;
        described.stdout
    }

    /// The pod that works.
    pub(super) async fn leader(&self) -> String {
        let deadline = Instant::now() + TAKEOVER;
        loop {
            let lease = self
                .system
                .json("lease", "transship")
                .await
                .unwrap_or_default();
            let holder = lease["spec"]["holderIdentity"].as_str().unwrap_or_default();
            let pods = self.system.list("pods").await;
            let mut names = pods
                .iter()
                .filter_map(|pod| pod["metadata"]["name"].as_str());
            if let Some(name) = names.find(|name| holder.starts_with(name)) {
                return name.to_owned();
            }
            assert!(Instant::now() < deadline, "nobody leads: {lease:#}");
            tokio::time::sleep(POLL).await;
        }
    }

    /// A mirror of images that nobody runs, from the slow source.
    pub(super) async fn mirror_images(&self) {
        let mirror = Mirror::of(&self.source_host)
            .named("images")
            .image("images/base", &[])
            .policy("all")
            .destination("copy", &self.host);
        let all = policy("all", &json!({"include": [".*"]}));
        self.work.apply(&format!("{mirror}{all}")).await;
        self.wait_until_ready("images").await;
    }

    /// A mirror of what the node can run, which deletes what it does not want.
    pub(super) async fn mirror_programs(&self) {
        let prune = json!({"mode": "Delete", "grace": "0s", "maxDeletes": 100, "maxPercent": 100});
        let mirror = Mirror::of(&self.host)
            .named("programs")
            .image("system/program", &[])
            .policy("programs")
            .destination("copy", &self.host)
            .with("/destinations/0/repository", "copies/{repository}")
            .with("/prune", prune);
        let all = policy("programs", &json!({"include": [".*"]}));
        self.work.apply(&format!("{mirror}{all}")).await;
        self.wait_until_ready("programs").await;
    }

    /// Lets mirrors be copied by Jobs, as docs/jobs.md says it.
    pub(super) async fn allow_jobs(&self) {
        let jobs = format!(
            "--set=jobs.enabled=true,jobs.namespaces={{{}}}",
            self.work.name()
        );
        let upgraded = self.helm("upgrade", &["--reuse-values", &jobs]).await;
        upgraded.assert_success();
        self.work
            .kubectl_ok(&["create", "serviceaccount", "mirrors"])
            .await;
        let account = format!("--serviceaccount={}:mirrors", self.work.name());
        let binding = [
            "create",
            "rolebinding",
            "mirrors-job",
            "--clusterrole=transship-job",
            &account,
        ];
        self.work.kubectl_ok(&binding).await;
    }

    /// A mirror of many small repositories, which go below its name.
    pub(super) async fn mirror_many(&self, name: &str, execution: Value) {
        let mirror = Mirror::of(&self.source_host)
            .named(name)
            .image("many/*", &["*"])
            .destination("copy", &self.host)
            .with(
                "/destinations/0/repository",
                format!("{name}/{{repository}}"),
            )
            .with("/execution", execution);
        self.work.apply(&mirror.to_string()).await;
    }

    /// Waits until a mirror is in sync.
    pub(super) async fn wait_until_ready(&self, mirror: &str) -> Value {
        self.work
            .wait_for_condition("imir", mirror, "Ready", "True")
            .await
    }

    /// Kills the pod of the Job that works on the part of this number.
    pub(super) async fn kill_one_of_job(&self, index: usize) {
        let label = format!("--selector=batch.kubernetes.io/job-completion-index={index}");
        let runs = "--for=jsonpath={.status.phase}=Running";
        let wait = ["wait", "pod", &label, runs, "--timeout=240s"];
        self.work.kubectl_ok(&wait).await;
        let kill = ["delete", "pod", &label, "--force", "--grace-period=0"];
        let killed = self.work.kubectl_ok(&kill).await;
        assert!(killed.contains("force deleted"), "{killed}");
    }

    /// Runs a pod and waits until it is ready.
    pub(super) async fn run(&self, name: &str, image: &str) {
        let pod = json!({
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": name},
            "spec": {"containers": [{"name": "a", "image": image}], "terminationGracePeriodSeconds": 1},
        });
        self.work.apply(&pod.to_string()).await;
        let is_ready = |pod: &Value| {
            find_condition(pod, "Ready").is_some_and(|ready| ready["status"] == "True")
        };
        self.work.wait_for("pod", name, "ready", is_ready).await;
    }

    /// Goes on only if all of a tag is at the destination, to the last byte.
    pub(super) async fn assert_whole(&self, repository: &str, tag: &str) {
        let mut source = Witness::new(self.source.client(), repository);
        let mut copy = Witness::new(self.registry.client(), repository);
        let problems = copy.check_against(tag, &mut source, tag).await;
        assert_eq!(problems, [], "{repository}:{tag}");
    }
}

/// The digest of a tag, where it is.
pub(super) async fn digest_of(registry: &Registry, repository: &str, tag: &str) -> Option<String> {
    let found = registry.client().resolve_digest(repository, tag).await;
    found.expect("an answer")
}
