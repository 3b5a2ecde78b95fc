// SPDX-License-Identifier: Apache-2.0

//! A member that the API server does not hear any more.

use std::time::Instant;

use super::scene::Scene;
use super::shards::{
    LAYER, changes, identity, is_large_upload, wait_until_replaced, wait_until_shared, whose_round,
};
use crate::support::faults::FaultRegistry;
use crate::support::http::script::{Action, Gate};

#[tokio::test(flavor = "multi_thread")]
async fn a_member_that_is_cut_off_writes_nothing_once_its_lease_has_passed() {
    let scene = Scene::prepare("shard-cut", LAYER).await;
    let destination = FaultRegistry::start();
    let gate = Gate::closed();
    let held = destination.script().when(is_large_upload).nth(1);
    held.does(Action::HoldUpload(gate.clone()));
    let (one, two) = (scene.member("one", 2).await, scene.member("two", 2).await);
    let (mut first, mut second) = (one.start().await, two.start().await);
    wait_until_shared(scene.namespace(), 2, 2).await;
    scene.mirror_to(&destination.host()).await;
    gate.reached().await;
    let (cut, next) = whose_round(&scene, (&one, &mut first), (&two, &mut second)).await;
    let (replica, controller) = cut;
    let gone = identity(controller).await;
    replica.proxy().go_down();
    replica.proxy().break_connections();
    let cut = Instant::now();
    wait_until_replaced(scene.namespace(), 2, &gone).await;
    println!(
        "the shards of one that was cut off were taken after {:?}",
        cut.elapsed()
    );
    let status = controller.ended().await;
    assert_eq!(status.code(), Some(1), "{}", controller.output());
    println!("it ended after {:?}", cut.elapsed());
    scene.wait_until_ready().await;
    println!(
        "its round was run by the other one after {:?}",
        cut.elapsed()
    );
    let writes = replica.writes(&scene).await;
    let before = changes(&destination.requests());
    gate.open();
    replica.proxy().come_back();
    destination.quiet().await;
    assert_eq!(
        changes(&destination.requests()),
        before,
        "{}",
        next.1.output()
    );
    assert_eq!(replica.writes(&scene).await, writes);
    scene
        .wait_for_round("after the end of the one that was cut off")
        .await;
    scene.assert_mirrored(&destination.client()).await;
}
