// SPDX-License-Identifier: Apache-2.0

//! Keys that requests are signed with.

use std::fmt;

use secrecy::SecretString;

/// Keys that requests are signed with.
#[derive(Clone)]
pub(super) struct Keys {
    /// The name of the key. It is no secret, and not shown all the same.
    pub(super) id: String,
    /// The key.
    pub(super) secret: SecretString,
    /// What makes a temporary key valid.
    pub(super) token: Option<SecretString>,
}

impl fmt::Debug for Keys {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Keys")
    }
}
