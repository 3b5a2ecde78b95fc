// SPDX-License-Identifier: Apache-2.0

//! Hints of one mirror that wait for a look: each tag once, and looked at once in a while.

use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::hint::Hint;
use crate::oci::{Repository, Tag};

/// Shortest time between two looks at one tag.
pub const PER_TAG: Duration = Duration::from_secs(10);
/// Shortest time between two looks at a mirror: what comes meanwhile is looked at together.
pub const PER_MIRROR: Duration = Duration::from_secs(1);
/// Most tags that wait of one mirror. More of them are a look at all of it.
pub const MOST: usize = 1_000;

/// Most tags that are looked at together, and so in [`PER_MIRROR`]: others have to bear what an event leads to. A whole
/// repository counts as so many.
pub const LOOKS: usize = 100;

/// How long after an event a tag may still be on its way. distribution 3.1.2 tells of a manifest before it stores the tag
/// (registry/handlers/manifests.go, seen 2026-11-30).
pub const YOUNG: Duration = Duration::from_secs(20);

/// A tag of a repository; all of them where there is none.
pub type Spot = (Repository, Option<Tag>);

/// Hints that wait, and what was looked at lately.
#[derive(Clone, Debug, Default)]
pub struct Pending {
    /// What waits, each since when.
    waiting: BTreeMap<Spot, Timestamp>,
    /// Since when all of the mirror waits: so much was hinted at.
    everything: Option<Timestamp>,
    /// Since when what is looked at, or could not be copied, has waited.
    looking: Option<Timestamp>,
    /// When tags were looked at.
    looked: HashMap<Spot, Instant>,
    /// When any was.
    last: Option<Instant>,
    /// When all of the mirror was.
    last_of_all: Option<Instant>,
    /// Whether a look failed: a round has to go well, or to tell why it does not, before the next one.
    has_failed: bool,
}

/// What a look at all of a mirror took.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Taken {
    /// Tags, each since when it waited.
    pub spots: BTreeMap<Spot, Timestamp>,
    /// Since when all of it waited.
    pub everything: Option<Timestamp>,
}

/// What is to be looked at now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DueHints {
    /// These tags, each since when it waits.
    Tags(BTreeMap<Spot, Timestamp>),
    /// All of the mirror, since then.
    Everything(Timestamp),
    /// Nothing before that time.
    NotBefore(Instant),
    /// Nothing.
    Nothing,
}

impl Pending {
    /// Takes note of a hint; of one that waits already the earlier time stays. False: nothing new waits. Where nothing
    /// more `may_wait`, one more is a look at everything.
    pub fn note(&mut self, hint: &Hint, since: Timestamp, may_wait: bool) -> bool {
        if self.everything.is_some() {
            return false;
        }
        let spot = (hint.repository.clone(), hint.tag.clone());
        self.put(spot, since, may_wait)
    }

    /// Takes back what was taken and not looked at.
    pub fn put_back(&mut self, taken: Taken) {
        let Taken { spots, everything } = taken;
        self.looking = None;
        for (spot, since) in spots {
            self.looked.remove(&spot);
            self.put(spot, since, true);
        }
        self.everything = self.everything.or(everything);
    }

    /// Lets tags wait for another look that were not there yet: some registries tell of a push before it can be read. It comes
    /// no sooner than another event could lead to it.
    pub fn look_again(&mut self, spots: BTreeMap<Spot, Timestamp>) {
        for (spot, since) in spots {
            self.put(spot, since, true);
        }
    }

    /// What was taken has been looked at, and is where it belongs, or somebody else tells that it is not.
    pub fn settle(&mut self) {
        self.looking = None;
        self.has_failed = false;
    }

    /// What was taken could not be looked at, or copied: everything waits for a round.
    pub fn fail(&mut self) {
        self.has_failed = true;
    }

