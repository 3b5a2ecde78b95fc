// SPDX-License-Identifier: Apache-2.0

#![no_main]

use http::HeaderValue;
use libfuzzer_sys::fuzz_target;
use transship::registry::range::check;

fuzz_target!(|input: (&[u8], u64, u64)| {
    let (text, offset, size) = input;
    let Ok(header) = HeaderValue::from_bytes(text) else {
        return;
    };
    if check(Some(&header), offset, size).is_ok() {
        assert!(
            check(Some(&header), offset.wrapping_add(1), size).is_err(),
            "one part has one beginning"
        );
        assert!(
            check(Some(&header), offset, size.wrapping_add(1)).is_err(),
            "one part has one end"
        );
    }
});
