// SPDX-License-Identifier: Apache-2.0

//! Everything that can be wrong with a bundle.

use serde_json::{Value, json};

use super::super::bundles::{bundle, by_identity, decode, envelope, envelope_entry, unknown_log};
use super::super::site::{Claims, NOON, Site, encode};
use super::*;

/// What comes of a bundle in which something is different.
fn changed(claims: &Claims, change: impl FnOnce(&Site, &mut Value)) -> String {
    let site = Site::new();
    let signer = site.certify(claims);
    let mut value = by_identity(&site, &signer, &approval(&image()));
    change(&site, &mut value);
    outcome(&authority(&site), &bundle(&value))
}

fn entry(bundle: &mut Value) -> &mut Value {
    &mut bundle["verificationMaterial"]["tlogEntries"][0]
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table of cases")]
fn each_thing_that_is_wrong_has_its_own_reason() {
    let plain = Claims::new();
    let early = Claims {
        hours: [9, 11],
        ..plain.clone()
    };
    let late = Claims {
        hours: [13, 15],
        ..plain.clone()
    };
    let servers = Claims {
        code_signing: false,
        ..plain.clone()
    };
    let hidden = Claims {
        in_log: false,
        ..plain.clone()
    };
    let cases: Vec<(&str, String, &str)> = vec![
        (
            "expired",
            changed(&early, |_, _| {}),
            "certificate was not valid when it signed: ",
        ),
        (
            "not valid yet",
            changed(&late, |_, _| {}),
            "certificate was not valid when it signed: ",
        ),
        (
            "for servers",
            changed(&servers, |_, _| {}),
            "certificate is not from an authority of the trusted root: ",
        ),
        (
            "in no certificate log",
            changed(&hidden, |_, _| {}),
            "certificate is not proven to be in a certificate log: ",
        ),
        (
            "no log entry",
            changed(&plain, |_, bundle| remove(material(bundle), "tlogEntries")),
            "has no entry of a transparency log: ",
        ),
        (
            "empty list of entries",
            changed(&plain, |_, bundle| {
                material(bundle)["tlogEntries"] = json!([]);
            }),
            "has no entry of a transparency log: ",
        ),
        (
            "no proof",
            changed(&plain, |_, bundle| remove(entry(bundle), "inclusionProof")),
            "entry of the transparency log is not proven to be in the log: ",
        ),
        (
            "no checkpoint",
            changed(&plain, |_, bundle| {
                remove(&mut entry(bundle)["inclusionProof"], "checkpoint");
            }),
            "checkpoint of the transparency log is wrong: ",
        ),
        (
            "no promise and no timestamp",
            changed(&plain, |_, bundle| {
                remove(entry(bundle), "inclusionPromise");
            }),
            "has no time that a trusted log or timestamp authority signed: ",
        ),
        (
            "no time of the entry",
            changed(&plain, |_, bundle| remove(entry(bundle), "integratedTime")),
            "has no time that a trusted log or timestamp authority signed: ",
        ),
        (
            "time of the entry moved",
            changed(&plain, |_, bundle| {
                entry(bundle)["integratedTime"] = (NOON + 60).to_string().into();
            }),
            "promise of the transparency log is wrong: ",
        ),
        (
            "unknown log",
            changed(&plain, |_, bundle| {
                entry(bundle)["logId"]["keyId"] = unknown_log().into();
            }),
            "entry is from a transparency log that is not in the trusted root: ",
        ),
        (
            "another tree",
            changed(&plain, |_, bundle| {
                let hash = encode(&[7; 32]);
                entry(bundle)["inclusionProof"]["hashes"] = json!([hash, hash]);
            }),
            "entry of the transparency log is not proven to be in the log: ",
        ),
        (
            "another root",
            changed(&plain, |_, bundle| {
                entry(bundle)["inclusionProof"]["rootHash"] = encode(&[7; 32]).into();
            }),
            "checkpoint of the transparency log is wrong: ",
        ),
        (
            "checkpoint of another log",
            changed(&plain, |_, bundle| {
                let (other, signer) = foreign();
                let mut value = by_identity(&other, &signer, &approval(&image()));
                let checkpoint = entry(&mut value)["inclusionProof"]["checkpoint"].take();
                entry(bundle)["inclusionProof"]["checkpoint"] = checkpoint;
            }),
            "checkpoint of the transparency log is wrong: ",
        ),
        (
            "entry of another signature",
            changed(&plain, |site, bundle| {
                let signer = site.certify(&Claims::new());
                let mut value = by_identity(site, &signer, &approval(&image()));
                *entry(bundle) = entry(&mut value).take();
            }),
            "entry of the transparency log is for another signature: ",
        ),
        (
            "entry of another kind",
            changed(&plain, |_, bundle| {
                entry(bundle)["kindVersion"] = json!({"kind": "hashedrekord", "version": "0.0.1"});
            }),
            "bundle (Rekor entry hashedrekord/0.0.1 is incompatible with a DSSE envelope) is not supported: ",
        ),
        (
            "entry of an unknown kind",
            changed(&plain, |_, bundle| {
                entry(bundle)["kindVersion"]["version"] = "0.0.9".into();
            }),
            "bundle cannot be read: unsupported Rekor entry format: dsse/0.0.9",
        ),
        (
            "payload changed",
            changed(&plain, |_, bundle| {
                bundle["dsseEnvelope"]["payload"] =
                    encode(approval(&other_image()).to_string().as_bytes()).into();
            }),
            "was changed after it was signed: ",
        ),
        (
            "signature changed",
            changed(&plain, |_, bundle| {
                let mut signature = decode(&bundle["dsseEnvelope"]["signatures"][0]["sig"]);
                *signature.last_mut().unwrap() ^= 1;
                bundle["dsseEnvelope"]["signatures"][0]["sig"] = encode(&signature).into();
            }),
            "was changed after it was signed: ",
        ),
        (
            "certificate of another site",
            changed(&plain, |_, bundle| {
                let (_, signer) = foreign();
                material(bundle)["certificate"]["rawBytes"] = encode(&signer.der).into();
            }),
            "certificate is not from an authority of the trusted root: ",
        ),
        (
            "certificate of another",
            changed(&plain, |site, bundle| {
                let signer = site.certify(&Claims::new());
                material(bundle)["certificate"]["rawBytes"] = encode(&signer.der).into();
            }),
            "was changed after it was signed: ",
        ),
        (
            "no certificate in it",
            changed(&plain, |_, bundle| {
                material(bundle)["certificate"]["rawBytes"] = "AAAA".into();
            }),
            "certificate cannot be read: ",
        ),
        (
            "key instead of a certificate",
            changed(&plain, |_, bundle| {
                remove(material(bundle), "certificate");
                material(bundle)["publicKey"] = json!({"hint": "x"});
            }),
            "is signed with a key, not by an identity: ",
        ),
        (
            "chain in a new bundle",
            changed(&plain, |_, bundle| {
                let certificate = material(bundle)["certificate"].take();
                remove(material(bundle), "certificate");
                material(bundle)["x509CertificateChain"] = json!({"certificates": [certificate]});
            }),
            "bundle cannot be read: ",
        ),
        (
            "too many entries",
            changed(&plain, |_, bundle| {
                let one = entry(bundle).clone();
                material(bundle)["tlogEntries"] = vec![one; 65].into();
            }),
            "bundle cannot be read: has 65 log entries, at most 64 are read",
        ),
        (
            "timestamp is garbage",
            changed(&plain, |_, bundle| {
                material(bundle)["timestampVerificationData"] =
                    json!({"rfc3161Timestamps": [{"signedTimestamp": "AAAA"}]});
            }),
            "timestamp is wrong: ",
        ),
    ];
    for (name, outcome, expected) in cases {
        assert!(outcome.starts_with(expected), "{name}: {outcome}");
    }
}

#[test]
fn a_log_entry_cannot_lend_its_time_to_another_signature() {
    // Signed long after the certificate ended, with an entry of the log from when it was valid.
    let (site, signer) = usual();
    let old = envelope(&signer.key, &approval(&other_image()));
    let mut forged = by_identity(&site, &signer, &approval(&image()));
    material(&mut forged)["tlogEntries"] = json!([site.entry(&envelope_entry(&old, &signer))]);
    let refused = authority(&site)
        .verify(&image(), &bundle(&forged))
        .unwrap_err();
    assert!(
        matches!(refused, Rejection::OtherLogEntry { .. }),
        "{refused}"
    );
}
