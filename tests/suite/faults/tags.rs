// SPDX-License-Identifier: Apache-2.0

//! Tags that a destination has already, and tags that it does not take.

use futures::future::join_all;
use transship::copy::{Action as Taken, TagPush};

use super::lab::{Lab, process, target};
use super::{Row, assert_outcomes, refusal};
use crate::support::content::{Image, ImageBuilder};
use crate::support::http::script::Action;
use crate::support::witness::Witness;

/// A lab whose destination has an older image under the tag, and a job that is to move it.
fn moving(fault: fn(&Lab)) -> (Lab, Image) {
    let (lab, old) = (Lab::new(), ImageBuilder::new(6).layers(&[500]).build());
    lab.destination.load("team/app", "1", &old);
    fault(&lab);
    (lab, old)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tag_that_cannot_be_moved_stays_where_it_was() {
    let rows: [Row; 6] = [
        ("nothing wrong", |_| {}, "Copied"),
        (
            "the tag is confirmed and not moved, once",
            |lab| lab.tag_write().nth(1).does(Action::Swallow),
            "Copied",
        ),
        (
            "the tag is confirmed and not moved",
            |lab| lab.tag_write().does(Action::Swallow),
            "CopyFailed: DESTINATION/team/app confirmed 1 but does not serve it: its storage or \
             its cache has lost it",
        ),
        (
            "tags cannot be changed",
            |lab| lab.tag_write().responds(refusal(412, "DENIED")),
            "TagImmutable: cannot store the manifest DESTINATION/team/app:1: 412 Precondition \
             Failed (DENIED): the registry does not let this tag be overwritten: exempt it from the rule \
             there, delete it there, or give it another name",
        ),
        (
            "the image is confirmed and not kept",
            |lab| lab.at_destination("PUT", lab.root()).does(Action::Swallow),
            "CopyFailed: DESTINATION/team/app confirmed DIGEST but does not serve it: its \
             storage or its cache has lost it",
        ),
        (
            "the previous image cannot be kept",
            |lab| {
                lab.at_destination("PUT", "/manifests/previous")
                    .does(Action::Swallow);
            },
            "CopyFailed: DESTINATION/team/app confirmed previous but does not serve it: its \
             storage or its cache has lost it",
        ),
    ];
    let outcomes = join_all(rows.map(|(name, fault, expected)| async move {
        let (lab, old) = moving(fault);
        let (engine, pool) = process();
        let mut job = lab.job(&pool);
        job.targets[0].tags = vec![TagPush {
            tag: "1".parse().unwrap(),
            current: Some(old.digest().parse().unwrap()),
            previous: Some("previous".parse().unwrap()),
        }];
        let outcome = engine.copy(&job).await.remove(0);
        let named = if outcome.is_ok() { &lab.image } else { &old };
        let mut witness = Witness::new(lab.destination.client(), "team/app");
        assert_eq!(witness.check_all().await, [], "{name}");
        assert_eq!(witness.digest("1").await.unwrap(), named.digest(), "{name}");
        (name, lab.describe(&outcome), expected)
    }));
    assert_outcomes(outcomes.await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_further_tag_that_is_confirmed_and_not_kept_is_a_failure() {
    let lab = Lab::new();
    lab.at_source("PUT", "/manifests/stable")
        .does(Action::Swallow);
    let (engine, pool) = process();
    let mut job = lab.job(&pool);
    job.targets = vec![target(&pool, &lab.source.host(), "team/app")];
    job.targets[0].tags[0].tag = "stable".parse().unwrap();
    let outcome = engine.copy(&job).await.remove(0);
    assert_eq!(
        lab.describe(&outcome),
        "CopyFailed: SOURCE/team/app confirmed stable but does not serve it: its storage or its \
         cache has lost it"
    );
    lab.source.script().clear_rules();
    let done = engine.copy(&job).await.remove(0).unwrap();
    assert_eq!(done.action, Taken::Retagged);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tag_that_stays_as_it_is_does_not_hold_up_the_others() {
    let rows: [Row; 3] = [
        (
            "it may not be moved",
            |lab| {
                lab.at_destination("PUT", "/second")
                    .responds(refusal(403, "DENIED"));
            },
            "AccessDenied: cannot store the manifest DESTINATION/team/app:second: 403 Forbidden \
             (DENIED): the credential may not write this: give it the right to pull and \
             push, or use another one",
        ),
        (
            "it cannot be moved",
            |lab| {
                lab.at_destination("PUT", "/second")
                    .responds(refusal(400, "TAG_INVALID"));
            },
            "TagImmutable: cannot store the manifest DESTINATION/team/app:second: 400 Bad Request \
             (TAG_INVALID): the registry does not let this tag be overwritten: exempt it from the rule \
             there, delete it there, or give it another name",
        ),
        (
            "it is confirmed and not moved",
            |lab| lab.at_destination("PUT", "/second").does(Action::Swallow),
            "CopyFailed: DESTINATION/team/app confirmed second but does not serve it: its storage or \
             its cache has lost it",
        ),
    ];
    let outcomes = join_all(rows.map(|(name, fault, expected)| async move {
        let lab = Lab::new();
        fault(&lab);
        let (engine, pool) = process();
        let mut job = lab.job(&pool);
        job.targets[0].tags = ["first", "second", "third"].map(new_tag).to_vec();
        let done = engine.copy(&job).await.remove(0).unwrap();
        assert_eq!(
            lab.destination.tags("team/app"),
            ["first", "third"],
            "{name}"
        );
        assert!(done.about(&"third".parse().unwrap()).is_ok(), "{name}");
        let second = done.about(&"second".parse().unwrap());
        let second = second.cloned().map_err(Clone::clone);
        (name, lab.describe(&second), expected)
    }));
    assert_outcomes(outcomes.await);
}

fn new_tag(tag: &str) -> TagPush {
    TagPush {
        tag: tag.parse().unwrap(),
        current: None,
        previous: None,
    }
}
