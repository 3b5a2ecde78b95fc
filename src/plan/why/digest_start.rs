// SPDX-License-Identifier: Apache-2.0

//! How a digest begins, as people copy it from where there is no room for all of it.

use std::fmt;

use crate::oci::Digest;

/// Fewest hexadecimal digits: git shows as many.
const FEWEST: usize = 7;
/// The algorithm that is meant.
const PREFIX: &str = "sha256:";
/// The digits of a whole one.
const WHOLE: usize = 64;

/// How a digest begins: `sha256:` and at least seven digits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DigestStart(String);

// === impl DigestStart ===

impl DigestStart {
    /// Reads `sha256:` with at least seven digits, which may end in an ellipsis; none where it is something else.
    pub(super) fn read(text: &str) -> Option<Self> {
        let text = text.trim_end_matches(['…', '.']);
        let digits = text.strip_prefix(PREFIX)?;
        let is_hex = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        (is_hex && (FEWEST..=WHOLE).contains(&digits.len()))
            .then(|| Self(format!("{PREFIX}{}", digits.to_ascii_lowercase())))
    }

    /// Whether the digest begins so.
    pub fn begins(&self, digest: &Digest) -> bool {
        digest.as_str().starts_with(&self.0)
    }
}

impl fmt::Display for DigestStart {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}
