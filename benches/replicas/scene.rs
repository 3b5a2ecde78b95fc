// SPDX-License-Identifier: Apache-2.0

//! Mirrors that are applied all at once, and so many replicas that wait for them.

use std::time::{Duration, Instant};

use futures::{StreamExt as _, stream};
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::figures::{Figures, Run};
use crate::lanes::{Lanes, Way};
use crate::shared::calibration::Calibration;
use crate::shared::process::{cpu_seconds, peak_rss_bytes};
use crate::support::access_log::{Resource as Accessed, count};
use crate::support::cluster::namespace::find_condition;
use crate::support::cluster::{ControlPlane, Controller, Namespace};
use crate::support::content::ImageBuilder;
use crate::support::limited::{Limit, Resource};
use crate::support::registries::{Kind, Registry, Security};

/// How many replicas are compared with one.
const MEMBERS: usize = 3;
/// Enough for three to have as many each.
const SHARDS: usize = 12;
/// What each replica has: thousandths of a core, and bytes a second each way.
const MILLI_CORES: usize = 333;
const BYTES_PER_SECOND: usize = 4 << 20;
/// The layer of each image, in bytes.
const LAYER: usize = 1 << 20;
/// Objects and images that are made at a time.
const PARALLEL: usize = 16;
/// How often it is looked.
const POLL: Duration = Duration::from_millis(250);
/// Longer than anything that is still worth waiting for.
const PATIENCE: Duration = Duration::from_secs(900);
/// The tag of each repository.
const TAG: &str = "v1";

/// A replica within its limits.
struct Member {
    // Dropped before the cgroup that it is in.
    controller: Controller,
    limit: Limit,
}

/// Measures one replica, and then several.
pub(crate) async fn run(mirrors: usize) -> Figures {
    let calibration = Calibration::take();
    let plane = ControlPlane::start().await;
    let source = Registry::start(Kind::Distribution3, Security::Plain).await;
    stream::iter(0..mirrors)
        .for_each_concurrent(PARALLEL, async |number| {
            let seed = u64::try_from(number).unwrap_or_default();
            let image = ImageBuilder::new(seed).layers(&[LAYER]).build();
            source.client().push(&repository(number), TAG, &image).await;
        })
        .await;
    let one = share(&plane, &source, mirrors, 1).await;
    let several = share(&plane, &source, mirrors, MEMBERS).await;
    Figures {
        mirrors,
        calibration,
        one,
        several,
    }
}

/// So many replicas that have their part of the shards already get all mirrors at once.
async fn share(plane: &ControlPlane, source: &Registry, mirrors: usize, members: usize) -> Run {
    let destination = Registry::start(Kind::Distribution3, Security::Plain).await;
    let namespace = plane.namespace("replicas").await;
    let lanes = Lanes::of(BYTES_PER_SECOND);
    let ways = [source.address(), destination.address()].map(|server| lanes.way_to(server));
    let mut replicas = Vec::new();
    for number in 0..members {
        let member = Member::start(&namespace, number).await;
        lanes.open_for(member.controller.process().id());
        replicas.push(member);
    }
    for replica in &replicas {
        replica.wait_for_its_part(SHARDS / members).await;
    }
    let began = Instant::now();
    apply(&namespace, mirrors, &ways).await;
    wait_until_all_are_ready(&namespace, mirrors, &replicas).await;
    let wall_seconds = began.elapsed().as_secs_f64();
    eprintln!("{members} members: {mirrors} mirrors in {wall_seconds:.1} s");
    let pushed = count(&destination.requests().await, "PUT", Accessed::Manifest);
    let pids: Vec<u32> = replicas
        .iter()
        .map(|replica| replica.controller.process().id())
        .collect();
    Run {
        members,
        is_limited: replicas.iter().all(|replica| replica.limit.is_kept()),
        wall_seconds,
        cpu_seconds: pids.iter().filter_map(|pid| cpu_seconds(*pid)).collect(),
        peak_rss_bytes: pids.iter().filter_map(|pid| peak_rss_bytes(*pid)).collect(),
        pushed,
    }
}

// === impl Member ===

impl Member {
    async fn start(namespace: &Namespace<'_>, number: usize) -> Self {
        let limit = Limit::of(
            &format!("member-{number}"),
            Resource::MilliCores(MILLI_CORES),
        );
        let options = Controller::options(namespace.plane().kubeconfig())
            .namespace(namespace.name())
            .argument(&format!("--shards={SHARDS}"));
        let controller = limit.confine(options).start().await;
        Self { controller, limit }
    }

    async fn wait_for_its_part(&self, shards: usize) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let metrics = self.controller.metrics().await;
            let held = metrics
                .lines()
                .filter(|line| line.starts_with("transship_shard_held{") && line.ends_with(" 1"));
            if held.count() == shards {
                return;
            }
            assert!(Instant::now() < deadline, "{}", self.controller.output());
            sleep(POLL).await;
        }
    }
}

async fn apply(namespace: &Namespace<'_>, mirrors: usize, ways: &[Way; 2]) {
    let client = namespace.plane().client();
    let path = client.path("imir", Some(namespace.name())).await;
    stream::iter(0..mirrors)
        .for_each_concurrent(PARALLEL, async |number| {
            let object = mirror(number, ways);
            client.create(&path, &object).await.assert_success();
        })
        .await;
}

async fn wait_until_all_are_ready(namespace: &Namespace<'_>, mirrors: usize, replicas: &[Member]) {
    let deadline = Instant::now() + PATIENCE;
    let is_ready = |mirror: &&Value| {
        find_condition(mirror, "Ready").is_some_and(|ready| ready["status"] == "True")
    };
    loop {
        let ready = namespace.list("imir").await.iter().filter(is_ready).count();
        if ready == mirrors {
            return;
        }
        let is_late = Instant::now() >= deadline;
        assert!(
            !is_late,
            "{ready} are ready:\n{}",
            replicas[0].controller.output()
        );
        sleep(POLL).await;
    }
}

fn repository(number: usize) -> String {
    format!("application-{number}")
}

fn mirror(number: usize, [source, destination]: &[Way; 2]) -> Value {
    let repository = repository(number);
    json!({
        "apiVersion": "transship.dev/v1alpha1",
        "kind": "ImageMirror",
        "metadata": {"name": repository},
        "spec": {
            "source": {"registry": source.host(), "insecure": true},
            "images": [{"repository": repository, "tags": [TAG]}],
            "destinations": [{"name": "mirror", "registry": destination.host(), "insecure": true}],
            "interval": "24h",
        },
    })
}
