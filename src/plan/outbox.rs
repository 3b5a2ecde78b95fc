// SPDX-License-Identifier: Apache-2.0

//! What waits to be told of mirrors: of each at most one message in a while, and what comes meanwhile is told together.

use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::news::News;
use super::news::merge::merge;

/// Shortest time between two messages of one mirror.
pub const PER_MIRROR: Duration = Duration::from_secs(60);
/// Most mirrors of one outbox that wait.
pub const MOST: usize = 64;

/// What waits for one receiver of messages.
#[derive(Debug, Default)]
pub struct Outbox {
    /// By the names of the mirrors.
    waiting: BTreeMap<String, Waiting>,
    /// When the last message of a mirror was taken.
    taken: HashMap<String, Instant>,
    /// How many news began to wait: who waits for longer comes first.
    count: u64,
}

#[derive(Debug)]
struct Waiting {
    place: u64,
    since: Timestamp,
    news: Vec<News>,
}

/// What is told of one mirror at once.
#[derive(Clone, Debug, PartialEq)]
pub struct Bulletin {
    /// The name of the mirror.
    pub mirror: String,
    /// Since when the first of it waits.
    pub since: Timestamp,
    /// One of each kind at the most.
    pub news: Vec<News>,
}

/// What is to be told now.
#[derive(Clone, Debug, PartialEq)]
pub enum DueNews {
    /// This.
    Now(Bulletin),
    /// Nothing before that time.
    NotBefore(Instant),
    /// Nothing.
    Nothing,
}

// === impl Outbox ===

impl Outbox {
    /// How many mirrors wait.
    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Whether none waits.
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Takes note of news. False: so many mirrors wait that nothing more may, and they are lost. `may_wait` says
    /// whether others leave room.
    pub fn note(&mut self, mirror: &str, news: Vec<News>, now: Timestamp, may_wait: bool) -> bool {
        if let Some(waiting) = self.waiting.get_mut(mirror) {
            merge(&mut waiting.news, news);
            return true;
        }
        if !may_wait || self.waiting.len() >= MOST {
            return false;
        }
        self.count += 1;
        let waiting = Waiting {
            place: self.count,
            since: now,
            news,
        };
        self.waiting.insert(mirror.to_owned(), waiting);
        true
    }

    /// Takes what is due of the mirror that has waited for the longest.
    pub fn take(&mut self, now: Instant) -> DueNews {
        self.taken
            .retain(|_, taken| now.saturating_duration_since(*taken) < PER_MIRROR);
        let due = |mirror: &str| self.taken.get(mirror).map(|taken| *taken + PER_MIRROR);
        let mut waiting: Vec<(&String, u64)> = self
            .waiting
            .iter()
            .map(|(mirror, waiting)| (mirror, waiting.place))
            .collect();
        waiting.sort_unstable_by_key(|(_, place)| *place);
        let first = waiting.iter().find(|(mirror, _)| due(mirror).is_none());
        let Some(mirror) = first.map(|(mirror, _)| (*mirror).clone()) else {
            let soonest = waiting.iter().filter_map(|(mirror, _)| due(mirror)).min();
            return soonest.map_or(DueNews::Nothing, DueNews::NotBefore);
        };
        let Some(Waiting { since, news, .. }) = self.waiting.remove(&mirror) else {
            return DueNews::Nothing;
        };
        self.taken.insert(mirror.clone(), now);
        DueNews::Now(Bulletin {
            mirror,
            since,
            news,
        })
    }
}

#[cfg(test)]
mod tests;
