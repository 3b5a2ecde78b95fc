// SPDX-License-Identifier: Apache-2.0

//! A run that is ended in the middle of its deletions says what it did, and what it did comes back.

use serde_json::Value;

use super::files::{Files, Ran, Written};
use crate::support::http::Reply;
use crate::support::http::script::{Action, Gate};

const TAGS: [&str; 4] = ["1", "2", "3", "4"];
/// What is deleted can be restored for a while.
const LATER: &str = "mode: Delete, grace: 1h, inUse: Ignore, maxPercent: 100";

/// Everything is copied, and the next run deletes all but `4`.
async fn due() -> (Files, Written) {
    let files = Files::with_tags(&TAGS);
    files
        .run_well(&[&files.mirror("a", "['*']")], &["sync"])
        .await;
    let narrow = files.mirror("a", "['4']");
    files.run(&[&narrow], &["prune"]).await;
    (files, narrow)
}

/// Runs until the second deletion, and sends a signal then.
async fn interrupt(files: &Files, mirror: &Written, hold: fn(Gate) -> Action, signal: &str) -> Ran {
    let gate = Gate::closed();
    let deletions = files.destination.on("DELETE", "/v2/team/app/manifests/");
    deletions.nth(2).does(hold(gate.clone()));
    let running = files.program(&[mirror], &["prune", "--delete"]).start();
    gate.reached().await;
    running.process().signal(signal);
    let finished = running.finish().await;
    // What stands at the gate never passes it.
    files.destination.script().clear_rules();
    Ran::read(&finished)
}

fn listed(ran: &Ran) -> Vec<&str> {
    let tags = ran.document["tags"].as_array().expect("a list");
    tags.iter()
        .map(|tag| tag["image"].as_str().unwrap())
        .collect()
}

fn fates(ran: &Ran) -> Vec<String> {
    let tags = ran.first()["tags"].as_array().expect("a report");
    let text = |tag: &Value, field: &str| tag[field].as_str().unwrap().to_owned();
    tags.iter()
        .map(|tag| format!("{} {}", text(tag, "tag"), text(tag, "fate")))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_interrupted_run_deleted_is_told_and_comes_back() {
    for signal in ["TERM", "INT", "KILL"] {
        // Before the registry deletes the second tag, or after that.
        for (hold, gone) in [
            (Action::Hold as fn(Gate) -> Action, 1),
            (Action::HoldReply, 2),
        ] {
            let (files, narrow) = due().await;
            let ran = interrupt(&files, &narrow, hold, signal).await;
            let name = format!("{signal}, {gone} gone: {}", ran.said);
            if signal != "KILL" {
                assert_eq!(ran.code, Some(130), "{name}");
                assert_eq!(fates(&ran), ["1 Deleted", "2 Failed", "3 Failed"], "{name}");
                assert_eq!(ran.document["totals"]["deleted"], 1, "{name}");
                assert!(
                    ran.first()["stop"]["message"]
                        .as_str()
                        .unwrap()
                        .contains("interrupted")
                );
                assert!(ran.said.contains("transship restore finds out"), "{name}");
            }
            let mirror = narrow.prune(LATER);
            let list = files.run_well(&[&mirror], &["restore"]).await;
            assert_eq!(listed(&list).len(), gone, "{name}{}", list.said);
            assert_eq!(files.tags().len(), TAGS.len() - gone, "{name}");
            files.run_well(&[&mirror], &["restore", "--all"]).await;
            assert_eq!(files.tags(), TAGS, "{name}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_looked_at_is_told() {
    let (files, narrow) = due().await;
    interrupt(&files, &narrow, Action::HoldReply, "KILL").await;
    let mirror = narrow.prune(LATER);
    let reading = files.destination.on("*", "/v2/team/app/manifests/");
    reading.responds(Reply::new(403));
    for arguments in [&["restore"][..], &["restore", "--all"]] {
        let ran = files.run(&[&mirror], arguments).await;
        assert_eq!(ran.code, Some(1), "{arguments:?}: {}", ran.said);
        assert!(ran.said.contains("failed: "), "{arguments:?}: {}", ran.said);
    }
}
