// SPDX-License-Identifier: Apache-2.0

//! Registries that take more than the tag that is to be deleted: what they took comes back at once.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::json;

use super::lab::{Lab, fates, image, prune};
use super::undo::{REPOSITORY, collect_garbage, digests, restore};
use crate::support::content::Blob;
use crate::support::faults::FaultRegistry;
use crate::support::http::Reply;
use crate::support::http::script::Action;
use crate::support::witness::Witness;

const INDEX: &str = "application/vnd.oci.image.index.v1+json";

/// The tags `1`, `2` and `3` are due at a registry that takes manifests along.
async fn due() -> Lab {
    let destination = FaultRegistry::options().taking_manifests_along().start();
    let lab = Lab::copied_between(FaultRegistry::start(), destination).await;
    lab.round(&lab.narrow("")).await;
    lab.pass(25);
    lab
}

/// What the tags name, without one of them.
fn without(
    tag: &str,
    mut digests: BTreeMap<String, Option<String>>,
) -> BTreeMap<String, Option<String>> {
    digests.remove(tag);
    digests
}

/// Once something was deleted, so many requests with this in their path are refused.
fn deny_after_a_delete(lab: &Lab, part: &str, count: usize) {
    let part = part.to_owned();
    let was_deleted = AtomicBool::new(false);
    lab.destination
        .script()
        .when(move |request| {
            let is_after = was_deleted.load(Ordering::Relaxed);
            was_deleted.store(is_after || request.method == "DELETE", Ordering::Relaxed);
            is_after && request.target().contains(&part)
        })
        .first(count)
        .responds(Reply::error(403, "DENIED", "no"));
}

#[tokio::test]
async fn it_is_healed_at_once_and_left_alone() {
    for process in 0..3 {
        let lab = due().await;
        // Somebody else's tags of the same image, and one of ours that stays.
        for tag in ["mine", "zz-theirs"] {
            lab.destination
                .load_manifest(REPOSITORY, tag, &image(1).root);
        }
        let expected = without("1", digests(&lab));
        let report = lab.round(&lab.narrow("")).await;
        let pruned = prune(&report);
        let stop = pruned.stop.as_ref().unwrap();
        assert_eq!(stop.reason.to_string(), "PruneUnsupported");
        let told = "takes the manifest along when it deletes a tag, and with it every other tag of the digest, this \
                    time mine, zz-theirs";
        assert!(stop.message.contains(told), "{}", stop.message);
        assert_eq!(pruned.failures, []);
        assert_eq!(fates(&report), ["1 Deleted", "2 Due", "3 Due"]);
        assert_eq!(digests(&lab), expected);
        let mut witness = Witness::new(lab.destination.client(), REPOSITORY);
        assert_eq!(witness.check_all().await, []);

        // Neither this process nor the next one tries another.
        let lab = if process == 1 { lab.restart() } else { lab };
        let before = lab.deletions();
        let report = lab.round(&lab.narrow("")).await;
        let stop = prune(&report).stop.as_ref().unwrap();
        assert_eq!(stop.reason.to_string(), "PruneUnsupported");
        assert_eq!((lab.deletions(), digests(&lab)), (before, expected));
        assert_eq!(restore(&lab, "1").await.failure, None);
        assert_eq!(digests(&lab)["1"].as_deref(), Some(image(1).digest()));
    }
}

#[tokio::test]
async fn a_tag_that_is_still_wanted_is_whole_in_the_same_round() {
    let destination = FaultRegistry::options().taking_manifests_along().start();
    let lab = Lab::copied_between(FaultRegistry::start(), destination).await;
    lab.source.load(REPOSITORY, "4", &image(1));
    lab.round(&lab.mirror("['*']", "")).await;
    lab.round(&lab.narrow("")).await;
    lab.pass(25);
    let expected = without("1", digests(&lab));
    let report = lab.round(&lab.narrow("")).await;
    assert_eq!(fates(&report), ["1 Deleted", "2 Due", "3 Due"]);
    assert_eq!(digests(&lab), expected);
    let mut witness = Witness::new(lab.destination.client(), REPOSITORY);
    assert_eq!(witness.check("4").await, []);
}

