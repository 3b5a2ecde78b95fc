// SPDX-License-Identifier: Apache-2.0

//! Two replicas and one lease: at any time at most one of them writes, and soon one of them does.

use std::time::{Duration, Instant};

use futures::join;
use serde_json::{Value, json};

use super::scene::{LEASE, Replica, Scene, is_holding, wait_until};
use crate::support::access_log::is_mutating;
use crate::support::cluster::Controller;
use crate::support::cluster::api_proxy::refusal;
use crate::support::faults::FaultRegistry;
use crate::support::http::Request;
use crate::support::http::script::{Action, Gate, Recorded};

/// How long the work may lie idle after the leader has died.
const TAKEOVER: Duration = Duration::from_secs(20);

/// How long a controller may take to stop.
const STOP: Duration = Duration::from_secs(25);

/// More than a connection holds while nobody reads from it.
const LAYER: usize = 16 << 20;

/// A mirror, two replicas of which the first one leads, and a destination that holds one of its requests.
struct Duel {
    scene: Scene,
    destination: FaultRegistry,
    gate: Gate,
    old: (Replica, Controller),
    new: (Replica, Controller),
}

impl Duel {
    /// Begins a round and waits until the first request that `is_held` picks has met its fate.
    async fn begin(name: &str, is_held: fn(&Request) -> bool, fate: fn(Gate) -> Action) -> Self {
        let scene = Scene::prepare(name, LAYER).await;
        let destination = FaultRegistry::start();
        let gate = Gate::closed();
        let held = destination.script().when(is_held).nth(1);
        held.does(fate(gate.clone()));
        scene.mirror_to(&destination.host()).await;
        let (old, new) = (scene.replica("old").await, scene.replica("new").await);
        let leader = old.lead().await;
        let follower = new.start().await;
        gate.reached().await;
        Self {
            scene,
            destination,
            gate,
            old: (old, leader),
            new: (new, follower),
        }
    }

    /// Waits until the second replica has finished what the first one began.
    async fn wait_until_finished(&self) {
        self.new.1.wait_for_log(is_holding).await;
        self.scene.wait_until_ready().await;
        self.scene.assert_mirrored(&self.destination.client()).await;
    }
}

/// The body of a large blob.
fn is_large_upload(request: &Request) -> bool {
    let length = request.headers.value("content-length");
    request.method == "PUT"
        && request.path.contains("/uploads/")
        && length.is_some_and(|length| length.parse::<usize>().is_ok_and(|length| length >= LAYER))
}

/// A manifest.
fn is_manifest(request: &Request) -> bool {
    request.method == "PUT" && request.path.contains("/manifests/")
}

