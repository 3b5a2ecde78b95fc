// SPDX-License-Identifier: Apache-2.0

//! What a mirror had on record when this process began.

use crate::plan::{Claim, SourceImage};
use crate::sync::ledger::Ownership;

/// What a mirror had on record when this process began.
#[derive(Debug, Default)]
pub(in crate::controller) struct Restored {
    /// The images and the tags that they have at destinations.
    pub(in crate::controller) claims: Vec<(SourceImage, Claim, Ownership)>,
    /// Whether pushes are on record whose end nobody saw.
    pub(in crate::controller) has_pending: bool,
}
