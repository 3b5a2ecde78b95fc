// SPDX-License-Identifier: Apache-2.0

//! What a policy keeps although it is not wanted any more.

use crate::oci::Tag;
use crate::plan::Mirror;
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

/// The policy of a mirror that keeps tags of this name, whatever they name: also those of signatures.
pub fn policy_that_keeps<'a>(mirror: &'a Mirror, tag: &Tag) -> Option<&'a str> {
    let policies = mirror.images.iter().flat_map(|entry| &entry.policies);
    policies
        .filter(|policy| {
            let mut globs = policy.retain.iter().flat_map(|retention| &retention.tags);
            globs.any(|glob| glob.matches(tag))
        })
        .map(|policy| policy.name.as_str())
        .next()
}
