// SPDX-License-Identifier: Apache-2.0

//! What pruning works with.

use std::ops::Deref;

use super::connect::Connect;
use super::state::State;

/// What rounds share, and the way to the registries of one mirror.
pub struct Syncer<C> {
    pub(super) connect: C,
    state: State,
}

impl<C: Connect> Syncer<C> {
    /// For the mirror that `connect` leads to the registries of.
    pub fn new(state: State, connect: C) -> Self {
        Self { connect, state }
    }
}

impl<C> Deref for Syncer<C> {
    type Target = State;

    fn deref(&self) -> &State {
        &self.state
    }
}
