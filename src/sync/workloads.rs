// SPDX-License-Identifier: Apache-2.0

//! What workloads use, as an edge of a round.

use futures::future::BoxFuture;

use crate::api::Reason;
use crate::plan::in_use::InUse;

/// Looks at workloads.
pub trait Workloads: Send + Sync {
    /// Everything that workloads use at this moment, complete: what cannot be seen as a whole is an error.
    fn look(&self) -> BoxFuture<'_, Result<InUse, WorkloadsError>>;
}

/// Why it is not known what workloads use.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct WorkloadsError {
    /// The category.
    pub reason: Reason,
    /// What could not be seen, why, and what to do.
    pub message: String,
}
