// SPDX-License-Identifier: Apache-2.0

//! What a policy keeps although it is not wanted any more.

use crate::policy::{Duration, TagGlob};

/// What a policy keeps.
#[derive(Clone, Debug, Default)]
pub struct Retention {
    /// This many of the newest tags of each repository.
    pub newest: Option<usize>,
    /// Tags that were first seen less than this ago.
    pub younger_than: Option<Duration>,
    /// Tags that match one of these.
    pub tags: Vec<TagGlob>,
}
