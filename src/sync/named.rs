// SPDX-License-Identifier: Apache-2.0

//! What tags turned out to name that are named after digests.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::copy::{Origin, Place};
use crate::oci::{Repository, Tag};

/// How many tags are remembered before all are forgotten.
const ENTRIES: usize = 100_000;

/// What tags turned out to name.
#[derive(Default)]
pub(super) struct Named(Mutex<HashMap<(Place, Repository, Tag), bool>>);

// === impl Named ===

impl Named {
    /// Whether a tag names an image, where that is known.
    pub(super) fn is_image(&self, origin: &Origin, tag: &Tag) -> Option<bool> {
        self.lock().get(&key(origin, tag)).copied()
    }

    /// Remembers what a tag names.
    pub(super) fn learn(&self, origin: &Origin, tag: &Tag, is_image: bool) {
        let mut known = self.lock();
        if known.len() >= ENTRIES {
            known.clear();
        }
        known.insert(key(origin, tag), is_image);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<(Place, Repository, Tag), bool>> {
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
