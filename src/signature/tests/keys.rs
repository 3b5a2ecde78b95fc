//! Keys: what is one, and what it vouches for.

use rcgen::{
    KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384, PKCS_ECDSA_P521_SHA256,
    PKCS_ECDSA_P521_SHA512, PKCS_ED25519, PKCS_RSA_SHA256, PKCS_RSA_SHA512, RsaKeySize,
};
use serde_json::{Value, json};

use super::bundles::{
    IN_TOTO, bundle, by_identity, by_key, decode, envelope_by_key, envelope_of, simple_by_identity,
    simple_by_key,
};
use super::site::{Claims, Site, encode, key};
use super::*;

const RSA_1024: &str = "-----BEGIN PUBLIC KEY-----
MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDJa2kDBm3gM+hk+Jh2FHMF0fm7
jikeUhbF0VTEZewll6CZ+v3icAmHjGQEGqbT/Vp39aFmHAMEKJSCezxjqvG8kjNI
Wm2En2lB15BQIpa3chHQKfgoQP7itYScb4oZJEw4+HM14IE4J5ZuGm0PKo5zPXzB
10kFnxv9K1l2O4PSYQIDAQAB
-----END PUBLIC KEY-----
";
const SECP256K1: &str = "-----BEGIN PUBLIC KEY-----
MFYwEAYHKoZIzj0CAQYFK4EEAAoDQgAElktIEzCnZ1pftI+WW6bFrW2nCnuK/957
/oFMSxC0tWORTgnFz0FM6u1coS2iiQ4SYcaydgMPmDv5ngCoBO1gWg==
-----END PUBLIC KEY-----
";

fn authority(key: &KeyPair) -> Authority {
    Authority::key("vendor", key.public_key_pem().as_bytes()).unwrap()
}

#[test]
fn only_a_public_key_is_one() {
    let good = key().public_key_pem();
    let private = key().serialize_pem();
    let encrypted = "-----BEGIN ENCRYPTED SIGSTORE PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED SIGSTORE PRIVATE KEY-----\n";
    let certificate = Site::new().certify(&Claims::new()).pem();
    let flipped = good.replace("MFkwEwYHKoZIzj0C", "MFkwEwYHKoZIzj0D");
    let cases: [(&str, &str, Option<AuthorityError>); 16] = [
        ("a key", &good, None),
        ("text around it", &format!("# ours\n{good}\n"), None),
        ("nothing", "", Some(AuthorityError::Empty)),
        ("blanks", " \n\t", Some(AuthorityError::Empty)),
        ("private key", &private, Some(AuthorityError::PrivateKey)),
        ("cosign.key", encrypted, Some(AuthorityError::PrivateKey)),
        (
            "both halves",
            &format!("{good}{private}"),
            Some(AuthorityError::PrivateKey),
        ),
        (
            "certificate",
            &certificate,
            Some(AuthorityError::Certificate),
        ),
        (
            "two keys",
            &format!("{good}{}", key().public_key_pem()),
            Some(AuthorityError::SeveralKeys),
        ),
        ("a word", "cosign.pub", Some(AuthorityError::NotPem)),
        (
            "base64 of a PEM",
            &encode(good.as_bytes()),
            Some(AuthorityError::NotPem),
        ),
        ("cut off", &good[..60], Some(AuthorityError::NotPem)),
        (
            "PKCS #1",
            "-----BEGIN RSA PUBLIC KEY-----\nMAYCAQMCAQM=\n-----END RSA PUBLIC KEY-----\n",
            Some(AuthorityError::NotPem),
        ),
        ("1024 bits", RSA_1024, Some(AuthorityError::UnsupportedKey)),
        (
            "curve of coins",
            SECP256K1,
            Some(AuthorityError::UnsupportedKey),
        ),
        ("broken", &flipped, Some(AuthorityError::UnsupportedKey)),
    ];
    for (name, pem, expected) in cases {
        let found = Authority::key("vendor", pem.as_bytes()).err();
        assert_eq!(found, expected, "{name}");
    }
}

#[test]
fn an_error_says_what_to_put_there_instead() {
    let error = Authority::key("vendor", key().serialize_pem().as_bytes()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "is a private key, which must not be there: put the public key there, cosign.pub"
    );
}

