// SPDX-License-Identifier: Apache-2.0

//! Why the controller ends.

use crate::runtime::server::ListenError;
use crate::runtime::{kubernetes, lease};

/// Why the controller ends.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no way to an API server.
    #[error(transparent)]
    Kubernetes(#[from] kubernetes::Error),
    /// Health and metrics cannot be served.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// Another process may hold the lease now.
    #[error("the lease is lost: this process ends, so that it cannot act besides its successor")]
    LeaseLost,
    /// The lease was not handed on.
    #[error("the lease was not released, the next process waits until it runs out: {0}")]
    Release(lease::Error),
}
