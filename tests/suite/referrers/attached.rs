// SPDX-License-Identifier: Apache-2.0

//! Tags that are named after digests: what goes with its image, what lists referrers, and what is an image.

use serde_json::json;

use super::lab::{Lab, attach, fallback_tag, list};
use crate::support::content::{Blob, FoundBy, Image, ImageBuilder, Referrer, Signer, media_type};
use crate::support::faults::FaultRegistry;
use crate::support::http::Reply;

fn image(seed: u64) -> Image {
    ImageBuilder::new(seed).layers(&[500]).build()
}

fn pair(seed: u64) -> Image {
    ImageBuilder::new(seed)
        .platforms(&["linux/amd64", "linux/arm64"])
        .layers(&[500])
        .build()
}

fn without_api() -> FaultRegistry {
    FaultRegistry::options().without_referrers_api().start()
}

/// Something under a tag that is named after an image, with this suffix.
fn under(image: &Image, suffix: &str, seed: u64) -> Referrer {
    let artifact = self::image(seed);
    Referrer {
        subject: image.digest().to_owned(),
        manifest: artifact.root,
        blobs: artifact.blobs,
        found_by: FoundBy::Tag(format!("{}{suffix}", fallback_tag(image.digest()))),
    }
}

/// The registry resolves a tag that is named after a digest as that digest, as GitLab does.
fn resolve_as_digest(registry: &FaultRegistry, manifest: &Blob) {
    let reply = Reply::new(200)
        .header("content-type", &manifest.media_type)
        .header("docker-content-digest", &manifest.digest);
    let target = format!("/manifests/{}", fallback_tag(&manifest.digest));
    registry
        .on("GET", target.clone())
        .responds(reply.clone().body(manifest.bytes.clone()));
    registry
        .on("HEAD", target)
        .responds(reply.header("content-length", &manifest.bytes.len().to_string()));
}

#[tokio::test]
async fn tags_with_any_suffix_go_with_their_image() {
    let suffixes = [
        ".sig",
        ".att",
        ".sbom",
        ".src",
        ".git",
        ".vex",
        ".dockerfile",
        ".prefetch.x",
        "-source",
        "_v1",
    ];
    for tags in ["['*']", "['1']"] {
        let lab = Lab::new().taking(tags);
        let image = image(1);
        lab.source.load("team/app", "1", &image);
        let attached: Vec<Referrer> = suffixes
            .iter()
            .zip(100..)
            .map(|(suffix, seed)| under(&image, suffix, seed))
            .collect();
        for referrer in &attached {
            lab.attach(referrer);
        }
        assert_eq!(lab.round().await, ["1: Copied"], "{tags}");
        for referrer in &attached {
            assert!(lab.has(referrer).await, "{tags}: {:?}", referrer.found_by);
        }
        let later = under(&image, ".later", 200);
        lab.attach(&later);
        assert_eq!(lab.forgetful().await, ["1: Completed"], "{tags}");
        assert!(lab.has(&later).await);
    }
}

#[tokio::test]
async fn a_repository_that_does_not_list_its_tags_is_asked_for_cosigns() {
    let lab = Lab::new().taking("['1']");
    lab.source.on("GET", "/tags/list").responds(Reply::new(404));
    let image = image(1);
    lab.source.load("team/app", "1", &image);
    let [sig, sbom, src] = [(".sig", 10), (".sbom", 11), (".src", 12)]
        .map(|(suffix, seed)| under(&image, suffix, seed));
    for referrer in [&sig, &sbom, &src] {
        lab.attach(referrer);
    }
    assert_eq!(lab.round().await, ["1: Copied"]);
    let mut found = Vec::new();
    for referrer in [&sig, &sbom, &src] {
        found.push(lab.has(referrer).await);
    }
    assert_eq!(found, [true, true, false]);
}

#[tokio::test]
async fn an_image_that_has_no_other_tag_is_copied_and_a_list_is_not() {
    for has_api in [true, false] {
        let lab = if has_api {
            Lab::new()
        } else {
            Lab::without_api()
        };
        let (single, index, other, tagged) = (image(1), pair(2), pair(3), image(4));
        let digest_tag = |image: &Image| fallback_tag(image.digest());
        // As oc-mirror stores what was asked for by digest.
        lab.source.load("team/app", &digest_tag(&single), &single);
        lab.source.load("team/app", &digest_tag(&index), &index);
        // Named after something else, and neither lists anything that refers to it.
        let name = fallback_tag(image(99).digest());
        lab.source.load("team/app", &name, &other);
        lab.source.load("team/app", "1", &tagged);
        let signature = Signer::generate().sign(tagged.digest());
        lab.attach(&signature);
        list(
            &lab.source,
            tagged.digest(),
            std::slice::from_ref(&signature),
        );
        let empty = fallback_tag(image(98).digest());
        let nothing = Blob::json(
            media_type::OCI_INDEX,
            &json!({"schemaVersion": 2, "mediaType": media_type::OCI_INDEX, "manifests": []}),
        );
        lab.source.load_manifest("team/app", &empty, &nothing);

        let mut expected: Vec<String> = [
            digest_tag(&single),
            digest_tag(&index),
            name.clone(),
            "1".to_owned(),
        ]
        .map(|tag| format!("{tag}: Copied"))
        .into();
        expected.sort();
        assert_eq!(lab.round().await, expected, "{has_api}");
        for image in [&single, &index] {
            let there = lab.destination.manifest("team/app", &digest_tag(image));
            assert_eq!(there.unwrap().digest, image.digest());
        }
        let there = lab.destination.manifest("team/app", &name).unwrap();
        assert_eq!(there.digest, other.digest());
        assert!(lab.has(&signature).await);
        assert!(!lab.destination.tags("team/app").contains(&empty));
        let again = lab.round().await;
        assert!(
            again.iter().all(|line| line.ends_with("Unchanged")),
            "{again:?}"
        );
    }
}

