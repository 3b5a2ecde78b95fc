// SPDX-License-Identifier: Apache-2.0

//! What answers go by.

use std::collections::HashMap;

use super::evidence::{KnownRecords, RecordLookup, RecordQuery};
use crate::api::metadata::namespace;
use crate::api::{ImageMirror, ImagePolicy, MirroredRepository};
use crate::plan::{InvalidField, Mirror, validate};

/// What is known without asking a registry.
#[derive(Clone, Debug, Default)]
pub struct KnownObjects<'a> {
    /// The mirrors that are looked at.
    pub mirrors: Vec<&'a ImageMirror>,
    /// The policies of their namespaces.
    pub policies: Vec<&'a ImagePolicy>,
    /// Their records.
    pub records: Vec<&'a MirroredRepository>,
}

/// The same, with each kind by its namespace, and records where they are looked for.
pub(super) struct Known<'a, 'r> {
    mirrors: &'a [&'a ImageMirror],
    policies: HashMap<&'a str, Vec<&'a ImagePolicy>>,
    lookup: &'a RecordLookup<'a, 'r>,
}

// === impl KnownObjects ===

impl<'a> KnownObjects<'a> {
    /// All of these.
    pub fn of(
        mirrors: &'a [ImageMirror],
        policies: &'a [ImagePolicy],
        records: &'a [MirroredRepository],
    ) -> Self {
        Self {
            mirrors: mirrors.iter().collect(),
            policies: policies.iter().collect(),
            records: records.iter().collect(),
        }
    }
}

// === impl Known ===

impl<'a, 'r> Known<'a, 'r> {
    pub(super) fn new(objects: &'a KnownObjects<'a>, lookup: &'a RecordLookup<'a, 'r>) -> Self {
        let mut policies: HashMap<&str, Vec<&ImagePolicy>> = HashMap::new();
        for policy in &objects.policies {
            let own = policies.entry(namespace(&policy.metadata)).or_default();
            own.push(policy);
        }
        Self {
            mirrors: &objects.mirrors,
            policies,
            lookup,
        }
    }

    pub(super) fn mirrors(&self) -> impl Iterator<Item = &'a ImageMirror> {
        self.mirrors.iter().copied()
    }

    /// What is on record of a mirror, as far as it may be about what is asked for.
    pub(super) fn records(&self, object: &ImageMirror, query: RecordQuery<'_>) -> KnownRecords<'r> {
        (self.lookup)(object, query)
    }

    /// What an object means.
    pub(super) fn understood(&self, object: &ImageMirror) -> Result<Mirror, Vec<InvalidField>> {
        let own = self.policies.get(namespace(&object.metadata));
        validate(object, own.map_or(&[], Vec::as_slice))
    }
}
