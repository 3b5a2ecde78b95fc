// SPDX-License-Identifier: Apache-2.0

//! The name of a mirror, and commands about it that can be pasted.

use std::fmt;

use crate::api::metadata::namespace;
use crate::api::{ImageMirror, Reason};

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

    /// What to do about a reason for which it comes to nothing, where the message does not say it.
    pub fn mend(&self, reason: &str, is_suspended: bool) -> String {
        let edit = self.edit();
        if reason == Reason::DependencyNotReady.as_str() {
            return format!("make what is missing, or take it out: {edit}");
        }
        if reason == Reason::NotFound.as_str() {
            return format!("push what is missing to the source, or take it out: {edit}");
        }
        let is_of_spec = reason == Reason::InvalidSpec.as_str()
            || reason == Reason::DestinationConflict.as_str();
        if is_of_spec {
            return edit;
        }
        let round = if is_suspended { "resume" } else { "sync" };
        format!("{}, once that is mended", self.command(round))
    }

    /// The command that edits it.
    pub fn edit(&self) -> String {
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