#[tokio::test]
async fn what_could_not_be_healed_is_healed_by_the_next_round() {
    for process in 0..2 {
        let lab = due().await;
        lab.destination
            .load_manifest(REPOSITORY, "mine", &image(1).root);
        lab.destination
            .on("PUT", "/manifests/")
            .first(4)
            .responds(Reply::error(403, "DENIED", "no"));
        let report = lab.round(&lab.narrow("")).await;
        let failures: Vec<String> = prune(&report)
            .failures
            .iter()
            .map(|failure| failure.reason.to_string())
            .collect();
        assert_eq!(failures, ["PruneUnsupported"]);
        assert!(!lab.tags().contains(&"mine".to_owned()));
        lab.destination.script().clear_rules();
        let lab = if process == 1 { lab.restart() } else { lab };
        let report = lab.round(&lab.narrow("")).await;
        assert_eq!(prune(&report).failures, []);
        assert_eq!(digests(&lab)["mine"].as_deref(), Some(image(1).digest()));
    }
}

#[tokio::test]
async fn what_went_while_a_process_died_is_healed_by_the_next_one_even_if_it_deletes_nothing() {
    let lab = due().await;
    lab.destination
        .load_manifest(REPOSITORY, "mine", &image(1).root);
    let expected = without("1", digests(&lab));
    deny_after_a_delete(&lab, "", usize::MAX);
    lab.round(&lab.narrow("")).await;
    assert!(!lab.tags().contains(&"mine".to_owned()));
    lab.destination.script().clear_rules();

    let lab = lab.held();
    let report = lab.round(&lab.narrow("")).await;
    let stop = prune(&report).stop.as_ref().unwrap();
    assert_eq!(stop.reason.to_string(), "PruneUnsupported");
    assert!(stop.message.contains("this time mine"), "{}", stop.message);
    assert_eq!(digests(&lab), expected);
    assert_eq!(restore(&lab, "1").await.failure, None);
}

#[tokio::test]
async fn what_went_along_is_healed_although_the_tag_is_there_again() {
    let lab = due().await;
    lab.destination
        .load_manifest(REPOSITORY, "mine", &image(1).root);
    let expected = digests(&lab);
    deny_after_a_delete(&lab, "", usize::MAX);
    lab.round(&lab.narrow("")).await;
    assert!(!lab.tags().contains(&"mine".to_owned()));
    lab.destination.script().clear_rules();
    // Somebody pushes the one that was deleted, before anybody saw what became of it.
    lab.destination
        .load_manifest(REPOSITORY, "1", &image(1).root);
    let lab = lab.held();
    lab.round(&lab.narrow("")).await;
    assert_eq!(digests(&lab), expected);
}

#[tokio::test]
async fn what_could_not_be_healed_before_its_tag_is_copied_is_healed_after_it() {
    let lab = due().await;
    lab.destination
        .load_manifest(REPOSITORY, "mine", &image(1).root);
    deny_after_a_delete(&lab, "", usize::MAX);
    lab.round(&lab.narrow("")).await;
    lab.destination.script().clear_rules();
    lab.destination
        .on("PUT", "/manifests/mine")
        .first(1)
        .responds(Reply::error(403, "DENIED", "no"));
    lab.source.load(REPOSITORY, "1", &image(9));
    let lab = lab.restart();
    lab.round(&lab.mirror("['[145]']", "")).await;
    let found = digests(&lab);
    assert_eq!(found["1"].as_deref(), Some(image(9).digest()));
    assert_eq!(found["mine"].as_deref(), Some(image(1).digest()));
}

#[tokio::test]
async fn what_went_while_a_process_died_is_healed_whatever_the_mirror_wants_then() {
    for (is_wanted, prune) in [(true, ""), (true, "mode: Retain"), (false, "mode: Retain")] {
        let lab = due().await;
        lab.destination
            .load_manifest(REPOSITORY, "mine", &image(1).root);
        deny_after_a_delete(&lab, "", usize::MAX);
        lab.round(&lab.narrow("")).await;
        lab.destination.script().clear_rules();
        // Another image than the one that was known before.
        lab.source.load(REPOSITORY, "1", &image(9));
        let lab = lab.restart();
        let tags = if is_wanted { "['[145]']" } else { "['[45]']" };
        lab.round(&lab.mirror(tags, prune)).await;
        let found = digests(&lab);
        let case = format!("{is_wanted} {prune}");
        assert_eq!(found["mine"].as_deref(), Some(image(1).digest()), "{case}");
        assert_eq!(found.contains_key("1"), is_wanted, "{case}");
        lab.pass(100);
        lab.round(&lab.mirror(tags, prune)).await;
        assert_eq!(digests(&lab), found, "{case}");
    }
}

