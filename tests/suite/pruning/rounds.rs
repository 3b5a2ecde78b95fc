// SPDX-License-Identifier: Apache-2.0

//! What is due goes, tag by tag, and comes back.

use std::sync::atomic::Ordering;
use std::time::Duration;

use transship::api::Reason;
use transship::plan::Mirror;
use transship::plan::report::Outcome;
use transship::sync::Mode;

use super::lab::{Lab, fates, image, prune, used};
use crate::plain::Unwatched;
use crate::support::content::Image;
use crate::support::faults::FaultRegistry;
use crate::support::http::Reply;
use crate::support::http::script::{Action, Gate};
use crate::support::witness::Witness;

async fn assert_complete(lab: &Lab, tag: &str, image: &Image) {
    let mut witness = Witness::new(lab.destination.client(), "team/app").expecting(image);
    assert_eq!(witness.check(tag).await, [], "{tag}");
}

#[tokio::test]
async fn what_is_due_goes_and_the_rest_stays_complete() {
    let source = FaultRegistry::start();
    let lab = Lab::copied_from(source).await;
    // Two tags of one digest, one of which stays.
    lab.source.load("team/app", "1", &image(4));
    lab.round(&lab.mirror("['*']", "")).await;
    lab.round(&lab.narrow("")).await;
    lab.pass(25);
    let report = lab.round(&lab.narrow("")).await;
    assert_eq!(fates(&report), ["1 Deleted", "2 Deleted", "3 Deleted"]);
    assert_eq!(prune(&report).tags[0].shared_with[0].as_str(), "4");
    assert_eq!((prune(&report).restorable, lab.deletions()), (3, 3));
    assert_eq!(lab.tags(), ["4", "5"]);
    assert_complete(&lab, "4", &image(4)).await;
    assert_complete(&lab, "5", &image(5)).await;

    let report = lab.round(&lab.narrow("")).await;
    let pruned = prune(&report);
    assert!(
        pruned.tags.is_empty() && pruned.stop.is_none(),
        "{pruned:?}"
    );
    assert_eq!(lab.deletions(), 3, "nothing is left to do");
    lab.pass(25);
    let report = lab.round(&lab.narrow("")).await;
    assert_eq!(prune(&report).restorable, 0, "the grace has passed again");
}

#[tokio::test]
async fn what_another_mirror_wants_by_now_stays() {
    let lab = Lab::copied_from(FaultRegistry::start()).await;
    lab.round(&lab.narrow("")).await;
    let mut other = lab.mirror("['1']", "mode: Retain");
    other.name = "default/other".to_owned();
    lab.round(&other).await;
    lab.pass(25);
    for _ in 0..2 {
        let report = lab.round(&lab.narrow("")).await;
        let fates = fates(&report);
        assert_eq!(fates[0], "1 Protected by mirror default/other");
        assert!(lab.tags().contains(&"1".to_owned()));
    }
    assert_eq!(lab.tags(), ["1", "4", "5"]);
}

#[tokio::test]
async fn what_is_used_stays_however_it_is_known() {
    let child = image(2).children[0].digest.clone();
    let cases = [
        (
            "by its tag at the destination",
            "DESTINATION/team/app:2".to_owned(),
        ),
        ("by its tag at the source", "SOURCE/team/app:2".to_owned()),
        (
            "by its digest",
            format!("elsewhere.example.com/x@{}", image(2).digest()),
        ),
        (
            "by the digest of one of its images",
            format!("DESTINATION/team/app@{child}"),
        ),
    ];
    for (name, reference) in cases {
        let lab = Lab::due().await;
        let reference = reference
            .replace("DESTINATION", &lab.destination.host())
            .replace("SOURCE", &lab.source.host());
        lab.workloads.say(vec![used(&reference)]);
        let report = lab.round(&lab.narrow("")).await;
        let expected = [
            "1 Deleted",
            "2 Protected by Deployment shop/web",
            "3 Deleted",
        ];
        assert_eq!(fates(&report), expected, "{name}");
        assert_eq!(lab.tags(), ["2", "4", "5"], "{name}");
        // It is used no more.
        lab.workloads.say(vec![]);
        lab.pass(1);
        lab.round(&lab.narrow("")).await;
        assert_eq!(lab.tags(), ["4", "5"], "{name}");
    }
}

