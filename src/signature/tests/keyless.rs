//! Identities: who must have signed, and everything that must prove it.

use serde_json::{Value, json};

use super::bundles::{
    bundle, by_identity, by_key, decode, envelope, envelope_by_identity, envelope_entry,
    simple_by_identity, unknown_log,
};
use super::site::{Certified, Claims, ISSUER, NOON, SUBJECT, Site, email, encode, key, uri};
use super::*;
use crate::policy::TextGlob;

const GLOB: &str = "https://git.example/acme/*";

pub(super) fn authority(site: &Site) -> Authority {
    expecting(&site.root(), ISSUER, GLOB)
}

fn expecting(root: &Value, issuer: &str, subject: &str) -> Authority {
    let root = root.to_string();
    let subject = TextGlob::new(subject);
    Authority::keyless("ci", issuer, &subject, Some(root.as_bytes())).unwrap()
}

/// A site, and somebody with the usual certificate.
fn usual() -> (Site, Certified) {
    let site = Site::new();
    let signer = site.certify(&Claims::new());
    (site, signer)
}

fn signed_by(subject: &str) -> String {
    format!("signed for ci by {subject} of {ISSUER}")
}

#[test]
fn an_identity_signs_in_both_schemes() {
    let (site, signer) = usual();
    let all = [
        bundle(&by_identity(&site, &signer, &approval(&image()))),
        Evidence::Simple(simple_by_identity(&site, &signer, &payload(&image()))),
        Evidence::Envelope(envelope_by_identity(&site, &signer, &approval(&image()))),
    ];
    for evidence in &all {
        assert_eq!(outcome(&authority(&site), evidence), signed_by(SUBJECT));
        // The authority of another site does not know this one.
        let refused = authority(&Site::new()).verify(&image(), evidence);
        let refused = refused.unwrap_err();
        assert!(matches!(refused, Rejection::UnknownLog { .. }), "{refused}");
    }
}

