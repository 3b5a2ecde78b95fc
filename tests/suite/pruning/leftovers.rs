// SPDX-License-Identifier: Apache-2.0

//! What refers to an image goes after its last tag, once that can be restored no more.

use std::collections::BTreeSet;

use super::lab::{Lab, fates, image, prune, signed, used};
use crate::support::content::{FoundBy, Image};
use crate::support::faults::FaultRegistry;
use crate::support::http::Reply;
use crate::support::http::script::Action;
use crate::support::witness::Witness;

/// What refers to an image in the repository: tags, and digests of manifests.
fn referrers(lab: &Lab, image: &Image) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for referrer in &image.referrers {
        let reference = match &referrer.found_by {
            FoundBy::Subject => &referrer.manifest.digest,
            FoundBy::Tag(tag) => tag,
        };
        if lab.destination.manifest("team/app", reference).is_some() {
            found.insert(reference.clone());
        }
    }
    let tags = lab.destination.tags("team/app");
    let fallback = image.subjects().into_iter();
    let fallback = fallback.map(|subject| image.fallback_index(subject).0);
    found.extend(fallback.filter(|tag| tags.contains(tag)));
    found
}

/// The tags `1` and `2` are deleted and have been signed; `2` and the tag `4`, which stays, are one image.
async fn deleted(destination: FaultRegistry) -> Lab {
    let lab = Lab::copied_between(FaultRegistry::start(), destination).await;
    lab.source.load("team/app", "1", &signed(11));
    lab.source.load("team/app", "2", &signed(12));
    lab.source.load("team/app", "4", &signed(12));
    lab.round(&lab.mirror("['*']", "")).await;
    lab.round(&lab.narrow("")).await;
    lab.pass(25);
    let report = lab.round(&lab.narrow("")).await;
    assert_eq!(fates(&report), ["1 Deleted", "2 Deleted", "3 Deleted"]);
    lab
}

/// A registry that lists referrers, and one that has tags for them.
fn registries() -> [FaultRegistry; 2] {
    let without = FaultRegistry::options().without_referrers_api().start();
    [FaultRegistry::start(), without]
}

#[tokio::test]
async fn what_refers_to_an_image_goes_when_its_last_tag_can_come_back_no_more() {
    for destination in registries() {
        let lab = deleted(destination).await;
        let all = referrers(&lab, &signed(11));
        assert!(all.len() >= 4, "{all:?}");
        lab.pass(23);
        let report = lab.round(&lab.narrow("")).await;
        assert_eq!(prune(&report).referrers, 0, "it can still be restored");
        assert_eq!(referrers(&lab, &signed(11)), all);

        lab.pass(2);
        let before = lab.deletions();
        let report = lab.round(&lab.narrow("")).await;
        let pruned = prune(&report);
        assert_eq!((&pruned.stop, &pruned.failures), (&None, &Vec::new()));
        let gone = lab.deletions() - before;
        assert_eq!((pruned.referrers, pruned.restorable), (gone, 0));
        let left = referrers(&lab, &signed(11));
        let is_tagged = left.iter().any(|left| !left.contains(':'));
        assert!(!is_tagged, "{left:?}");

        let mut witness = Witness::new(lab.destination.client(), "team/app").expecting(&signed(12));
        assert_eq!(witness.check("4").await, [], "another tag has this image");

        let asked = lab.destination.requests().len();
        let report = lab.round(&lab.narrow("")).await;
        assert_eq!(prune(&report).referrers, 0);
        let asked = lab.destination.requests().len() - asked;
        assert!(asked <= 2, "nothing is left to look for: {asked}");
    }
}

#[tokio::test]
async fn what_refers_to_an_image_stays_where_its_tag_is_there_again() {
    let lab = deleted(FaultRegistry::start()).await;
    let all = referrers(&lab, &signed(11));
    lab.destination.load("team/app", "1", &image(9));
    lab.pass(25);
    let report = lab.round(&lab.narrow("")).await;
    let pruned = prune(&report);
    assert_eq!((&pruned.stop, pruned.referrers), (&None, 0));
    assert_eq!(referrers(&lab, &signed(11)), all);
}

