// SPDX-License-Identifier: Apache-2.0

//! Identities: who must have signed, and everything that must prove it.

mod bundle;
mod identity;
mod layer;
mod root;

use serde_json::{Value, json};

use super::bundles::{
    bundle, by_identity, by_key, decode, envelope_by_identity, simple_by_identity,
};
use super::site::{Certified, Claims, ISSUER, SUBJECT, Site, encode, key};
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

fn material(bundle: &mut Value) -> &mut Value {
    &mut bundle["verificationMaterial"]
}

fn remove(value: &mut Value, key: &str) {
    value.as_object_mut().unwrap().remove(key).unwrap();
}

/// A bundle that another site, another key, or another time had a part in.
fn foreign() -> (Site, Certified) {
    usual()
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

#[test]
fn an_identity_does_not_vouch_for_what_a_key_signed() {
    let site = Site::new();
    let evidence = bundle(&by_key(&key(), &approval(&image())));
    let refused = authority(&site).verify(&image(), &evidence).unwrap_err();
    assert_eq!(refused, Rejection::NoCertificate);
}
