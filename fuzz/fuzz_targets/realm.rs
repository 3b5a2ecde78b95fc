// SPDX-License-Identifier: Apache-2.0

#![no_main]

use libfuzzer_sys::fuzz_target;
use transship::registry::fuzzing::token_server;
use url::Url;

fuzz_target!(|realm: &str| {
    for base in [
        "https://registry.example.co.uk:5000",
        "https://127.0.0.1",
        "https://victim.azurecr.io",
    ] {
        let base: Url = base.parse().expect("a URL");
        let Some(server) = token_server(realm, &base) else {
            continue;
        };
        // A credential goes there.
        assert_eq!(server.scheme(), "https", "{server}");
        assert!(
            server.username().is_empty() && server.password().is_none(),
            "{server}"
        );
        let (host, own) = (
            server.host_str().expect("a host"),
            base.host_str().expect("a host"),
        );
        // The same name, written to its end.
        let host = host.strip_suffix('.').unwrap_or(host);
        let is_own = host == own && server.port_or_known_default() == base.port_or_known_default();
        let is_below = own.starts_with("registry")
            && (host == "example.co.uk" || host.ends_with(".example.co.uk"));
        assert!(is_own || is_below, "{server} for {base}");
    }
});
