// SPDX-License-Identifier: Apache-2.0

mod bundles;
mod der;
mod keyless;
mod keys;
mod leaves;
mod properties;
mod rejections;
mod site;

use serde_json::{Value, json};

use super::*;
use crate::oci::Digest;

/// The image that evidence is for, unless a case says otherwise.
fn image() -> Digest {
    Digest::sha256(b"the image")
}

/// Another image.
fn other_image() -> Digest {
    Digest::sha256(b"another image")
}

/// Under which digest an evidence is found.
fn found() -> Digest {
    Digest::sha256(b"the manifest of the evidence")
}

/// What cosign signs in its first scheme.
fn payload(image: &Digest) -> Value {
    json!({
        "critical": {
            "identity": {"docker-reference": "upstream.example/team/app"},
            "image": {"docker-manifest-digest": image},
            "type": "cosign container image signature",
        },
        "optional": {"Creator": "ci"},
    })
}

/// What cosign signs today, with a predicate of a type.
fn statement(image: &Digest, predicate_type: &str) -> Value {
    json!({
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"digest": {image.algorithm().as_str(): image.encoded()}}],
        "predicateType": predicate_type,
        "predicate": {"scanner": "none"},
    })
}

/// The statement that approves an image.
fn approval(image: &Digest) -> Value {
    statement(image, "https://sigstore.dev/cosign/sign/v1")
}

/// What comes of a verification, in words.
fn outcome(authority: &Authority, evidence: &Evidence) -> String {
    match authority.verify(&image(), evidence) {
        Ok(proof) => said(&proof),
        Err(rejection) => rejection.to_string(),
    }
}

fn said(proof: &Proof) -> String {
    let Proof {
        authority,
        identity,
        evidence,
        statement,
    } = proof;
    assert_eq!(*evidence, found());
    let what = match statement {
        Statement::Signature => "signed".to_owned(),
        Statement::Attestation {
            predicate_type,
            predicate,
        } => {
            assert_eq!(*predicate, json!({"scanner": "none"}));
            format!("attested {predicate_type}")
        }
    };
    match identity {
        None => format!("{what} for {authority}"),
        Some(identity) => format!("{what} for {authority} by {identity}"),
    }
}
