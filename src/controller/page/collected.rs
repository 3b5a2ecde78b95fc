// SPDX-License-Identifier: Apache-2.0

//! What there is to show, and where it comes from.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::api::{ImageMirror, ImagePolicy, MirroredRepository};
use crate::controller::objects::Guarded;
use crate::page::{RegistryTraffic, SharedWork, UnreadableMirror};
use crate::plan::mirror_home::MirrorHome;
use crate::plan::why::{KnownObjects, KnownRecords, RecordQuery};

/// Where a page gets what it shows. All of it is in memory.
pub(crate) trait PageSource: Send + Sync {
    /// Where the mirrors are kept.
    fn home(&self) -> &MirrorHome;

    /// Where all of them are, for people.
    fn place(&self) -> &str;

    /// What is known of what somebody may see.
    fn look(&self, visible: &Visible) -> Result<Collected, NotShown>;

    /// What is on record of a mirror, as far as it may be about what is asked for.
    fn records(&self, mirror: &ImageMirror, query: RecordQuery<'_>) -> KnownRecords<'static>;
}

/// The namespaces that somebody may see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Visible {
    /// All of them.
    All,
    /// These.
    Namespaces(BTreeSet<String>),
}

/// What is known at one time.
#[derive(Debug, Default)]
pub(crate) struct Collected {
    /// The mirrors.
    pub(crate) mirrors: Vec<Arc<Guarded<ImageMirror>>>,
    /// The policies of their namespaces.
    pub(crate) policies: Vec<Arc<Guarded<ImagePolicy>>>,
    /// What is on record of repositories with tags that are no longer wanted.
    pub(crate) leaving: Vec<MirroredRepository>,
    /// How registries behaved.
    pub(crate) traffic: Vec<RegistryTraffic>,
    /// Who works on what, where several processes share the work.
    pub(crate) sharing: Option<SharedWork>,
}

/// Why there is nothing to show.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NotShown {
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
    pub(crate) fn known(&self) -> KnownObjects<'_> {
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

    /// The mirrors that are not understood.
    pub(super) fn unreadable(&self) -> Vec<UnreadableMirror> {
        let mirrors = self.mirrors.iter();
        let invalid = mirrors.filter_map(|object| object.0.as_ref().err());
        invalid.cloned().map(UnreadableMirror::of).collect()
    }
}