#[tokio::test]
async fn by_its_digest_goes_what_the_registry_lists_and_nothing_else() {
    let lab = deleted(FaultRegistry::start()).await;
    // Somebody gave one of them a tag of its own.
    let mine = &signed(11).referrers[0].manifest;
    lab.destination.load_manifest("team/app", "mine", mine);
    let all = referrers(&lab, &signed(11));
    lab.pass(25);
    lab.round(&lab.narrow("")).await;
    let left = referrers(&lab, &signed(11));
    assert_eq!(left, BTreeSet::from([mine.digest.clone()]));
    let requests = lab.destination.requests();
    let deleted: BTreeSet<String> = requests
        .iter()
        .filter(|request| request.method == "DELETE")
        .filter_map(|request| Some(request.path.rsplit_once('/')?.1.to_owned()))
        .filter(|name| !["1", "2", "3"].contains(&name.as_str()))
        .collect();
    let expected: BTreeSet<String> = all.difference(&left).cloned().collect();
    assert_eq!(deleted, expected);
}

#[tokio::test]
async fn what_a_workload_uses_stays_signed() {
    let lab = deleted(FaultRegistry::start()).await;
    let all = referrers(&lab, &signed(11));
    let child = &signed(11).children[0].digest;
    let host = lab.destination.host();
    for image in [
        format!("{host}/team/app@{}", signed(11).digest()),
        format!("elsewhere.example.com/app@{child}"),
    ] {
        lab.workloads.say(vec![used(&image)]);
        lab.pass(25);
        let report = lab.round(&lab.narrow("")).await;
        assert_eq!(prune(&report).referrers, 0, "{image}");
        assert_eq!(referrers(&lab, &signed(11)), all, "{image}");
    }
    // It came into use after the first look.
    let image = format!("{host}/team/app@{child}");
    lab.workloads.say(vec![Ok(Vec::new()), used(&image)]);
    let report = lab.round(&lab.narrow("")).await;
    assert_eq!(prune(&report).referrers, 0);
    assert_eq!(referrers(&lab, &signed(11)), all);

    lab.workloads.say(vec![]);
    let report = lab.round(&lab.narrow("")).await;
    assert_eq!(prune(&report).referrers, all.len());
}

#[tokio::test]
async fn a_referrer_that_a_workload_names_stays() {
    for destination in registries() {
        let lab = deleted(destination).await;
        let all = referrers(&lab, &signed(11));
        let host = lab.destination.host();
        lab.pass(25);
        for referrer in &signed(11).referrers {
            let digest = format!("{host}/team/app@{}", referrer.manifest.digest);
            let tag = match &referrer.found_by {
                FoundBy::Tag(tag) => format!("{host}/team/app:{tag}"),
                FoundBy::Subject => digest.clone(),
            };
            for image in [digest, tag] {
                lab.workloads.say(vec![used(&image)]);
                let report = lab.round(&lab.narrow("")).await;
                assert_eq!(prune(&report).referrers, 0, "{image}");
                assert_eq!(referrers(&lab, &signed(11)), all, "{image}");
            }
        }
        lab.workloads.say(vec![]);
        let report = lab.round(&lab.narrow("")).await;
        assert!(prune(&report).referrers > 0);
    }
}

/// Images of two repositories are in one: what refers to them is used by the name of either.
#[tokio::test]
async fn a_referrer_that_a_workload_names_at_any_of_the_sources_stays() {
    let lab = Lab::copied_from(FaultRegistry::start()).await;
    lab.source.load("other/app", "8", &image(8));
    lab.source.load("other/app", "9", &signed(13));
    let mirror = |tags: &str, others: &str| {
        let images = format!(
            "[{{repository: team/app, tags: [{tags}]}}, {{repository: other/app, tags: [{others}]}}]"
        );
        lab.mirror_of(&images, "all/images", "")
    };
    lab.round(&mirror("'1', '4'", "'8', '9'")).await;
    let narrow = || mirror("'4'", "'8'");
    lab.round(&narrow()).await;
    lab.pass(25);
    let report = lab.round(&narrow()).await;
    let stop = &prune(&report).stop;
    assert!(fates(&report).contains(&"9 Deleted".to_owned()), "{stop:?}");
    let signed = signed(13);
    let signature = signed
        .referrers
        .iter()
        .find_map(|referrer| match &referrer.found_by {
            FoundBy::Tag(tag) => Some(tag.clone()),
            FoundBy::Subject => None,
        });
    let signature = signature.unwrap();
    let image = format!("{}/other/app:{signature}", lab.source.host());
    lab.workloads.say(vec![used(&image)]);
    lab.pass(25);
    lab.round(&narrow()).await;
    assert!(lab.destination.tags("all/images").contains(&signature));
    lab.workloads.say(vec![]);
    lab.round(&narrow()).await;
    assert!(!lab.destination.tags("all/images").contains(&signature));
}

