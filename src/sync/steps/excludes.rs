// SPDX-License-Identifier: Apache-2.0

//! The patterns of `exclude` that match nothing in a round: most of them are mistakes.

use std::collections::BTreeMap;

use crate::plan::{ImageEntry, Selected, Selector};

/// The patterns by whose they are, and whether none of the tags matched.
#[derive(Default)]
pub(super) struct Excludes(BTreeMap<(String, String), bool>);

impl Excludes {
    /// Takes note of what the patterns of an entry make of one repository.
    pub(super) fn watch(&mut self, entry: &ImageEntry, selected: &Selected) {
        for (selector, pattern, is_idle) in &selected.excludes {
            let of = match selector {
                Selector::Policy(name) => format!("policy {name}"),
                Selector::Entry => format!("select of {}", entry.repository),
            };
            let key = (of, pattern.to_string());
            *self.0.entry(key).or_insert(true) &= *is_idle;
        }
    }

    /// What is said of those that matched nothing in any repository.
    pub(super) fn idle(self) -> impl Iterator<Item = String> {
        let idle = self.0.into_iter().filter(|(_, is_idle)| *is_idle);
        idle.map(|((of, pattern), _)| format!("exclude {pattern} of {of} matches no tag"))
    }
}
