// SPDX-License-Identifier: Apache-2.0

//! What other processes have on record that share the work, as an edge of a round.
//!
//! Who comes to want a tag, or is about to write or delete it, puts that on record first and looks at the records of the
//! others then: of two at the same moment at least one sees the other, and leaves the tag alone.

use std::collections::BTreeSet;

use futures::future::BoxFuture;

use super::ledger::{Ledger, RecordPlace};
use crate::api::Reason;
use crate::oci::Repository;

/// Looks at the records of other processes.
pub trait Neighbours: Send + Sync {
    /// Takes into the ledger what they have on record of these repositories at this moment, all of it.
    fn look<'a>(
        &'a self,
        ledger: &'a Ledger,
        places: &'a BTreeSet<RecordPlace>,
    ) -> BoxFuture<'a, Result<(), NeighboursError>>;

    /// The same of repositories at any registry: one may have another name.
    fn look_everywhere<'a>(
        &'a self,
        ledger: &'a Ledger,
        repositories: &'a BTreeSet<Repository>,
    ) -> BoxFuture<'a, Result<(), NeighboursError>>;

    /// Whether another process works on a mirror, or is about to.
    fn is_other(&self, mirror: &str) -> bool;
}

/// Why it is not known what others have on record.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct NeighboursError {
    /// The category.
    pub reason: Reason,
    /// What could not be seen, and why.
    pub message: String,
}
