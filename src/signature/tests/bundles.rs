// SPDX-License-Identifier: Apache-2.0

//! Evidence as cosign leaves it at a registry.

use std::collections::BTreeMap;

use bytes::Bytes;
use rcgen::SigningKey;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::found;
use super::site::{Certified, NOON, Site, encode, id};
use crate::signature::{Evidence, Layer};

/// The type of what is in an envelope.
pub(super) const IN_TOTO: &str = "application/vnd.in-toto+json";

/// What is signed of an envelope (DSSE, section 2).
pub(super) fn pae(payload_type: &str, payload: &[u8]) -> Vec<u8> {
    let mut text = format!(
        "DSSEv1 {} {payload_type} {} ",
        payload_type.len(),
        payload.len()
    )
    .into_bytes();
    text.extend(payload);
    text
}

/// An envelope with one signature.
pub(super) fn envelope(key: &impl SigningKey, statement: &Value) -> Value {
    envelope_of(key, IN_TOTO, statement.to_string().as_bytes())
}

/// The same with any content.
pub(super) fn envelope_of(key: &impl SigningKey, payload_type: &str, payload: &[u8]) -> Value {
    let signature = key.sign(&pae(payload_type, payload)).unwrap();
    json!({
        "payloadType": payload_type,
        "payload": encode(payload),
        "signatures": [{"sig": encode(&signature), "keyid": ""}],
    })
}

/// A bundle of `cosign sign --key --tlog-upload=false`.
pub(super) fn by_key(key: &impl SigningKey, statement: &Value) -> Value {
    json!({
        "mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
        "verificationMaterial": {
            "publicKey": {"hint": encode(&Sha256::digest(key.subject_public_key_info()))},
            "timestampVerificationData": null,
        },
        "dsseEnvelope": envelope(key, statement),
    })
}

/// A bundle of `cosign sign` by an identity.
pub(super) fn by_identity(site: &Site, signer: &Certified, statement: &Value) -> Value {
    let envelope = envelope(&signer.key, statement);
    let entry = site.entry(&envelope_entry(&envelope, signer));
    json!({
        "mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
        "verificationMaterial": {
            "certificate": {"rawBytes": encode(&signer.der)},
            "tlogEntries": [entry],
        },
        "dsseEnvelope": envelope,
    })
}

/// What the transparency log keeps of an envelope.
pub(super) fn envelope_entry(envelope: &Value, signer: &Certified) -> Value {
    let sum =
        |text: &[u8]| json!({"algorithm": "sha256", "value": hex::encode(Sha256::digest(text))});
    let payload = decode(&envelope["payload"]);
    json!({
        "apiVersion": "0.0.1",
        "kind": "dsse",
        "spec": {
            "envelopeHash": sum(envelope.to_string().as_bytes()),
            "payloadHash": sum(&payload),
            "signatures": [{
                "signature": envelope["signatures"][0]["sig"],
                "verifier": encode(signer.pem().as_bytes()),
            }],
        },
    })
}

/// What it keeps of the signature of a payload.
pub(super) fn payload_entry(payload: &[u8], signature: &[u8], signer: &Certified) -> Value {
    json!({
        "apiVersion": "0.0.1",
        "kind": "hashedrekord",
        "spec": {
            "data": {"hash": {"algorithm": "sha256", "value": hex::encode(Sha256::digest(payload))}},
            "signature": {
                "content": encode(signature),
                "publicKey": {"content": encode(signer.pem().as_bytes())},
            },
        },
    })
}

/// The annotation with an entry of the log.
pub(super) fn logged(site: &Site, body: &Value) -> String {
    let entry = site.entry(body);
    let id = decode(&entry["logId"]["keyId"]);
    json!({
        "SignedEntryTimestamp": entry["inclusionPromise"]["signedEntryTimestamp"],
        "Payload": {
            "body": entry["canonicalizedBody"],
            "integratedTime": NOON,
            "logIndex": 1001,
            "logID": hex::encode(id),
        },
    })
    .to_string()
}

/// A layer of a `.sig` tag, signed with a key.
pub(super) fn simple_by_key(key: &impl SigningKey, payload: &Value) -> Layer {
    let payload = payload.to_string();
    let signature = key.sign(payload.as_bytes()).unwrap();
    let annotations = annotations(&[("dev.cosignproject.cosign/signature", &encode(&signature))]);
    Layer::new(found(), payload.into(), &annotations)
}

/// A layer of a `.sig` tag, signed by an identity.
pub(super) fn simple_by_identity(site: &Site, signer: &Certified, payload: &Value) -> Layer {
    let payload = payload.to_string();
    let signature = signer.key.sign(payload.as_bytes()).unwrap();
    let entry = payload_entry(payload.as_bytes(), &signature, signer);
    let annotations = annotations(&[
        ("dev.cosignproject.cosign/signature", &encode(&signature)),
        ("dev.sigstore.cosign/certificate", &signer.pem()),
        ("dev.sigstore.cosign/bundle", &logged(site, &entry)),
    ]);
    Layer::new(found(), payload.into(), &annotations)
}

/// A layer of an `.att` tag, signed by an identity.
pub(super) fn envelope_by_identity(site: &Site, signer: &Certified, statement: &Value) -> Layer {
    let envelope = envelope(&signer.key, statement);
    let entry = envelope_entry(&envelope, signer);
    let annotations = annotations(&[
        ("dev.cosignproject.cosign/signature", ""),
        ("dev.sigstore.cosign/certificate", &signer.pem()),
        ("dev.sigstore.cosign/bundle", &logged(site, &entry)),
    ]);
    Layer::new(found(), envelope.to_string().into(), &annotations)
}

/// A layer of an `.att` tag, signed with a key.
pub(super) fn envelope_by_key(key: &impl SigningKey, statement: &Value) -> Layer {
    let content = envelope(key, statement).to_string();
    Layer::new(found(), content.into(), &BTreeMap::new())
}

pub(super) fn bundle(value: &Value) -> Evidence {
    Evidence::Bundle {
        digest: found(),
        bytes: Bytes::from(value.to_string()),
    }
}

fn annotations(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    let pairs = pairs.iter();
    pairs
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

pub(super) fn decode(value: &Value) -> Vec<u8> {
    use base64::Engine as _;
    let text = value.as_str().unwrap();
    base64::prelude::BASE64_STANDARD.decode(text).unwrap()
}

/// The ID of the log of another site, for entries that nobody trusts.
pub(super) fn unknown_log() -> String {
    encode(&id(&super::site::key()))
}