#[tokio::test]
async fn what_comes_into_use_after_the_first_look_stays() {
    let lab = Lab::due().await;
    let image = format!("{}/team/app:2", lab.destination.host());
    lab.workloads.say(vec![Ok(Vec::new()), used(&image)]);
    let report = lab.round(&lab.narrow("")).await;
    let expected = [
        "1 Deleted",
        "2 Protected by Deployment shop/web",
        "3 Deleted",
    ];
    assert_eq!(fates(&report), expected);
    assert_eq!(
        lab.workloads.looks.load(Ordering::Relaxed),
        3,
        "one to find, two to plan and delete"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_into_use_while_a_registry_takes_its_time_stays() {
    let lab = Lab::due().await;
    let gate = Gate::closed();
    // The answer to the question whether the tag is still the same; before that it was asked what shares its
    // digest.
    let held = lab.destination.on("HEAD", "/manifests/2").nth(2);
    held.does(Action::HoldReply(gate.clone()));
    let mirror = lab.narrow("");
    let come_into_use = async {
        gate.reached().await;
        let image = format!("{}/team/app:2", lab.destination.host());
        lab.workloads.say(vec![used(&image)]);
        // Longer than a look is good for.
        tokio::time::sleep(Duration::from_secs(11)).await;
        gate.open();
    };
    let (report, ()) = tokio::join!(lab.round(&mirror), come_into_use);
    let expected = [
        "1 Deleted",
        "2 Protected by Deployment shop/web",
        "3 Deleted",
    ];
    assert_eq!(fates(&report), expected);
    assert_eq!(lab.tags(), ["2", "4", "5"]);
}

#[tokio::test]
async fn what_is_ignored_is_not_looked_at() {
    let lab = Lab::due().await;
    let looks = lab.workloads.looks.load(Ordering::Relaxed);
    lab.round(&lab.narrow("inUse: Ignore")).await;
    assert_eq!(lab.workloads.looks.load(Ordering::Relaxed), looks);
    assert_eq!(lab.tags(), ["4", "5"]);
}

#[tokio::test]
async fn what_somebody_else_wrote_is_theirs() {
    let lab = Lab::due().await;
    lab.destination.load("team/app", "1", &image(99));
    lab.destination.lose_tag("team/app", "3");
    let report = lab.round(&lab.narrow("")).await;
    assert_eq!(fates(&report), ["1 Disowned", "2 Deleted", "3 Gone"]);
    assert_eq!(lab.tags(), ["1", "4", "5"]);
    for _ in 0..2 {
        lab.pass(25);
        let report = lab.round(&lab.narrow("")).await;
        assert!(prune(&report).tags.is_empty(), "it is on record no more");
    }
    assert_eq!(lab.tags(), ["1", "4", "5"]);
}

#[tokio::test]
async fn a_tag_that_was_adopted_stays_unless_it_is_included() {
    let lab = Lab::due().await.forget();
    lab.round(&lab.mirror("['*']", "")).await;
    lab.round(&lab.narrow("")).await;
    lab.pass(25);
    let report = lab.round(&lab.narrow("")).await;
    assert_eq!(prune(&report).protected(), 3);
    assert_eq!(lab.tags().len(), 5);
    lab.round(&lab.narrow("adopted: Include")).await;
    assert_eq!(lab.tags(), ["4", "5"]);
}

#[tokio::test]
async fn a_tag_that_is_wanted_again_begins_anew() {
    let lab = Lab::copied_from(FaultRegistry::start()).await;
    lab.round(&lab.narrow("")).await;
    lab.pass(20);
    lab.round(&lab.mirror("['*']", "")).await;
    lab.pass(1);
    lab.round(&lab.narrow("")).await;
    lab.pass(20);
    lab.round(&lab.narrow("")).await;
    assert_eq!(lab.tags().len(), 5);
    lab.pass(5);
    lab.round(&lab.narrow("")).await;
    assert_eq!(lab.tags(), ["4", "5"]);
}

#[tokio::test]
async fn a_tag_that_is_wanted_again_begins_anew_although_nothing_came_of_that() {
    // Another mirror wants a tag that this one has.
    let lab = Lab::due().await;
    let other = Mirror {
        name: "default/other".to_owned(),
        ..lab.mirror("['1']", "mode: Retain")
    };
    let all = lab.mirror("['*']", "");
    let mirrors = [&other, &all];
    let report = lab.syncer.round(&mirrors, Mode::Apply, &Unwatched);
    let report = report.await.mirrors.remove(0);
    let Outcome::Failed(failure) = &report.tags[0].outcome else {
        panic!("{report:?}");
    };
    assert_eq!(failure.reason, Reason::DestinationConflict);
    let report = lab.round(&lab.narrow("")).await;
    let kept = "1 Protected by mirror default/other";
    assert_eq!(fates(&report), [kept, "2 Waiting", "3 Waiting"]);

    // One tag of the destination cannot be looked at.
    let lab = Lab::due().await;
    let reading = lab.destination.on("HEAD", "/manifests/1");
    reading.responds(Reply::error(403, "DENIED", "no"));
    lab.round(&lab.mirror("['*']", "")).await;
    lab.destination.script().clear_rules();
    let report = lab.round(&lab.narrow("")).await;
    assert_eq!(fates(&report), ["1 Waiting", "2 Waiting", "3 Waiting"]);
}

#[tokio::test]
async fn a_deletion_of_which_nobody_heard_counts_once() {
    // The registry deletes, and the answer is lost.
    let lab = Lab::due().await;
    lab.destination
        .on("DELETE", "/manifests/2")
        .first(1)
        .does(Action::CommitThenClose);
    let report = lab.round(&lab.narrow("")).await;
    assert_eq!(fates(&report), ["1 Deleted", "2 Deleted", "3 Deleted"]);

    // The process ends in the middle: the next one finds what is gone and what is not.
    let lab = Lab::due().await;
    lab.destination
        .on("DELETE", "/manifests/2")
        .responds(Reply::error(403, "DENIED", "no"));
    lab.round(&lab.narrow("")).await;
    lab.destination.script().clear_rules();
    assert_eq!(lab.tags(), ["2", "4", "5"]);
    let lab = lab.restart();
    lab.pass(1);
    let report = lab.round(&lab.narrow("")).await;
    assert_eq!(fates(&report), ["2 Deleted"]);
    assert_eq!(prune(&report).restorable, 3);
}

#[tokio::test]
async fn what_was_deleted_comes_back() {
    let lab = Lab::due().await;
    lab.round(&lab.narrow("")).await;
    assert_eq!(lab.tags(), ["4", "5"]);
    let mirror = lab.narrow("");
    let lab = lab.restart();
    assert_eq!(lab.syncer.deleted_tags(&mirror).len(), 3);

    // Somebody else took the name of one of them.
    lab.destination.load("team/app", "3", &image(99));
    let restored = lab
        .syncer
        .restore_tags(&mirror, |slot, _| slot.tag.as_str() != "1")
        .await
        .unwrap();
    let told: Vec<(&str, bool)> = restored
        .iter()
        .map(|restored| (restored.tag.as_str(), restored.failure.is_none()))
        .collect();
    assert_eq!(told, [("2", true), ("3", false)]);
    assert_eq!(lab.tags(), ["2", "3", "4", "5"]);
    assert_complete(&lab, "2", &image(2)).await;

    // It is unwanted, and its grace begins anew.
    let report = lab.round(&mirror).await;
    assert_eq!(fates(&report), ["2 Waiting"]);
    // Wanted again, the others are copied anew.
    lab.destination.lose_tag("team/app", "3");
    lab.round(&lab.mirror("['*']", "")).await;
    assert_eq!(lab.tags(), ["1", "2", "3", "4", "5"]);
    assert_complete(&lab, "1", &image(1)).await;
    assert!(lab.syncer.deleted_tags(&mirror).is_empty());
}
