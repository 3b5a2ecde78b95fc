// SPDX-License-Identifier: Apache-2.0

//! The refusals of pushes that the log tells.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::events::bucket::Bucket;
use crate::events::oidc::OidcError;

/// How many refusals are told at once in the log, and the time in which one more is: whoever knows a path decides how
/// many there are.
const TOLD: u32 = 10;
const TELL_EVERY: Duration = Duration::from_secs(10);

/// How many refusals are told.
pub(super) struct Told(Mutex<Bucket>);

// === impl Told ===

impl Told {
    /// Nothing has been told.
    pub(super) fn nothing() -> Self {
        Self(Mutex::new(Bucket::new(TOLD, TELL_EVERY, Instant::now())))
    }

    /// Tells why a push for a receiver of a namespace is refused, unless that is told too often.
    pub(super) fn tell(&self, namespace: &str, error: OidcError) {
        let mut bucket = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if bucket.take(1, Instant::now()) {
            tracing::info!(namespace, %error, "a push of Pub/Sub is refused");
        }
    }
}
