// SPDX-License-Identifier: Apache-2.0

#![no_main]

use libfuzzer_sys::fuzz_target;
use transship::oci::Tag;
use transship::registry::fuzzing::names;

fuzz_target!(|body: &[u8]| {
    for name in names(body).into_iter().flatten().flatten() {
        if let Ok(tag) = name.parse::<Tag>() {
            assert_eq!(tag.as_str(), name);
            assert!(name.len() <= 128);
        }
    }
});