/// Methods and paths of what was to be changed, and whether a whole large blob came with it.
fn changes(requests: &[Recorded]) -> Vec<(String, String, bool)> {
    requests
        .iter()
        .filter(|request| is_mutating(&request.method))
        .map(|request| {
            let is_whole = request.body_length >= LAYER;
            (request.method.clone(), request.path.clone(), is_whole)
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leader_that_is_killed_is_replaced_in_time() {
    let scene = Scene::prepare("killed", 1_000).await;
    let destination = FaultRegistry::start();
    scene.mirror_to(&destination.host()).await;
    let (old, new) = (scene.replica("old").await, scene.replica("new").await);
    let mut leader = old.lead().await;
    let follower = new.start().await;
    scene.wait_until_ready().await;
    let leads = "transship_leader";
    assert_eq!(leader.metric(leads).await, Some(1.0));
    assert_eq!(follower.metric(leads).await, Some(0.0));

    let killed = Instant::now();
    leader.kill();
    scene.wait_for_round("after the leader's death").await;
    let idle = killed.elapsed();
    println!("a round was made {idle:?} after the leader was killed");
    assert_eq!(follower.metric(leads).await, Some(1.0));
    assert!(idle <= TAKEOVER, "{idle:?}");
    let writes = new.writes(&scene).await;
    let is_status = |resource: &str| resource == "imagemirrors.transship.dev/status";
    assert!(
        writes.iter().any(|entry| is_status(&entry.full_resource())),
        "{writes:?}"
    );
}

async fn halt_in_the_middle(name: &str, is_held: fn(&Request) -> bool, fate: fn(Gate) -> Action) {
    let mut duel = Duel::begin(name, is_held, fate).await;
    duel.old.1.halt().await;
    duel.wait_until_finished().await;

    let (before, written) = (
        changes(&duel.destination.requests()),
        duel.old.0.writes(&duel.scene).await,
    );
    duel.old.1.go_on();
    duel.gate.open();
    let status = duel.old.1.ended().await;
    assert_eq!(status.code(), Some(1), "{}", duel.old.1.output());
    let last_words = duel.old.1.output();
    assert!(last_words.contains("the lease is lost"), "{last_words}");

    duel.destination.quiet().await;
    assert_eq!(changes(&duel.destination.requests()), before, "{name}");
    assert_eq!(duel.old.0.writes(&duel.scene).await, written, "{name}");
    duel.scene
        .wait_for_round("after the old leader's end")
        .await;
    duel.scene.assert_mirrored(&duel.destination.client()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leader_that_was_halted_writes_nothing_once_its_lease_has_passed() {
    join!(
        halt_in_the_middle("halted-upload", is_large_upload, Action::HoldUpload),
        halt_in_the_middle("halted-answer", is_manifest, Action::HoldReply),
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leader_that_is_told_to_stop_hands_the_lease_on() {
    let duel = Duel::begin("stopped", is_large_upload, Action::HoldUpload).await;
    let told = Instant::now();
    let (status, output) = duel.old.1.stop().await;
    let took = told.elapsed();
    println!("the leader stopped after {took:?}");
    assert_eq!(status.code(), Some(0), "{output}");
    assert!(took <= STOP, "{took:?}:\n{output}");
    assert!(output.contains("released the lease"), "{output}");
    duel.new.1.wait_for_log(is_holding).await;
    println!("the next one held the lease after {:?}", told.elapsed());
    duel.gate.open();
    duel.scene.wait_until_ready().await;
    println!("the round was finished after {:?}", told.elapsed());
    duel.scene.assert_mirrored(&duel.destination.client()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leader_keeps_its_lease_whatever_befalls_the_object() {
    let scene = Scene::prepare("kept", 1_000).await;
    let destination = FaultRegistry::start();
    scene.mirror_to(&destination.host()).await;
    let (old, new) = (scene.replica("old").await, scene.replica("new").await);
    let _leader = old.lead().await;
    let holder = scene.holder().await;
    let follower = new.start().await;
    let lease = scene.namespace().path("lease", LEASE).await;

    let conflict = refusal(409, "Conflict", "the object has been modified");
    old.proxy().on("PUT", "/leases/").nth(1).responds(conflict);
    wait_until("the conflict is met", || conflicts(&old) == 1).await;
    scene.wait_for_renewal(&holder).await;

    let label = json!({"metadata": {"labels": {"team": "platform"}}});
    scene.client().merge(&lease, &label).await.assert_success();
    let renewed = scene.wait_for_renewal(&holder).await;
    assert_eq!(renewed["metadata"]["labels"]["team"], "platform");
    assert_eq!(conflicts(&old), 2, "nobody's edit is overwritten unseen");

    scene.client().delete(&lease).await.assert_success();
    let created = scene.wait_for_renewal(&holder).await;
    assert_ne!(created["metadata"]["uid"], renewed["metadata"]["uid"]);

    scene.wait_for_round("after all that").await;
    assert_eq!(new.writes(&scene).await, []);
    assert!(!follower.log().iter().any(is_holding));
}

/// How often the replica was told that its lease is not as it thought.
fn conflicts(replica: &Replica) -> usize {
    let requests = replica.proxy().requests();
    let refused = requests
        .iter()
        .filter(|request| request.path.contains("/leases/") && request.status == Some(409));
    refused.count()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leader_whose_lease_is_given_to_somebody_ends_and_another_one_waits_its_turn() {
    let scene = Scene::prepare("given-away", 1_000).await;
    let destination = FaultRegistry::start();
    scene.mirror_to(&destination.host()).await;
    let (old, new) = (scene.replica("old").await, scene.replica("new").await);
    let mut leader = old.lead().await;
    let _follower = new.start().await;
    scene.wait_until_ready().await;

    let somebody = json!({"spec": {"holderIdentity": "somebody"}});
    let lease = scene.namespace().path("lease", LEASE).await;
    scene
        .client()
        .merge(&lease, &somebody)
        .await
        .assert_success();
    let status = leader.ended().await;
    assert_eq!(status.code(), Some(1), "{}", leader.output());
    assert_eq!(scene.holder().await, "somebody");
    assert_eq!(new.writes(&scene).await, []);

    scene.wait_for_round("when somebody's time is over").await;
    let is_taken = |lease: &Value| lease["spec"]["leaseTransitions"] == 1;
    scene
        .namespace()
        .wait_for("lease", LEASE, "taken", is_taken)
        .await;
}
