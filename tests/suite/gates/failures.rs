// SPDX-License-Identifier: Apache-2.0

//! What cannot be judged has not passed, and nobody has refused it.

use std::sync::Arc;

use transship::api::Reason;

use super::lab::{Lab, config, good};
use crate::support::content::{Blob, Image, media_type};
use crate::support::http::Reply;
use crate::support::http::script::{Action, Gate};

const STRICT: [(&str, &str); 1] = [("strict", "require: {user: NonRoot}")];

/// A fault of the source about one image, and the reason of the failure.
type Row = (&'static str, fn(&Lab, &Image), &'static str);

const ROWS: [Row; 6] = [
    (
        "the config is not there",
        |lab, image| lab.source.lose_blob("team/app", &config(image).digest),
        "NotFound",
    ),
    (
        "the config is another one",
        |lab, image| {
            let path = format!("/blobs/{}", config(image).digest);
            lab.source.on("GET", path).does(Action::flip_byte(20));
        },
        "CopyFailed",
    ),
    (
        "the config has no end",
        |lab, image| {
            let path = format!("/blobs/{}", config(image).digest);
            lab.source.on("GET", path).does(Action::Endless);
        },
        "DigestMismatch",
    ),
    (
        "the config is refused",
        |lab, image| {
            let path = format!("/blobs/{}", config(image).digest);
            lab.source.on("GET", path).responds(Reply::new(403));
        },
        "AccessDenied",
    ),
    (
        "the manifest is gone",
        |lab, image| {
            let path = format!("/manifests/{}", image.root.digest);
            lab.source.on("GET", path).responds(Reply::new(404));
        },
        "NotFound",
    ),
    (
        "programs would read the config differently",
        |lab, _| {
            let text = r#"{"config": {"User": "1000"}, "Config": {"User": "root"}}"#;
            let ambiguous = Blob::new(media_type::OCI_CONFIG, text);
            let manifest = serde_json::json!({
                "schemaVersion": 2,
                "mediaType": media_type::OCI_MANIFEST,
                "config": ambiguous.descriptor(),
                "layers": [],
            });
            let manifest = Blob::json(media_type::OCI_MANIFEST, &manifest);
            lab.source.load_blob("team/app", &ambiguous);
            lab.source
                .load_manifest("team/app", &manifest.digest, &manifest);
            lab.source.load_manifest("team/app", "1", &manifest);
        },
        "CopyFailed",
    ),
];

#[tokio::test]
async fn what_cannot_be_read_is_a_failure_of_its_tag() {
    for (name, fault, reason) in ROWS {
        let lab = Lab::new();
        let (image, other) = (good(1).build(), good(2).build());
        lab.source.load("team/app", "1", &image);
        lab.source.load("team/app", "2", &other);
        fault(&lab, &image);
        let mirror = lab.mirror("['*']", &STRICT, "");
        let outcomes = lab.outcomes(&mirror).await;
        let expected =
            format!("1: Failed {reason}: not copied, because its policies cannot judge it: ");
        assert!(outcomes[0].starts_with(&expected), "{name}: {outcomes:?}");
        assert_eq!(outcomes[1..], ["2: Copied"], "{name}");
        assert_eq!(lab.destination.tags("team/app"), ["2"], "{name}");
    }
}

#[tokio::test]
async fn too_many_requests_put_judging_off() {
    let lab = Lab::new();
    let image = good(1).build();
    lab.source.load("team/app", "1", &image);
    let path = format!("/blobs/{}", config(&image).digest);
    let reply = Reply::new(429).header("retry-after", "3600");
    lab.source.on("GET", path).responds(reply);
    let report = lab.round(&lab.mirror("['1']", &STRICT, "")).await;
    let [failure] = report.failures.as_slice() else {
        panic!("{report:?}")
    };
    assert_eq!(failure.reason, Reason::RateLimited);
    assert!(failure.next_attempt_time.is_some() && failure.is_of_tag);
    assert!(report.tags.is_empty() && report.policies.is_empty());
}

#[tokio::test]
async fn a_failure_is_judged_again() {
    let lab = Lab::new();
    let image = good(1).build();
    lab.source.load("team/app", "1", &image);
    let path = format!("/blobs/{}", config(&image).digest);
    lab.source.on("GET", path).responds(Reply::new(403));
    let mirror = lab.mirror("['1']", &STRICT, "");
    let report = lab.round(&mirror).await;
    assert!(report.failures[0].is_of_tag, "it counts as one tag");
    lab.source.script().clear_rules();
    assert_eq!(lab.outcomes(&mirror).await, ["1: Copied"]);
}

#[tokio::test]
async fn what_was_judged_is_copied_wherever_the_tag_moves() {
    let lab = Arc::new(Lab::new());
    let (judged, moved) = (good(1).build(), good(2).user("root").build());
    lab.source.load("team/app", "1", &judged);
    let path = format!("/blobs/{}", config(&judged).digest);
    let gate = Gate::closed();
    lab.source
        .on("GET", path)
        .nth(1)
        .does(Action::HoldReply(gate.clone()));
    let mirror = lab.mirror("['1']", &STRICT, "");
    let (outcomes, ()) = tokio::join!(lab.outcomes(&mirror), async {
        gate.reached().await;
        lab.source.load("team/app", "1", &moved);
        gate.open();
    });
    assert_eq!(outcomes, ["1: Copied"]);
    let there = lab.destination.manifest("team/app", "1").unwrap();
    assert_eq!(there.digest, judged.root.digest);
    assert!(!lab.destination.has_blob("team/app", &config(&moved).digest));
    assert_eq!(
        lab.outcomes(&mirror).await,
        ["1: Refused strict require.user"]
    );
}