#[tokio::test]
async fn what_fails_is_told_and_done_by_the_next_round() {
    for destination in registries() {
        let lab = deleted(destination).await;
        let all = referrers(&lab, &signed(11));
        lab.pass(25);
        for (method, part, left) in [
            ("GET", "/tags/list", all.len()),
            // What a tag that stays leads to.
            ("GET", image(5).digest(), all.len()),
            ("DELETE", ".sig", 1),
        ] {
            let draft = lab.destination.on(method, part).nth(1);
            draft.responds(Reply::error(403, "DENIED", "no"));
            let report = lab.round(&lab.narrow("")).await;
            lab.destination.script().clear_rules();
            let pruned = prune(&report);
            let referrers = referrers(&lab, &signed(11)).len();
            assert!(referrers >= left, "{method} {part}: {pruned:?}");
            assert_eq!(pruned.failures.len(), 1, "{method} {part}: {pruned:?}");
        }
        let report = lab.round(&lab.narrow("")).await;
        assert!(prune(&report).failures.is_empty());
        assert_eq!(prune(&report).restorable, 0);
        let left = referrers(&lab, &signed(11));
        assert!(!left.iter().any(|left| !left.contains(':')), "{left:?}");
    }
}

#[tokio::test]
async fn where_another_mirror_writes_it_stays() {
    let lab = deleted(FaultRegistry::start()).await;
    // It may be about to tag the same image again.
    let mut theirs = lab.mirror("['3']", "mode: Retain");
    theirs.name = "default/theirs".to_owned();
    lab.round(&theirs).await;
    let all = referrers(&lab, &signed(11));
    lab.pass(25);
    for _ in 0..2 {
        let report = lab.round(&lab.narrow("")).await;
        assert_eq!(prune(&report).referrers, 0);
        assert_eq!(prune(&report).restorable, 0, "and is forgotten");
    }
    assert_eq!(referrers(&lab, &signed(11)), all);
}

#[tokio::test]
async fn a_clock_that_jumps_gives_no_time_away() {
    for hours in [24 * 365, -24 * 365] {
        let lab = deleted(FaultRegistry::start()).await;
        let all = referrers(&lab, &signed(11));
        lab.set_clock(hours);
        for _ in 0..3 {
            lab.round(&lab.narrow("")).await;
            lab.pass(7);
        }
        assert_eq!(referrers(&lab, &signed(11)), all, "{hours}");
        lab.pass(24);
        lab.round(&lab.narrow("")).await;
        assert!(referrers(&lab, &signed(11)).is_empty(), "{hours}");
    }
}

#[tokio::test]
async fn nothing_goes_where_deletion_is_stopped_or_only_planned() {
    let lab = deleted(FaultRegistry::start()).await;
    let all = referrers(&lab, &signed(11));
    let lab = lab.held();
    lab.pass(25);
    let report = lab.round(&lab.narrow("")).await;
    assert_eq!(prune(&report).restorable, 3, "they wait");
    let report = lab.round(&lab.narrow("mode: Plan")).await;
    assert_eq!(prune(&report).restorable, 0, "they are forgotten");
    assert_eq!(referrers(&lab, &signed(11)), all);
}

#[tokio::test]
async fn a_tag_that_comes_back_is_still_signed() {
    for destination in registries() {
        let lab = deleted(destination).await;
        let mirror = lab.narrow("");
        let restored = lab
            .syncer
            .restore_tags(&mirror, |slot, _| slot.tag.as_str() == "1");
        let restored = restored.await.unwrap();
        assert_eq!(restored[0].failure, None);
        let mut witness = Witness::new(lab.destination.client(), "team/app").expecting(&signed(11));
        assert_eq!(witness.check("1").await, []);
    }
}

#[tokio::test]
async fn a_deletion_whose_end_nobody_saw_can_be_undone() {
    let lab = Lab::due().await;
    lab.destination
        .on("DELETE", "/manifests/2")
        .first(1)
        .does(Action::CommitThenClose);
    // After the first look at the tag no other one is answered.
    for nth in 2..12 {
        for method in ["HEAD", "GET"] {
            let draft = lab.destination.on(method, "/manifests/2").nth(nth);
            draft.responds(Reply::error(403, "DENIED", "no"));
        }
    }
    let report = lab.round(&lab.narrow("")).await;
    assert_eq!(fates(&report), ["1 Deleted", "2 Failed", "3 Deleted"]);
    lab.destination.script().clear_rules();
    let report = lab.round(&lab.narrow("")).await;
    assert_eq!(prune(&report).restorable, 3);
    let mirror = lab.narrow("");
    let restored = lab.syncer.restore_tags(&mirror, |_, _| true).await.unwrap();
    assert!(restored.iter().all(|restored| restored.failure.is_none()));
    assert_eq!(lab.tags(), ["1", "2", "3", "4", "5"]);
}
