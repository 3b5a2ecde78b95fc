// SPDX-License-Identifier: Apache-2.0

//! What could run at a destination is judged, however it hangs on an image that is.

use serde_json::{Value, json};

use super::lab::{Lab, good, index};
use crate::support::content::{Blob, FoundBy, Image, Referrer, Signer, media_type};

const SIGNED: [(&str, &str); 1] = [(
    "signed",
    "verify: [{name: vendor, type: Key, key: {secretRef: {name: vendor, key: cosign.pub}}}]",
)];
const USER: [(&str, &str); 1] = [("user", "require: {user: NonRoot}")];

fn vendor(lab: &Lab) -> Signer {
    let vendor = Signer::generate();
    lab.keep_key("vendor", &vendor.public_pem());
    vendor
}

/// The manifest of an image, changed.
fn changed(image: &Image, change: impl Fn(&mut Value)) -> Blob {
    let mut manifest: Value = serde_json::from_slice(&image.root.bytes).unwrap();
    change(&mut manifest);
    Blob::json(&image.root.media_type, &manifest)
}

/// An ordinary image that says that it refers to another one.
fn about(subject: &Blob, manifest: Blob, blobs: &Image, found_by: FoundBy) -> Referrer {
    Referrer {
        subject: subject.digest.clone(),
        manifest,
        blobs: blobs.blobs.clone(),
        found_by,
    }
}

/// What hangs on `image`: ordinary images, in every way that something can hang on one.
fn intruders(image: &Image) -> Vec<(&'static str, Referrer)> {
    let subject = image.root.descriptor();
    let names = |blob: &Image| {
        changed(blob, |manifest| {
            manifest["subject"] = subject.clone();
        })
    };
    let tag = |suffix| FoundBy::Tag(format!("{}.{suffix}", image.digest().replace(':', "-")));
    let [sbom, plain, odd, untold, signature] = [11, 12, 13, 14, 15].map(|seed| good(seed).build());
    let disguised = changed(&odd, |manifest| {
        manifest["subject"] = subject.clone();
        manifest["artifactType"] = json!("application/spdx+json");
        manifest["config"]["mediaType"] = json!(media_type::EMPTY);
    });
    let untyped = changed(&untold, |manifest| {
        manifest["subject"] = subject.clone();
        manifest["layers"][0]["mediaType"] = json!("application/octet-stream");
    });
    vec![
        (
            "under an SBOM's tag",
            about(&image.root, sbom.root.clone(), &sbom, tag("sbom")),
        ),
        (
            "under a signature's tag",
            about(&image.root, signature.root.clone(), &signature, tag("sig")),
        ),
        (
            "by its subject",
            about(&image.root, names(&plain), &plain, FoundBy::Subject),
        ),
        (
            "as an artifact",
            about(&image.root, disguised, &odd, FoundBy::Subject),
        ),
        (
            "with a layer of no type",
            about(&image.root, untyped, &untold, FoundBy::Subject),
        ),
    ]
}

#[tokio::test]
async fn an_image_that_hangs_on_a_judged_one_is_left_out() {
    for (api, policies) in [(true, &SIGNED), (false, &SIGNED), (true, &USER)] {
        let lab = if api {
            Lab::new()
        } else {
            Lab::without_referrers_api()
        };
        let vendor = vendor(&lab);
        for (number, (name, intruder)) in intruders(&good(1).build()).into_iter().enumerate() {
            let image = good(1).build();
            let signature = vendor.sign(image.digest());
            let referrers = vec![signature.clone(), intruder.clone()];
            let repository = format!("team/app{number}");
            let image = Image { referrers, ..image };
            lab.source.load(&repository, "1", &image);
            let images = format!("[{{repository: {repository}, tags: ['1']}}]");
            let mirror = lab.mirror_of(
                &images,
                &format!("{{name: {}}}", policies[0].0),
                policies,
                "",
            );
            for expected in ["1: Copied", "1: Unchanged"] {
                assert_eq!(lab.outcomes(&mirror).await, [expected], "{name}");
                let is_there =
                    |digest: &str| lab.destination.manifest(&repository, digest).is_some();
                assert!(
                    is_there(&signature.manifest.digest),
                    "{name}: the signature"
                );
                assert!(!is_there(&intruder.manifest.digest), "{name}: {policies:?}");
            }
        }
    }
}