#[test]
fn every_kind_of_key_signs_in_both_schemes() {
    let rsa = KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048).unwrap();
    let rsa_512 = KeyPair::from_pkcs8_pem_and_sign_algo(&rsa.serialize_pem(), &PKCS_RSA_SHA512);
    let p521 = KeyPair::generate_for(&PKCS_ECDSA_P521_SHA512).unwrap();
    let p521_256 =
        KeyPair::from_pkcs8_pem_and_sign_algo(&p521.serialize_pem(), &PKCS_ECDSA_P521_SHA256);
    let keys = [
        ("P-256", KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)),
        ("P-384", KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384)),
        ("P-521", Ok(p521)),
        ("P-521 with SHA-256", p521_256),
        ("Ed25519", KeyPair::generate_for(&PKCS_ED25519)),
        ("RSA", Ok(rsa)),
        ("RSA with SHA-512", rsa_512),
    ];
    let stranger = authority(&key());
    for (name, key) in keys {
        let key = key.unwrap();
        let authority = authority(&key);
        let all = [
            bundle(&by_key(&key, &approval(&image()))),
            Evidence::Simple(simple_by_key(&key, &payload(&image()))),
            Evidence::Envelope(envelope_by_key(&key, &approval(&image()))),
        ];
        for evidence in all {
            assert_eq!(
                outcome(&authority, &evidence),
                "signed for vendor",
                "{name}"
            );
            let refused = stranger.verify(&image(), &evidence);
            assert_eq!(refused.unwrap_err(), Rejection::WrongKey, "{name}");
        }
    }
}

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

fn simple(payload: &Value, change: impl FnOnce(&mut Layer)) -> (Authority, Evidence) {
    let key = key();
    let mut layer = simple_by_key(&key, payload);
    change(&mut layer);
    (authority(&key), Evidence::Simple(layer))
}

fn with(mut value: Value, pointer: &str, new: Value) -> Value {
    *value.pointer_mut(pointer).unwrap() = new;
    value
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

#[test]
fn a_key_does_not_vouch_for_what_an_identity_signed() {
    let site = Site::new();
    let signer = site.certify(&Claims::new());
    let stranger = authority(&key());
    let all = [
        bundle(&by_identity(&site, &signer, &approval(&image()))),
        Evidence::Simple(simple_by_identity(&site, &signer, &payload(&image()))),
    ];
    for evidence in &all {
        let refused = stranger.verify(&image(), evidence).unwrap_err();
        assert_eq!(refused, Rejection::NotWithKey);
    }
}

#[test]
fn an_attestation_approves_nothing() {
    let key = key();
    let evidence = bundle(&by_key(
        &key,
        &statement(&image(), "https://slsa.dev/provenance/v1"),
    ));
    let proof = authority(&key).verify(&image(), &evidence).unwrap();
    let refused = proof.require_signature().unwrap_err();
    assert_eq!(
        refused.to_string(),
        "is an attestation of the type https://slsa.dev/provenance/v1, not a signature: sign the image too"
    );
    let evidence = bundle(&by_key(&key, &approval(&image())));
    let proof = authority(&key).verify(&image(), &evidence).unwrap();
    assert_eq!(proof.clone().require_signature(), Ok(proof));
}

#[test]
fn a_fingerprint_changes_with_what_it_stands_for() {
    let (one, two) = (key(), key());
    let root = Site::new().root().to_string();
    let keyless = |issuer: &str, subject: &str, root: Option<&str>| {
        let subject = crate::policy::TextGlob::new(subject);
        Authority::keyless("ci", issuer, &subject, root.map(str::as_bytes)).unwrap()
    };
    let all = [
        authority(&one),
        authority(&two),
        keyless("a", "b*", None),
        keyless("a", "b", None),
        keyless("ab", "*", None),
        keyless("a", "b*", Some(&root)),
    ];
    let fingerprints: std::collections::HashSet<_> = all
        .iter()
        .map(|authority| authority.fingerprint().clone())
        .collect();
    assert_eq!(fingerprints.len(), all.len());
    assert_eq!(authority(&one).fingerprint(), all[0].fingerprint());
    assert_eq!(all[0].name(), "vendor");
}

#[test]
fn the_closest_of_several_rejections_is_the_greatest() {
    let other = other_image().to_string();
    let in_order = [
        Rejection::unreadable("bundle", &"x"),
        Rejection::NoSignature,
        Rejection::NoCertificate,
        Rejection::WrongKey,
        Rejection::UnknownCertificateAuthority {
            reason: "x".to_owned(),
        },
        Rejection::NoLogEntry,
        Rejection::OtherSubject {
            found: "a".to_owned(),
            expected: "b".to_owned(),
        },
        Rejection::OtherDigest {
            found: other,
            expected: image().to_string(),
        },
        Rejection::attestation("x"),
    ];
    assert!(in_order.is_sorted());
    let unreadable = in_order.iter().filter(|cause| cause.is_unreadable());
    assert_eq!(unreadable.count(), 1);
}

#[test]
fn texts_of_an_evidence_are_short_and_safe_in_messages() {
    let long = "a\u{1b}[31m\n".repeat(100);
    let text = Rejection::attestation(&long).to_string();
    assert!(text.len() < 600, "{text}");
    assert!(!text.contains(['\u{1b}', '\n']), "{text}");
}
