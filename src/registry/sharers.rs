// SPDX-License-Identifier: Apache-2.0

//! How many processes ask the same hosts.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// So many processes, which all who ask know. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct RequestSharers(Arc<AtomicUsize>);

// === impl RequestSharers ===

impl RequestSharers {
    pub(super) fn set(&self, count: usize) {
        self.0.store(count.max(1), Ordering::Relaxed);
    }

    pub(super) fn count(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }

    /// The part of one of them, of so much: something, however many they are.
    pub(super) fn part(&self, whole: usize) -> usize {
        (whole / self.count()).max(1)
    }
}

impl Default for RequestSharers {
    /// One that asks alone.
    fn default() -> Self {
        Self(Arc::new(AtomicUsize::new(1)))
    }
}
