// SPDX-License-Identifier: Apache-2.0

#![no_main]

use std::cmp::Ordering;

use libfuzzer_sys::fuzz_target;
use transship::oci::Tag;
use transship::policy::Version;

fuzz_target!(|texts: [&str; 3]| {
    let versions = texts.map(|text| {
        text.parse::<Tag>()
            .ok()
            .and_then(|tag| Version::parse(&tag))
    });
    for (text, version) in texts.iter().zip(&versions) {
        if let Some(version) = version {
            assert_eq!(version.to_string(), *text);
        }
    }
    if let [Some(a), Some(b), Some(c)] = &versions {
        assert_eq!(a.cmp(b), b.cmp(a).reverse(), "{a} and {b}");
        assert_eq!(a.cmp(b) == Ordering::Equal, a == b, "{a} and {b}");
        assert!(!(a <= b && b <= c) || a <= c, "{a}, {b} and {c}");
    }
});
