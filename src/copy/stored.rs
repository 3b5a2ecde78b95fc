// SPDX-License-Identifier: Apache-2.0

//! The manifests that this process stored: each is written once to a repository, by one task.
//!
//! What two images have in common may be pushed for both at the same time. distribution 2 rewrites in
//! place what it keeps of a manifest, and refuses an index that names it meanwhile.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::endpoint::Place;
use crate::oci::{Digest, Repository};

/// How many are remembered before all that nobody is writing are forgotten.
const ENTRIES: usize = 100_000;

/// The manifests, shared by all copies of a process.
#[derive(Default)]
pub(super) struct Stored(Mutex<HashMap<Key, Slot>>);

type Key = (Place, Repository, Digest);

/// Locked while a manifest is written. Once it is stored, says whether the destination lists it
/// among the referrers of its subject.
pub(super) type Slot = Arc<tokio::sync::Mutex<Option<bool>>>;

impl Stored {
    /// The place to lock before a manifest is written.
    pub(super) fn slot(&self, place: &Place, repository: &Repository, digest: &Digest) -> Slot {
        let mut slots = self.lock();
        if slots.len() >= ENTRIES {
            slots.retain(|_, slot| Arc::strong_count(slot) > 1);
        }
        let key = (place.clone(), repository.clone(), digest.clone());
        slots.entry(key).or_default().clone()
    }

    /// A repository turned out not to have some of what we believed.
    pub(super) fn forget(
        &self,
        place: &Place,
        repository: &Repository,
        is_it: impl Fn(&Digest) -> bool,
    ) {
        self.lock()
            .retain(|(at, name, digest), _| !(at == place && name == repository && is_it(digest)));
    }

    /// Others may delete what was stored in one repository. What is being written stays with its one task.
    pub(super) fn forget_in(&self, place: &Place, repository: &Repository) {
        self.lock().retain(|(at, name, _), slot| {
            !(at == place && name == repository) || Arc::strong_count(slot) > 1
        });
    }

    /// Others may delete what was stored.
    pub(super) fn forget_all(&self) {
        self.lock().clear();
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Key, Slot>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
