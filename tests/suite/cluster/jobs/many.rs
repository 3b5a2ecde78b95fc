// SPDX-License-Identifier: Apache-2.0

//! More mirrors with Jobs than are followed at a time.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::super::stage::{delete, until};
use super::{making_jobs, mirror_of, open, source};
use crate::support::cluster::Namespace;
use crate::support::cluster::namespace::find_condition;
use crate::support::faults::FaultRegistry;

/// Most Jobs of a namespace.
const MOST: usize = 50;
/// The mirrors that have to wait.
const WAITING: usize = 3;

/// The mirrors that wait, by their names.
async fn waiting(namespace: &Namespace<'_>) -> BTreeSet<String> {
    let is_waiting = |mirror: &Value| {
        let reconciling = find_condition(mirror, "Reconciling");
        let told = reconciling.and_then(|it| it["message"].as_str());
        told == Some(
            "50 Jobs of the namespace are followed at a time: the mirror waits for its turn",
        )
    };
    let mirrors = namespace.list("imir").await.into_iter();
    mirrors
        .filter(is_waiting)
        .map(|mirror| mirror["metadata"]["name"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn mirrors_of_a_namespace_wait_for_their_turn_and_one_watch_follows_all() {
    let (source, destination) = (source(1), FaultRegistry::start());
    let namespace = open("many").await;
    let _controller = making_jobs(&namespace).start().await;
    let mirrors = (0..MOST + WAITING).map(|number| {
        let mirror = mirror_of(&source, &destination, 1)
            .named(&format!("m{number:02}"))
            .with(
                "/destinations/0/repository",
                format!("m{number:02}/{{repository}}"),
            )
            .with(
                "/execution/template/labels",
                json!({"kueue.x-k8s.io/queue-name": "bulk"}),
            );
        mirror.to_string()
    });
    namespace.apply(&mirrors.collect::<String>()).await;
    until("the last ones wait", async || {
        waiting(&namespace).await.len() == WAITING
    })
    .await;
    assert_eq!(namespace.list("jobs.batch").await.len(), MOST);

    // A Job that goes makes room for the next one.
    let before = waiting(&namespace).await;
    let job = namespace.list("jobs.batch").await.remove(0);
    let name = job["metadata"]["name"].as_str().unwrap();
    delete(&namespace, "jobs.batch", name).await;
    until("the next one has its turn", async || {
        waiting(&namespace).await.is_subset(&before) && waiting(&namespace).await.len() < WAITING
    })
    .await;

    let entries = namespace.plane().audit().await;
    let jobs = entries.iter().filter(|entry| {
        entry.namespace == namespace.name() && entry.resource == "jobs" && entry.verb == "watch"
    });
    assert_eq!(jobs.count(), 1);
}
