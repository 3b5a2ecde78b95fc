// SPDX-License-Identifier: Apache-2.0

//! What was deleted comes back whatever the registry did since, and what cannot come back stays.

use std::collections::BTreeMap;

use transship::plan::prune::{Fate, Rule};
use transship::plan::report::MirrorReport;
use transship::sync::prune::Restoration;

use super::lab::{Lab, fates, image, prune, signed};
use super::registries::{self, ALL, FREE, KEPT, narrowed};
use crate::support::content::{FoundBy, Image, ImageBuilder};
use crate::support::faults::FaultRegistry;
use crate::support::http::Reply;
use crate::support::http::script::Action;
use crate::support::registries::Kind;
use crate::support::witness::Witness;

pub(super) const REPOSITORY: &str = "team/app";

/// What each tag of the destination names.
pub(super) fn digests(lab: &Lab) -> BTreeMap<String, Option<String>> {
    let tags = lab.tags().into_iter();
    tags.map(|tag| {
        let manifest = lab.destination.manifest(REPOSITORY, &tag);
        (tag, manifest.map(|manifest| manifest.digest))
    })
    .collect()
}

/// A garbage collection of manifests: everything that no tag leads to is gone, what refers to it, too.
pub(super) fn collect_garbage(lab: &Lab, images: &[Image]) {
    for image in images {
        let referrers = image.referrers.iter().map(|referrer| &referrer.manifest);
        for manifest in image.children.iter().chain([&image.root]).chain(referrers) {
            lab.destination.lose_manifest(REPOSITORY, &manifest.digest);
        }
    }
}

pub(super) async fn restore(lab: &Lab, tag: &str) -> Restoration {
    let mirror = lab.narrow("");
    let restored = lab
        .syncer
        .restore_tags(&mirror, |slot, _| slot.tag.as_str() == tag);
    restored.await.unwrap().remove(0)
}

#[tokio::test]
async fn what_a_garbage_collection_took_comes_back_with_its_signatures() {
    let lab = Lab::copied_between(FaultRegistry::start(), FaultRegistry::start()).await;
    lab.source.load(REPOSITORY, "1", &signed(11));
    lab.round(&lab.mirror("['*']", "")).await;
    lab.round(&lab.narrow("")).await;
    lab.pass(25);
    let report = lab.round(&lab.narrow("")).await;
    assert_eq!(fates(&report), ["1 Deleted", "2 Deleted", "3 Deleted"]);

    // Another process, and a registry that has nothing of it but blobs.
    let lab = lab.restart();
    collect_garbage(&lab, &[signed(11), image(2)]);
    assert_eq!(restore(&lab, "1").await.failure, None);
    assert_eq!(restore(&lab, "2").await.failure, None);
    let mut witness = Witness::new(lab.destination.client(), REPOSITORY).expecting(&signed(11));
    assert_eq!(witness.check("1").await, []);
    assert_eq!(witness.check("2").await, []);

    // It is not kept twice, and goes and comes like any other tag.
    lab.round(&lab.narrow("")).await;
    lab.pass(25);
    let report = lab.round(&lab.narrow("")).await;
    assert_eq!(fates(&report), ["1 Deleted", "2 Deleted"]);
    collect_garbage(&lab, &[signed(11)]);
    assert_eq!(restore(&lab, "1").await.failure, None);
}

#[tokio::test]
async fn where_blobs_are_gone_it_says_where_to_copy_them_from() {
    let lab = Lab::due().await;
    lab.round(&lab.narrow("")).await;
    collect_garbage(&lab, &[image(1)]);
    lab.destination
        .lose_blob(REPOSITORY, &image(1).blobs[0].digest);
    for _ in 0..2 {
        let failure = restore(&lab, "1").await.failure.unwrap();
        assert_eq!(
            lab.without_hosts(&failure.message),
            format!(
                "not restored: the registry does not have all of {} any more: select the tag again to copy it anew \
                 from SOURCE/team/app:1",
                image(1).digest()
            )
        );
    }
    assert_eq!(lab.tags(), ["4", "5"], "no tag leads to a broken image");
}

