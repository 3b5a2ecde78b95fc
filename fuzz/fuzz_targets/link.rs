// SPDX-License-Identifier: Apache-2.0

#![no_main]

use http::header::{HeaderMap, HeaderValue, LINK};
use libfuzzer_sys::fuzz_target;
use transship::registry::link::next_page;
use url::Url;

const PAGE: &str = "https://registry.test:5000/v2/team/app/tags/list?n=10";

fuzz_target!(|lines: Vec<&[u8]>| {
    let mut headers = HeaderMap::new();
    for line in lines {
        if let Ok(line) = HeaderValue::from_bytes(line) {
            headers.append(LINK, line);
        }
    }
    let page: Url = PAGE.parse().expect("a URL");
    if let Ok(Some(next)) = next_page(&headers, &page) {
        let mut without_query = next.clone();
        without_query.set_query(page.query());
        assert_eq!(without_query, page, "only the query may change: {next}");
    }
});
