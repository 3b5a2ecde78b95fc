// SPDX-License-Identifier: Apache-2.0

//! Whether Google vouches for a push.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::listener::Hooks;
use crate::api::image_receiver::OidcProof;
use crate::events::bucket::Bucket;
use crate::events::oidc::{Doubt, Keys, Token};
use crate::runtime::clock;

/// How many refusals are told at once in the log, and the time in which one more is: whoever knows a path decides how
/// many there are.
const TOLD: u32 = 10;
const TELL_EVERY: Duration = Duration::from_secs(10);

/// How many refusals are told.
pub(super) struct Told(Mutex<Bucket>);

/// Why a push is not taken.
pub(super) enum Unvouched {
    /// Google does not vouch for it.
    Doubt(Doubt),
    /// Google's keys are not to be had.
    Unknown,
}

// === impl Told ===

impl Told {
    /// Nothing has been told.
    pub(super) fn nothing() -> Self {
        Self(Mutex::new(Bucket::new(TOLD, TELL_EVERY, Instant::now())))
    }

    /// Tells why a push for a receiver of a namespace is refused, unless that is told too often.
    pub(super) fn tell(&self, namespace: &str, doubt: Doubt) {
        let mut bucket = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if bucket.take(1, Instant::now()) {
            tracing::info!(namespace, %doubt, "a push of Pub/Sub is refused");
        }
    }
}

// === impl Hooks ===

impl Hooks {
    /// Whether Google vouches for the headers of a push. Keys are asked for where none are known, or none is the one that
    /// is named; not again within a minute.
    pub(super) async fn vouch(
        &self,
        proof: &OidcProof,
        token: Result<Token<'_>, Doubt>,
    ) -> Result<(), Unvouched> {
        let token = token.map_err(Unvouched::Doubt)?;
        let check = async || {
            let keys = self.identities.google_keys().await.map_err(|error| {
                tracing::warn!(%error, "no push of Pub/Sub can be verified");
                Unvouched::Unknown
            })?;
            let keys = Keys::parse(&keys).ok_or(Unvouched::Unknown)?;
            let checked = token.check(proof, &keys, clock::now());
            checked.map_err(Unvouched::Doubt)
        };
        match check().await {
            Err(Unvouched::Doubt(Doubt::UnknownKey)) => {
                self.identities.google_keys_are_old();
                check().await
            }
            checked => checked,
        }
    }
}