    fn put(&mut self, spot: Spot, since: Timestamp, may_wait: bool) -> bool {
        if let Some(known) = self.waiting.get_mut(&spot) {
            *known = since.min(*known);
            return false;
        }
        self.waiting.insert(spot, since);
        if self.waiting.len() > MOST || !may_wait {
            self.give_way();
        }
        true
    }

    /// Lets a look at everything take the place of the tags that wait.
    pub fn give_way(&mut self) {
        let tags = std::mem::take(&mut self.waiting);
        self.everything = tags.into_values().chain(self.everything).min();
    }

    /// What is to be looked at now, which counts as looked at from now on.
    pub fn take(&mut self, now: Instant) -> DueHints {
        self.looked.retain(|_, looked| now < *looked + PER_TAG);
        if self.has_failed || self.waiting.is_empty() && self.everything.is_none() {
            return DueHints::Nothing;
        }
        if let Some(next) = self.last.map(|last| last + PER_MIRROR)
            && now < next
        {
            return DueHints::NotBefore(next);
        }
        if let Some(since) = self.everything {
            let next = self.last_of_all.map(|last| last + PER_TAG);
            let next = next.filter(|next| now < *next);
            return next.map_or(DueHints::Everything(since), DueHints::NotBefore);
        }
        let mut room = LOOKS;
        let (mut later, mut due) = (BTreeMap::new(), BTreeMap::new());
        for (spot, since) in self.oldest_first() {
            let looks = if spot.1.is_some() { 1 } else { LOOKS };
            if looks <= room && !self.is_held(&spot) {
                room -= looks;
                due.insert(spot, since);
            } else {
                later.insert(spot, since);
            }
        }
        self.waiting = later;
        if due.is_empty() {
            let next = self.looked.values().min();
            return next.map_or(DueHints::Nothing, |next| {
                DueHints::NotBefore(*next + PER_TAG)
            });
        }
        self.last = Some(now);
        self.look_at(due.values().copied());
        let looked = due.keys().map(|spot| (spot.clone(), now));
        self.looked.extend(looked);
        DueHints::Tags(due)
    }

    /// Takes everything that waits: all of the mirror is looked at now.
    pub fn take_all(&mut self, now: Instant) -> Taken {
        let spots = std::mem::take(&mut self.waiting);
        let everything = self.everything.take();
        self.look_at(spots.values().copied().chain(everything));
        self.last_of_all = Some(now);
        self.looked
            .extend(spots.keys().map(|spot| (spot.clone(), now)));
        Taken { spots, everything }
    }

    /// Takes out what waits, in the order in which it is looked at.
    fn oldest_first(&mut self) -> Vec<(Spot, Timestamp)> {
        let mut spots: Vec<_> = std::mem::take(&mut self.waiting).into_iter().collect();
        spots.sort_by_key(|(_, since)| *since);
        spots
    }

    /// When it is to be asked again what is to be looked at, after a look.
    pub fn next(&self) -> Option<Duration> {
        (!self.waiting.is_empty() && !self.has_failed).then_some(PER_MIRROR)
    }

    fn look_at(&mut self, times: impl Iterator<Item = Timestamp>) {
        self.looking = times.chain(self.looking).min();
    }

    /// Since when the one waits that waits longest, or is looked at.
    pub fn oldest(&self) -> Option<Timestamp> {
        let times = self.waiting.values().copied();
        times.chain(self.everything).chain(self.looking).min()
    }

