// SPDX-License-Identifier: Apache-2.0

//! Where records outlive the process.

use futures::future::BoxFuture;

use super::memory::Memory;
use super::slot::Page;
use crate::api::Reason;
use crate::plan::Mirror;

/// Where records outlive the process.
pub trait Keep: Send + Sync {
    /// Brings these pages of a mirror to where they outlive the process. They stay to be kept where this fails.
    fn keep<'a>(
        &'a self,
        memory: &'a Memory,
        owner: &'a Mirror,
        pages: &'a [Page],
    ) -> BoxFuture<'a, Result<(), KeepError>>;
}

/// Records cannot be brought to where they outlive the process.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{message}")]
pub struct KeepError {
    /// The category.
    pub reason: Reason,
    /// What is wrong, and what to do.
    pub message: String,
}
