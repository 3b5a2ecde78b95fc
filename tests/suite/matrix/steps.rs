// SPDX-License-Identifier: Apache-2.0

//! The steps that work between registries of every kind in every security mode.

use std::collections::BTreeSet;

use futures::future::join_all;

use super::mirror::Mirror;
use super::pair::{Pair, assert_arrived, sync_watched};
use crate::support::access_log::Resource;
use crate::support::content::{Image, ImageBuilder, media_type};
use crate::support::registries::{Kind, Registry, Security};
use crate::support::witness::Witness;

#[tokio::test(flavor = "multi_thread")]
async fn open_registries() {
    show(Security::Plain).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn registries_with_a_private_authority() {
    show(Security::Tls).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn registries_with_passwords() {
    show(Security::Basic).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn registries_with_tokens_of_a_minute() {
    show(Security::Token).await;
}

/// Every step between two registries of each kind, then from each kind to all kinds at once.
async fn show(security: Security) {
    let pairs = join_all(Kind::ALL.map(|kind| Pair::start(kind, security))).await;
    join_all(pairs.iter().map(steps)).await;
    for (seed, pair) in (80..).zip(&pairs) {
        one_source_three_destinations(seed, pair, &pairs).await;
    }
}

async fn steps(pair: &Pair) {
    one_image(pair).await;
    all_tags_and_then_nothing(pair).await;
    some_platforms_in_a_new_index(pair).await;
    some_platforms_in_the_original_index(pair).await;
    signatures_and_sboms(pair).await;
    a_retag(pair).await;
    a_tag_that_moves(pair).await;
}

async fn one_image(pair: &Pair) {
    let (wanted, other) = (multi_arch(1).build(), multi_arch(2).build());
    pair.push("one/image", "1.0", &wanted).await;
    pair.push("one/image", "2.0", &other).await;
    let mirror = pair.mirror("one/image", &["1.0"]);
    let report = pair.sync(&mirror, "one/image", &[&wanted]).await;
    report.expect(0, [1, 0, 0, 0, 0], pair);
    pair.assert_arrived("one/image", "1.0", &wanted).await;
    let tags = pair.destination.client().tags("one/image").await.unwrap();
    assert_eq!(tags, ["1.0"], "{pair}");
}

async fn all_tags_and_then_nothing(pair: &Pair) {
    let images = [(10, "1.0"), (11, "1.1"), (12, "latest")]
        .map(|(seed, tag)| (tag, multi_arch(seed).build()));
    for (tag, image) in &images {
        pair.push("all", tag, image).await;
    }
    let mirror = pair.mirror("all", &["*"]);
    let report = pair.sync(&mirror, "all", &[]).await;
    report.expect(0, [3, 0, 0, 0, 0], pair);
    for (tag, image) in &images {
        pair.assert_arrived("all", tag, image).await;
    }

    let (report, read, written) = pair.requests_of_run(&mirror, "all").await;
    report.expect(0, [0, 0, 3, 0, 0], pair);
    assert_eq!(read.count("GET", Resource::Manifest), 0, "{pair}: {read:?}");
    assert_eq!(read.count("GET", Resource::Blob), 0, "{pair}: {read:?}");
    assert_eq!(written.writes(), 0, "{pair}: {written:?}");
}

async fn some_platforms_in_a_new_index(pair: &Pair) {
    let image = multi_arch(20).attestations().build();
    pair.push("rewritten", "1", &image).await;
    let mirror = pair
        .mirror("rewritten", &["1"])
        .with("platforms: {mode: List, list: [linux/amd64, linux/arm64], index: Rewrite}");
    let report = pair.sync(&mirror, "rewritten", &[]).await;
    report.expect(0, [1, 0, 0, 0, 0], pair);
    let mut witness = Witness::new(pair.destination.client(), "rewritten");
    assert_eq!(witness.check("1").await, [], "{pair}");
    let digest = witness.digest("1").await.unwrap();
    assert_eq!(report.digests(), [digest.as_str()], "{pair}");
    assert_ne!(digest, image.digest(), "{pair}");
    let kept = children(pair, "rewritten", "1").await;
    // The platforms, and after all platforms their attestations.
    let expected = [0, 1, 3, 4].map(|place| image.children[place].digest.clone());
    assert_eq!(kept, expected, "{pair}");

    let (again, read, written) = pair.requests_of_run(&mirror, "rewritten").await;
    again.expect(0, [0, 0, 1, 0, 0], pair);
    // Which digest is expected stands in the index: one read, where no state file tells.
    assert_eq!(read.count("GET", Resource::Manifest), 1, "{pair}: {read:?}");
    assert_eq!(written.writes(), 0, "{pair}: {written:?}");
}

/// To a registry that may take it, and to one that does not: the source's own.
async fn some_platforms_in_the_original_index(pair: &Pair) {
    let image = multi_arch(30).build();
    pair.push("original", "1", &image).await;
    let mirror = pair
        .mirror("original", &["1"])
        .destination(&pair.source.access(), ", repository: strict")
        .with("platforms: {mode: List, list: [linux/amd64], index: Preserve}");
    let report = mirror.sync().await;
    let reasons: Vec<String> = report
        .failures()
        .into_iter()
        .map(|failure| failure.reason)
        .collect();
    let lenient = Witness::new(pair.destination.client(), "original");
    match pair.kind {
        Kind::Distribution3 => {
            assert_eq!(reasons, ["SparseIndexRefused"], "{pair}: {report}");
            let mut lenient = lenient.sparse();
            assert_eq!(lenient.check("1").await, [], "{pair}");
            assert_eq!(lenient.digest("1").await.unwrap(), image.digest(), "{pair}");
        }
        Kind::Distribution2 | Kind::Crane | Kind::Ocimem => {
            let refused = ["SparseIndexRefused", "SparseIndexRefused"];
            assert_eq!(reasons, refused, "{pair}: {report}");
            assert!(lenient.digest("1").await.is_err(), "{pair}");
        }
    }
    assert_eq!(report.code, Some(1), "{pair}: {report}");
    let strict = pair.source.client().tags("strict").await.unwrap();
    assert_eq!(strict, [""; 0], "{pair}");
}

async fn signatures_and_sboms(pair: &Pair) {
    let image = with_referrers(40);
    pair.push("signed", "1", &image).await;
    let mirror = pair.mirror("signed", &["1"]);
    let report = pair.sync(&mirror, "signed", &[&image]).await;
    report.expect(0, [1, 0, 0, 0, 0], pair);
    pair.assert_arrived("signed", "1", &image).await;

    let (again, read, written) = pair.requests_of_run(&mirror, "signed").await;
    again.expect(0, [0, 0, 1, 0, 0], pair);
    // No state file tells what refers to it: the tags are compared, and no list is read.
    assert_eq!(read.count("GET", Resource::Manifest), 0, "{pair}: {read:?}");
    assert_eq!(written.writes(), 0, "{pair}: {written:?}");
}

async fn a_retag(pair: &Pair) {
    let image = multi_arch(50).build();
    pair.push("retagged", "1.0", &image).await;
    let mirror = Mirror::from(&pair.source.access())
        .image("retagged", &["1.0"])
        .destination(&pair.source.access(), ", tags: ['{tag}-approved']");
    let (report, asked, _) = pair.requests_of_run(&mirror, "retagged").await;
    report.expect(0, [0, 1, 0, 0, 0], pair);
    assert_eq!(report.bytes(), 0, "{pair}: {report}");
    let transfers = ["GET", "POST", "PATCH", "PUT"]
        .map(|method| asked.count(method, Resource::Blob) + asked.count(method, Resource::Upload));
    assert_eq!(transfers, [0; 4], "{pair}: {asked:?}");
    assert_arrived(&pair.source, "retagged", "1.0-approved", &image).await;
}

async fn a_tag_that_moves(pair: &Pair) {
    let (old, new) = (multi_arch(60).build(), multi_arch(61).build());
    let previous = ", previousTag: '{tag}-previous'";
    let cases = [
        ("follow", "Follow", "", &new),
        ("freeze", "Freeze", "", &old),
        ("fail", "Fail", "", &old),
        ("previous", "Follow", previous, &new),
    ];
    let repositories = cases.map(|(name, ..)| name);
    let mirror = cases
        .map(|(name, mutability, fields, _)| {
            Mirror::from(&pair.source.access())
                .named(name)
                .image(name, &["1"])
                .destination(&pair.destination.access(), fields)
                .with(&format!("tagMutability: {mutability}"))
        })
        .into_iter()
        .reduce(|file, mirror| file.beside(&mirror))
        .unwrap();
    let sync_with = async |image: &Image| {
        for repository in repositories {
            pair.push(repository, "1", image).await;
        }
        sync_watched(&mirror, &[&pair.destination], &repositories, &[]).await
    };
    let first = sync_with(&old).await;
    first.expect(0, [4, 0, 0, 0, 0], pair);

    let report = sync_with(&new).await;
    report.expect(1, [2, 0, 0, 1, 1], pair);
    let failure = report.failure();
    assert_eq!(failure.reason, "TagMoved", "{pair}: {report}");
    assert!(failure.message.contains(new.digest()), "{pair}: {report}");
    for (repository, .., expected) in cases {
        let mut witness = Witness::new(pair.destination.client(), repository);
        assert_eq!(witness.check_all().await, [], "{pair} {repository}");
        let found = witness.digest("1").await.unwrap();
        assert_eq!(found, expected.digest(), "{pair} {repository}");
        let kept = witness.digest("1-previous").await.ok();
        let expected = (repository == "previous").then(|| old.digest().to_owned());
        assert_eq!(kept, expected, "{pair} {repository}");
    }
}

async fn one_source_three_destinations(seed: u64, pair: &Pair, all: &[Pair]) {
    let image = with_referrers(seed);
    let (from, to) = (format!("from{seed}"), format!("to{seed}"));
    pair.push(&from, "1", &image).await;
    let fields = format!(", repository: {to}");
    let mirror = all.iter().fold(
        Mirror::from(&pair.source.access()).image(&from, &["1"]),
        |mirror, to| mirror.destination(&to.destination.access(), &fields),
    );
    let before = pair.source.requests().await.len();
    let destinations: Vec<&Registry> = all.iter().map(|place| &place.destination).collect();
    let report = sync_watched(&mirror, &destinations, &[&to], &[&image]).await;
    report.expect(0, [3, 0, 0, 0, 0], pair);
    for destination in destinations {
        assert_arrived(destination, &to, "1", &image).await;
    }
    let requests = pair.source.requests().await.split_off(before);
    let mut read: Vec<&str> = requests
        .iter()
        .filter(|request| (request.method.as_str(), request.status) == ("GET", 200))
        .filter_map(|request| Some(request.path.rsplit_once("/blobs/")?.1))
        .collect();
    read.sort_unstable();
    // Nobody has to ask for the bytes of the empty descriptor.
    let expected: BTreeSet<&str> = image
        .all_blobs()
        .filter(|blob| blob.media_type != media_type::EMPTY)
        .map(|blob| blob.digest.as_str())
        .collect();
    assert_eq!(read, Vec::from_iter(expected), "{pair}: one read a blob");
}

fn multi_arch(seed: u64) -> ImageBuilder {
    ImageBuilder::new(seed)
        .platforms(&["linux/amd64", "linux/arm64", "linux/arm/v7"])
        .layers(&[2_000, 30_000])
}

fn with_referrers(seed: u64) -> Image {
    multi_arch(seed)
        .attestations()
        .referrer("application/vnd.example.sbom")
        .child_referrer("application/vnd.example.signature")
        .signature_tag()
        .build()
}

/// The digests that an index names.
async fn children(pair: &Pair, repository: &str, tag: &str) -> Vec<String> {
    let path = format!("/v2/{repository}/manifests/{tag}");
    let answer = pair.destination.client().get(&path).await.unwrap();
    let index = answer.json().unwrap();
    let entries = index["manifests"].as_array().cloned().unwrap_or_default();
    entries
        .iter()
        .filter_map(|entry| entry["digest"].as_str().map(str::to_owned))
        .collect()
}
