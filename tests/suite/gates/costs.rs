// SPDX-License-Identifier: Apache-2.0

//! What judging asks of a source: each config once, and nothing while nothing changes.

use super::lab::{Lab, Reads, good};
use crate::support::content::{Image, Signer};

const TAGS: usize = 500;

/// 500 tags of 250 digests, some of them refused.
fn fill(lab: &Lab) {
    for number in 0..TAGS / 2 {
        let user = if number % 10 == 0 { "root" } else { "1000" };
        let image = good(number as u64).user(user).label("team", "a").build();
        for tag in [format!("a{number}"), format!("b{number}")] {
            lab.source.load("team/app", &tag, &image);
        }
    }
}

#[tokio::test]
async fn configs_are_read_once_for_each_digest() {
    let lab = Lab::new();
    fill(&lab);
    let policies = [
        (
            "one",
            "require: {user: NonRoot, maxSize: 1G, denyTags: [latest]}",
        ),
        (
            "two",
            "minAge: 0s, require: {labels: {team: a}, maxAge: 99999h}",
        ),
    ];
    let mirror = lab.mirror("['*']", &policies, "referrers: {mode: Skip}");
    lab.round(&mirror).await;
    let first = lab.reads();
    // The other blobs are layers and, of those that are admitted, the configs that are copied.
    let (digests, refused) = (TAGS / 2, TAGS / 20);
    assert_eq!((first.heads, first.manifests), (TAGS, digests));
    assert_eq!(first.blobs, digests + 2 * (digests - refused));

    for _ in 0..2 {
        lab.round(&mirror).await;
        let again = lab.reads();
        let expected = Reads {
            heads: TAGS,
            others: 1,
            ..Reads::default()
        };
        assert_eq!(again, expected, "the list and a HEAD for each tag");
    }
    let stricter = [("one", "require: {user: NonRoot, maxSize: 1k}")];
    let stricter = lab.mirror("['*']", &stricter, "referrers: {mode: Skip}");
    let report = lab.round(&stricter).await;
    assert_eq!(report.policies.values().next().unwrap().require, TAGS);
    let reads = lab.reads();
    assert_eq!(
        (reads.manifests, reads.blobs),
        (0, 0),
        "the facts are known"
    );
}

/// 500 signed and scanned tags of 250 digests, and 25 tags that nobody signed.
fn fill_signed(lab: &Lab, signer: &Signer) {
    for number in 0..TAGS / 2 + 25 {
        let image = good(number as u64).label("team", "a").build();
        let digest = image.digest().to_owned();
        if number >= TAGS / 2 {
            lab.source.load("team/app", &format!("u{number}"), &image);
            continue;
        }
        let referrers = match number % 2 {
            0 => vec![signer.sign(&digest), signer.scan(&digest, &[])],
            _ => vec![
                signer.sign_tagged(&digest),
                signer.scan_tagged(&digest, &[]),
            ],
        };
        let image = Image { referrers, ..image };
        for tag in [format!("a{number}"), format!("b{number}")] {
            lab.source.load("team/app", &tag, &image);
        }
    }
}

#[tokio::test]
async fn evidence_is_read_once_for_each_digest_and_what_lacks_it_costs_one_look() {
    let lab = Lab::new();
    let signer = Signer::generate();
    lab.keep_key("vendor", &signer.public_pem());
    fill_signed(&lab, &signer);
    let all = "minAge: 0s, verify: [{name: vendor, type: Key, key: {secretRef: {name: vendor, key: cosign.pub}}}], \
               require: {user: NonRoot, maxSize: 1G, maxAge: 99999h, labels: {team: a}, platforms: [linux/amd64], \
               denyTags: [latest], vulnerabilities: {maxSeverity: High}}";
    let mirror = lab.mirror("['a*', 'b*']", &[("all", all)], "referrers: {mode: Skip}");
    lab.round(&mirror).await;
    assert_eq!(lab.destination.tags("team/app").len(), TAGS);
    let first = lab.reads();
    let digests = TAGS / 2;
    // A HEAD for each tag, and one for each of cosign's tags.
    assert_eq!(first.heads, TAGS + digests);
    // The image, its signature and its scan.
    assert_eq!(first.manifests, 3 * digests);
    // The config twice: once to judge it and once to copy it. A layer, a signature and a scan.
    assert_eq!(first.blobs, 5 * digests);
    // The tag list, and one list of referrers for each digest.
    assert_eq!(first.others, 1 + digests);
    let unchanged = Reads {
        heads: TAGS,
        others: 1,
        ..Reads::default()
    };
    for _ in 0..2 {
        lab.round(&mirror).await;
        assert_eq!(lab.reads(), unchanged, "the list and a HEAD for each tag");
    }

    let unsigned = lab.mirror("['u*']", &[("all", all)], "referrers: {mode: Skip}");
    lab.round(&unsigned).await;
    let first = lab.reads();
    assert_eq!((first.heads, first.blobs, first.others), (25, 0, 1 + 25));
    lab.round(&unsigned).await;
    let again = Reads {
        heads: 25,
        others: 1 + 25,
        ..Reads::default()
    };
    assert_eq!(
        lab.reads(),
        again,
        "one look for each, and nothing of the image"
    );
    let image = good(TAGS as u64 / 2).label("team", "a").build();
    let digest = image.digest().to_owned();
    let referrers = vec![signer.sign(&digest), signer.scan(&digest, &[])];
    lab.source.load(
        "team/app",
        &format!("u{}", TAGS / 2),
        &Image { referrers, ..image },
    );
    lab.round(&unsigned).await;
    assert_eq!(
        lab.destination.tags("team/app").len(),
        TAGS + 1,
        "the signature came later"
    );
    let found = lab.reads();
    // Two pieces of evidence; then the config is judged, and copied with the layer.
    assert_eq!((found.manifests, found.blobs), (2, 2 + 3));
}

#[tokio::test]
async fn images_without_gates_cost_nothing() {
    let lab = Lab::new();
    lab.source.load("team/app", "1", &good(1).build());
    lab.source.load("team/app", "latest", &good(2).build());
    let policies = [("names", "require: {denyTags: [latest]}")];
    for (mirror, tags) in [
        (lab.mirror("['*']", &policies, "referrers: {mode: Skip}"), 1),
        (lab.mirror("['*']", &[], "referrers: {mode: Skip}"), 2),
    ] {
        lab.round(&mirror).await;
        assert_eq!(lab.destination.tags("team/app").len(), tags);
    }
    let reads = lab.reads();
    // Each image is copied once: a manifest, a config and a layer.
    assert_eq!((reads.manifests, reads.blobs), (2, 4));
}
