// SPDX-License-Identifier: Apache-2.0

//! Nothing that a registry holds makes it panic.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::bundles::{by_identity, by_key};
use super::site::{Claims, ISSUER, Site, key};
use super::*;
use crate::policy::TextGlob;

fn authorities() -> [Authority; 2] {
    let key = Authority::key("key", key().public_key_pem().as_bytes()).unwrap();
    let subject = TextGlob::new("*");
    [
        key,
        Authority::keyless("root", ISSUER, &subject, None).unwrap(),
    ]
}

/// All forms in which these bytes could be found.
fn forms(bytes: &[u8]) -> Vec<Evidence> {
    let text = String::from_utf8_lossy(bytes).into_owned();
    let names = [
        "signature",
        "certificate",
        "chain",
        "bundle",
        "rfc3161timestamp",
    ];
    let annotations: BTreeMap<String, String> = names
        .into_iter()
        .flat_map(|name| {
            ["dev.cosignproject.cosign", "dev.sigstore.cosign"]
                .map(|space| format!("{space}/{name}"))
        })
        .map(|name| (name, text.clone()))
        .collect();
    let layer = Layer::new(found(), bytes.to_vec().into(), &annotations);
    vec![
        Evidence::Bundle {
            digest: found(),
            bytes: bytes.to_vec().into(),
        },
        Evidence::Simple(layer.clone()),
        Evidence::Envelope(layer),
    ]
}

fn refuse_all(authorities: &[Authority], bytes: &[u8]) {
    for evidence in forms(bytes) {
        for authority in authorities {
            let rejection = authority.verify(&image(), &evidence).unwrap_err();
            assert!(rejection.to_string().len() < 2_000);
        }
    }
}

#[test]
fn garbage_is_refused() {
    let authorities = authorities();
    proptest!(|(bytes in proptest::collection::vec(any::<u8>(), 0..200))| {
        refuse_all(&authorities, &bytes);
    });
    proptest!(|(text in r#"[{}\[\]":,a-z0-9.\\ ]{0,80}"#)| {
        refuse_all(&authorities, text.as_bytes());
    });
}

#[test]
fn bundles_with_garbage_in_them_are_refused() {
    let site = Site::new();
    let signer = site.certify(&Claims::new());
    let bundles = [
        by_identity(&site, &signer, &approval(&image())).to_string(),
        by_key(&key(), &approval(&image())).to_string(),
    ];
    let authorities = authorities();
    proptest!(|(which in 0..2_usize, at in any::<prop::sample::Index>(), new in any::<u8>())| {
        let mut bytes = bundles[which].clone().into_bytes();
        let at = at.index(bytes.len());
        bytes[at] = new;
        refuse_all(&authorities, &bytes);
    });
}

#[test]
fn garbage_is_no_authority() {
    proptest!(|(pem in "(-----(BEGIN|END) (PUBLIC KEY|CERTIFICATE)-----|[A-Za-z0-9+/=\n]{0,40}){0,6}")| {
        prop_assert!(Authority::key("a", pem.as_bytes()).is_err());
    });
}
