// SPDX-License-Identifier: Apache-2.0

//! What is remembered of the APIs of one registry, bounded.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, PoisonError};

use tokio::sync;
use tokio::time::Instant;

use crate::oci::{Digest, Repository};
use crate::registry::auth::Authorization;

/// The most that is remembered of each kind. From then on it is looked up anew.
const MOST: usize = 10_000;

/// What is remembered of the APIs of one registry.
#[derive(Default)]
pub(in crate::registry) struct Known {
    /// The token of Docker Hub's API, and until when it is used.
    pub(super) hub_token: sync::Mutex<Option<(Authorization, Instant)>>,
    /// Whether an owner of packages of GitHub is an organization.
    pub(super) organizations: Facts<String, bool>,
    /// Which version of its package a manifest is.
    pub(super) versions: Facts<(Repository, Digest), u64>,
    /// When repositories were made. One is made at a time.
    pub(super) created: sync::Mutex<HashMap<Repository, Instant>>,
}

/// Facts by what they are about.
pub(super) struct Facts<K, V>(Mutex<HashMap<K, V>>);

// === impl Known ===

impl Known {
    /// The most that is remembered of each kind.
    pub(super) const MOST: usize = MOST;
}

// === impl Facts ===

impl<K: Eq + Hash, V: Copy> Facts<K, V> {
    pub(super) fn of(&self, key: &K) -> Option<V> {
        let facts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        facts.get(key).copied()
    }

    pub(super) fn learn(&self, key: K, value: V) {
        let mut facts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if facts.len() >= MOST {
            facts.clear();
        }
        facts.insert(key, value);
    }

    pub(super) fn forget(&self, key: &K) {
        let mut facts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        facts.remove(key);
    }
}

impl<K, V> Default for Facts<K, V> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}
