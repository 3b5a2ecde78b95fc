// SPDX-License-Identifier: Apache-2.0

//! Whether Google vouches for a push.

use super::listener::Hooks;
use crate::api::image_receiver::OidcProof;
use crate::events::oidc::{Keys, OidcError, Token};
use crate::runtime::clock;

/// Why a push is not taken.
pub(super) enum Unvouched {
    /// Google does not vouch for it.
    Refused(OidcError),
    /// Google's keys are not to be had.
    Unknown,
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
            let keys = self.identities.google_keys().await.map_err(|error| {
                tracing::warn!(%error, "no push of Pub/Sub can be verified");
                Unvouched::Unknown
            })?;
            let keys = Keys::parse(&keys).ok_or(Unvouched::Unknown)?;
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
