// SPDX-License-Identifier: Apache-2.0

//! Whatever is changed in a bundle, it is no proof any more.

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use serde_json::Value;

use super::bundles::{
    bundle, by_identity, by_key, decode, envelope_by_identity, simple_by_identity,
};
use super::keyless::{authority, by_timestamp, root_without_log};
use super::site::{Claims, ISSUER, Site, encode, key};
use super::*;
use crate::policy::TextGlob;

/// What may be changed in any bundle: names that are only there to find a key.
const HINTS: [&str; 3] = [
    "/dsseEnvelope/signatures/0/keyid",
    "/payload/signatures/0/keyid",
    "/verificationMaterial/publicKey/hint",
];

/// A change of one leaf that did not lead to a rejection.
struct Tolerated {
    pointer: String,
    before: Value,
    after: Value,
}

impl Tolerated {
    /// Whether it is one of the few that change nothing which somebody vouches for.
    fn is_harmless(&self) -> bool {
        let Self {
            pointer,
            before,
            after,
        } = self;
        let texts = (before.as_str().unwrap(), after.as_str().unwrap());
        match pointer.as_str() {
            pointer if HINTS.contains(&pointer) => true,
            // The name in front of the signature, and what is behind it. The log signs what is above.
            pointer if pointer.ends_with("/checkpoint/envelope") => {
                let parts = |text: &str| {
                    let (note, signature) = text.split_once("\n\n")?;
                    let signature = signature.split_whitespace().nth(2)?;
                    Some((note.to_owned(), signature.to_owned()))
                };
                parts(texts.0).is_some() && parts(texts.0) == parts(texts.1)
            }
            // Where the lines of a PEM are broken, and what is around it.
            "/certificate" => {
                let der = |text: &str| CertificateDer::from_pem_slice(text.as_bytes()).ok();
                der(texts.0).is_some() && der(texts.0) == der(texts.1)
            }
            // The wrapping of a timestamp: versions, and algorithms that are named again inside. What the
            // authority says and signs stands: its statement and its signature at the end.
            pointer if pointer.ends_with("/signedTimestamp") => {
                let (before, after) = (decode(before), decode(after));
                before.len() == after.len() && same_statement(&before, &after)
            }
            _ => false,
        }
    }
}

/// Whether two timestamps have the same statement, signed attributes and signature.
fn same_statement(before: &[u8], after: &[u8]) -> bool {
    // `TSTInfo` begins with its version and the policy of the site.
    let policy = super::der::oid(&[1, 3, 6, 1, 4, 1, 57264, 2]);
    let begin = before
        .windows(policy.len())
        .position(|part| part == policy)
        .unwrap();
    let end = before
        .windows(17)
        .position(|part| part == b"\x18\x0f20240115120000Z")
        .unwrap();
    let signature = before.len() - 64;
    before[begin..end + 17] == after[begin..end + 17] && before[signature..] == after[signature..]
}

