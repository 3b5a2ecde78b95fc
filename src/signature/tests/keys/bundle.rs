// SPDX-License-Identifier: Apache-2.0

//! Everything that can be wrong with a bundle.

use serde_json::{Value, json};

use super::super::bundles::{IN_TOTO, bundle, by_key, decode, envelope_of};
use super::super::site::{encode, key};
use super::*;

/// A bundle in which one thing is wrong.
fn changed(change: impl FnOnce(&mut Value)) -> (Authority, Evidence) {
    let key = key();
    let mut value = by_key(&key, &approval(&image()));
    change(&mut value);
    (authority(&key), bundle(&value))
}

/// A bundle with this statement, well signed.
fn stated(statement: &Value) -> (Authority, Evidence) {
    let key = key();
    (authority(&key), bundle(&by_key(&key, statement)))
}

/// The same with any payload.
fn enveloped(payload_type: &str, payload: &[u8]) -> (Authority, Evidence) {
    let key = key();
    let mut value = by_key(&key, &approval(&image()));
    value["dsseEnvelope"] = envelope_of(&key, payload_type, payload);
    (authority(&key), bundle(&value))
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table of cases")]
fn each_thing_that_is_wrong_with_a_bundle_has_its_own_reason() {
    let vuln = "https://cosign.sigstore.dev/attestation/vuln/v1";
    let approval = approval(&image());
    let other = other_image();
    let elsewhere = format!("is for another image, {other}: sign {}", image());
    let two = json!([
        {"digest": {"sha256": other.encoded()}},
        {"name": "app", "digest": {"sha256": image().encoded()}},
    ]);
    let big = vec![b' '; crate::oci::limits::EVIDENCE_BYTES + 1];
    let twice =
        approval
            .to_string()
            .replacen("\"_type\"", "\"subject\":[{\"digest\":{}}],\"_type\"", 1);
    let cases: Vec<(&str, (Authority, Evidence), &str)> = vec![
        ("signed", changed(|_| {}), "signed for vendor"),
        (
            "older version",
            changed(|bundle| {
                bundle["mediaType"] = "application/vnd.dev.sigstore.bundle+json;version=0.2".into();
            }),
            "signed for vendor",
        ),
        (
            "older statement",
            stated(&with(
                approval.clone(),
                "/_type",
                "https://in-toto.io/Statement/v0.1".into(),
            )),
            "signed for vendor",
        ),
        (
            "one of two images",
            stated(&with(approval.clone(), "/subject", two)),
            "signed for vendor",
        ),
        (
            "key is not named",
            changed(|bundle| bundle["verificationMaterial"] = json!({})),
            "signed for vendor",
        ),
        (
            "log entry is broken",
            changed(|bundle| {
                bundle["verificationMaterial"]["tlogEntries"] = json!([{"logIndex": "x"}]);
            }),
            "signed for vendor",
        ),
        (
            "attestation",
            stated(&statement(&image(), vuln)),
            "attested https://cosign.sigstore.dev/attestation/vuln/v1 for vendor",
        ),
        (
            "another image",
            stated(&super::approval(&other)),
            &elsewhere,
        ),
        (
            "another algorithm",
            stated(&with(
                approval.clone(),
                "/subject",
                json!([{"digest": {"sha1": "00"}}]),
            )),
            "is for another image, with no digest that is known: sign ",
        ),
        (
            "upper case",
            stated(&with(
                approval.clone(),
                "/subject/0/digest/sha256",
                image().encoded().to_uppercase().into(),
            )),
            "is for another image, with no digest that is known: sign ",
        ),
        (
            "no image",
            stated(&with(approval.clone(), "/subject", json!([]))),
            "is for another image, with no digest that is known: sign ",
        ),
        (
            "three other images",
            stated(&with(
                approval.clone(),
                "/subject",
                json!([{"digest": {"sha256": other.encoded()}}, {"digest": {"sha256": other.encoded(), "sha512": format!("{0}{0}", other.encoded())}}]),
            )),
            "is for another image, sha256:",
        ),
        (
            "payload changed",
            changed(|bundle| {
                bundle["dsseEnvelope"]["payload"] =
                    encode(super::approval(&other).to_string().as_bytes()).into();
            }),
            "was changed after it was signed: it names this key, which does not fit the content",
        ),
        (
            "payload changed, key not named",
            changed(|bundle| {
                bundle["verificationMaterial"] = json!({});
                bundle["dsseEnvelope"]["payload"] =
                    encode(super::approval(&other).to_string().as_bytes()).into();
            }),
            "is not signed with this key: ",
        ),
        (
            "type of the payload changed",
            changed(|bundle| bundle["dsseEnvelope"]["payloadType"] = "application/json".into()),
            "was changed after it was signed: ",
        ),
        (
            "signature cut off",
            changed(|bundle| {
                let mut signature = decode(&bundle["dsseEnvelope"]["signatures"][0]["sig"]);
                signature.pop();
                bundle["dsseEnvelope"]["signatures"][0]["sig"] = encode(&signature).into();
            }),
            "was changed after it was signed: ",
        ),
        (
            "signature empty",
            changed(|bundle| bundle["dsseEnvelope"]["signatures"][0]["sig"] = "".into()),
            "was changed after it was signed: ",
        ),
        (
            "no signature",
            changed(|bundle| bundle["dsseEnvelope"]["signatures"] = json!([])),
            "bundle cannot be read: DSSE envelope must contain exactly one signature, found 0",
        ),
        (
            "two signatures",
            changed(|bundle| {
                let one = bundle["dsseEnvelope"]["signatures"][0].clone();
                bundle["dsseEnvelope"]["signatures"] = json!([one, one]);
            }),
            "bundle cannot be read: DSSE envelope must contain exactly one signature, found 2",
        ),
        (
            "signature of a file",
            changed(|bundle| {
                bundle.as_object_mut().unwrap().remove("dsseEnvelope");
                bundle["messageSignature"] = json!({"signature": "AAAA"});
            }),
            "bundle with the signature of a file is not supported: ",
        ),
        (
            "version of tomorrow",
            changed(|bundle| {
                bundle["mediaType"] = "application/vnd.dev.sigstore.bundle.v0.4+json".into();
            }),
            "bundle of the type application/vnd.dev.sigstore.bundle.v0.4+json is not supported: ",
        ),
        (
            "no version",
            changed(|bundle| {
                bundle.as_object_mut().unwrap().remove("mediaType");
            }),
            "bundle cannot be read: missing field `mediaType`",
        ),
        (
            "other payload",
            enveloped("application/vnd.example", b"{}"),
            "envelope of the type application/vnd.example is not supported: ",
        ),
        (
            "other statement",
            stated(&with(
                approval.clone(),
                "/_type",
                "https://in-toto.io/Link/v1".into(),
            )),
            "statement of the type https://in-toto.io/Link/v1 is not supported: ",
        ),
        (
            "no statement",
            enveloped(IN_TOTO, b"[]"),
            "in-toto statement cannot be read: ",
        ),
        (
            "subject twice",
            enveloped(IN_TOTO, twice.as_bytes()),
            "in-toto statement cannot be read: the key \"subject\" occurs twice",
        ),
        (
            "key of a bundle twice",
            (
                stated(&approval).0,
                Evidence::Bundle {
                    digest: found(),
                    bytes: "{\"mediaType\":\"a\",\"mediaType\":\"b\"}".into(),
                },
            ),
            "bundle cannot be read: the key \"mediaType\" occurs twice",
        ),
        (
            "key of a bundle misspelt",
            (
                stated(&approval).0,
                Evidence::Bundle {
                    digest: found(),
                    bytes: "{\"MediaType\":\"a\"}".into(),
                },
            ),
            "bundle cannot be read: the key \"MediaType\" is another spelling of \"mediaType\"",
        ),
        (
            "no JSON",
            (
                stated(&approval).0,
                Evidence::Bundle {
                    digest: found(),
                    bytes: "<html>".into(),
                },
            ),
            "bundle cannot be read: expected value",
        ),
        (
            "too large",
            (
                stated(&approval).0,
                Evidence::Bundle {
                    digest: found(),
                    bytes: big.into(),
                },
            ),
            "bundle has 16777217 bytes, more than 16777216 are not read: ",
        ),
    ];
    for (name, (authority, evidence), expected) in cases {
        let outcome = outcome(&authority, &evidence);
        assert!(outcome.starts_with(expected), "{name}: {outcome}");
    }
}
