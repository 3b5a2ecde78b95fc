// SPDX-License-Identifier: Apache-2.0

//! What tags turned out to name that are named after digests.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::copy::{BareTag, Origin, Place};
use crate::oci::{Repository, Tag};

/// How many tags are remembered before all are forgotten.
const ENTRIES: usize = 100_000;

/// What tags turned out to name.
#[derive(Default)]
pub(super) struct Named(Mutex<HashMap<(Place, Repository, Tag), BareTag>>);

// === impl Named ===

impl Named {
    /// What a tag names, where that is known.
    pub(super) fn get(&self, origin: &Origin, tag: &Tag) -> Option<BareTag> {
        self.lock().get(&key(origin, tag)).copied()
    }

    /// Remembers what a tag names.
    pub(super) fn learn(&self, origin: &Origin, tag: &Tag, naming: BareTag) {
        let mut known = self.lock();
        if known.len() >= ENTRIES {
            known.clear();
        }
        known.insert(key(origin, tag), naming);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<(Place, Repository, Tag), BareTag>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn key(origin: &Origin, tag: &Tag) -> (Place, Repository, Tag) {
    let Origin {
        endpoint,
        repository,
    } = origin;
    (endpoint.place(), repository.clone(), tag.clone())
}
