// SPDX-License-Identifier: Apache-2.0

//! Tags that another mirror has come to have since a Job was made for them.

use std::time::Duration;

use serde_json::{Value, json};

use super::super::stage::{change, delete, ready_for, request, until};
use super::pods::Pods;
use super::{Mirror, image, making_jobs, mirror_of, open, source, wait_for_job};
use crate::support::cluster::Namespace;
use crate::support::faults::FaultRegistry;

/// Creation times are of whole seconds.
const SECOND: Duration = Duration::from_millis(1_100);

/// What keeps the first repository from being right, on the record of the mirror with Jobs.
async fn state(namespace: &Namespace<'_>) -> Value {
    let records = namespace.list("mrepo").await.into_iter();
    let mut own = records.filter(|record| {
        let repository = record["spec"]["repository"].as_str().unwrap();
        record["spec"]["mirror"] == "mirror" && repository.ends_with("/app00")
    });
    own.next().expect("a record")["status"]["tags"][0]["state"].clone()
}

fn pushes(destination: &FaultRegistry) -> usize {
    let requests = destination.requests().into_iter();
    requests
        .filter(|it| it.method == "PUT" && it.path.contains("/app00/manifests/"))
        .count()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_older_mirror_wrote_meanwhile_is_not_copied_by_the_next_job() {
    let (ours, theirs, destination) = (source(2), FaultRegistry::start(), FaultRegistry::start());
    theirs.load("app00", "1", &image(7));
    let namespace = open("held").await;
    let _controller = making_jobs(&namespace).start().await;
    let older = Mirror::of(&theirs.host())
        .named("older")
        .image("app00", &["1"])
        .destination("copy", &destination.host())
        .with("/suspend", true);
    namespace.apply(&older.to_string()).await;
    tokio::time::sleep(SECOND).await;
    let queue = json!({"kueue.x-k8s.io/queue-name": "bulk"});
    let mirror = mirror_of(&ours, &destination, 1).with("/execution/template/labels", queue);
    namespace.apply(&mirror.to_string()).await;
    let first = wait_for_job(&namespace).await;

    let begin = json!({"spec": {"suspend": false}});
    change(&namespace, "imir", "older", &begin).await;
    ready_for(&namespace, "imir", "older", "Succeeded").await;
    let before = pushes(&destination);
    // As long as there is a Job the record of its mirror is left alone.
    assert_eq!(state(&namespace).await, "Pending");
    delete(&namespace, "jobs.batch", first["name"].as_str().unwrap()).await;
    request(&namespace, "mirror", "again").await;
    let is_next = |mirror: &Value| {
        let uid = &mirror["status"]["job"]["uid"];
        uid.is_string() && *uid != first["uid"]
    };
    let next = namespace
        .wait_for("imir", "mirror", "the next Job", is_next)
        .await;
    assert_eq!(state(&namespace).await, "Refused");
    let _pods = Pods::of(&namespace);
    let name = next["status"]["job"]["name"].as_str().unwrap();
    change(&namespace, "jobs.batch", name, &begin).await;
    until("the rest is there", async || {
        destination.tags("app01") == ["1"]
    })
    .await;
    let is_left = |mirror: &Value| mirror["status"]["job"].is_null();
    namespace
        .wait_for("imir", "mirror", "its end", is_left)
        .await;
    assert_eq!(pushes(&destination), before);
}
