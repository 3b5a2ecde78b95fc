// SPDX-License-Identifier: Apache-2.0

//! What a trusted root has, and what it asks for because of that.

use serde_json::{Value, json};

use super::super::bundles::{bundle, by_identity, decode};
use super::super::site::{Claims, ISSUER, SUBJECT, Site, encode};
use super::*;
use crate::policy::TextGlob;

#[test]
fn a_site_without_a_log_signs_with_timestamps() {
    let (site, signer) = usual();
    let without_log = expecting(&root_without_log(&site), ISSUER, GLOB);
    let stamped = by_timestamp(&site, &signer, "120000");
    assert_eq!(outcome(&without_log, &bundle(&stamped)), signed_by(SUBJECT));

    let mut bare = stamped.clone();
    remove(material(&mut bare), "timestampVerificationData");
    let mut other = stamped.clone();
    let token = encode(&site.stamp(b"another signature", "120000"));
    material(&mut other)["timestampVerificationData"]["rfc3161Timestamps"][0]["signedTimestamp"] =
        token.into();
    let (foreign, _) = foreign();
    let signature = decode(&stamped["dsseEnvelope"]["signatures"][0]["sig"]);
    let mut strange = stamped.clone();
    let token = encode(&foreign.stamp(&signature, "120000"));
    material(&mut strange)["timestampVerificationData"]["rfc3161Timestamps"][0]["signedTimestamp"] =
        token.into();
    let cases = [
        (
            "no timestamp",
            bare,
            "has no time that a trusted log or timestamp authority signed: ",
        ),
        ("of another signature", other, "timestamp is wrong: "),
        ("of another site", strange, "timestamp is wrong: "),
        (
            "after the certificate",
            by_timestamp(&site, &signer, "140000"),
            "certificate was not valid when it signed: ",
        ),
        (
            "before the certificate",
            by_timestamp(&site, &signer, "100000"),
            "certificate was not valid when it signed: ",
        ),
    ];
    for (name, value, expected) in cases {
        let outcome = outcome(&without_log, &bundle(&value));
        assert!(outcome.starts_with(expected), "{name}: {outcome}");
    }
    // Where there is a log, a timestamp does not replace it.
    let refused = authority(&site)
        .verify(&image(), &bundle(&stamped))
        .unwrap_err();
    assert_eq!(refused, Rejection::NoLogEntry);
}

#[test]
fn a_site_without_a_certificate_log_asks_for_none() {
    let site = Site::new();
    let signer = site.certify(&Claims {
        in_log: false,
        ..Claims::new()
    });
    let mut root = site.root();
    root["ctlogs"] = json!([]);
    let evidence = bundle(&by_identity(&site, &signer, &approval(&image())));
    assert_eq!(
        outcome(&expecting(&root, ISSUER, GLOB), &evidence),
        signed_by(SUBJECT)
    );
}

#[test]
fn the_public_good_instance_is_trusted_without_another_root() {
    let subject = TextGlob::new("a@example.com");
    let authority = Authority::keyless("ci", ISSUER, &subject, None).unwrap();
    let (site, signer) = usual();
    let evidence = bundle(&by_identity(&site, &signer, &approval(&image())));
    let refused = authority.verify(&image(), &evidence).unwrap_err();
    assert!(matches!(refused, Rejection::UnknownLog { .. }), "{refused}");
}

#[test]
fn a_root_or_an_identity_that_cannot_work_is_refused() {
    let site = Site::new();
    let root = |change: &dyn Fn(&mut Value)| {
        let mut root = site.root();
        change(&mut root);
        root.to_string()
    };
    let cases: [(&str, &str, &str, String, &str); 8] = [
        ("no issuer", "", GLOB, root(&|_| {}), "has no issuer: "),
        ("no subject", ISSUER, "", root(&|_| {}), "has no subject: "),
        (
            "no JSON",
            ISSUER,
            GLOB,
            "{".to_owned(),
            "trusted root cannot be used: EOF",
        ),
        (
            "nothing in it",
            ISSUER,
            GLOB,
            "{}".to_owned(),
            "trusted root cannot be used: missing field `mediaType`",
        ),
        (
            "no authority",
            ISSUER,
            GLOB,
            root(&|root| root["certificateAuthorities"] = json!([])),
            "trusted root cannot be used: it has no certificateAuthorities",
        ),
        (
            "nobody knows the time",
            ISSUER,
            GLOB,
            root(&|root| {
                root["tlogs"] = json!([]);
                root["timestampAuthorities"] = json!([]);
            }),
            "trusted root cannot be used: it has neither tlogs nor timestampAuthorities",
        ),
        (
            "broken certificate",
            ISSUER,
            GLOB,
            root(&|root| {
                root["certificateAuthorities"][0]["certChain"]["certificates"][0]["rawBytes"] =
                    "AAAA".into();
            }),
            "trusted root cannot be used: invalid trusted certificate",
        ),
        (
            "broken key",
            ISSUER,
            GLOB,
            root(&|root| root["tlogs"][0]["publicKey"]["rawBytes"] = "AAAA".into()),
            "trusted root cannot be used: ",
        ),
    ];
    for (name, issuer, subject, root, expected) in cases {
        let subject = TextGlob::new(subject);
        let error = Authority::keyless("ci", issuer, &subject, Some(root.as_bytes())).unwrap_err();
        let error = error.to_string();
        assert!(error.starts_with(expected), "{name}: {error}");
    }
}
