// SPDX-License-Identifier: Apache-2.0

//! What tags of sources turned out to name that are named after a digest and nothing else.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::copy::BareTag;
use crate::oci::Tag;
use crate::policy::Duration;

/// So many are remembered for one mirror, and for all of them: some 150 bytes each. Others are asked again.
const MIRROR_TAGS: usize = 20_000;
const ALL_TAGS: usize = 100_000;

/// What a tag turned out to name, and when it was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BareTagAnswer {
    /// What it names.
    pub names: BareTag,
    /// When.
    pub at: Timestamp,
}

/// What is known of tags, by the repositories of the sources.
pub(super) type BareTags = BTreeMap<String, BTreeMap<Tag, BareTagAnswer>>;

// === impl BareTagAnswer ===

impl BareTagAnswer {
    /// Whether it is believed so long after it was asked. What lies ahead is of a clock that was set back.
    pub fn is_fresh(&self, lifetime: Duration, now: Timestamp) -> bool {
        self.at <= now && Duration::since(self.at, now).as_millis() < lifetime.as_millis()
    }
}

/// Adds what was found out of a repository, and drops what is not believed any more, as far as there is room for it.
pub(super) fn learn(
    all: &mut BTreeMap<String, BareTags>,
    (mirror, repository): (&str, &str),
    found: BTreeMap<Tag, BareTagAnswer>,
    is_fresh: impl Fn(&BareTagAnswer) -> bool,
) {
    let elsewhere = all.iter().filter(|(name, _)| *name != mirror);
    let elsewhere: usize = elsewhere.map(|(_, known)| count(known)).sum();
    let known = all.entry(mirror.to_owned()).or_default();
    for tags in known.values_mut() {
        tags.retain(|_, answer| is_fresh(answer));
    }
    known.retain(|_, tags| !tags.is_empty());
    let most = MIRROR_TAGS.min(ALL_TAGS.saturating_sub(elsewhere));
    let room = most.saturating_sub(count(known));
    let tags = known.entry(repository.to_owned()).or_default();
    tags.extend(found.into_iter().take(room));
}

fn count(known: &BareTags) -> usize {
    known.values().map(BTreeMap::len).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(second: i64) -> BareTagAnswer {
        BareTagAnswer {
            names: BareTag::List,
            at: Timestamp::from_second(second).unwrap(),
        }
    }

    fn tags(numbers: std::ops::Range<usize>, second: i64) -> BTreeMap<Tag, BareTagAnswer> {
        let tag = |number| format!("sha256-{number:064x}").parse().unwrap();
        numbers
            .map(|number| (tag(number), answer(second)))
            .collect()
    }

    #[test]
    fn an_answer_is_believed_for_as_long_as_its_lifetime() {
        let lifetime = Duration::from_secs(60);
        let cases = [(0, 59, true), (0, 60, false), (10, 9, false)];
        for (asked, now, expected) in cases {
            let now = Timestamp::from_second(now).unwrap();
            let is_fresh = answer(asked).is_fresh(lifetime, now);
            assert_eq!(is_fresh, expected, "{asked} {now}");
        }
    }

    #[test]
    fn what_is_remembered_is_bounded_for_a_mirror_and_for_all() {
        let mut all = BTreeMap::new();
        for mirror in ["a", "b", "c", "d", "e", "f"] {
            let found = tags(0..MIRROR_TAGS + 1, 0);
            learn(&mut all, (mirror, "r"), found, |_| true);
        }
        let counts: Vec<usize> = all.values().map(count).collect();
        assert_eq!(counts, [20_000, 20_000, 20_000, 20_000, 20_000, 0]);
    }

    #[test]
    fn what_is_not_believed_any_more_makes_room() {
        let mut all = BTreeMap::new();
        learn(&mut all, ("a", "r"), tags(0..3, 0), |_| true);
        let is_fresh = |answer: &BareTagAnswer| answer.at > Timestamp::UNIX_EPOCH;
        learn(&mut all, ("a", "s"), tags(0..1, 9), is_fresh);
        let expected = BTreeMap::from([("s".to_owned(), tags(0..1, 9))]);
        assert_eq!(all["a"], expected);
    }
}
