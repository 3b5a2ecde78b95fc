// SPDX-License-Identifier: Apache-2.0

//! What resolving works with.

use crate::copy::Engine;
use crate::sync::ledger::Ledger;

/// What the step works with.
pub(in crate::sync) struct Deps<'a, C> {
    pub(in crate::sync) connection: &'a C,
    pub(in crate::sync) engine: &'a Engine,
    pub(in crate::sync) ledger: &'a Ledger,
}
