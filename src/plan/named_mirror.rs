// SPDX-License-Identifier: Apache-2.0

//! The name of a mirror, and commands about it that can be pasted.

use std::fmt;

use crate::api::ImageMirror;
use crate::api::metadata::namespace;

/// The namespace and the name of a mirror.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedMirror {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

// === impl NamedMirror ===

impl NamedMirror {
    /// By both names.
    pub fn new(namespace: &str, name: &str) -> Self {
        Self {
            namespace: namespace.to_owned(),
            name: name.to_owned(),
        }
    }

    /// That of an object.
    pub fn of(mirror: &ImageMirror) -> Self {
        let name = mirror.metadata.name.as_deref().unwrap_or_default();
        Self::new(namespace(&mirror.metadata), name)
    }

    /// A command of the plugin about it.
    pub fn command(&self, command: &str) -> String {
        let Self { namespace, name } = self;
        format!("kubectl transship -n {namespace} {command} {name}")
    }
}

impl fmt::Display for NamedMirror {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { namespace, name } = self;
        write!(formatter, "{namespace}/{name}")
    }
}
