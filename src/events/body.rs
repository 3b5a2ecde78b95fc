// SPDX-License-Identifier: Apache-2.0

//! The bodies of events: JSON within bounds.

use serde_json::Value;

use crate::oci::json;

/// Largest body of an event, in bytes: 256 KiB. Those of registries have some kilobytes; zot's has the manifest in it.
pub const BODY_BYTES: usize = 256 * 1024;
/// Most values of a body, keys counted too: what is parsed takes a multiple of them.
const VALUES: usize = 16_384;

/// A body that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("the body is no JSON that can be read: {0}")]
pub struct Malformed(String);

/// Reads a body. Two values of one key, deep nesting and what is long are refused.
pub(super) fn parse(body: &[u8]) -> Result<Value, Malformed> {
    if body.len() > BODY_BYTES {
        return Err(Malformed(format!("it has more than {BODY_BYTES} bytes")));
    }
    let read = || {
        json::check_count(body, VALUES)?;
        json::check_keys(body, &[])?;
        serde_json::from_slice(body)
    };
    read().map_err(|error: serde_json::Error| Malformed(json::shorten(error).to_string()))
}
