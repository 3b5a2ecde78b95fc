// SPDX-License-Identifier: Apache-2.0

//! An API server that refuses, delays or forgets: nothing is lost, nothing is done in haste, and
//! everything goes on by itself.

use std::collections::BTreeSet;
use std::sync::OnceLock;
use std::time::Duration;

use futures::future::join_all;
use serde_json::Value;

use super::scene::{MIRROR, Replica, Scene, Source, wait_until};
use crate::support::access_log::is_mutating;
use crate::support::cluster::api_proxy::{expired_watch, refusal, throttled};
use crate::support::cluster::namespace::find_condition;
use crate::support::faults::FaultRegistry;
use crate::support::http::script::{Action, Gate, Recorded};
use crate::support::http::{Reply, Request};

/// Long enough for a hot loop to show.
const WINDOW: Duration = Duration::from_secs(8);

/// The requests of a start and of a few attempts.
const FEW: usize = 40;

/// The status of mirrors, in a request's target.
const STATUS: &str = "/imagemirrors/mirror/status";

/// Records, in a request's target.
const RECORDS: &str = "/mirroredrepositories";

/// What the API server does to a request.
fn fates() -> Vec<(&'static str, Action)> {
    vec![
        ("throttled", Action::Respond(throttled(3600))),
        (
            "failing",
            Action::Respond(refusal(500, "InternalError", "etcdserver: no leader")),
        ),
        (
            "conflicting",
            Action::Respond(refusal(409, "Conflict", "the object has been modified")),
        ),
        ("silent", Action::Hold(Gate::closed())),
        ("gone", Action::Close),
    ]
}

/// Whether anything was sent to a registry that changes something.
fn is_untouched(registry: &FaultRegistry) -> bool {
    !registry
        .requests()
        .iter()
        .any(|request| is_mutating(&request.method))
}

/// Requests of this method, with this in their target.
fn count(replica: &Replica, method: &str, part: &str) -> usize {
    let requests = replica.proxy().requests();
    let is_meant = |request: &&Recorded| {
        let target = format!("{}?{}", request.path, request.query);
        request.method == method && target.contains(part)
    };
    requests.iter().filter(is_meant).count()
}