#[tokio::test]
async fn what_restores_a_tag_is_forgotten_with_it() {
    let lab = Lab::due().await;
    let before = lab.size_of_state();
    lab.round(&lab.narrow("")).await;
    let kept = lab.size_of_state();
    let bytes = |number| {
        let image = image(number);
        let manifests = image.children.iter().chain([&image.root]);
        manifests
            .map(|manifest| manifest.bytes.len())
            .sum::<usize>() as u64
    };
    assert!(kept > before + bytes(1) + bytes(2) + bytes(3));
    for _ in 0..2 {
        lab.pass(25);
        lab.round(&lab.narrow("")).await;
    }
    assert!(lab.size_of_state() < before, "nothing of it is left");
}

/// An image whose manifest is of so many KiB and some.
fn large(seed: u64, kibibytes: usize) -> Image {
    ImageBuilder::new(seed)
        .annotation("org.example.large", &"x".repeat(kibibytes * 1024))
        .layers(&[10])
        .build()
}

#[tokio::test]
async fn manifests_that_cannot_be_kept_keep_their_tag() {
    let lab = Lab::copied_between(FaultRegistry::start(), FaultRegistry::start()).await;
    lab.source.load(REPOSITORY, "1", &large(77, 800));
    // Of these, 16 fit into 8 MiB.
    for number in 0..18 {
        let tag = format!("a{number:02}");
        lab.source.load(REPOSITORY, &tag, &large(100 + number, 500));
    }
    lab.round(&lab.mirror("['*']", "")).await;
    lab.round(&lab.narrow("")).await;
    lab.pass(25);
    let report = lab.round(&lab.narrow("")).await;
    let too_large = "1 Protected by what restores it is too large to be kept: more than 500 manifests, or one of \
                     more than 512 KiB";
    let no_room = "Protected by its manifests do not fit beside those that restore other deleted tags: it waits until \
                   some of these can be restored no more";
    let mut expected: Vec<String> = ["2", "3"].map(|tag| format!("{tag} Deleted")).into();
    expected.extend((0..16).map(|number| format!("a{number:02} Deleted")));
    expected.extend((16..18).map(|number| format!("a{number:02} {no_room}")));
    expected.insert(0, too_large.to_owned());
    assert_eq!(fates(&report), expected);
    assert_eq!(prune(&report).failures, []);
    assert_eq!(lab.tags(), ["1", "4", "5", "a16", "a17"]);

    // Once those can be restored no more, there is room.
    lab.pass(25);
    lab.round(&lab.narrow("")).await;
    lab.round(&lab.narrow("")).await;
    assert_eq!(lab.tags(), ["1", "4", "5"]);
}

#[tokio::test]
async fn a_delete_that_took_effect_and_answered_with_an_error_can_be_undone() {
    let answers = [
        Reply::error(404, "MANIFEST_UNKNOWN", "manifest unknown"),
        Reply::error(400, "UNSUPPORTED", "no"),
        Reply::error(405, "UNSUPPORTED", "no"),
        Reply::error(403, "DENIED", "no"),
        Reply::error(500, "UNKNOWN", "no"),
        Reply::new(302),
    ];
    for answer in answers {
        let name = format!("{answer:?}");
        let lab = Lab::due().await;
        lab.destination
            .on("DELETE", "/manifests/2")
            .does(Action::CommitThen(answer));
        lab.round(&lab.narrow("")).await;
        lab.destination.script().clear_rules();
        assert!(!lab.tags().contains(&"2".to_owned()), "{name}");
        lab.round(&lab.narrow("")).await;
        collect_garbage(&lab, &[image(2)]);
        let lab = lab.restart();
        assert_eq!(restore(&lab, "2").await.failure, None, "{name}");
        assert_eq!(
            digests(&lab)["2"].as_deref(),
            Some(image(2).digest()),
            "{name}"
        );
    }
}

