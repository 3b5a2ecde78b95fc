// SPDX-License-Identifier: Apache-2.0

//! Mirrors that want one tag and come at the same moment.

use std::time::Duration;

use super::{image, mirror_of, source};
use crate::cluster::stage::{Stage, message, ready_for};
use crate::support::faults::FaultRegistry;
use crate::support::http::script::{Action, Gate};

/// Creation times are of whole seconds, and nobody chooses who of one second is older.
const SECOND: Duration = Duration::from_millis(1_100);
const MIRRORS: [&str; 2] = ["first", "second"];

#[tokio::test(flavor = "multi_thread")]
async fn of_two_mirrors_that_come_at_once_the_older_one_alone_writes_their_tag() {
    let (older, younger) = (source(&["1"]), FaultRegistry::start());
    younger.load("app", "1", &image(2));
    let destination = FaultRegistry::start();
    // The younger one is ready to write before the older one has heard anything.
    let gate = Gate::closed();
    older.on("*", "/v2/").does(Action::Hold(gate.clone()));
    let stage = Stage::open("at-once").await;
    let namespace = &stage.namespace;
    let mirrors = [
        mirror_of(&older, &destination).named(MIRRORS[0]),
        mirror_of(&younger, &destination).named(MIRRORS[1]),
    ];
    for mirror in mirrors {
        namespace.apply(&mirror.to_string()).await;
        tokio::time::sleep(SECOND).await;
    }
    let waits = ready_for(namespace, "imir", MIRRORS[1], "ProgressingWithRetry").await;
    let told = message(&waits)
        .replace(namespace.name(), "NAMESPACE")
        .replace(&destination.host(), "DESTINATION");
    insta::assert_snapshot!(told, @"0 of 1 tags are synced; not copied yet: mirror NAMESPACE/first comes first and may want DESTINATION/app:1, which is known soon");
    assert!(destination.tags("app").is_empty());
    gate.open();
    ready_for(namespace, "imir", MIRRORS[0], "Succeeded").await;
    ready_for(namespace, "imir", MIRRORS[1], "DestinationConflict").await;
    let requests = destination.requests();
    let is_push = |method: &str, path: &str| method == "PUT" && path.ends_with("/manifests/1");
    let pushes = requests.iter().filter(|it| is_push(&it.method, &it.path));
    assert_eq!(pushes.count(), 1);
    let there = destination.manifest("app", "1").unwrap().digest;
    assert_eq!(there, image(1).digest());
}