#[tokio::test]
async fn what_a_tag_names_that_is_named_after_a_digest_is_asked_once() {
    let lab = Lab::without_api();
    let (single, tagged) = (image(1), image(2));
    lab.source
        .load("team/app", &fallback_tag(single.digest()), &single);
    lab.source.load("team/app", "1", &tagged);
    let signature = Signer::generate().sign(tagged.digest());
    lab.attach(&signature);
    list(
        &lab.source,
        tagged.digest(),
        std::slice::from_ref(&signature),
    );
    lab.round().await;
    lab.requests();
    lab.round().await;
    let [source, destination] = lab.requests();
    let head = |tag: &str| format!("HEAD manifests {tag}");
    let image = head(&fallback_tag(single.digest()));
    assert_eq!(
        source,
        ["GET tags list".to_owned(), head("1"), image.clone()]
    );
    assert_eq!(destination, [head("1"), image]);
}

#[tokio::test]
async fn a_list_of_what_refers_to_a_platform_is_told_from_images_once_in_the_time_of_a_recheck() {
    for prune in ["{}", "{mode: Plan}"] {
        let lab = Lab::without_api().with(&format!("prune: {prune}"));
        let index = pair(1);
        lab.source.load("team/app", "1", &index);
        let mut lists = Vec::new();
        for child in &index.children {
            let signature = Signer::generate().sign(&child.digest);
            lab.attach(&signature);
            list(&lab.source, &child.digest, &[signature]);
            lists.push(format!("HEAD manifests {}", fallback_tag(&child.digest)));
        }
        lists.sort();
        assert_eq!(lab.round().await, ["1: Copied"]);
        let quiet = [
            vec!["GET tags list".to_owned(), "HEAD manifests 1".to_owned()],
            vec!["HEAD manifests 1".to_owned()],
        ];
        for _ in 0..2 {
            lab.requests();
            assert_eq!(lab.round().await, ["1: Unchanged"]);
            let [source, destination] = lab.requests();
            assert_eq!(source, quiet[0], "{prune}");
            let heads = |line: &&String| line.starts_with("HEAD");
            let destination: Vec<_> = destination.iter().filter(heads).cloned().collect();
            assert_eq!(destination, quiet[1], "{prune}");
        }
        lab.age(24);
        lab.requests();
        assert_eq!(lab.round().await, ["1: Unchanged"]);
        let [source, _] = lab.requests();
        for list in &lists {
            assert!(source.contains(list), "{prune}: {list} in {source:?}");
        }
    }
}

#[tokio::test]
async fn a_source_that_resolves_such_a_tag_as_the_digest_lists_nothing_under_it() {
    for (name, image) in [("an image", image(1)), ("an index", pair(2))] {
        let lab = Lab::between(without_api(), without_api()).taking("['1']");
        lab.source.load("team/app", "1", &image);
        resolve_as_digest(&lab.source, &image.root);
        lab.source.on("GET", "/tags/list").responds(Reply::new(404));
        assert_eq!(lab.round().await, ["1: Copied"], "{name}");
        assert_eq!(lab.fallback(image.digest()), None, "{name}");
        for outcome in [lab.forgetful().await, lab.asked().await] {
            assert_eq!(outcome, ["1: Unchanged"], "{name}");
        }
    }
}

#[tokio::test]
async fn a_destination_that_resolves_such_a_tag_as_the_digest_takes_the_image() {
    let signer = Signer::generate();
    for (name, image) in [("an image", image(1)), ("an index", pair(2))] {
        let lab = Lab::between(FaultRegistry::start(), without_api());
        lab.source.load("team/app", "1", &image);
        let signature = signer.sign(image.digest());
        lab.attach(&signature);
        resolve_as_digest(&lab.destination, &image.root);
        assert_eq!(lab.round().await, ["1: Copied"], "{name}");
        let list = lab.fallback(image.digest()).unwrap();
        let digests: Vec<&str> = list["manifests"]
            .as_array()
            .unwrap()
            .iter()
            .map(|entry| entry["digest"].as_str().unwrap())
            .collect();
        assert_eq!(digests, [signature.manifest.digest.as_str()], "{name}");
    }
}

