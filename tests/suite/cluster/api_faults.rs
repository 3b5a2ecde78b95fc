//! An API server that refuses, delays or forgets: nothing is lost, nothing is done in haste, and
//! everything goes on by itself.

use std::time::Duration;

use futures::future::join_all;
use serde_json::{Value, json};

use super::scene::{MIRROR, RECORDER, Replica, Scene, Source, wait_until};
use crate::support::access_log::is_mutating;
use crate::support::cluster::api_proxy::{expired_watch, refusal, throttled};
use crate::support::cluster::namespace::find_condition;
use crate::support::faults::FaultRegistry;
use crate::support::http::Reply;
use crate::support::http::script::{Action, Gate};

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

/// Waits until the fate was met, looks for a while, and goes on only if that is without haste.
async fn endure(replica: &Replica, method: &str, part: &str) {
    let met = || {
        let requests = replica.proxy().requests();
        requests
            .iter()
            .any(|request| request.method == method && request.path.contains(part))
    };
    wait_until("the fault is met", met).await;
    tokio::time::sleep(WINDOW).await;
    let requests = replica.requests();
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
            let _controller = replica.start().await;
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
            let _controller = replica.start().await;
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
