// SPDX-License-Identifier: Apache-2.0

//! What the log tells of pushes that are not taken.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::doors::Door;
use crate::events::bucket::Bucket;
use crate::events::oidc::OidcError;

/// How many are told at once in the log, and the time in which one more is: whoever knows a path decides how many there
/// are.
const TOLD: u32 = 10;
const TELL_EVERY: Duration = Duration::from_secs(10);

/// How many are told.
pub(super) struct Told {
    refused: Mutex<Bucket>,
    unverifiable: Mutex<Bucket>,
}

// === impl Told ===

impl Told {
    /// Nothing has been told.
    pub(super) fn nothing() -> Self {
        let bucket = || Mutex::new(Bucket::new(TOLD, TELL_EVERY, Instant::now()));
        Self {
            refused: bucket(),
            unverifiable: bucket(),
        }
    }

    /// Tells why a push for a receiver is refused, unless that is told too often.
    pub(super) fn refused(&self, door: &Door, error: OidcError) {
        let Door {
            namespace, name, ..
        } = door;
        if has_room(&self.refused) {
            tracing::info!(namespace, receiver = name, %error, "a push of Pub/Sub is refused");
        }
    }

    /// Tells why no push can be verified, unless that is told too often.
    pub(super) fn unverifiable(&self, error: &str) {
        if has_room(&self.unverifiable) {
            tracing::warn!(error, "no push of Pub/Sub can be verified");
        }
    }
}

fn has_room(bucket: &Mutex<Bucket>) -> bool {
    let mut bucket = bucket.lock().unwrap_or_else(PoisonError::into_inner);
    bucket.take(1, Instant::now())
}
