// SPDX-License-Identifier: Apache-2.0

//! Everything that can be wrong with a layer.

use serde_json::{Value, json};

use super::super::bundles::simple_by_key;
use super::super::site::key;
use super::*;

fn simple(payload: &Value, change: impl FnOnce(&mut Layer)) -> (Authority, Evidence) {
    let key = key();
    let mut layer = simple_by_key(&key, payload);
    change(&mut layer);
    (authority(&key), Evidence::Simple(layer))
}

#[test]
fn each_thing_that_is_wrong_with_a_layer_has_its_own_reason() {
    let good = payload(&image());
    let other = other_image();
    let elsewhere = format!("is for another image, {other}: sign {}", image());
    let moved = with(
        good.clone(),
        "/critical/identity/docker-reference",
        "mirror.example/app@sha256:0".into(),
    );
    let podman = with(
        good.clone(),
        "/critical/type",
        "atomic container signature".into(),
    );
    let cases: Vec<(&str, (Authority, Evidence), &str)> = vec![
        ("signed", simple(&good, |_| {}), "signed for vendor"),
        (
            "under another name",
            simple(&moved, |_| {}),
            "signed for vendor",
        ),
        (
            "with a line end",
            simple(&good, |layer| layer.signature.as_mut().unwrap().push('\n')),
            "signed for vendor",
        ),
        (
            "log entry is broken",
            simple(&good, |layer| layer.log_entry = Some("{".to_owned())),
            "signed for vendor",
        ),
        (
            "another image",
            simple(&payload(&other), |_| {}),
            &elsewhere,
        ),
        (
            "payload changed",
            simple(&good, |layer| {
                layer.payload = payload(&other).to_string().into();
            }),
            "is not signed with this key: ",
        ),
        (
            "one blank more",
            simple(&good, |layer| layer.payload = format!("{good} ").into()),
            "is not signed with this key: ",
        ),
        (
            "no signature",
            simple(&good, |layer| layer.signature = None),
            "carries no signature: sign again",
        ),
        (
            "signature is no base64",
            simple(&good, |layer| layer.signature = Some("§".to_owned())),
            "signature cannot be read: ",
        ),
        (
            "signature of something else",
            simple(&podman, |_| {}),
            "payload of the type atomic container signature is not supported: ",
        ),
        (
            "payload without an image",
            simple(&json!({"critical": {"type": "x"}}), |_| {}),
            "simple-signing payload cannot be read: missing field `image`",
        ),
        (
            "digest of no known kind",
            simple(
                &with(
                    good.clone(),
                    "/critical/image/docker-manifest-digest",
                    "md5:00".into(),
                ),
                |_| {},
            ),
            "simple-signing payload cannot be read: digest \"md5:00\"",
        ),
        (
            "too large",
            simple(&good, |layer| {
                layer.chain = Some("x".repeat(crate::oci::limits::EVIDENCE_BYTES));
            }),
            "layer has ",
        ),
    ];
    for (name, (authority, evidence), expected) in cases {
        let outcome = outcome(&authority, &evidence);
        assert!(outcome.starts_with(expected), "{name}: {outcome}");
    }
}
