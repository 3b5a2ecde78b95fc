//! What workloads use, as whoever runs rounds can find it out.

use futures::future::BoxFuture;

use crate::api::Reason;
use crate::plan::in_use::InUse;

/// Looks at the workloads.
pub trait Workloads: Send + Sync {
    /// Everything that workloads use at this moment: all of it, or an error.
    fn look(&self) -> BoxFuture<'_, Result<InUse, WorkloadsError>>;
}

/// It cannot be said what workloads use.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct WorkloadsError {
    /// The category.
    pub reason: Reason,
    /// What is wrong, and what to do.
    pub message: String,
}
