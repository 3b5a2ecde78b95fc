// SPDX-License-Identifier: Apache-2.0

//! The images of one source repository, which are looked at together.

use std::collections::HashSet;
use std::sync::{Mutex, OnceLock, PoisonError};

use crate::copy::links::AttachedTags;
use crate::oci::Digest;

/// The images of a source repository that a round is about.
#[derive(Debug, Default)]
pub struct Siblings {
    digests: HashSet<Digest>,
    /// What they turned out to be made of.
    parts: Mutex<HashSet<Digest>>,
    /// Whether tags are named after other digests than theirs.
    has_strangers: OnceLock<bool>,
    /// Whether tags are named after other digests than theirs and those of their parts.
    leads_further: OnceLock<bool>,
}

// === impl Siblings ===

impl Siblings {
    /// These images.
    pub fn new(digests: HashSet<Digest>) -> Self {
        Self {
            digests,
            ..Self::default()
        }
    }

    pub(super) fn has_strangers(&self, listed: &AttachedTags) -> bool {
        *self
            .has_strangers
            .get_or_init(|| listed.has_others(&self.digests))
    }

    pub(super) fn learn<'d>(&self, digests: impl IntoIterator<Item = &'d Digest>) {
        let mut parts = self.parts.lock().unwrap_or_else(PoisonError::into_inner);
        parts.extend(digests.into_iter().cloned());
    }

    /// Whether a source that keeps no lists may have something that refers to a referrer: told once the
    /// parts of all images are known.
    pub(super) fn leads_further(&self, listed: Option<&AttachedTags>) -> bool {
        let Some(listed) = listed else {
            return true;
        };
        *self.leads_further.get_or_init(|| {
            let parts = self.parts.lock().unwrap_or_else(PoisonError::into_inner);
            listed.has_others(&parts.union(&self.digests).cloned().collect())
        })
    }
}
