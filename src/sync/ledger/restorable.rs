// SPDX-License-Identifier: Apache-2.0

//! What can be restored of a repository.

use std::collections::BTreeSet;

use crate::oci::Digest;

/// What deleted tags of a repository named that can be restored.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Restorable {
    /// At a registry.
    pub here: BTreeSet<Digest>,
    /// At registries of other names, which may be the same.
    pub elsewhere: BTreeSet<Digest>,
}
