// SPDX-License-Identifier: Apache-2.0

#![no_main]

use libfuzzer_sys::fuzz_target;
use transship::registry::fuzzing::token;

fuzz_target!(|body: &[u8]| {
    if let Some(seconds) = token(body) {
        assert!((5..=86_400).contains(&seconds), "{seconds}");
    }
});
