// SPDX-License-Identifier: Apache-2.0

#![no_main]

use libfuzzer_sys::fuzz_target;
use transship::registry::fuzzing::referrers;

fuzz_target!(|body: &[u8]| {
    let as_index = referrers(body, true);
    // The header decides what is an error, and nothing about what is listed.
    if let Some(listed) = &as_index {
        assert_eq!(referrers(body, false).as_ref(), Some(listed));
    }
});
