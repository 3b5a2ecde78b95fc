// SPDX-License-Identifier: Apache-2.0

//! How a client finds the API server and who it is there.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::json;

/// A kubeconfig with one context; JSON is YAML too.
pub(super) fn render(server: &str, authority: &str, token: &str) -> String {
    let name = "transship-tests";
    json!({
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": name,
        "clusters": [{"name": name, "cluster": {
            "server": server,
            "certificate-authority-data": BASE64_STANDARD.encode(authority),
        }}],
        "users": [{"name": name, "user": {"token": token}}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
    })
    .to_string()
}
