// SPDX-License-Identifier: Apache-2.0

//! What manifests lead to, remembered by their digests: a digest never means anything else.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::oci::Digest;

/// Digests that are remembered, about: those below some ten thousand images.
const DIGESTS: usize = 200_000;

/// What is known.
#[derive(Debug, Default)]
pub(in crate::sync) struct Closures(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    closures: HashMap<Digest, Arc<[Digest]>>,
    digests: usize,
}

impl Closures {
    pub(in crate::sync) fn read(&self, digest: &Digest) -> Option<Arc<[Digest]>> {
        self.lock().closures.get(digest).cloned()
    }

    pub(in crate::sync) fn write(&self, digest: &Digest, closure: Arc<[Digest]>) {
        let mut known = self.lock();
        if known.digests > DIGESTS {
            *known = Known::default();
        }
        known.digests += closure.len() + 1;
        known.closures.insert(digest.clone(), closure);
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
