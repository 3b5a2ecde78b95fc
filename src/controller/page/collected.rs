// SPDX-License-Identifier: Apache-2.0

//! What there is to show.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::api::{ImageMirror, ImagePolicy, MirroredRepository};
use crate::controller::objects::Guarded;
use crate::page::RegistryTraffic;
use crate::plan::why::KnownObjects;

/// The namespaces that somebody may see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Visible {
    /// All of them.
    All,
    /// These.
    Namespaces(BTreeSet<String>),
}

/// What is known at one time.
#[derive(Debug, Default)]
pub(super) struct Collected {
    /// The mirrors.
    pub(super) mirrors: Vec<Arc<Guarded<ImageMirror>>>,
    /// The policies of their namespaces.
    pub(super) policies: Vec<Arc<Guarded<ImagePolicy>>>,
    /// What is on record of repositories with tags that are no longer wanted.
    pub(super) leaving: Vec<MirroredRepository>,
    /// How registries behaved.
    pub(super) traffic: Vec<RegistryTraffic>,
}

/// Why there is nothing to show.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum NotShown {
    /// Another process works.
    #[error("this process stands by: {0}")]
    StandsBy(String),
    /// The API server has not told of everything yet.
    #[error("mirrors are being read: look again soon")]
    Reading,
}

// === impl Visible ===

impl Visible {
    /// Whether a namespace is among them.
    pub(super) fn covers(&self, namespace: &str) -> bool {
        match self {
            Self::All => true,
            Self::Namespaces(namespaces) => namespaces.contains(namespace),
        }
    }
}

// === impl Collected ===

impl Collected {
    /// What of it is understood.
    pub(super) fn known(&self) -> KnownObjects<'_> {
        let mirrors = self.mirrors.iter();
        let policies = self.policies.iter();
        KnownObjects {
            mirrors: mirrors
                .filter_map(|object| object.0.as_ref().ok())
                .collect(),
            policies: policies
                .filter_map(|object| object.0.as_ref().ok())
                .collect(),
            records: self.leaving.iter().collect(),
        }
    }
}