    /// How many tags wait.
    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Whether nothing is known here any more.
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
            && self.everything.is_none()
            && self.looking.is_none()
            && self.looked.is_empty()
            && !self.has_failed
    }

    /// Whether a tag was looked at lately, or all tags of its repository.
    fn is_held(&self, (repository, tag): &Spot) -> bool {
        let all = (repository.clone(), None);
        self.looked.contains_key(&(repository.clone(), tag.clone()))
            || self.looked.contains_key(&all)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hint(tag: &str) -> Hint {
        Hint {
            registry: "r.test".parse().unwrap(),
            repository: "app".parse().unwrap(),
            tag: (!tag.is_empty()).then(|| tag.parse().unwrap()),
            pushed: None,
        }
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn tags(due: &DueHints) -> Vec<(String, i64)> {
        let DueHints::Tags(tags) = due else {
            panic!("{due:?}");
        };
        let named = tags.iter().map(|((_, tag), since)| {
            let tag = tag.as_ref().map(ToString::to_string);
            (tag.unwrap_or_default(), since.as_second())
        });
        named.collect()
    }

    #[test]
    fn what_is_not_there_yet_is_looked_at_again_when_an_event_could_lead_to_it() {
        let mut pending = Pending::default();
        let began = Instant::now();
        pending.note(&hint("1"), at(5), true);
        let DueHints::Tags(absent) = pending.take(began) else {
            panic!("it waits");
        };
        pending.settle();
        pending.look_again(absent);
        assert_eq!(pending.next(), Some(PER_MIRROR));
        let early = pending.take(began + PER_MIRROR);
        assert_eq!(early, DueHints::NotBefore(began + PER_TAG));
        let due = pending.take(began + PER_TAG);
        assert_eq!(tags(&due), [("1".to_owned(), 5)]);
    }

    #[test]
    fn a_tag_is_looked_at_once_in_ten_seconds_whatever_comes() {
        let mut pending = Pending::default();
        let began = Instant::now();
        let mut looks = Vec::new();
        let mut woken = 0;
        for event in 0..10_000_u64 {
            // 10,000 events in 40 seconds.
            let now = began + Duration::from_millis(event * 4);
            woken += usize::from(pending.note(&hint("1"), at(5), true));
            if matches!(pending.take(now), DueHints::Tags(_)) {
                looks.push(now);
            }
            assert!(pending.len() <= 1);
        }
        assert_eq!(looks.len(), 4);
        assert!(woken <= 5, "{woken}");
        let gaps = looks.windows(2).map(|pair| pair[1].duration_since(pair[0]));
        assert!(gaps.min() >= Some(PER_TAG));
    }

    #[test]
    fn what_comes_together_is_looked_at_together() {
        let mut pending = Pending::default();
        let began = Instant::now();
        assert!(pending.note(&hint("1"), at(7), true));
        assert!(!pending.note(&hint("1"), at(6), true), "it waits already");
        assert!(!pending.note(&hint("1"), at(9), true));
        assert!(pending.note(&hint("2"), at(8), true));
        assert_eq!(pending.oldest(), Some(at(6)));
        assert_eq!(
            tags(&pending.take(began)),
            [("1".to_owned(), 6), ("2".to_owned(), 8)]
        );
        assert_eq!(pending.take(began), DueHints::Nothing);
        // Another tag waits for the mirror, the same one for itself.
        assert!(pending.note(&hint("1"), at(9), true) && pending.note(&hint("3"), at(9), true));
        assert_eq!(pending.take(began), DueHints::NotBefore(began + PER_MIRROR));
        assert_eq!(
            tags(&pending.take(began + PER_MIRROR)),
            [("3".to_owned(), 9)]
        );
        let later = began + PER_MIRROR * 2;
        assert_eq!(pending.take(later), DueHints::NotBefore(began + PER_TAG));
        assert_eq!(tags(&pending.take(began + PER_TAG)), [("1".to_owned(), 9)]);
        // All tags of the repository are that tag, too.
        assert!(pending.note(&hint(""), at(10), true));
        let last = began + PER_TAG + PER_MIRROR;
        assert_eq!(tags(&pending.take(last)), [(String::new(), 10)]);
        assert!(pending.note(&hint("9"), at(11), true));
        let held = pending.take(last + PER_MIRROR);
        assert!(matches!(held, DueHints::NotBefore(_)), "{held:?}");
    }

    #[test]
    fn few_tags_are_looked_at_in_a_second_and_all_in_their_time() {
        let mut pending = Pending::default();
        let began = Instant::now();
        for tag in 0..LOOKS * 2 {
            pending.note(&hint(&tag.to_string()), at(5), true);
        }
        pending.note(&hint(""), at(6), true);
        let mut looked = Vec::new();
        for second in 0..30 {
            let now = began + PER_MIRROR * second;
            if let DueHints::Tags(due) = pending.take(now) {
                looked.push(due.len());
            }
            let is_left = !pending.waiting.is_empty();
            assert_eq!(pending.next(), is_left.then_some(PER_MIRROR));
        }
        assert_eq!(looked, [LOOKS, LOOKS, 1]);
        // What waits for its time is not left behind by what is looked at before.
        pending.note(&hint("1"), at(7), true);
        assert!(matches!(
            pending.take(began + PER_MIRROR * 60),
            DueHints::Tags(_)
        ));
        pending.note(&hint("1"), at(8), true);
        pending.note(&hint("2"), at(8), true);
        let due = pending.take(began + PER_MIRROR * 61);
        assert_eq!(tags(&due), [("2".to_owned(), 8)]);
        assert_eq!(pending.next(), Some(PER_MIRROR));
    }

    #[test]
    fn too_many_are_everything() {
        let mut pending = Pending::default();
        let began = Instant::now();
        for tag in 0..2 * MOST {
            pending.note(&hint(&tag.to_string()), at(5), true);
            assert!(pending.len() <= MOST);
        }
        assert_eq!(pending.take(began), DueHints::Everything(at(5)));
        let taken = pending.take_all(began);
        assert_eq!((taken.spots.len(), taken.everything), (0, Some(at(5))));
        assert_eq!(pending.oldest(), Some(at(5)), "it is looked at");
        pending.settle();
        assert!(pending.is_empty());
        for tag in 0..=MOST {
            pending.note(&hint(&tag.to_string()), at(6), true);
        }
        assert_eq!(
            pending.take(began + PER_MIRROR),
            DueHints::NotBefore(began + PER_TAG)
        );
        assert_eq!(pending.take(began + PER_TAG), DueHints::Everything(at(6)));
    }

    #[test]
    fn after_a_failure_everything_waits_for_a_round() {
        let mut pending = Pending::default();
        let began = Instant::now();
        pending.note(&hint("1"), at(5), true);
        assert!(matches!(pending.take(began), DueHints::Tags(_)));
        pending.fail();
        pending.note(&hint("2"), at(6), true);
        let later = began + PER_TAG * 9;
        assert_eq!(pending.take(later), DueHints::Nothing);
        assert_eq!(pending.oldest(), Some(at(5)), "it is not there yet");
        let taken = pending.take_all(later);
        assert_eq!(taken.spots.len(), 1);
        pending.settle();
        pending.note(&hint("3"), at(7), true);
        assert_eq!(tags(&pending.take(later + PER_TAG)), [("3".to_owned(), 7)]);
    }

    #[test]
    fn where_nothing_more_may_wait_one_more_is_everything() {
        let mut pending = Pending::default();
        assert!(pending.note(&hint("1"), at(5), true));
        assert!(!pending.note(&hint("1"), at(5), false), "it waits already");
        assert!(pending.note(&hint("2"), at(6), false));
        assert_eq!((pending.len(), pending.oldest()), (0, Some(at(5))));
    }

    #[test]
    fn what_was_not_looked_at_waits_again() {
        let mut pending = Pending::default();
        let began = Instant::now();
        pending.note(&hint("1"), at(5), true);
        let DueHints::Tags(spots) = pending.take(began) else {
            panic!("it is due");
        };
        assert_eq!(pending.oldest(), Some(at(5)));
        let everything = None;
        pending.put_back(Taken { spots, everything });
        assert_eq!(pending.oldest(), Some(at(5)));
        assert_eq!(
            tags(&pending.take(began + PER_MIRROR)),
            [("1".to_owned(), 5)]
        );
    }
}
