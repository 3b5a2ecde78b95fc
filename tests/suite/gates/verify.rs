// SPDX-License-Identifier: Apache-2.0

//! Images that somebody must vouch for, and what becomes of those that nobody does.

use std::path::PathBuf;
use std::sync::Arc;

use tempfile::TempDir;
use transship::api::Reason;
use transship::plan::report::Outcome;

use super::lab::{Lab, good};
use crate::support::content::{Blob, Image, Referrer, Signer};
use crate::support::http::Reply;
use crate::support::http::script::Action;
use crate::support::http::script::Gate;

const SIGNED: [(&str, &str); 1] = [("signed", VERIFY)];
const VERIFY: &str =
    "verify: [{name: vendor, type: Key, key: {secretRef: {name: vendor, key: cosign.pub}}}]";
const SCANNED: [(&str, &str); 1] = [(
    "signed",
    "verify: [{name: vendor, type: Key, key: {secretRef: {name: vendor, key: cosign.pub}}}], require: {vulnerabilities: {maxSeverity: Medium}}",
)];

/// Everything that the cases sign with.
struct Signers {
    vendor: Signer,
    stranger: Signer,
}

impl Signers {
    fn new(lab: &Lab) -> Self {
        let vendor = Signer::generate();
        lab.keep_key("vendor", &vendor.public_pem());
        Self {
            vendor,
            stranger: Signer::generate(),
        }
    }
}

/// An image with what stands beside it.
fn beside(image: Image, referrers: Vec<Referrer>) -> Image {
    Image { referrers, ..image }
}

/// An index of two platforms.
fn pair(seed: u64) -> Image {
    good(seed)
        .platforms(&["linux/amd64", "linux/arm64"])
        .build()
}

/// What a registry holds beside an image, by the scheme.
type Case = (
    &'static str,
    fn(&Signers, &Image) -> Vec<Referrer>,
    &'static str,
);

const CASES: [Case; 16] = [
    (
        "bundle",
        |by, image| vec![by.vendor.sign(image.digest())],
        "Copied",
    ),
    (
        "tag",
        |by, image| vec![by.vendor.sign_tagged(image.digest())],
        "Copied",
    ),
    (
        "one of several",
        |by, image| {
            let digest = image.digest();
            vec![by.stranger.sign(digest), by.vendor.sign(digest)]
        },
        "Copied",
    ),
    (
        "each image",
        |by, image| {
            image
                .children
                .iter()
                .map(|child| by.vendor.sign(&child.digest))
                .collect()
        },
        "Copied",
    ),
    (
        "each image by tag",
        |by, image| {
            let children = image.children.iter();
            children
                .map(|child| by.vendor.sign_tagged(&child.digest))
                .collect()
        },
        "Copied",
    ),
    (
        "nothing",
        |_, _| Vec::new(),
        "Refused: policy \"signed\", verify: no signature found: sign IMAGE with cosign sign, or mirror the image without this policy",
    ),
    (
        "a stranger",
        |by, image| vec![by.stranger.sign(image.digest())],
        "Refused: policy \"signed\", verify: authority \"vendor\": evidence EVIDENCE is not signed with this key: sign with it, or trust the key that was used",
    ),
    (
        "a stranger by tag",
        |by, image| vec![by.stranger.sign_tagged(image.digest())],
        "Refused: policy \"signed\", verify: authority \"vendor\": evidence EVIDENCE is not signed with this key: sign with it, or trust the key that was used",
    ),
    (
        "one image only",
        |by, image| vec![by.vendor.sign(&image.children[0].digest)],
        "Refused: policy \"signed\", verify: 1 of 2 images are signed, but not linux/arm64: no signature found: sign CHILD with cosign sign, or mirror the image without this policy; or sign the index, IMAGE",
    ),
    (
        "the signature of another image",
        |by, image| vec![elsewhere(&by.vendor.sign(OTHER), image)],
        "Refused: policy \"signed\", verify: authority \"vendor\": evidence EVIDENCE is for another image, OTHER: sign IMAGE",
    ),
    (
        "an attestation is no signature",
        |by, image| {
            vec![by.vendor.attest(
                image.digest(),
                "https://slsa.dev/provenance/v1",
                &serde_json::json!({}),
            )]
        },
        // Its own annotation says so, and it is not read.
        "Refused: policy \"signed\", verify: no signature found: sign IMAGE with cosign sign, or mirror the image without this policy",
    ),
    (
        "an attestation that says it is a signature",
        |by, image| {
            let attestation = by.vendor.attest(
                image.digest(),
                "https://slsa.dev/provenance/v1",
                &serde_json::json!({}),
            );
            vec![relabelled(
                &attestation,
                "https://sigstore.dev/cosign/sign/v1",
            )]
        },
        "Refused: policy \"signed\", verify: authority \"vendor\": evidence EVIDENCE is an attestation of the type https://slsa.dev/provenance/v1, not a signature: sign the image too",
    ),
    (
        "no JSON",
        |by, image| vec![spoilt(&by.vendor.sign(image.digest()), "garbage")],
        "Failed VerificationFailed: not copied, because its policies cannot judge it: authority \"vendor\": evidence EVIDENCE bundle cannot be read: expected value at line 1 column 1",
    ),
    (
        "a later version",
        |by, image| {
            vec![spoilt(
                &by.vendor.sign(image.digest()),
                r#"{"mediaType": "application/vnd.dev.sigstore.bundle.v9+json"}"#,
            )]
        },
        "Failed VerificationFailed: not copied, because its policies cannot judge it: authority \"vendor\": evidence EVIDENCE bundle of the type application/vnd.dev.sigstore.bundle.v9+json is not supported: sign with a cosign that writes version 0.3 or older",
    ),
    (
        "garbage beside a signature",
        |by, image| {
            let signature = by.vendor.sign(image.digest());
            vec![spoilt(&signature, "garbage"), signature]
        },
        "Copied",
    ),
    (
        "garbage beside a stranger",
        |by, image| {
            let digest = image.digest();
            vec![
                spoilt(&by.vendor.sign(digest), "garbage"),
                by.stranger.sign(digest),
            ]
        },
        "Refused: policy \"signed\", verify: authority \"vendor\": evidence EVIDENCE is not signed with this key: sign with it, or trust the key that was used",
    ),
];

