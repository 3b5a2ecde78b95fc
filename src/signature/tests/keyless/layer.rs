// SPDX-License-Identifier: Apache-2.0

//! Everything that can be wrong with a layer.

use serde_json::Value;

use super::super::bundles::simple_by_identity;
use super::super::site::{Certified, Claims, NOON, SUBJECT, Site, encode};
use super::*;

/// What comes of a layer in which something is different.
fn layer(change: impl FnOnce(&Site, &Certified, &mut Layer)) -> String {
    let (site, signer) = usual();
    let mut layer = simple_by_identity(&site, &signer, &payload(&image()));
    change(&site, &signer, &mut layer);
    outcome(&authority(&site), &Evidence::Simple(layer))
}

fn edit(annotation: &mut Option<String>, change: impl FnOnce(&mut Value)) {
    let mut value: Value = serde_json::from_str(annotation.as_deref().unwrap()).unwrap();
    change(&mut value);
    *annotation = Some(value.to_string());
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table of cases")]
fn each_thing_that_is_wrong_with_a_layer_has_its_own_reason() {
    let signed = signed_by(SUBJECT);
    let cases: Vec<(&str, String, &str)> = vec![
        (
            "no certificate",
            layer(|_, _, layer| layer.certificate = None),
            "is signed with a key, not by an identity: ",
        ),
        (
            "no log entry",
            layer(|_, _, layer| layer.log_entry = None),
            "has no entry of a transparency log: ",
        ),
        (
            "no signature",
            layer(|_, _, layer| layer.signature = None),
            "carries no signature: ",
        ),
        (
            "payload changed",
            layer(|_, _, layer| layer.payload = payload(&other_image()).to_string().into()),
            "was changed after it was signed: ",
        ),
        (
            "certificate of another",
            layer(|site, _, layer| layer.certificate = Some(site.certify(&Claims::new()).pem())),
            "was changed after it was signed: ",
        ),
        (
            "certificate of another site",
            layer(|_, _, layer| layer.certificate = Some(foreign().1.pem())),
            "certificate is not from an authority of the trusted root: ",
        ),
        (
            "chain of another site",
            layer(|_, _, layer| layer.chain = Some(foreign().1.pem())),
            &signed,
        ),
        (
            "certificate is a word",
            layer(|_, _, layer| layer.certificate = Some("x".to_owned())),
            "certificate cannot be read: there is none in the PEM",
        ),
        (
            "certificate is cut off",
            layer(|_, _, layer| layer.certificate.as_mut().unwrap().truncate(100)),
            "certificate cannot be read: it is no PEM",
        ),
        (
            "time moved",
            layer(|_, _, layer| {
                edit(&mut layer.log_entry, |entry| {
                    entry["Payload"]["integratedTime"] = (NOON + 1).into();
                });
            }),
            "promise of the transparency log is wrong: ",
        ),
        (
            "index moved",
            layer(|_, _, layer| {
                edit(&mut layer.log_entry, |entry| {
                    entry["Payload"]["logIndex"] = 1.into();
                });
            }),
            "promise of the transparency log is wrong: ",
        ),
        (
            "unknown log",
            layer(|_, _, layer| {
                edit(&mut layer.log_entry, |entry| {
                    entry["Payload"]["logID"] = "00".repeat(32).into();
                });
            }),
            "entry is from a transparency log that is not in the trusted root: ",
        ),
        (
            "log ID is no hex",
            layer(|_, _, layer| {
                edit(&mut layer.log_entry, |entry| {
                    entry["Payload"]["logID"] = "x".into();
                });
            }),
            "entry of the transparency log cannot be read: its log ID is not hex",
        ),
        (
            "time is no time",
            layer(|_, _, layer| {
                edit(&mut layer.log_entry, |entry| {
                    entry["Payload"]["integratedTime"] = i64::MAX.into();
                });
            }),
            "entry of the transparency log cannot be read: its time is out of range",
        ),
        (
            "promise is missing",
            layer(|_, _, layer| {
                edit(&mut layer.log_entry, |entry| {
                    remove(entry, "SignedEntryTimestamp");
                });
            }),
            "annotation with the log entry cannot be read: missing field",
        ),
        (
            "body is no entry",
            layer(|_, _, layer| {
                edit(&mut layer.log_entry, |entry| {
                    entry["Payload"]["body"] = encode(b"{}").into();
                });
            }),
            "body of the log entry cannot be read: missing field `kind`",
        ),
        (
            "entry of an unknown kind",
            layer(|_, _, layer| {
                edit(&mut layer.log_entry, |entry| {
                    entry["Payload"]["body"] = encode(br#"{"kind":"rpm","apiVersion":"1"}"#).into();
                });
            }),
            "log entry of the kind rpm 1 is not supported: ",
        ),
        (
            "entry is no JSON",
            layer(|_, _, layer| layer.log_entry = Some("x".to_owned())),
            "annotation with the log entry cannot be read: ",
        ),
        (
            "timestamp is no JSON",
            layer(|_, _, layer| layer.timestamp = Some("x".to_owned())),
            "annotation with the timestamp cannot be read: ",
        ),
    ];
    for (name, outcome, expected) in cases {
        assert!(outcome.starts_with(expected), "{name}: {outcome}");
    }
}
