// SPDX-License-Identifier: Apache-2.0

//! Pruning where several replicas share the work: what a mirror of another shard wants or keeps stays, and so does what
//! is known of a tag while its shard changes hands.

use std::num::NonZeroU8;
use std::time::Duration;

use futures::future::join_all;
use serde_json::{Value, json};
use tokio::time::timeout;
use transship::runtime::lease::shards::Division;

use super::objects::Mirror;
use super::pruning_records::{Archive, OLD, PRUNE, REPOSITORY};
use super::shards::{holders, identity, wait_until_replaced, wait_until_shared};
use super::stage::{change, controller_of, delete, protector, ready_for, request, sync, until};
use crate::support::cluster::{Controller, Namespace};
use crate::support::http::script::{Action, Gate};

/// So many shards there are.
const SHARDS: u8 = 2;

/// A mirror of one of the shards.
fn name_of(namespace: &Namespace<'_>, shard: usize) -> String {
    let division = Division::of(NonZeroU8::new(SHARDS).unwrap());
    let shard = division.shards().nth(shard).unwrap();
    let names = (0..).map(|number| format!("mirror-{number}"));
    let mut names = names.filter(|name| division.shard_of(namespace.name(), name) == shard);
    names.next().unwrap()
}

/// A mirror of these tags.
fn mirror(archive: &Archive, name: &str, tags: &[&str]) -> Mirror {
    Mirror::of(&archive.source.host())
        .named(name)
        .image(REPOSITORY, tags)
        .destination("copy", &archive.destination.host())
}

fn pruning(archive: &Archive, name: &str, tags: &[&str]) -> Mirror {
    mirror(archive, name, tags).with("/prune", serde_json::from_str::<Value>(PRUNE).unwrap())
}

/// A mirror wants these tags from now on.
async fn select(archive: &Archive, name: &str, tags: &[&str]) {
    let images = json!({"spec": {"images": [{"repository": REPOSITORY, "tags": tags}]}});
    change(&archive.namespace, "imir", name, &images).await;
    ready_for(&archive.namespace, "imir", name, "Succeeded").await;
}

async fn member(archive: &Archive) -> Controller {
    let options = controller_of(&archive.namespace);
    options
        .argument(&format!("--shards={SHARDS}"))
        .start()
        .await
}

/// What stands on the record of the mirror that has one.
async fn on_record(archive: &Archive, part: &str) -> Vec<Value> {
    let records = archive.namespace.list("mrepo").await;
    let parts = records
        .iter()
        .filter_map(|record| record["status"][part].as_array());
    parts.flatten().cloned().collect()
}

