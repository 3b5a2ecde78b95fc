// SPDX-License-Identifier: Apache-2.0

//! The name of a mirror, and commands about it that can be pasted.

use std::fmt;

use crate::api::ImageMirror;
use crate::api::metadata::namespace;

/// The namespace and the name of a mirror.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct NamedMirror {
    pub(super) namespace: String,
    pub(super) name: String,
}

// === impl NamedMirror ===

impl NamedMirror {
    pub(super) fn new(namespace: &str, name: &str) -> Self {
        Self {
            namespace: namespace.to_owned(),
            name: name.to_owned(),
        }
    }

    pub(super) fn of(mirror: &ImageMirror) -> Self {
        let name = mirror.metadata.name.as_deref().unwrap_or_default();
        Self::new(namespace(&mirror.metadata), name)
    }

    /// A command of the plugin about it.
    pub(super) fn command(&self, command: &str) -> String {
        let Self { namespace, name } = self;
        format!("kubectl transship -n {namespace} {command} {name}")
    }

    /// The command that edits it.
    pub(super) fn edit(&self) -> String {
        let Self { namespace, name } = self;
        format!("kubectl -n {namespace} edit imir/{name}")
    }
}

impl fmt::Display for NamedMirror {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { namespace, name } = self;
        write!(formatter, "{namespace}/{name}")
    }
}
