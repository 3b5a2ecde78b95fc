// SPDX-License-Identifier: Apache-2.0

#![no_main]

use std::collections::BTreeMap;

use libfuzzer_sys::fuzz_target;
use transship::oci::Digest;
use transship::policy::TextGlob;
use transship::signature::{Authority, Evidence, Layer};

/// A key that signed nothing.
const KEY: &[u8] = b"-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEaxfR8uEsQkf4vOblY6RA8ncDfYEt
6zOg9KE5RdiYwpZP40Li/hp/m47n60p8D54WK84zV2sxXs7LtkBoN79R9Q==
-----END PUBLIC KEY-----
";

fuzz_target!(|parts: (Vec<u8>, [String; 5])| {
    let (bytes, annotations) = parts;
    let names = [
        "dev.cosignproject.cosign/signature",
        "dev.sigstore.cosign/certificate",
        "dev.sigstore.cosign/chain",
        "dev.sigstore.cosign/bundle",
        "dev.sigstore.cosign/rfc3161timestamp",
    ];
    let annotations: BTreeMap<String, String> = names
        .map(str::to_owned)
        .into_iter()
        .zip(annotations)
        .collect();
    let image = Digest::sha256(b"image");
    let layer = Layer::new(image.clone(), bytes.clone().into(), &annotations);
    let bundle = Evidence::Bundle {
        digest: image.clone(),
        bytes: bytes.into(),
    };
    let anyone = TextGlob::new("*");
    let authorities = [
        Authority::key("key", KEY).expect("a key"),
        Authority::keyless("ci", "https://issuer.example", &anyone, None).expect("a root"),
    ];
    for evidence in [
        bundle,
        Evidence::Simple(layer.clone()),
        Evidence::Envelope(layer),
    ] {
        for authority in &authorities {
            // Nobody can guess a signature.
            assert!(authority.verify(&image, &evidence).is_err());
        }
    }
});