fn has_old(archive: &Archive) -> bool {
    archive.tags().iter().any(|tag| tag == OLD)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_mirror_of_another_shard_wants_or_keeps_stays() {
    let archive = Archive::open("shard-wanted").await;
    let namespace = &archive.namespace;
    let (one, two) = (member(&archive).await, member(&archive).await);
    wait_until_shared(namespace, SHARDS, 2).await;
    let (own, other) = (name_of(namespace, 0), name_of(namespace, 1));
    namespace
        .apply(&pruning(&archive, &own, &[OLD, "2"]).to_string())
        .await;
    ready_for(namespace, "imir", &own, "Succeeded").await;
    namespace
        .apply(&mirror(&archive, &other, &[OLD]).to_string())
        .await;
    ready_for(namespace, "imir", &other, "Succeeded").await;

    // Its spec tells that it wants it.
    select(&archive, &own, &["2"]).await;
    sync(namespace, &own, "wanted").await;
    let by = protector(namespace, REPOSITORY, OLD)
        .await
        .unwrap_or_default();
    assert!(by.contains(&other) && by.contains("may want it"), "{by}");
    assert!(has_old(&archive), "{}{}", one.output(), two.output());

    // It wants it no more, and keeps it: only its record tells.
    select(&archive, &other, &["2"]).await;
    sync(namespace, &other, "keeps").await;
    for round in 0..3 {
        sync(namespace, &own, &format!("kept-{round}")).await;
        assert!(has_old(&archive), "{}{}", one.output(), two.output());
    }
    let by = protector(namespace, REPOSITORY, OLD).await;
    assert_eq!(by, Some(format!("mirror {}/{other}", namespace.name())));

    delete(namespace, "imir", &other).await;
    let round = std::sync::atomic::AtomicUsize::new(0);
    until("the old tag goes", async || {
        let round = round.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        sync(namespace, &own, &format!("gone-{round}")).await;
        !has_old(&archive)
    })
    .await;
    assert_eq!(archive.tags(), ["2"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_grace_goes_on_while_its_shard_changes_hands() {
    let archive = Archive::open("shard-grace").await;
    let namespace = &archive.namespace;
    let first = member(&archive).await;
    wait_until_shared(namespace, SHARDS, 1).await;
    let own = name_of(namespace, 0);
    let patient = pruning(&archive, &own, &[OLD, "2"]).with("/prune/grace", "1h");
    namespace.apply(&patient.to_string()).await;
    ready_for(namespace, "imir", &own, "Succeeded").await;
    select(&archive, &own, &["2"]).await;
    sync(namespace, &own, "unwanted").await;
    let before = on_record(&archive, "candidates").await;
    assert_eq!(before.len(), 1, "{before:?}");

    // One that leaves, and one that dies.
    let mut second = member(&archive).await;
    first.stop().await;
    wait_until_shared(namespace, SHARDS, 1).await;
    sync(namespace, &own, "handed over").await;
    let dead = identity(&second).await;
    second.kill();
    let _third = member(&archive).await;
    wait_until_replaced(namespace, SHARDS, &dead).await;
    sync(namespace, &own, "taken over").await;
    let after = on_record(&archive, "candidates").await;
    assert_eq!(after.len(), 1, "{after:?}");
    for field in ["tag", "digest", "reason", "since"] {
        assert_eq!(after[0][field], before[0][field], "{field}");
    }
    assert!(has_old(&archive), "the grace is not over");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_dies_in_a_delete_leaves_a_record_or_the_tag() {
    type Held = fn(Gate) -> Action;
    /// Longer than a round takes.
    const ROUND: Duration = Duration::from_secs(3);
    let rows: [(&str, Held); 2] = [("before", Action::Hold), ("after", Action::HoldReply)];
    join_all(rows.map(|(name, held)| async move {
        let archive = Archive::open(&format!("shard-dies-{name}")).await;
        let namespace = &archive.namespace;
        let (mut one, mut two) = (member(&archive).await, member(&archive).await);
        wait_until_shared(namespace, SHARDS, 2).await;
        let own = name_of(namespace, 0);
        namespace
            .apply(&pruning(&archive, &own, &[OLD, "2"]).to_string())
            .await;
        ready_for(namespace, "imir", &own, "Succeeded").await;
        let gate = Gate::closed();
        archive
            .destination
            .on("DELETE", "/manifests/")
            .nth(1)
            .does(held(gate.clone()));
        let images = json!({"spec": {"images": [{"repository": REPOSITORY, "tags": ["2"]}]}});
        change(namespace, "imir", &own, &images).await;
        until("it deletes", async || {
            request(
                namespace,
                &own,
                &format!("deletes-{:08x}", fastrand::u32(..)),
            )
            .await;
            timeout(ROUND, gate.reached()).await.is_ok()
        })
        .await;

        let shards = holders(namespace).await;
        let (_, holder) = shards
            .iter()
            .find(|(lease, _)| lease.ends_with("-shard-0"))
            .unwrap();
        if identity(&one).await == *holder {
            one.kill();
        } else {
            two.kill();
        }
        let deleted = on_record(&archive, "deleted").await;
        assert_eq!(deleted.len(), 1, "{name}: it was on record before");
        assert_eq!(deleted[0]["tag"], OLD, "{name}");
        let manifests = on_record(&archive, "manifests").await;
        assert!(!manifests.is_empty(), "{name}: what brings it back, too");
        gate.open();
        wait_until_replaced(namespace, SHARDS, holder).await;
        sync(namespace, &own, "taken over").await;
        let told = sync(namespace, &own, "once more").await;
        assert_eq!(archive.tags(), ["2"], "{name}: {told}");
        let deleted = on_record(&archive, "deleted").await;
        assert_eq!(deleted.len(), 1, "{name}: {deleted:?}");
    }))
    .await;
}