/// The digest of another image.
const OTHER: &str = "sha256:ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb";

/// A referrer of another image that claims to be about this one.
fn elsewhere(referrer: &Referrer, image: &Image) -> Referrer {
    edit(referrer, |manifest| {
        manifest["subject"]["digest"] = image.digest().into();
    })
}

fn relabelled(referrer: &Referrer, predicate: &str) -> Referrer {
    edit(referrer, |manifest| {
        manifest["annotations"]["dev.sigstore.bundle.predicateType"] = predicate.into();
    })
}

/// A referrer whose layer is something else.
fn spoilt(referrer: &Referrer, content: &str) -> Referrer {
    let layer = Blob::new(&referrer.blobs[1].media_type, content.to_owned());
    let mut spoilt = edit(referrer, |manifest| {
        manifest["layers"] = serde_json::json!([layer.descriptor()]);
    });
    spoilt.blobs.push(layer);
    spoilt
}

fn edit(referrer: &Referrer, change: impl Fn(&mut serde_json::Value)) -> Referrer {
    let mut manifest = serde_json::from_slice(&referrer.manifest.bytes).unwrap();
    change(&mut manifest);
    Referrer {
        subject: manifest["subject"]["digest"].as_str().unwrap().to_owned(),
        manifest: Blob::json(&referrer.manifest.media_type, &manifest),
        ..referrer.clone()
    }
}

/// What came of the only tag, without digests.
async fn outcome(lab: &Lab, mirror: &transship::plan::Mirror, image: &Image) -> String {
    let report = lab.round(mirror).await;
    let text = match report.tags.first().map(|tag| &tag.outcome) {
        Some(Outcome::Refused(refusal)) => format!("Refused: {}", refusal.message),
        _ => super::lab::outcomes(&report)[0]
            .trim_start_matches("1: ")
            .to_owned(),
    };
    let mut text = text
        .replace(image.digest(), "IMAGE")
        .replace(OTHER, "OTHER");
    for child in &image.children {
        text = text.replace(&child.digest, "CHILD");
    }
    let evidence = regex::Regex::new("evidence sha256:[0-9a-f]{64}").unwrap();
    evidence
        .replace_all(&text, "evidence EVIDENCE")
        .into_owned()
}

#[tokio::test]
async fn who_vouches_and_who_does_not() {
    for api in [true, false] {
        let lab = if api {
            Lab::new()
        } else {
            Lab::without_referrers_api()
        };
        let signers = Signers::new(&lab);
        for ((name, beside_it, expected), seed) in CASES.into_iter().zip(1..) {
            let image = pair(seed);
            let referrers = beside_it(&signers, &image);
            let image = beside(image, referrers);
            lab.source.load("team/app", "1", &image);
            let mirror = lab.mirror("['1']", &SIGNED, "");
            let found = outcome(&lab, &mirror, &image).await;
            assert_eq!(found, expected, "{name}, referrers API: {api}");
            let is_there = lab
                .destination
                .manifest("team/app", image.digest())
                .is_some();
            assert_eq!(is_there, expected == "Copied", "{name}");
        }
    }
}

