// SPDX-License-Identifier: Apache-2.0

//! Which repositories still lack the lifecycle policy that they were to have.

use std::collections::HashSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::oci::Repository;

/// The most repositories that are remembered.
const MOST: usize = 1_000;

/// Repositories that were made here, and whose lifecycle policy is not set yet.
#[derive(Debug, Default)]
pub(super) struct Unruled(Mutex<HashSet<Repository>>);

// === impl Unruled ===

impl Unruled {
    /// Whether it is one of them.
    pub(super) fn has(&self, repository: &Repository) -> bool {
        self.lock().contains(repository)
    }

    /// It is one from now on.
    pub(super) fn add(&self, repository: &Repository) {
        let mut all = self.lock();
        if all.len() >= MOST {
            all.clear();
        }
        all.insert(repository.clone());
    }

    /// Its policy is set.
    pub(super) fn remove(&self, repository: &Repository) {
        self.lock().remove(repository);
    }

    fn lock(&self) -> MutexGuard<'_, HashSet<Repository>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
