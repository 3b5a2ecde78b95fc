// SPDX-License-Identifier: Apache-2.0

//! What the pruning of one mirror works with.

use crate::plan::Mirror;
use crate::sync::{Connect, RoundInput, State};

/// The pruning of one mirror.
pub struct PruneRun<'a, C> {
    pub(super) mirror: &'a Mirror,
    /// The way to its registries.
    pub(super) connection: &'a C,
    /// What rounds share.
    pub(super) state: &'a State,
}

impl<'a, C: Connect> PruneRun<'a, C> {
    /// For the mirror of `input`.
    pub fn new(state: &'a State, input: &'a RoundInput<C>) -> Self {
        let RoundInput { mirror, connection } = input;
        Self {
            mirror,
            connection,
            state,
        }
    }
}

impl<C> Clone for PruneRun<'_, C> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<C> Copy for PruneRun<'_, C> {}
