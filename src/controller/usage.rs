// SPDX-License-Identifier: Apache-2.0

//! What mirrors make of the policies that they use, for the status of the policies.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::api::ObjectName;
use crate::plan::report::Tally;

/// The tallies of the last rounds, by mirror and policy.
#[derive(Debug, Default)]
pub(super) struct Usage(Mutex<HashMap<String, BTreeMap<ObjectName, Tally>>>);

impl Usage {
    /// Takes note of what a round of a mirror made of its policies; says whether that is news.
    pub(super) fn record(&self, mirror: &str, tallies: &BTreeMap<ObjectName, Tally>) -> bool {
        let mut usage = self.lock();
        if usage.get(mirror) == Some(tallies) {
            return false;
        }
        usage.insert(mirror.to_owned(), tallies.clone());
        true
    }

    /// Forgets a mirror that is no more.
    pub(super) fn forget(&self, mirror: &str) {
        self.lock().remove(mirror);
    }

    /// The sums of a policy over these mirrors. None before all of them have run a round: half a sum
    /// would be a wrong one.
    pub(super) fn sum<'a>(
        &self,
        policy: &ObjectName,
        mirrors: impl Iterator<Item = &'a str>,
    ) -> Option<Tally> {
        let usage = self.lock();
        let mut sum = Tally::default();
        for mirror in mirrors {
            let tallies = usage.get(mirror)?;
            sum += tallies.get(policy).copied().unwrap_or_default();
        }
        Some(sum)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, BTreeMap<ObjectName, Tally>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_a_sum_is_no_sum() {
        let usage = Usage::default();
        let policy: ObjectName = "stable".parse().unwrap();
        let tally = Tally {
            selected: 2,
            semver: 3,
            ..Tally::default()
        };
        let tallies = BTreeMap::from([(policy.clone(), tally)]);
        let sum = |mirrors: &[&str]| usage.sum(&policy, mirrors.iter().copied());
        assert!(usage.record("a/1", &tallies));
        assert!(!usage.record("a/1", &tallies), "the same again is no news");
        assert_eq!(sum(&["a/1", "a/2"]), None);
        usage.record("a/2", &tallies);
        assert_eq!(sum(&["a/1", "a/2"]).unwrap().selected, 4);
        assert_eq!(sum(&[]), Some(Tally::default()));
        usage.forget("a/2");
        assert_eq!(sum(&["a/1", "a/2"]), None);
    }
}
