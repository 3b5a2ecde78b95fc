// SPDX-License-Identifier: Apache-2.0

//! Attestations inside of an index.

use super::Expected::{Bare, Entries, Failure, Whole};
use serde_json::{Value, json};

use super::{artifact, check, image, index, manifest, on};
use crate::support::content::{Blob, Image, media_type};

/// BuildKit's attestation of an image, and what the entry of an index says of it.
fn attestation(of: &Image) -> (Image, Value) {
    let image = manifest(
        media_type::OCI_CONFIG,
        &on("unknown", "unknown"),
        &[],
        &json!({"annotations": {"of": of.digest()}}),
    );
    let annotations = json!({
        "vnd.docker.reference.type": "attestation-manifest",
        "vnd.docker.reference.digest": of.digest(),
    });
    (image, annotations)
}

/// Images for these platforms, and an attestation of each behind them.
fn attested(platforms: &[&str]) -> (Image, Vec<Image>) {
    let images: Vec<Image> = platforms.iter().copied().map(image).collect();
    let attestations: Vec<(Image, Value)> = images.iter().map(attestation).collect();
    let mut entries: Vec<(&Image, Value)> = Vec::new();
    for (image, platform) in images.iter().zip(platforms) {
        let (os, architecture) = platform.split_once('/').unwrap();
        entries.push((image, on(os, architecture)));
    }
    for (attestation, _) in &attestations {
        entries.push((attestation, on("unknown", "unknown")));
    }
    let mut whole = index(&entries);
    let mut document: Value = serde_json::from_slice(&whole.root.bytes).unwrap();
    for (place, (_, annotations)) in attestations.iter().enumerate() {
        document["manifests"][images.len() + place]["annotations"] = annotations.clone();
    }
    whole.root = Blob::json(media_type::OCI_INDEX, &document);
    (whole, images)
}

#[tokio::test(flavor = "multi_thread")]
async fn one_platform_without_an_index() {
    let amd64 = image("linux/amd64");
    let arm64 = image("linux/arm64");
    let chart = artifact("application/vnd.cncf.helm.config.v1+json");
    let both = index(&[
        (&amd64, on("linux", "amd64")),
        (&arm64, on("linux", "arm64")),
    ]);
    let nested = index(&[
        (&image("linux/s390x"), on("linux", "s390x")),
        (&both, Value::Null),
    ]);
    let (whole, images) = attested(&["linux/amd64", "linux/arm64"]);
    let [first, second] = [&images[0], &images[1]].map(|image| Bare(image.digest().to_owned()));
    let bare = |image: &Image| Bare(image.digest().to_owned());
    let arm_only = "mode: List, list: [linux/arm64], index: Unwrap";
    let amd_only = "mode: List, list: [linux/amd64], index: Unwrap";
    check([
        ("an index", both.clone(), arm_only, bare(&arm64)),
        ("attestations stay behind", whole.clone(), amd_only, first),
        ("the same, the other one", whole, arm_only, second),
        (
            "entries that do not say their platform",
            index(&[(&amd64, Value::Null), (&arm64, json!({}))]),
            arm_only,
            bare(&arm64),
        ),
        ("an index within an index", nested, arm_only, bare(&arm64)),
        (
            "the first one of two",
            index(&[
                (&chart, Value::Null),
                (&amd64, on("linux", "arm64")),
                (&arm64, on("linux", "arm64")),
            ]),
            arm_only,
            bare(&amd64),
        ),
        ("an image without an index", arm64.clone(), arm_only, Whole),
        (
            "an image for another platform",
            amd64,
            arm_only,
            Failure("NotFound", "the image is for linux/amd64"),
        ),
        (
            "an absent platform, which cannot be skipped",
            both,
            "mode: List, list: [linux/s390x], index: Unwrap, absent: Skip",
            Failure("NotFound", "it has linux/amd64, linux/arm64"),
        ),
        (
            "an index of charts",
            index(&[(&chart, Value::Null)]),
            arm_only,
            Whole,
        ),
        ("a chart", chart, arm_only, Whole),
    ])
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn attestations_inside_an_index_may_stay_behind() {
    let (whole, _) = attested(&["linux/amd64", "linux/arm64"]);
    let bare = index(&[(&image("linux/amd64"), on("linux", "amd64"))]);
    check([
        (
            "of all platforms",
            whole.clone(),
            "attestations: Skip",
            Entries(&[0, 1]),
        ),
        (
            "of one",
            whole.clone(),
            "mode: List, list: [linux/arm64], attestations: Skip",
            Entries(&[1]),
        ),
        (
            "not of one",
            whole,
            "mode: List, list: [linux/arm64]",
            Entries(&[1, 3]),
        ),
        ("where there is none", bare, "attestations: Skip", Whole),
        (
            "an image without an index",
            image("linux/arm64"),
            "attestations: Skip",
            Whole,
        ),
    ])
    .await;
}