#[tokio::test]
async fn what_cannot_be_found_out_is_a_failure_and_not_a_pass() {
    let faults: [(&str, &str, Reply, Reason); 4] = [
        (
            "GET",
            "/referrers/",
            Reply::new(429).header("retry-after", "3600"),
            Reason::RateLimited,
        ),
        ("GET", "/referrers/", Reply::new(500), Reason::Unreachable),
        (
            "GET",
            "/manifests/EVIDENCE",
            Reply::new(404),
            Reason::NotFound,
        ),
        (
            "GET",
            "/blobs/EVIDENCE",
            Reply::new(403),
            Reason::AccessDenied,
        ),
    ];
    for (method, path, reply, reason) in faults {
        let lab = Lab::new();
        let signers = Signers::new(&lab);
        let image = good(1).build();
        let signature = signers.vendor.sign(image.digest());
        let named = if path.contains("blobs") {
            &signature.blobs[1].digest
        } else {
            &signature.manifest.digest
        };
        let path = path.replace("EVIDENCE", named);
        lab.source
            .load("team/app", "1", &beside(image, vec![signature.clone()]));
        lab.source.on(method, path.clone()).responds(reply);
        let mirror = lab.mirror("['1']", &SIGNED, "referrers: {mode: Skip}");
        let report = lab.round(&mirror).await;
        let [failure] = report.failures.as_slice() else {
            panic!("{path}: {report:?}")
        };
        assert_eq!(failure.reason, reason, "{path}");
        assert!(failure.is_of_tag, "{path}");
        assert!(
            failure
                .message
                .starts_with("not copied, because its policies cannot judge it: "),
            "{failure:?}"
        );
        assert!(lab.destination.tags("team/app").is_empty(), "{path}");
        if reason == Reason::RateLimited {
            assert!(failure.next_attempt_time.is_some(), "{path}");
            continue;
        }
        lab.source.script().clear_rules();
        assert_eq!(lab.outcomes(&mirror).await, ["1: Copied"], "{path}");
    }
}

#[tokio::test]
async fn what_was_verified_is_copied_wherever_the_tag_moves() {
    let lab = Arc::new(Lab::new());
    let signers = Signers::new(&lab);
    let image = good(1).build();
    let signature = signers.vendor.sign(image.digest());
    let path = format!("/blobs/{}", signature.blobs[1].digest);
    let verified = beside(image, vec![signature]);
    let moved = good(2).build();
    lab.source.load("team/app", "1", &verified);
    let gate = Gate::closed();
    lab.source
        .on("GET", path)
        .nth(1)
        .does(Action::HoldReply(gate.clone()));
    let mirror = lab.mirror("['1']", &SIGNED, "");
    let (outcomes, ()) = tokio::join!(lab.outcomes(&mirror), async {
        gate.reached().await;
        lab.source.load("team/app", "1", &moved);
        gate.open();
    });
    assert_eq!(outcomes, ["1: Copied"]);
    let there = lab.destination.manifest("team/app", "1").unwrap();
    assert_eq!(there.digest, verified.digest());
    assert!(
        lab.destination
            .manifest("team/app", moved.digest())
            .is_none()
    );
    assert_eq!(lab.outcomes(&mirror).await, ["1: Refused signed verify"]);
    let there = lab.destination.manifest("team/app", "1").unwrap();
    assert_eq!(there.digest, verified.digest(), "the destination keeps it");
}