#[tokio::test]
async fn the_only_tag_of_an_image_is_not_made_a_list() {
    let signer = Signer::generate();
    for with_another_tag in [false, true] {
        let lab = Lab::between(FaultRegistry::start(), without_api());
        let image = image(1);
        let tag = fallback_tag(image.digest());
        lab.source.load("team/app", &tag, &image);
        if with_another_tag {
            lab.source.load("team/app", "1", &image);
        }
        lab.attach(&signer.sign(image.digest()));
        let outcomes = lab.round().await;
        assert!(
            outcomes.iter().all(|line| line.ends_with("Copied")),
            "{outcomes:?}"
        );
        lab.attach(&signer.sign(image.digest()));
        lab.forgetful().await;
        let there = lab.destination.manifest("team/app", &tag).unwrap();
        assert_eq!(there.digest, image.digest(), "{with_another_tag}");
    }
}

#[tokio::test]
async fn what_stands_under_the_tag_of_a_list_and_is_none_is_left_alone_and_told() {
    let lab = Lab::between(FaultRegistry::start(), without_api());
    let (image, other) = (image(1), pair(2));
    lab.source.load("team/app", "1", &image);
    lab.attach(&Signer::generate().sign(image.digest()));
    let tag = fallback_tag(image.digest());
    lab.destination.load("team/app", &tag, &other);
    let outcome = lab.round().await;
    assert!(
        outcome[0].contains(
            "does not name a list of referrers: what it names does not refer to the image"
        ),
        "{outcome:?}"
    );
    let there = lab.destination.manifest("team/app", &tag).unwrap();
    assert_eq!(there.digest, other.digest());
}

#[tokio::test]
async fn a_list_arrives_byte_for_byte_where_nothing_is_merged() {
    let signer = Signer::generate();
    for (fields, theirs, is_same) in [
        ("", false, true),
        ("", true, false),
        (
            "referrers: {artifactTypes: [application/vnd.dev.sigstore.bundle.v0.3+json]}",
            false,
            false,
        ),
    ] {
        let lab = Lab::without_api().with(fields);
        let image = image(1);
        lab.source.load("team/app", "1", &image);
        let [signature, mine] = [(); 2].map(|()| signer.sign(image.digest()));
        let mut referrers = ImageBuilder::new(1)
            .layers(&[500])
            .referrer("application/spdx+json")
            .build()
            .referrers;
        referrers.push(signature.clone());
        for referrer in &referrers {
            lab.attach(referrer);
        }
        let listed = list(&lab.source, image.digest(), &referrers);
        if theirs {
            attach(&lab.destination, &mine);
            list(
                &lab.destination,
                image.digest(),
                std::slice::from_ref(&mine),
            );
        }
        assert_eq!(lab.round().await, ["1: Copied"]);
        let tag = fallback_tag(image.digest());
        let there = lab.destination.manifest("team/app", &tag).unwrap();
        assert_eq!(there.digest == listed.digest, is_same, "{fields} {theirs}");
        assert!(lab.has(&signature).await, "{fields} {theirs}");
        assert_eq!(lab.has(&mine).await, theirs, "{fields} {theirs}");
        assert_eq!(lab.has(&referrers[0]).await, fields.is_empty());
    }
}

/// Artifactory answers 403 for a tag that is absent (sigstore/cosign#2973), and tags need not be listed for everyone.
#[tokio::test]
async fn registries_that_hide_their_tags_and_what_is_absent_are_copied_between() {
    let hiding = || {
        let options = FaultRegistry::options().without_referrers_api();
        let registry = options.hiding_the_absent().start();
        registry
            .on("GET", "/tags/list")
            .responds(Reply::error(403, "DENIED", "no"));
        registry
    };
    let lab = Lab::between(hiding(), hiding()).taking("['1']");
    let image = image(1);
    lab.source.load("team/app", "1", &image);
    assert_eq!(lab.round().await, ["1: Copied"]);
    let signature = Signer::generate().sign_tagged(image.digest());
    lab.attach(&signature);
    assert_eq!(lab.asked().await, ["1: Completed"]);
    assert!(lab.has(&signature).await);

    // What the list shows is there, and is not to be left out.
    let source = FaultRegistry::options().without_referrers_api().start();
    let lab = Lab::between(source, FaultRegistry::start()).taking("['1']");
    lab.source.load("team/app", "1", &image);
    lab.attach(&signature);
    lab.source
        .on("*", "/manifests/sha256-")
        .responds(Reply::error(403, "DENIED", "no"));
    let outcome = lab.round().await;
    assert!(outcome[0].starts_with("1: AccessDenied"), "{outcome:?}");
}
