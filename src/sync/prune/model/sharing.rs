// SPDX-License-Identifier: Apache-2.0

//! The members that share the mirrors, and their leases.

use std::sync::Arc;

use tokio::time::Instant;

use super::process::Process;
use crate::runtime::lease::Identity;
use crate::runtime::lease::shards::{Fleet, Hands, Leases};

/// A controller of several.
pub(super) struct Replica {
    pub(super) process: Process,
    pub(super) hands: Arc<Hands>,
    pub(super) identity: Identity,
    pub(super) fleet: Fleet,
    /// Whether its watch tells late of specs that changed.
    pub(super) is_late: bool,
}

/// The leases of all, and who lives.
pub(super) struct Sharing {
    pub(super) replicas: Vec<Replica>,
    pub(super) leases: Leases,
    pub(super) now: Instant,
    /// How many renewals there were.
    pub(super) renewals: i64,
}

// === impl Sharing ===

impl Sharing {
    pub(super) fn none() -> Self {
        Self {
            replicas: Vec::new(),
            leases: Leases::default(),
            now: Instant::now(),
            renewals: 0,
        }
    }
}