/// Waits until one more such request was made, looks for a while, and goes on only if that is without
/// haste.
async fn endure(replica: &Replica, method: &str, part: &str) {
    let (all, met) = (replica.requests(), count(replica, method, part));
    wait_until("it is met", || count(replica, method, part) > met).await;
    tokio::time::sleep(WINDOW).await;
    let requests = replica.requests() - all;
    assert!(requests < FEW, "{part}: {requests} requests");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_status_that_cannot_be_written_is_written_later() {
    let source = Source::start(1_000).await;
    let cases = fates().into_iter().map(|(name, fate)| {
        let source = source.clone();
        async move {
            let scene = Scene::before(&source, &format!("status-{name}")).await;
            let destination = FaultRegistry::start();
            scene.mirror_to(&destination.host()).await;
            let replica = scene.almighty_replica();
            replica.proxy().on("PATCH", STATUS).does(fate);
            let _controller = replica.lead().await;
            endure(&replica, "PATCH", STATUS).await;
            replica.proxy().script().clear_rules();
            scene.wait_until_ready().await;
            scene.assert_mirrored(&destination.client()).await;
        }
    });
    join_all(cases).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_put_on_record_is_not_pushed() {
    let source = Source::start(1_000).await;
    let cases = fates().into_iter().map(|(name, fate)| {
        let source = source.clone();
        async move {
            let scene = Scene::before(&source, &format!("record-{name}")).await;
            let destination = FaultRegistry::start();
            scene.mirror_to(&destination.host()).await;
            let replica = scene.almighty_replica();
            replica.proxy().on("PATCH", RECORDS).does(fate);
            let _controller = replica.lead().await;
            endure(&replica, "PATCH", RECORDS).await;
            let failed = scene
                .namespace()
                .wait_for_condition("imir", MIRROR, "Ready", "False")
                .await;
            let ready = find_condition(&failed, "Ready").unwrap();
            assert_eq!(ready["reason"], "Unreachable", "{name}");
            let message = ready["message"].as_str().unwrap();
            assert!(
                message.contains("cannot be written: ") && message.contains("MirroredRepository"),
                "{name}: {message}"
            );
            assert!(is_untouched(&destination), "{name}");
            replica.proxy().script().clear_rules();
            scene.wait_until_ready().await;
            scene.assert_mirrored(&destination.client()).await;
        }
    });
    join_all(cases).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_end_of_a_round_that_cannot_be_told_is_told_later() {
    let scene = Scene::prepare("end", 1_000).await;
    let destination = FaultRegistry::start();
    let denied = Reply::error(403, "DENIED", "not now");
    destination.on("PUT", "/manifests/").responds(denied);
    scene.mirror_to(&destination.host()).await;
    let replica = scene.almighty_replica();
    let _controller = replica.start().await;
    scene
        .namespace()
        .wait_for_condition("imir", MIRROR, "Ready", "False")
        .await;

    // The next round is one that nobody asked for, and only its end is told.
    let failing = refusal(500, "InternalError", "etcdserver: no leader");
    replica
        .proxy()
        .on("PATCH", STATUS)
        .first(1)
        .responds(failing);
    destination.script().clear_rules();
    let mirror = scene.wait_until_ready().await;
    let recent = mirror["status"]["recent"].as_array().unwrap();
    assert_eq!(recent.len(), scene.places().len(), "{recent:?}");
    scene.assert_mirrored(&destination.client()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_right_that_is_taken_away_stops_pushes_until_it_is_back() {
    let scene = Scene::prepare("forbidden", 1_000).await;
    let destination = FaultRegistry::start();
    let replica = scene.replica("controller").await;
    let _controller = replica.lead().await;
    scene.let_record("controller", false).await;
    scene.mirror_to(&destination.host()).await;
    let failed = scene
        .namespace()
        .wait_for_condition("imir", MIRROR, "Ready", "False")
        .await;
    let ready = find_condition(&failed, "Ready").unwrap();
    assert_eq!(ready["reason"], "AccessDenied");
    let message = ready["message"].as_str().unwrap();
    assert!(
        message.contains("MirroredRepository") && message.contains("forbidden"),
        "{message}"
    );
    endure(&replica, "PATCH", RECORDS).await;
    assert!(is_untouched(&destination));

    scene.let_record("controller", true).await;
    scene.wait_until_ready().await;
    scene.assert_mirrored(&destination.client()).await;
}

/// The first record that is written anew finds the quota of its namespace full; those after it do not.
#[tokio::test(flavor = "multi_thread")]
async fn a_record_without_room_fails_its_repository_alone() {
    let scene = Scene::prepare("quota", 1_000).await;
    let destination = FaultRegistry::start();
    let replica = scene.almighty_replica();
    let first = OnceLock::new();
    let full = "exceeded quota: few, requested: count/mirroredrepositories.transship.dev=1, used: 1, limited: 1";
    let script = replica.proxy().script();
    let is_refused = move |request: &Request| {
        let is_record = request.method == "PATCH" && request.path.contains(RECORDS);
        is_record && first.get_or_init(|| request.path.clone()) == &request.path
    };
    script
        .when(is_refused)
        .does(Action::Respond(refusal(403, "Forbidden", full)));
    let _controller = replica.lead().await;
    scene.mirror_to(&destination.host()).await;
    let failed = scene
        .namespace()
        .wait_for_condition("imir", MIRROR, "Ready", "False")
        .await;
    let failures = failed["status"]["failures"].as_array().unwrap();
    let reasons: BTreeSet<&str> = failures
        .iter()
        .map(|failure| failure["reason"].as_str().unwrap())
        .collect();
    assert_eq!(Vec::from_iter(reasons), ["QuotaExceeded"], "{failures:#?}");
    let arrived = |repository: &String| !destination.tags(repository).is_empty();
    let places: BTreeSet<String> = scene.places().into_iter().map(|(place, _)| place).collect();
    let count = places.iter().filter(|place| arrived(place)).count();
    assert_eq!(count + 1, places.len(), "{places:?}");

    replica.proxy().script().clear_rules();
    scene.wait_until_ready().await;
    scene.assert_mirrored(&destination.client()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watch_that_fails_begins_again() {
    let source = Source::start(1_000).await;
    let mut fates = fates();
    fates.push(("expired", Action::Respond(expired_watch())));
    let cases = fates.into_iter().map(|(name, fate)| {
        let source = source.clone();
        async move {
            let scene = Scene::before(&source, &format!("watch-{name}")).await;
            let destination = FaultRegistry::start();
            scene.mirror_to(&destination.host()).await;
            let replica = scene.almighty_replica();
            let _controller = replica.start().await;
            scene.wait_until_ready().await;
            replica.proxy().on("GET", "watch=true").does(fate);
            replica.proxy().break_connections();
            endure(&replica, "GET", "watch=true").await;
            replica.proxy().script().clear_rules();
            // A watch may rightly be silent for minutes: only its connection tells that nobody is there.
            replica.proxy().break_connections();
            scene.wait_for_round("when the watch is back").await;
        }
    });
    join_all(cases).await;
}

/// An API server that answers nothing.
fn go_down(replica: &Replica) {
    replica.proxy().on("*", "/").does(Action::Close);
    replica.proxy().break_connections();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_api_server_that_is_away_for_a_moment_is_waited_for() {
    let scene = Scene::prepare("moment", 1_000).await;
    let destination = FaultRegistry::start();
    scene.mirror_to(&destination.host()).await;
    let replica = scene.almighty_replica();
    let mut controller = replica.start().await;
    scene.wait_until_ready().await;
    go_down(&replica);
    controller
        .wait_for_log(|line| line["message"] == "the lease is not renewed, trying again")
        .await;
    replica.proxy().script().clear_rules();
    scene.wait_for_round("when the API server is back").await;
    assert!(controller.is_running(), "{}", controller.output());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_api_server_that_is_away_for_long_ends_the_leader_and_the_next_one_waits_for_it() {
    let scene = Scene::prepare("long", 1_000).await;
    let destination = FaultRegistry::start();
    scene.mirror_to(&destination.host()).await;
    let replica = scene.almighty_replica();
    let mut leader = replica.start().await;
    scene.wait_until_ready().await;
    go_down(&replica);
    let status = leader.ended().await;
    assert_eq!(status.code(), Some(1), "{}", leader.output());
    let last_words = leader.output();
    assert!(last_words.contains("the lease is lost"), "{last_words}");
    let lines: Vec<Value> = last_words
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
        .collect();
    let find = |message: &str| lines.iter().find(|line| line["message"] == message);
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(find("transship controller").unwrap()["version"], version);
    let failed = find("a watch failed, trying again").unwrap();
    assert!(failed["kind"].is_string(), "{failed}");

    let before = replica.requests();
    let next = replica.start().await;
    tokio::time::sleep(WINDOW).await;
    let (live, ready) = (next.get("/healthz").await.0, next.get("/readyz").await.0);
    assert_eq!((live, ready), (200, 503));
    assert!(replica.requests() - before < FEW);
    replica.proxy().script().clear_rules();
    scene.wait_for_round("when the API server is back").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn records_that_cannot_be_read_at_the_start_are_read_later() {
    let source = Source::start(1_000).await;
    let cases = fates().into_iter().map(|(name, fate)| {
        let source = source.clone();
        async move {
            let scene = Scene::before(&source, &format!("start-{name}")).await;
            let destination = FaultRegistry::start();
            scene.mirror_to(&destination.host()).await;
            let replica = scene.almighty_replica();
            replica.proxy().on("GET", RECORDS).does(fate);
            let mut controller = replica.start().await;
            endure(&replica, "GET", RECORDS).await;
            assert!(is_untouched(&destination), "{name}");
            replica.proxy().script().clear_rules();
            scene.wait_until_ready().await;
            assert!(controller.is_running(), "{}", controller.output());
        }
    });
    join_all(cases).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn policies_that_are_listed_late_hold_up_no_mirror_for_longer() {
    let source = Source::start(1_000).await;
    let scene = Scene::before(&source, "late").await;
    let destination = FaultRegistry::start();
    let names = ["one", "two", "three", "four"];
    for name in names {
        let repository = format!("{name}/{{repository}}");
        scene
            .mirror_as(name, &destination.host(), &repository)
            .await;
    }
    let replica = scene.almighty_replica();
    let gate = Gate::closed();
    // The first look is whether the kind is there.
    let list = replica.proxy().on("GET", "/imagepolicies?").nth(2);
    list.does(Action::Hold(gate.clone()));
    let _controller = replica.start().await;
    gate.reached().await;
    // Time enough for the mirrors to be listed and to wait.
    let holder = scene.holder().await;
    scene.wait_for_renewal(&holder).await;
    assert!(is_untouched(&destination));
    gate.open();
    for name in names {
        scene
            .namespace()
            .wait_for_condition("imir", name, "Ready", "True")
            .await;
    }
}
