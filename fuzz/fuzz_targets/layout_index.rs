// SPDX-License-Identifier: Apache-2.0

#![no_main]

use libfuzzer_sys::fuzz_target;
use transship::layout::fuzzing::rewrite_index;

fuzz_target!(|text: &[u8]| {
    if let Some(written) = rewrite_index(text) {
        let again = rewrite_index(&written).expect("what was written can be read");
        assert_eq!(again, written);
    }
});
