// SPDX-License-Identifier: Apache-2.0

//! Mirrors that cannot be understood.

use kube::core::error_boundary::InvalidObject;

use crate::api::metadata::namespace;
use crate::plan::named_mirror::NamedMirror;

/// A mirror whose object cannot be understood, such as one of a newer version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnreadableMirror {
    /// Its name.
    pub mirror: NamedMirror,
    /// Why.
    pub error: String,
}

// === impl UnreadableMirror ===

impl UnreadableMirror {
    /// What is known of the object.
    pub fn of(invalid: InvalidObject) -> Self {
        let InvalidObject { error, metadata } = invalid;
        let name = metadata.name.as_deref().unwrap_or_default();
        Self {
            mirror: NamedMirror::new(namespace(&metadata), name),
            error,
        }
    }
}
