// SPDX-License-Identifier: Apache-2.0

//! Nothing is deleted: each of these, alone, keeps every tag, and says why.

use std::sync::atomic::Ordering;

use serde_json::json;

use super::lab::{Lab, image, prune, unseen, used};
use crate::support::faults::FaultRegistry;
use crate::support::http::Reply;
use crate::support::http::script::Action;

/// What goes wrong, what the mirror says of pruning, and how the condition begins.
type Row = (&'static str, fn(&Lab), &'static str, &'static str);

const FAILED: &str = "nothing is deleted in a round that fails: ";

const ROWS: [Row; 21] = [
    (
        "a listing is refused",
        |lab| lab.source.on("GET", "/tags/list").responds(Reply::new(403)),
        "",
        "AccessDenied: nothing is deleted in a round that fails: SOURCE/team/app: ",
    ),
    (
        "a listing needs a credential",
        |lab| lab.source.on("GET", "/tags/list").responds(Reply::new(401)),
        "",
        "CopyFailed: nothing is deleted in a round that fails: SOURCE/team/app: ",
    ),
    (
        "the source repository is gone",
        |lab| lab.source.on("GET", "/tags/list").responds(Reply::new(404)),
        "",
        "NotFound: nothing is deleted in a round that fails: SOURCE/team/app: ",
    ),
    (
        "the source repository is empty",
        |lab| {
            let empty = json!({"name": "team/app", "tags": []});
            lab.source
                .on("GET", "/tags/list")
                .responds(Reply::json(200, &empty));
        },
        "",
        "NotFound: nothing is deleted in a round that fails: SOURCE/team/app: SOURCE/team/app has no tags",
    ),
    (
        "the second page of a listing is refused",
        |lab| lab.source.on("GET", "last=").responds(Reply::new(403)),
        "",
        "AccessDenied: nothing is deleted in a round that fails: SOURCE/team/app: ",
    ),
    (
        "nothing is selected any more",
        |lab| {
            let other = json!({"name": "team/app", "tags": ["9"]});
            lab.source
                .on("GET", "/tags/list")
                .responds(Reply::json(200, &other));
        },
        "",
        "NotFound: nothing is deleted in a round that fails: SOURCE/team/app: no tag of SOURCE/team/app is selected",
    ),
    (
        "one wanted tag cannot be resolved",
        |lab| {
            // GET has the last word where HEAD is refused.
            for method in ["HEAD", "GET"] {
                lab.source
                    .on(method, "/manifests/4")
                    .responds(Reply::new(403));
            }
        },
        "",
        "AccessDenied: nothing is deleted in a round that fails: SOURCE/team/app:4: ",
    ),
    (
        "one wanted tag cannot be looked at",
        |lab| {
            for method in ["HEAD", "GET"] {
                lab.destination
                    .on(method, "/manifests/4")
                    .responds(Reply::new(403));
            }
        },
        "",
        "AccessDenied: nothing is deleted in a round that fails: DESTINATION/team/app:4: ",
    ),
    (
        "one wanted tag cannot be copied",
        |lab| {
            lab.source.load("team/app", "4", &image(40));
            lab.destination
                .on("PUT", "/manifests/")
                .responds(Reply::new(403));
        },
        "",
        "AccessDenied: nothing is deleted in a round that fails: DESTINATION/team/app:4: ",
    ),
    (
        "workloads cannot be seen",
        |lab| lab.workloads.say(vec![unseen()]),
        "",
        "AccessDenied: nothing is deleted, because it cannot be seen what workloads use: pods cannot be listed",
    ),
    (
        "workloads cannot be seen any more",
        |lab| lab.workloads.say(vec![used("other"), unseen()]),
        "",
        "AccessDenied: nothing is deleted, because it cannot be seen what workloads use: pods cannot be listed",
    ),
    (
        "the clock goes a year ahead",
        |lab| lab.set_clock(365 * 24),
        "",
        "PrunePaused: the clock jumped: ",
    ),
    (
        "the clock goes a year back",
        |lab| lab.set_clock(-365 * 24),
        "",
        "PrunePaused: the clock jumped: ",
    ),
    (
        "more than may go",
        |_| {},
        "maxDeletes: 2",
        "PrunePaused: 3 of 5 tags that could be deleted are due, more than spec.prune.maxDeletes, 2, allows without approval: ",
    ),
    (
        "a larger share than may go",
        |_| {},
        "maxPercent: 50",
        "PrunePaused: 3 of 5 tags that could be deleted are due, more than spec.prune.maxPercent, 50, allows without approval: ",
    ),
    (
        "the registry deletes no tags",
        |lab| {
            lab.destination
                .on("DELETE", "/manifests/")
                .responds(Reply::new(405));
        },
        "",
        "PruneUnsupported: DESTINATION cannot delete a tag by its name",
    ),
    (
        "the registry takes a tag for a digest",
        |lab| {
            let reply = Reply::error(400, "DIGEST_INVALID", "provided digest did not match");
            lab.destination.on("DELETE", "/manifests/").responds(reply);
        },
        "",
        "PruneUnsupported: DESTINATION cannot delete a tag by its name",
    ),
    (
        "the registry does not let us delete",
        |lab| {
            let reply = Reply::error(403, "DENIED", "no");
            lab.destination.on("DELETE", "/manifests/").responds(reply);
        },
        "",
        "AccessDenied",
    ),
    (
        "the registry deletes nothing and says that it did",
        |lab| {
            lab.destination
                .on("DELETE", "/manifests/")
                .does(Action::Swallow);
        },
        "",
        "CopyFailed: the registry says that it deleted the tag, and still has it",
    ),
    (
        "the lease is lost",
        |lab| lab.has_lease.store(false, Ordering::Relaxed),
        "",
        "",
    ),
    (
        "the manifests cannot be read",
        |lab| {
            lab.destination
                .on("GET", "/manifests/")
                .responds(Reply::new(403));
        },
        "",
        "AccessDenied",
    ),
];

#[tokio::test]
async fn each_of_these_deletes_nothing_and_says_why() {
    for (name, fault, prune_spec, expected) in ROWS {
        let lab = Lab::due_at(FaultRegistry::options().page_size(2).start()).await;
        fault(&lab);
        let report = lab.round(&lab.narrow(prune_spec)).await;
        let pruned = prune(&report);
        let told = match (&pruned.stop, pruned.failures.first()) {
            (Some(stop), _) => format!("{}: {}", stop.reason, stop.message),
            (None, Some(failure)) => format!("{}: {}", failure.reason, failure.message),
            (None, None) => panic!("{name}: {pruned:?}"),
        };
        let told = lab.without_hosts(&told);
        assert!(told.starts_with(expected), "{name}: {told}");
        lab.destination.script().clear_rules();
        assert_eq!(lab.tags(), ["1", "2", "3", "4", "5"], "{name}");
        assert_eq!(pruned.deleted(), 0, "{name}");
        if expected.contains(FAILED) || expected.starts_with("PrunePaused") {
            assert_eq!(lab.deletions(), 0, "{name}");
        }
    }
}

#[tokio::test]
async fn what_went_wrong_once_does_not_keep_tags_for_good() {
    let lab = Lab::due().await;
    lab.source.on("GET", "/tags/list").responds(Reply::new(403));
    lab.round(&lab.narrow("")).await;
    assert_eq!(lab.tags().len(), 5);
    lab.source.script().clear_rules();
    lab.pass(1);
    lab.round(&lab.narrow("")).await;
    assert_eq!(lab.tags(), ["4", "5"]);
}

#[tokio::test]
async fn a_clock_that_jumps_gives_no_time_away() {
    for hours in [365 * 24, -365 * 24] {
        // In the same process, before the grace has passed, and in the next one.
        for restarts in [false, true] {
            let lab = Lab::copied_from(FaultRegistry::start()).await;
            lab.round(&lab.narrow("")).await;
            lab.pass(2);
            lab.set_clock(hours);
            let lab = if restarts { lab.restart() } else { lab };
            for _ in 0..3 {
                lab.round(&lab.narrow("")).await;
                lab.pass(1);
            }
            assert_eq!(lab.tags().len(), 5, "{hours} {restarts}");
            lab.pass(24);
            lab.round(&lab.narrow("")).await;
            assert_eq!(
                lab.tags(),
                ["4", "5"],
                "{hours} {restarts}: the grace has passed since"
            );
        }
    }
}

#[tokio::test]
async fn without_records_nothing_is_deleted() {
    let lab = Lab::due().await.forget();
    let report = lab.round(&lab.narrow("adopted: Include")).await;
    let stop = prune(&report).stop.as_ref().unwrap();
    assert!(
        stop.message
            .starts_with("2 tags were right and not on record: "),
        "{stop:?}"
    );
    for _ in 0..3 {
        lab.pass(25);
        lab.round(&lab.narrow("adopted: Include")).await;
    }
    assert_eq!(
        lab.tags().len(),
        5,
        "what is not on record is nobody's to delete"
    );
}

#[tokio::test]
async fn the_operator_and_the_mode_stop_it() {
    let lab = Lab::due().await.held();
    let report = lab.round(&lab.narrow("")).await;
    assert!(prune(&report).plan.is_some(), "candidates are still listed");
    let message = &prune(&report).stop.as_ref().unwrap().message;
    assert!(
        message.starts_with("--disable-prune stops all deletion"),
        "{message}"
    );
    assert_eq!(lab.tags().len(), 5);

    let lab = Lab::due().await;
    let report = lab.round(&lab.narrow("mode: Plan")).await;
    let pruned = prune(&report);
    assert!(pruned.plan.is_some() && pruned.stop.is_none(), "{pruned:?}");
    let report = lab.round(&lab.narrow("mode: Retain")).await;
    assert!(report.prune.is_none());
    assert_eq!((lab.tags().len(), lab.deletions()), (5, 0));
}

#[tokio::test]
async fn one_plan_is_approved_and_no_other() {
    let lab = Lab::due().await;
    let mut mirror = lab.narrow("maxDeletes: 0");
    let plan = prune(&lab.round(&mirror).await).plan.clone();

    let another = transship::oci::Digest::sha256(b"another");
    mirror.prune.approved = Some(another);
    let report = lab.round(&mirror).await;
    let message = &prune(&report).stop.as_ref().unwrap().message;
    assert!(
        message.contains("the annotation approves another plan"),
        "{message}"
    );
    assert_eq!(lab.tags().len(), 5);

    // The plan that was approved is another one by now.
    mirror.prune.approved.clone_from(&plan);
    lab.destination.load("team/app", "9", &image(9));
    let mut more = lab.mirror("['5']", "maxDeletes: 0");
    lab.round(&more).await;
    lab.pass(25);
    more.prune.approved.clone_from(&plan);
    lab.round(&more).await;
    assert_eq!(lab.tags().len(), 6, "4 is due, too");

    let report = lab.round(&mirror).await;
    assert_eq!(prune(&report).approved, plan);
    assert_eq!(lab.tags(), ["4", "5", "9"]);
}
