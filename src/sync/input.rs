// SPDX-License-Identifier: Apache-2.0

//! What a round of one mirror begins with.

use std::sync::Arc;

use crate::plan::Mirror;

/// A mirror, and the way to its registries. Nothing else leads there: nobody can be given the credentials of another
/// mirror.
#[derive(Clone, Debug)]
pub struct RoundInput<C> {
    /// The mirror.
    pub mirror: Arc<Mirror>,
    /// The way to its registries.
    pub connection: C,
}