#[tokio::test]
async fn what_somebody_else_restored_is_theirs() {
    let lab = Lab::due().await;
    lab.round(&lab.narrow("")).await;
    lab.destination
        .load_manifest(REPOSITORY, "1", &image(1).root);
    assert_eq!(restore(&lab, "1").await.failure, None);
    for _ in 0..3 {
        lab.round(&lab.narrow("")).await;
        lab.pass(25);
    }
    assert_eq!(digests(&lab)["1"].as_deref(), Some(image(1).digest()));
}

#[tokio::test]
async fn what_somebody_else_pushed_beside_an_image_stays() {
    for api in [true, false] {
        let destination = if api {
            FaultRegistry::start()
        } else {
            FaultRegistry::options().without_referrers_api().start()
        };
        let lab = Lab::copied_between(FaultRegistry::start(), destination).await;
        // One comes with the image, the other is pushed at the destination.
        let ours = ImageBuilder::new(31)
            .layers(&[50])
            .referrer("application/x-sbom");
        let both = ours
            .clone()
            .signature_tag()
            .referrer("application/x-scan")
            .build();
        let ours = ours.build();
        assert_eq!(ours.digest(), both.digest());
        lab.source.load(REPOSITORY, "1", &ours);
        lab.round(&lab.mirror("['*']", "")).await;
        let of_others: Vec<_> = both
            .referrers
            .iter()
            .filter(|referrer| {
                !ours
                    .referrers
                    .iter()
                    .any(|own| own.manifest.digest == referrer.manifest.digest)
            })
            .collect();
        assert_eq!(of_others.len(), 2);
        for referrer in &of_others {
            for blob in &referrer.blobs {
                lab.destination.load_blob(REPOSITORY, blob);
            }
            let reference = match &referrer.found_by {
                FoundBy::Subject => &referrer.manifest.digest,
                FoundBy::Tag(tag) => tag,
            };
            lab.destination
                .load_manifest(REPOSITORY, reference, &referrer.manifest);
        }
        lab.round(&lab.narrow("")).await;
        lab.pass(25);
        lab.round(&lab.narrow("")).await;
        lab.pass(25);
        let report = lab.round(&lab.narrow("")).await;
        assert_eq!(prune(&report).referrers, 1, "{api}");
        for referrer in &of_others {
            let digest = &referrer.manifest.digest;
            assert!(
                lab.destination.manifest(REPOSITORY, digest).is_some(),
                "{api}"
            );
        }
    }
}

#[tokio::test]
async fn a_delete_that_was_confirmed_and_not_done_deleted_nothing() {
    let lab = Lab::due().await;
    lab.destination
        .on("DELETE", "/manifests/2")
        .does(Action::Swallow);
    let report = lab.round(&lab.narrow("")).await;
    assert_eq!(fates(&report), ["1 Deleted", "2 Failed", "3 Deleted"]);
    let failures = prune(&report).failures.iter();
    let messages: Vec<&str> = failures.map(|failure| failure.message.as_str()).collect();
    let expected = "the registry says that it deleted the tag, and still has it";
    assert_eq!(messages, [expected]);
    let lab = lab.restart();
    let deleted = lab.syncer.deleted_tags(&lab.narrow(""));
    let deleted: Vec<&str> = deleted.iter().map(|(slot, _)| slot.tag.as_str()).collect();
    assert_eq!(deleted, ["1", "3"]);
    lab.destination.script().clear_rules();
    let report = lab.round(&lab.narrow("")).await;
    assert_eq!(fates(&report), ["2 Deleted"]);
}

/// The tags that are held, and by which part of the rule.
fn held(report: &MirrorReport) -> Vec<(&str, Option<Rule>)> {
    let tags = prune(report).tags.iter();
    tags.filter_map(|tag| match &tag.fate {
        Fate::Protected { rule, .. } => Some((tag.target.tag.as_str(), *rule)),
        Fate::Waiting | Fate::Due | Fate::Deleted | Fate::Gone | Fate::Disowned | Fate::Failed => {
            None
        }
    })
    .collect()
}

