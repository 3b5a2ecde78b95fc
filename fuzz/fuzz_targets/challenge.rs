// SPDX-License-Identifier: Apache-2.0

#![no_main]

use http::header::{HeaderMap, HeaderValue, WWW_AUTHENTICATE};
use libfuzzer_sys::fuzz_target;
use transship::registry::auth::challenge::{Challenge, parse};

fuzz_target!(|lines: Vec<&[u8]>| {
    let mut headers = HeaderMap::new();
    for line in lines {
        if let Ok(line) = HeaderValue::from_bytes(line) {
            headers.append(WWW_AUTHENTICATE, line);
        }
    }
    for challenge in parse(&headers) {
        match challenge {
            Challenge::Basic => {}
            Challenge::Bearer {
                realm,
                service,
                scope,
            } => {
                assert!(!realm.is_empty());
                assert_ne!(service.as_deref(), Some(""));
                assert_ne!(scope.as_deref(), Some(""));
            }
        }
    }
});