#[tokio::test]
async fn signed_scans_are_judged_for_each_image() {
    type Scans = fn(&Signers, &Image) -> Vec<Referrer>;
    let cases: [(&str, Scans, &str); 9] = [
        (
            "of the index",
            |by, image| vec![by.vendor.scan(image.digest(), &[("CVE-1", "MEDIUM")])],
            "Copied",
        ),
        (
            "under a tag",
            |by, image| vec![by.vendor.scan_tagged(image.digest(), &[("CVE-1", "LOW")])],
            "Copied",
        ),
        (
            "of each image",
            |by, image| {
                let children = image.children.iter();
                children
                    .map(|child| by.vendor.scan(&child.digest, &[]))
                    .collect()
            },
            "Copied",
        ),
        (
            "none",
            |_, _| Vec::new(),
            "Refused signed require.vulnerabilities",
        ),
        (
            "a stranger's",
            |by, image| vec![by.stranger.scan(image.digest(), &[])],
            "Refused signed require.vulnerabilities",
        ),
        (
            "too severe",
            |by, image| vec![by.vendor.scan(image.digest(), &[("CVE-1", "HIGH")])],
            "Refused signed require.vulnerabilities",
        ),
        (
            "one image has its own, which is too severe",
            |by, image| {
                vec![
                    by.vendor.scan(image.digest(), &[]),
                    by.vendor
                        .scan(&image.children[1].digest, &[("CVE-1", "CRITICAL")]),
                ]
            },
            "Refused signed require.vulnerabilities",
        ),
        (
            "one image only",
            |by, image| vec![by.vendor.scan(&image.children[0].digest, &[])],
            "Refused signed require.vulnerabilities",
        ),
        (
            "not understood",
            |by, image| {
                let scan = serde_json::json!({"scanner": {"result": {"something": "else"}}});
                vec![by.vendor.attest(
                    image.digest(),
                    "https://cosign.sigstore.dev/attestation/vuln/v1",
                    &scan,
                )]
            },
            "Failed VerificationFailed",
        ),
    ];
    let lab = Lab::new();
    let signers = Signers::new(&lab);
    for ((name, scans, expected), seed) in cases.into_iter().zip(1..) {
        let image = pair(seed);
        let mut referrers = scans(&signers, &image);
        referrers.push(signers.vendor.sign(image.digest()));
        lab.source.load("team/app", "1", &beside(image, referrers));
        let mirror = lab.mirror("['1']", &SCANNED, "");
        let outcomes = lab.outcomes(&mirror).await;
        assert!(
            outcomes[0].starts_with(&format!("1: {expected}")),
            "{name}: {outcomes:?}"
        );
    }
    let unsigned = pair(99);
    let scan = signers.vendor.scan(unsigned.digest(), &[]);
    lab.source
        .load("team/app", "1", &beside(unsigned, vec![scan]));
    let mirror = lab.mirror("['1']", &SCANNED, "");
    assert_eq!(
        lab.outcomes(&mirror).await,
        ["1: Refused signed verify"],
        "a scan approves nothing"
    );
}

#[tokio::test]
async fn an_audit_reports_and_copies() {
    let lab = Lab::new();
    let _ = Signers::new(&lab);
    lab.source.load("team/app", "1", &good(1).build());
    let audit = format!("{VERIFY}, mode: Audit");
    let report = lab
        .round(&lab.mirror("['1']", &[("signed", &audit)], ""))
        .await;
    assert_eq!(super::lab::outcomes(&report), ["1: Copied"]);
    assert_eq!(report.audited.len(), 1);
    assert_eq!(report.audited[0].refusal.reason, Reason::VerificationFailed);
    assert_eq!(report.policies.values().next().unwrap().verify, 1);
}

#[tokio::test]
async fn another_key_counts_in_the_next_round() {
    let lab = Lab::new();
    let signers = Signers::new(&lab);
    let image = good(1).build();
    let signature = signers.vendor.sign(image.digest());
    lab.source
        .load("team/app", "1", &beside(image, vec![signature]));
    assert_eq!(
        lab.outcomes(&lab.mirror("['1']", &SIGNED, "")).await,
        ["1: Copied"]
    );
    lab.keep_only_key("vendor", &signers.stranger.public_pem());
    let swapped = lab.mirror("['1']", &SIGNED, "");
    assert_eq!(lab.outcomes(&swapped).await, ["1: Refused signed verify"]);
    lab.keep_only_key("vendor", &signers.vendor.public_pem());
    let restored = lab.mirror("['1']", &SIGNED, "");
    assert_eq!(lab.outcomes(&restored).await, ["1: Unchanged"]);
}

#[tokio::test]
async fn who_vouches_is_on_record() {
    let directory = TempDir::new().unwrap();
    let path: PathBuf = directory.path().join("state.json");
    let lab = Lab::with_state(&path);
    let signers = Signers::new(&lab);
    let image = good(1).build();
    let signature = signers.vendor.sign(image.digest());
    let evidence = signature.manifest.digest.clone();
    lab.source
        .load("team/app", "1", &beside(image, vec![signature]));
    let record = || {
        let text = std::fs::read_to_string(&path).unwrap();
        let state: serde_json::Value = serde_json::from_str(&text).unwrap();
        state["mirrors"]["default/m"]["d"]["team/app"]["1"]["verified"].clone()
    };
    lab.round(&lab.mirror("['1']", &[], "")).await;
    assert!(record().is_null(), "nobody asked");
    let mirror = lab.mirror("['1']", &SIGNED, "");
    assert_eq!(lab.outcomes(&mirror).await, ["1: Unchanged"]);
    let first = record();
    assert_eq!(
        (&first["policy"], &first["authority"], &first["evidence"]),
        (&"signed".into(), &"vendor".into(), &evidence.into())
    );
    let lab = lab.restart(&path);
    assert_eq!(lab.outcomes(&mirror).await, ["1: Unchanged"]);
    assert_eq!(record(), first, "since when stays");
}