#[tokio::test]
async fn without_policies_all_that_refers_to_an_image_comes_along() {
    let image = good(1).build();
    for (name, intruder) in intruders(&image) {
        let lab = Lab::new();
        let referrers = vec![intruder.clone()];
        let image = Image {
            referrers,
            ..image.clone()
        };
        lab.source.load("team/app", "1", &image);
        let mirror = lab.mirror("['1']", &[], "");
        lab.round(&mirror).await;
        let digest = &intruder.manifest.digest;
        assert!(
            lab.destination.manifest("team/app", digest).is_some(),
            "{name}"
        );
    }
}

/// An index of one signed image, and of an image that is listed as if it only attested something of it.
fn with_attestation(signed: &Image, hidden: &Image) -> Image {
    let annotations = json!({
        "vnd.docker.reference.type": "attestation-manifest",
        "vnd.docker.reference.digest": signed.digest(),
    });
    index(&[
        ("linux/amd64", signed, json!({})),
        ("unknown/unknown", hidden, annotations),
    ])
}

/// An index that lists another one.
fn around(signed: &Image, inner: &Image) -> Image {
    let mut outer = index(&[
        ("linux/amd64", signed, json!({})),
        ("linux/arm64", inner, json!({})),
    ]);
    outer.children.splice(0..0, inner.children.clone());
    outer
}

/// What is hidden and how, whether the index is signed, and what becomes of it.
type Hidden<'a> = (&'a str, &'a dyn Fn() -> Image, bool, &'a str);

#[tokio::test]
async fn what_an_index_hides_is_judged() {
    let (signed, hidden) = (good(21).build(), good(22).user("root").build());
    let attested = || with_attestation(&signed, &hidden);
    let nested = || around(&signed, &with_attestation(&signed, &hidden));
    let cases: [Hidden<'_>; 4] = [
        ("an attestation", &attested, false, "Refused signed verify"),
        ("a nested index", &nested, false, "Refused signed verify"),
        (
            "an attestation, signed with the index",
            &attested,
            true,
            "Copied",
        ),
        (
            "a nested index, signed with the index",
            &nested,
            true,
            "Copied",
        ),
    ];
    for (name, make, is_root_signed, expected) in cases {
        let lab = Lab::new();
        let vendor = vendor(&lab);
        let image = make();
        let subject = if is_root_signed {
            image.digest()
        } else {
            signed.digest()
        };
        let referrers = vec![vendor.sign(subject)];
        let image = Image { referrers, ..image };
        lab.source.load("team/app", "1", &image);
        let mirror = lab.mirror("['1']", &SIGNED, "");
        assert_eq!(
            lab.outcomes(&mirror).await,
            [format!("1: {expected}")],
            "{name}"
        );
        let mirror = lab.mirror("['1']", &USER, "");
        lab.destination.script().clear_rules();
        let found = lab.outcomes(&mirror).await;
        assert!(found[0].contains("Refused user"), "{name}: {found:?}");
    }
}

/// What `BuildKit` attaches is configured as an image, and its layers are statements.
#[tokio::test]
async fn an_attestation_is_no_image() {
    let lab = Lab::new();
    let vendor = vendor(&lab);
    let image = good(31)
        .platforms(&["linux/amd64", "linux/arm64"])
        .attestations()
        .build();
    let children = image.children.iter().filter(|child| {
        let manifest: Value = serde_json::from_slice(&child.bytes).unwrap();
        manifest["layers"][0]["mediaType"] == json!(media_type::OCI_LAYER)
    });
    let referrers: Vec<Referrer> = children.map(|child| vendor.sign(&child.digest)).collect();
    assert_eq!(referrers.len(), 2);
    let image = Image { referrers, ..image };
    lab.source.load("team/app", "1", &image);
    let mirror = lab.mirror("['1']", &SIGNED, "");
    assert_eq!(lab.outcomes(&mirror).await, ["1: Copied"]);
}