#[test]
fn an_identity_attests_in_both_schemes() {
    let (site, signer) = usual();
    let vuln = "https://cosign.sigstore.dev/attestation/vuln/v1";
    let all = [
        bundle(&by_identity(&site, &signer, &statement(&image(), vuln))),
        Evidence::Envelope(envelope_by_identity(
            &site,
            &signer,
            &statement(&image(), vuln),
        )),
    ];
    for evidence in &all {
        let expected = format!("attested {vuln} for ci by {SUBJECT} of {ISSUER}");
        assert_eq!(outcome(&authority(&site), evidence), expected);
    }
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table of cases")]
fn the_identity_must_be_the_one_that_is_trusted() {
    let plain = Claims::new();
    let with = |subject: &str| Claims {
        subject: Some(uri(subject)),
        ..plain.clone()
    };
    let outside = "https://evil.example/?https://git.example/acme/app";
    let cases: [(&str, Claims, &str, &str, &str); 13] = [
        (
            "glob",
            plain.clone(),
            ISSUER,
            GLOB,
            "signed for ci by https://git.example/acme/app/",
        ),
        (
            "exact",
            plain.clone(),
            ISSUER,
            SUBJECT,
            "signed for ci by https://git.example/acme/app/",
        ),
        (
            "address",
            Claims {
                subject: Some(email("dev@acme.example")),
                ..plain.clone()
            },
            ISSUER,
            "*@acme.example",
            "signed for ci by dev@acme.example of ",
        ),
        (
            "another subject",
            with("https://git.example/other/app"),
            ISSUER,
            GLOB,
            "is signed by https://git.example/other/app, expected https://git.example/acme/*: ",
        ),
        (
            "only contains it",
            with(outside),
            ISSUER,
            GLOB,
            "is signed by https://evil.example/?https://git.example/acme/app, expected ",
        ),
        (
            "only begins with it",
            plain.clone(),
            ISSUER,
            "https://git.example/acme/app",
            "is signed by https://git.example/acme/app/",
        ),
        (
            "only ends with it",
            plain.clone(),
            ISSUER,
            "refs/heads/main",
            "is signed by https://git.example/acme/app/",
        ),
        (
            "another case",
            plain.clone(),
            ISSUER,
            "https://git.example/ACME/*",
            "is signed by https://git.example/acme/app/",
        ),
        (
            "no subject",
            Claims {
                subject: None,
                ..plain.clone()
            },
            ISSUER,
            "*",
            "certificate names no subject, expected *",
        ),
        (
            "subject of no kind that counts",
            Claims {
                subject: Some(rcgen::SanType::DnsName("git.example".try_into().unwrap())),
                ..plain.clone()
            },
            ISSUER,
            "*",
            "certificate names no subject, expected *",
        ),
        (
            "another issuer",
            plain.clone(),
            "https://issuer.example/",
            GLOB,
            "identity is from the issuer https://issuer.example, expected https://issuer.example/: ",
        ),
        (
            "issuer is no glob",
            plain.clone(),
            "https://issuer.*",
            GLOB,
            "identity is from the issuer https://issuer.example, expected https://issuer.*: ",
        ),
        (
            "no issuer",
            Claims {
                issuer: None,
                ..plain.clone()
            },
            ISSUER,
            GLOB,
            "certificate names no issuer of the identity, expected https://issuer.example",
        ),
    ];
    for (name, claims, issuer, subject, expected) in cases {
        let site = Site::new();
        let signer = site.certify(&claims);
        let authority = expecting(&site.root(), issuer, subject);
        let evidence = bundle(&by_identity(&site, &signer, &approval(&image())));
        let outcome = outcome(&authority, &evidence);
        assert!(outcome.starts_with(expected), "{name}: {outcome}");
    }
}

/// What comes of a bundle in which something is different.
fn changed(claims: &Claims, change: impl FnOnce(&Site, &mut Value)) -> String {
    let site = Site::new();
    let signer = site.certify(claims);
    let mut value = by_identity(&site, &signer, &approval(&image()));
    change(&site, &mut value);
    outcome(&authority(&site), &bundle(&value))
}

fn material(bundle: &mut Value) -> &mut Value {
    &mut bundle["verificationMaterial"]
}

fn entry(bundle: &mut Value) -> &mut Value {
    &mut bundle["verificationMaterial"]["tlogEntries"][0]
}

fn remove(value: &mut Value, key: &str) {
    value.as_object_mut().unwrap().remove(key).unwrap();
}

/// A bundle that another site, another key, or another time had a part in.
fn foreign() -> (Site, Certified) {
    usual()
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
fn a_signature_is_for_the_image_that_it_names() {
    let (site, signer) = usual();
    let other = other_image();
    let expected = format!("is for another image, {other}: sign {}", image());
    let all = [
        bundle(&by_identity(&site, &signer, &approval(&other))),
        Evidence::Simple(simple_by_identity(&site, &signer, &payload(&other))),
        Evidence::Envelope(envelope_by_identity(&site, &signer, &approval(&other))),
    ];
    for evidence in &all {
        assert_eq!(outcome(&authority(&site), evidence), expected);
    }
    // Whoever signed another image must be trusted before it is told.
    let stranger = expecting(&site.root(), ISSUER, "somebody else");
    for evidence in &all {
        let refused = stranger.verify(&image(), evidence).unwrap_err();
        assert!(
            matches!(refused, Rejection::OtherSubject { .. }),
            "{refused}"
        );
    }
}

#[test]
fn an_image_may_have_a_digest_of_another_algorithm() {
    let (site, signer) = usual();
    let image = crate::oci::Algorithm::Sha512.digest(b"the image");
    let all = [
        bundle(&by_identity(&site, &signer, &approval(&image))),
        Evidence::Simple(simple_by_identity(&site, &signer, &payload(&image))),
    ];
    for evidence in &all {
        let proof = authority(&site).verify(&image, evidence).unwrap();
        assert_eq!(proof.statement, Statement::Signature);
    }
}

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

/// The root of a site without a transparency log: its timestamp authority says when it was signed.
pub(super) fn root_without_log(site: &Site) -> Value {
    let mut root = site.root();
    root["tlogs"] = json!([]);
    root
}

/// A bundle of such a site.
pub(super) fn by_timestamp(site: &Site, signer: &Certified, time: &str) -> Value {
    let mut bundle = by_identity(site, signer, &approval(&image()));
    remove(material(&mut bundle), "tlogEntries");
    let signature = decode(&bundle["dsseEnvelope"]["signatures"][0]["sig"]);
    let token = encode(&site.stamp(&signature, time));
    material(&mut bundle)["timestampVerificationData"] =
        json!({"rfc3161Timestamps": [{"signedTimestamp": token}]});
    bundle
}

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
fn an_identity_does_not_vouch_for_what_a_key_signed() {
    let site = Site::new();
    let evidence = bundle(&by_key(&key(), &approval(&image())));
    let refused = authority(&site).verify(&image(), &evidence).unwrap_err();
    assert_eq!(refused, Rejection::NoCertificate);
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
