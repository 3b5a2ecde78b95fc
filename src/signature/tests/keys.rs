// SPDX-License-Identifier: Apache-2.0

//! Keys: what is one, and what it vouches for.

mod bundle;
mod layer;

use rcgen::{
    KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384, PKCS_ECDSA_P521_SHA256,
    PKCS_ECDSA_P521_SHA512, PKCS_ED25519, PKCS_RSA_SHA256, PKCS_RSA_SHA512, RsaKeySize,
};
use serde_json::Value;

use super::bundles::{
    bundle, by_identity, by_key, envelope_by_key, simple_by_identity, simple_by_key,
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

fn with(mut value: Value, pointer: &str, new: Value) -> Value {
    *value.pointer_mut(pointer).unwrap() = new;
    value
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