#[tokio::test]
async fn nothing_more_is_deleted_before_it_is_known_what_went() {
    let mut lab = due().await;
    deny_after_a_delete(&lab, image(1).digest(), usize::MAX);
    let told = "nothing more is deleted before it is known what the last deletion took along";
    for round in 0..3 {
        if round == 2 {
            lab = lab.restart();
        }
        let report = lab.round(&lab.narrow("")).await;
        let stop = prune(&report).stop.as_ref().unwrap();
        assert!(stop.message.starts_with(told), "{}", stop.message);
        assert_eq!(lab.deletions(), 1);
    }
    lab.destination.script().clear_rules();
    let report = lab.round(&lab.narrow("")).await;
    assert_eq!(prune(&report).stop, None);
    assert_eq!(fates(&report), ["2 Deleted", "3 Deleted"]);
}

#[tokio::test]
async fn a_manifest_that_goes_with_its_last_tag_is_pushed_again_and_no_reason_to_stop() {
    let lab = due().await;
    // An index of somebody else's leads to it.
    let part = image(1).root;
    let entry = json!({"mediaType": INDEX, "digest": part.digest, "size": part.bytes.len()});
    let theirs = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": [entry]});
    let theirs = Blob::json(INDEX, &theirs);
    lab.destination.load_manifest(REPOSITORY, "theirs", &theirs);
    let report = lab.round(&lab.narrow("")).await;
    assert_eq!(fates(&report), ["1 Deleted", "2 Deleted", "3 Deleted"]);
    let pruned = prune(&report);
    assert_eq!((&pruned.stop, &pruned.failures), (&None, &Vec::new()));
    let mut witness = Witness::new(lab.destination.client(), REPOSITORY);
    assert_eq!(witness.check("theirs").await, []);

    // What a garbage collection takes after that is not pushed again and again.
    collect_garbage(&lab, &[image(2)]);
    let lab = lab.restart();
    lab.round(&lab.narrow("")).await;
    let found = lab.destination.manifest(REPOSITORY, image(2).digest());
    assert!(found.is_none());
    assert_eq!(restore(&lab, "2").await.failure, None);
    assert_eq!(digests(&lab)["2"].as_deref(), Some(image(2).digest()));
}

#[tokio::test]
async fn two_tags_of_one_image_that_go_one_after_the_other_prove_nothing() {
    let lab = Lab::copied_between(FaultRegistry::start(), FaultRegistry::start()).await;
    lab.source.load(REPOSITORY, "2", &image(1));
    lab.source.load(REPOSITORY, "3", &image(1));
    lab.round(&lab.mirror("['*']", "")).await;
    lab.round(&lab.narrow("")).await;
    lab.pass(25);
    // The look at what the first one took along fails.
    deny_after_a_delete(&lab, image(1).digest(), 2);
    let report = lab.round(&lab.narrow("")).await;
    assert_eq!(fates(&report), ["1 Deleted", "2 Due", "3 Due"]);
    for expected in [&["2 Deleted", "3 Deleted"][..], &[]] {
        let report = lab.round(&lab.narrow("")).await;
        assert_eq!(fates(&report), expected);
        assert_eq!(prune(&report).stop, None);
    }
    assert_eq!(lab.tags(), ["4", "5"]);
}

#[tokio::test]
async fn one_that_deleted_nothing_has_shown_nothing() {
    for action in [
        Action::Respond(Reply::error(403, "DENIED", "no")),
        Action::Swallow,
    ] {
        let lab = due().await;
        lab.destination
            .load_manifest(REPOSITORY, "mine", &image(2).root);
        lab.destination.on("DELETE", "/manifests/1").does(action);
        let expected = without("2", digests(&lab));
        let report = lab.round(&lab.narrow("")).await;
        assert_eq!(fates(&report), ["1 Failed", "2 Deleted", "3 Due"]);
        assert_eq!(digests(&lab), expected, "it was looked for");
    }
}

#[tokio::test]
async fn a_registry_that_leaves_manifests_alone_is_asked_about_its_tags_once() {
    let lab = Lab::copied_from(FaultRegistry::start()).await;
    lab.destination
        .load_manifest(REPOSITORY, "mine", &image(1).root);
    let count = || {
        let requests = lab.destination.requests();
        let lists = requests
            .iter()
            .filter(|request| request.method == "GET" && request.path.ends_with("/tags/list"));
        lists.count()
    };
    lab.round(&lab.narrow("")).await;
    lab.pass(10);
    let mirror = lab.mirror("['5']", "");
    lab.round(&mirror).await;
    lab.pass(15);
    let lists = count();
    let report = lab.round(&mirror).await;
    let expected = ["1 Deleted", "2 Deleted", "3 Deleted", "4 Waiting"];
    assert_eq!(fates(&report), expected);
    assert_eq!(count(), lists + 1);
    // The first can still be restored.
    lab.pass(10);
    let report = lab.round(&mirror).await;
    assert_eq!(fates(&report), ["4 Deleted"]);
    assert_eq!(count(), lists + 1, "it is known");
}
