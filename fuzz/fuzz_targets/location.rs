// SPDX-License-Identifier: Apache-2.0

#![no_main]

use http::header::HeaderValue;
use libfuzzer_sys::fuzz_target;
use transship::registry::fuzzing::{redirect, upload_location};
use url::Url;

fuzz_target!(|value: &[u8]| {
    let Ok(value) = HeaderValue::from_bytes(value) else {
        return;
    };
    let request: Url = "https://registry.test:5000/v2/team/app/blobs/uploads/"
        .parse()
        .expect("a URL");
    if let Some(location) = upload_location(&value, &request) {
        assert_eq!(location.origin(), request.origin(), "{location}");
        assert!(location.username().is_empty() && location.password().is_none());
    }
    if let Some(target) = redirect(&value, &request) {
        assert_eq!(target.scheme(), "https", "{target}");
        assert!(
            target.host_str().is_some_and(|host| !host.is_empty()),
            "{target}"
        );
        assert!(target.username().is_empty() && target.password().is_none());
    }
});
