// SPDX-License-Identifier: Apache-2.0

//! Which mirrors this process works on: all of them, or those of the shards that it holds.

use std::sync::Arc;

use kube::runtime::reflector::ObjectRef;

use super::records::OtherShards;
use crate::api::ImageMirror;
use crate::oci::Registry;
use crate::runtime::lease::shards::{Hands, Pass, Shard};

/// What this process works on.
pub(super) enum Portion {
    /// All mirrors, and everything else.
    Everything,
    /// The mirrors of the shards that it holds; with the first one goes everything else.
    Shards {
        hands: Arc<Hands>,
        others: Arc<OtherShards>,
    },
}

/// Leave to work on a mirror. Its shard is not handed over before this is dropped.
pub(super) struct Leave {
    shard: Option<Shard>,
    _pass: Option<Pass>,
}

// === impl Portion ===

impl Portion {
    /// Leave to work on a mirror; none where it is another member's.
    pub(super) fn enter(&self, namespace: &str, name: &str) -> Option<Leave> {
        match self {
            Self::Everything => Some(Leave {
                shard: None,
                _pass: None,
            }),
            Self::Shards { hands, .. } => {
                let shard = hands.division().shard_of(namespace, name);
                let pass = hands.enter(shard)?;
                Some(Leave {
                    shard: Some(shard),
                    _pass: Some(pass),
                })
            }
        }
    }

    /// Whether a mirror is still to be worked on here: something new may begin.
    pub(super) fn has(&self, mirror: &ImageMirror) -> bool {
        match self {
            Self::Everything => true,
            Self::Shards { hands, .. } => {
                hands.is_open(shard_of_mirror(hands, &ObjectRef::from_obj(mirror)))
            }
        }
    }

    /// Whether what is not about a mirror is done here: policies, receivers, and what is said of notifications.
    pub(super) fn leads(&self) -> bool {
        match self {
            Self::Everything => true,
            Self::Shards { hands, .. } => hands.is_open(hands.division().first()),
        }
    }

    /// The shards that this process has, where others work, too.
    pub(super) fn hands(&self) -> Option<&Arc<Hands>> {
        match self {
            Self::Everything => None,
            Self::Shards { hands, .. } => Some(hands),
        }
    }

    /// Takes note of registries that a mirror writes to, or did: before something is deleted, it is looked what others
    /// have on record there.
    pub(super) fn note<'a>(&self, registries: impl Iterator<Item = &'a Registry>) {
        if let Self::Shards { others, .. } = self {
            registries.for_each(|registry| others.note(registry));
        }
    }

    /// Whether others work, too.
    pub(super) fn is_shared(&self) -> bool {
        matches!(self, Self::Shards { .. })
    }
}

// === impl Leave ===

impl Leave {
    /// The shard, where there are several.
    pub(super) fn shard(&self) -> Option<Shard> {
        self.shard
    }
}

/// The shard of a mirror.
pub(super) fn shard_of_mirror(hands: &Hands, mirror: &ObjectRef<ImageMirror>) -> Shard {
    let namespace = mirror.namespace.as_deref().unwrap_or_default();
    hands.division().shard_of(namespace, &mirror.name)
}
