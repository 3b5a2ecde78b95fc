// SPDX-License-Identifier: Apache-2.0

//! What tags that are named after digests name, as far as that was asked in this round.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::endpoint::Place;
use super::pipe::Origin;
use crate::oci::{Digest, Repository, Tag};

/// So many are remembered: some hundred bytes each. Whoever asks for others asks again.
const MOST: usize = 20_000;

/// What such tags name. Some are asked for when candidates are told from lists, and again with their images.
#[derive(Default)]
pub(super) struct NamedTags(Mutex<HashMap<(Place, Repository, Tag), Digest>>);

// === impl NamedTags ===

impl NamedTags {
    pub(super) fn get(&self, origin: &Origin, tag: &Tag) -> Option<Digest> {
        self.lock().get(&key(origin, tag)).cloned()
    }

    pub(super) fn learn(&self, origin: &Origin, tag: &Tag, digest: &Digest) {
        let mut named = self.lock();
        if named.len() < MOST {
            named.insert(key(origin, tag), digest.clone());
        }
    }

    /// What was asked in one repository is asked again.
    pub(super) fn forget_in(&self, place: &Place, repository: &Repository) {
        let mut named = self.lock();
        named.retain(|(at, name, _), _| !(at == place && name == repository));
    }

    /// A new round asks again.
    pub(super) fn forget(&self) {
        *self.lock() = HashMap::new();
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<(Place, Repository, Tag), Digest>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn key(origin: &Origin, tag: &Tag) -> (Place, Repository, Tag) {
    let place = origin.endpoint.place();
    (place, origin.repository.clone(), tag.clone())
}
