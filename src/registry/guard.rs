// SPDX-License-Identifier: Apache-2.0

//! Who may write: a process that lost its lease must not, because another one does by now.

use std::fmt;
use std::sync::Arc;

/// Says whether this process may write, at this moment. Cheap to clone, and cheap to ask: it is asked
/// before every request that writes and every piece of a body.
#[derive(Clone)]
pub(super) struct WriteGuard(Arc<dyn Fn() -> bool + Send + Sync>);

/// This process may write no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this process no longer holds the lease")]
pub(super) struct Lapsed;

// === impl WriteGuard ===

impl WriteGuard {
    pub(super) fn new(may_write: Arc<dyn Fn() -> bool + Send + Sync>) -> Self {
        Self(may_write)
    }

    /// An error where this process may write no more.
    pub(super) fn check(&self) -> Result<(), Lapsed> {
        if (self.0)() { Ok(()) } else { Err(Lapsed) }
    }
}

impl Default for WriteGuard {
    /// For a process that is the only one.
    fn default() -> Self {
        Self(Arc::new(|| true))
    }
}

impl fmt::Debug for WriteGuard {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("WriteGuard")
    }
}