/// The pointers to everything in a document that is no list and no object.
fn leaves(value: &Value, pointer: &str, found: &mut Vec<String>) {
    match value {
        Value::Object(entries) => {
            for (key, value) in entries {
                leaves(value, &format!("{pointer}/{key}"), found);
            }
        }
        Value::Array(items) => {
            for (index, value) in items.iter().enumerate() {
                leaves(value, &format!("{pointer}/{index}"), found);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            found.push(pointer.to_owned());
        }
    }
}

/// Most places of one leaf that are changed, one at a time.
const PLACES: usize = 64;

/// The values that a leaf becomes: other text, and text in which one character is another; where it is
/// base64, one bit of a byte. In long ones not every place has its turn.
fn changes(leaf: &Value) -> Vec<Value> {
    let Value::String(text) = leaf else {
        return match leaf.as_i64() {
            Some(number) => vec![(number + 1).into(), (number - 1).into(), 0.into()],
            None => Vec::new(),
        };
    };
    let mut changes: Vec<Value> = vec!["".into(), format!("{text}A").into(), "AAAA".into()];
    if let Ok(number) = text.parse::<i64>() {
        changes.extend([number + 1, number - 1].map(|number| number.to_string().into()));
    }
    let is_base64 = text.len() >= 8 && encode_again(text);
    if is_base64 {
        let bytes = decode(leaf);
        for index in (0..bytes.len()).step_by(bytes.len().div_ceil(PLACES)) {
            let mut bytes = bytes.clone();
            bytes[index] ^= 1;
            changes.push(encode(&bytes).into());
        }
    } else {
        let step = text.len().div_ceil(PLACES).max(1);
        for (index, character) in text.char_indices().step_by(step) {
            let behind = index + character.len_utf8();
            let other = if character == '1' { '2' } else { '1' };
            changes.push(format!("{}{other}{}", &text[..index], &text[behind..]).into());
        }
    }
    changes.retain(|change| change != leaf);
    changes
}

fn encode_again(text: &str) -> bool {
    use base64::Engine as _;
    let decoded = base64::prelude::BASE64_STANDARD.decode(text);
    decoded.is_ok_and(|bytes| encode(&bytes) == text)
}

/// Fails where any leaf can be changed in a way that matters without a rejection.
fn change_all(authority: &Authority, whole: &Value, evidence: impl Fn(&Value) -> Evidence) {
    let accepted = |value: &Value| authority.verify(&image(), &evidence(value)).is_ok();
    assert!(accepted(whole), "{}", outcome(authority, &evidence(whole)));
    let mut pointers = Vec::new();
    leaves(whole, "", &mut pointers);
    assert!(pointers.len() > 5, "{pointers:?}");
    for pointer in pointers {
        let before = whole.pointer(&pointer).unwrap().clone();
        for after in changes(&before) {
            let mut changed = whole.clone();
            *changed.pointer_mut(&pointer).unwrap() = after.clone();
            let (pointer, before) = (pointer.clone(), before.clone());
            let change = Tolerated {
                pointer,
                before,
                after,
            };
            assert!(
                !accepted(&changed) || change.is_harmless(),
                "{}: {} is accepted instead of {}",
                change.pointer,
                change.after,
                change.before
            );
        }
    }
}

#[test]
fn nothing_in_a_bundle_of_an_identity_can_be_changed() {
    let site = Site::new();
    let signer = site.certify(&Claims::new());
    let whole = by_identity(&site, &signer, &approval(&image()));
    change_all(&authority(&site), &whole, bundle);
}

#[test]
fn nothing_in_a_bundle_with_a_timestamp_can_be_changed() {
    let site = Site::new();
    let signer = site.certify(&Claims::new());
    let root = root_without_log(&site).to_string();
    let any = TextGlob::new("*");
    let authority = Authority::keyless("ci", ISSUER, &any, Some(root.as_bytes())).unwrap();
    let whole = by_timestamp(&site, &signer, "120000");
    change_all(&authority, &whole, bundle);
}

#[test]
fn nothing_in_a_bundle_of_a_key_can_be_changed() {
    let key = key();
    let authority = Authority::key("vendor", key.public_key_pem().as_bytes()).unwrap();
    let whole = by_key(&key, &approval(&image()));
    change_all(&authority, &whole, bundle);
}

/// A layer as a document, so that its parts can be walked over.
fn as_value(layer: &Layer) -> Value {
    let payload: Value = serde_json::from_slice(&layer.payload).unwrap();
    let entry: Value = serde_json::from_str(layer.log_entry.as_deref().unwrap()).unwrap();
    serde_json::json!({
        "payload": payload,
        "signature": layer.signature,
        "certificate": layer.certificate,
        "entry": entry,
    })
}

fn as_layer(value: &Value) -> Layer {
    let text = |key: &str| value[key].as_str().map(str::to_owned);
    Layer {
        digest: found(),
        payload: value["payload"].to_string().into(),
        signature: text("signature"),
        certificate: text("certificate"),
        chain: None,
        log_entry: Some(value["entry"].to_string()),
        timestamp: None,
    }
}

#[test]
fn nothing_in_a_layer_of_an_identity_can_be_changed() {
    let site = Site::new();
    let signer = site.certify(&Claims::new());
    let simple = simple_by_identity(&site, &signer, &payload(&image()));
    let attested = envelope_by_identity(&site, &signer, &approval(&image()));
    change_all(&authority(&site), &as_value(&simple), |value| {
        Evidence::Simple(as_layer(value))
    });
    change_all(&authority(&site), &as_value(&attested), |value| {
        Evidence::Envelope(as_layer(value))
    });
}