#[tokio::test]
async fn a_tag_whose_manifest_cannot_be_had_is_held() {
    let lab = Lab::due().await;
    for (status, code, failures) in [(404, "MANIFEST_UNKNOWN", 0), (403, "DENIED", 1)] {
        lab.destination
            .on("GET", format!("/manifests/{}", image(1).digest()))
            .responds(Reply::error(status, code, "no"));
        let report = lab.round(&lab.narrow("inUse: Ignore")).await;
        assert_eq!(held(&report), [("1", Some(Rule::Undoable))], "{status}");
        assert_eq!(prune(&report).failures.len(), failures, "{status}");
        assert_eq!(lab.tags(), ["1", "4", "5"]);
        lab.destination.script().clear_rules();
    }
    let report = lab.round(&lab.narrow("inUse: Ignore")).await;
    assert_eq!(fates(&report), ["1 Deleted"]);
}

#[tokio::test]
async fn a_tag_that_is_wanted_again_and_cannot_be_copied_can_still_be_restored() {
    let lab = Lab::due().await;
    lab.round(&lab.narrow("")).await;
    collect_garbage(&lab, &[image(1)]);
    lab.destination
        .on("PUT", "/manifests/")
        .responds(Reply::error(403, "DENIED", "no"));
    lab.round(&lab.mirror("['[145]']", "")).await;
    assert_eq!(lab.tags(), ["4", "5"]);
    lab.destination.script().clear_rules();
    lab.source.lose_tag(REPOSITORY, "1");
    let lab = lab.restart();
    lab.round(&lab.narrow("")).await;
    assert_eq!(restore(&lab, "1").await.failure, None);
    assert_eq!(digests(&lab)["1"].as_deref(), Some(image(1).digest()));
}

/// At registries that people run; a garbage collection is played by deletes of manifests and blobs.
#[tokio::test(flavor = "multi_thread")]
async fn what_real_registries_lost_comes_back() {
    for kind in [Kind::Distribution3, Kind::Crane, Kind::Ocimem] {
        let (lab, _) = narrowed(kind).await;
        let run = lab.with(KEPT, FREE);
        let done = run.json(&["prune", "--delete"]).await;
        assert_eq!(done.totals(), [0, 0, 0, 20, 0], "{kind:?} {}", done.text);
        let client = lab.destination.client();
        let lose = async |what: &str, digest: &str| {
            let path = format!("/v2/{}/{what}/{digest}", registries::REPOSITORY);
            let answer = client.delete(&path).await.unwrap();
            assert_eq!(answer.status, 202, "{kind:?} {what} {digest}");
        };
        for seed in [111, 112] {
            let image = registries::image(seed);
            for manifest in [&image.root].into_iter().chain(&image.children) {
                lose("manifests", &manifest.digest).await;
            }
        }
        for blob in &registries::image(112).blobs {
            lose("blobs", &blob.digest).await;
        }
        let restored = run.text(&["restore", "drop-11"]).await;
        restored.assert_success();
        let mut witness = Witness::new(lab.destination.client(), registries::REPOSITORY);
        assert_eq!(witness.check("drop-11").await, [], "{kind:?}");

        let failed = run.text(&["restore", "drop-12"]).await;
        assert_eq!(failed.code, Some(1), "{kind:?} {}", failed.stdout);
        let told = format!(
            "select the tag again to copy it anew from {}/{}:drop-12",
            lab.source.host(),
            registries::REPOSITORY
        );
        let said = format!("{}{}", failed.stdout, failed.stderr);
        assert!(said.contains(&told), "{kind:?} {said}");
        assert_eq!(lab.digest("drop-12").await, None, "{kind:?}");
        lab.with(ALL, FREE).text(&["sync"]).await.assert_success();
        assert_eq!(witness.check("drop-12").await, [], "{kind:?}");
    }
}
