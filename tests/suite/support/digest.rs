// SPDX-License-Identifier: Apache-2.0

//! Digests as strings, computed apart from the library's own.

use sha2::{Digest, Sha256, Sha512};

/// `sha256:<hex>` of some bytes.
pub fn sha256(bytes: &[u8]) -> String {
    format!("sha256:{}", hex::encode(Sha256::digest(bytes)))
}

/// `sha512:<hex>` of some bytes.
pub fn sha512(bytes: &[u8]) -> String {
    format!("sha512:{}", hex::encode(Sha512::digest(bytes)))
}

/// Whether bytes have a digest, of either algorithm.
pub fn matches(digest: &str, bytes: &[u8]) -> bool {
    let computed = if digest.starts_with("sha512:") {
        sha512(bytes)
    } else {
        sha256(bytes)
    };
    computed == digest
}

/// The tag under which signatures and referrers of a digest are found: `sha256-<hex>`.
pub fn fallback_tag(digest: &str) -> String {
    digest.replacen(':', "-", 1)
}
