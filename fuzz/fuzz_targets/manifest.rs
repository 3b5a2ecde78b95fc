// SPDX-License-Identifier: Apache-2.0

#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use transship::oci::Manifest;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(manifest) = Manifest::parse(Bytes::copy_from_slice(bytes), None, None) {
        assert!(manifest.digest().matches(bytes));
        let again = Manifest::parse(
            manifest.bytes().clone(),
            Some(manifest.media_type()),
            Some(manifest.digest()),
        );
        assert!(
            again.is_ok(),
            "what was accepted once is accepted under its own type"
        );
    }
});
