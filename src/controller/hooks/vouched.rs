// SPDX-License-Identifier: Apache-2.0

//! Whether Google vouches for a push.

use super::listener::Hooks;
use crate::api::image_receiver::OidcProof;
use crate::events::oidc::{Keys, OidcError, Token};
use crate::runtime::clock;

/// What is no set of keys.
const NO_KEYS: &str = "what Google has at the place of its keys is none (RFC 7517)";

/// Why a push is not taken.
pub(super) enum Unvouched {
    /// Google does not vouch for it.
    Refused(OidcError),
    /// Google's keys are not to be had, and why.
    Unknown(String),
}

// === impl Hooks ===

impl Hooks {
    /// Whether Google vouches for the headers of a push. Keys are asked for where none are known, or none is the one that
    /// is named; not again within a minute.
    pub(super) async fn vouch(
        &self,
        proof: &OidcProof,
        token: Result<Token<'_>, OidcError>,
    ) -> Result<(), Unvouched> {
        let token = token.map_err(Unvouched::Refused)?;
        let check = async || {
            let keys = self.identities.google_keys().await;
            let keys = keys.map_err(|error| Unvouched::Unknown(error.to_string()))?;
            let keys = Keys::parse(&keys);
            let keys = keys.ok_or_else(|| Unvouched::Unknown(NO_KEYS.to_owned()))?;
            let checked = token.check(proof, &keys, clock::now());
            checked.map_err(Unvouched::Refused)
        };
        match check().await {
            Err(Unvouched::Refused(OidcError::UnknownKey)) => {
                self.identities.google_keys_are_old();
                check().await
            }
            checked => checked,
        }
    }
}
