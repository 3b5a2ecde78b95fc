// SPDX-License-Identifier: Apache-2.0

//! What is known of the times at which images were built.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;

use crate::copy::Place;
use crate::oci::{Digest, Repository};

/// How many times are remembered before all are forgotten.
const ENTRIES: usize = 100_000;

/// What is known of one image.
pub(super) enum Known {
    /// Its config was not read yet.
    Unread,
    /// Its config was read; it may not say when.
    Read(Option<Timestamp>),
}

/// When images were built. A digest never means anything else, so the times stay right.
#[derive(Default)]
pub(super) struct BuildTimes(Mutex<HashMap<Key, Option<Timestamp>>>);

/// A digest of a repository, as one credential sees it.
type Key = (Place, Repository, Digest);

// === impl BuildTimes ===

impl BuildTimes {
    /// Whether it is known when the image was built, and when that was, where its config says so.
    pub(super) fn read(&self, key: &Key) -> Known {
        match self.lock().get(key).copied() {
            Some(created) => Known::Read(created),
            None => Known::Unread,
        }
    }

    pub(super) fn write(&self, key: Key, created: Option<Timestamp>) {
        let mut known = self.lock();
        if known.len() >= ENTRIES {
            known.clear();
        }
        known.insert(key, created);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Key, Option<Timestamp>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
