// SPDX-License-Identifier: Apache-2.0

//! The chart on a real node: what no test can tell that runs the program itself.

mod house;

use house::{House, digest_of};
use serde_json::json;

use super::stage::{change, delete, handled, protector, request, sync};
use crate::support::apart::Apart;
use crate::support::cluster::node;
use crate::support::content::{Image, ImageBuilder};
use crate::support::http::script::{Action, Gate};

/// The name of the test below, by which it runs itself.
const TEST: &str = "cluster::node::two_replicas_on_a_node_do_their_work_through_kills_and_upgrades";

/// What the chart gives a container.
const MEMORY: u64 = 512 << 20;

/// The layer whose copy is interrupted, and what of it comes before that.
const LARGE: usize = 32 << 20;
const BEGUN: usize = 4 << 20;

/// The repositories that a Job copies, and its pods.
const MANY: usize = 200;
const INDEXES: usize = 4;

#[tokio::test(flavor = "multi_thread")]
async fn two_replicas_on_a_node_do_their_work_through_kills_and_upgrades() {
    let Some(apart) = Apart::enter(TEST, node::missing).await else {
        return;
    };
    let plane = House::plane().await;
    let house = House::build(&apart, &plane).await;
    two_replicas_become_ready_under_restricted_pod_security(&house).await;
    the_kernel_keeps_the_memory_limit(&house).await;
    another_replica_goes_on_when_the_leader_is_killed(&house).await;
    a_pod_keeps_what_it_runs_from_being_pruned(&house).await;
    a_copy_ends_whole_through_an_upgrade(&house).await;
    the_pods_of_a_job_copy_what_the_process_copies(&house).await;
}

fn image(seed: u64) -> Image {
    ImageBuilder::new(seed).layers(&[4096]).build()
}

async fn two_replicas_become_ready_under_restricted_pod_security(house: &House<'_>) {
    let image = format!(
        "image.repository={}/system/transship,image.tag=v1",
        house.host
    );
    let install = house.helm("install", &["--set", &image]).await;
    assert_eq!(
        install.code,
        Some(0),
        "{}\n{}",
        install.stderr,
        house.pods_told().await
    );
    let pods = house.running_pods().await;
    assert_eq!(pods.len(), 2, "{pods:?}");
}

async fn the_kernel_keeps_the_memory_limit(house: &House<'_>) {
    for pod in house.running_pods().await {
        assert_eq!(
            house.node.memory_limit(&pod.container),
            MEMORY,
            "{}",
            pod.name
        );
    }
}

async fn another_replica_goes_on_when_the_leader_is_killed(house: &House<'_>) {
    house.source.load("images/base", "1", &image(1));
    house.mirror_images().await;
    house.assert_whole("images/base", "1").await;

    let killed = house.leader().await;
    let kill = ["delete", "pod", &killed, "--force", "--grace-period=0"];
    house.system.kubectl_ok(&kill).await;
    house.source.load("images/base", "2", &image(2));
    sync(&house.work, "images", "after the leader's death").await;
    house.assert_whole("images/base", "2").await;
    assert_ne!(house.leader().await, killed);
}

async fn a_pod_keeps_what_it_runs_from_being_pruned(house: &House<'_>) {
    house.mirror_programs().await;
    let (copy, tag) = ("copies/system/program", "1");
    house
        .run("user", &format!("{}/{copy}:{tag}", house.host))
        .await;
    let narrow = json!({"spec": {"select": {"include": ["2"]}}});
    change(&house.work, "impol", "programs", &narrow).await;
    sync(&house.work, "programs", "unwanted").await;
    sync(&house.work, "programs", "in use").await;
    let by = protector(&house.work, copy, tag).await;
    let user = format!("Pod {}/user", house.work.name());
    assert!(
        by.as_ref().is_some_and(|by| by.starts_with(&user)),
        "{by:?}"
    );
    assert!(digest_of(&house.registry, copy, tag).await.is_some());

    delete(&house.work, "pod", "user").await;
    house.work.wait_until_gone("pod", "user").await;
    sync(&house.work, "programs", "not in use").await;
    assert_eq!(digest_of(&house.registry, copy, tag).await, None);
    assert!(digest_of(&house.registry, copy, "2").await.is_some());
}

async fn a_copy_ends_whole_through_an_upgrade(house: &House<'_>) {
    let large = ImageBuilder::new(3).layers(&[LARGE]).build();
    let layer = large.blobs.iter().find(|blob| blob.bytes.len() >= LARGE);
    let layer = &layer.expect("a large layer").digest;
    house.source.load("images/base", "3", &large);
    let gate = Gate::closed();
    let first = house.source.on("GET", layer).nth(1);
    first.does(Action::HoldBody(BEGUN, gate.clone()));
    request(&house.work, "images", "copy").await;
    gate.reached().await;
    let before = house.running_pods().await;
    let upgrade = ["--reuse-values", "--set=podAnnotations.release=second"];
    house.helm("upgrade", &upgrade).await.assert_success();
    handled(&house.work, "images", "copy").await;
    house.assert_whole("images/base", "3").await;
    let leader = house.leader().await;
    assert!(before.iter().all(|pod| pod.name != leader), "{leader}");
    gate.open();
}

async fn the_pods_of_a_job_copy_what_the_process_copies(house: &House<'_>) {
    let repositories: Vec<String> = (0..MANY)
        .map(|number| format!("many/app{number:03}"))
        .collect();
    for (seed, repository) in (100..).zip(&repositories) {
        house.source.load(repository, "1", &image(seed));
    }
    house.allow_jobs().await;
    house
        .mirror_many("process", json!({"mode": "InProcess"}))
        .await;
    house.wait_until_ready("process").await;

    let (gate, held) = (Gate::closed(), format!("{}/blobs", repositories[MANY / 2]));
    let first = house.source.on("GET", held).nth(1);
    first.does(Action::Hold(gate.clone()));
    let template = json!({"serviceAccountName": "mirrors"});
    let execution = json!({"mode": "Job", "parallelism": INDEXES, "template": template});
    house.mirror_many("job", execution).await;
    gate.reached().await;
    house.kill_one_of_job(INDEXES / 2).await;
    gate.open();
    let mirror = house.wait_until_ready("job").await;
    assert_eq!(mirror["status"]["synced"], format!("{MANY}/{MANY}"));
    for repository in &repositories {
        let by_process = digest_of(&house.registry, &format!("process/{repository}"), "1").await;
        let by_job = digest_of(&house.registry, &format!("job/{repository}"), "1").await;
        assert!(by_process.is_some(), "{repository}");
        assert_eq!(by_process, by_job, "{repository}");
    }
}
