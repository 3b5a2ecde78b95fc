// SPDX-License-Identifier: Apache-2.0

//! Whether requests that were not answered tell something of the host. Pure.

use std::time::Duration;

use tokio::time::Instant;

/// Requests that failed longer apart than this did not fail together.
const TOGETHER: Duration = Duration::from_secs(60);
/// More are not counted: the host rests after fewer.
const MOST: u32 = 3;
/// Of so many who go ahead one does not ask `/v2/`: there are hosts that hang there and nowhere else.
const TURNS: u32 = 4;

/// The requests to a host that were not answered since it answered last.
#[derive(Debug, Default)]
pub(super) struct Hangs {
    /// When anything was answered last.
    answered: Option<Instant>,
    /// Of which repository the first of them was; an empty name for what is of no repository.
    first: Option<String>,
    /// Whether there were some of other repositories.
    is_of_several: bool,
    count: u32,
    /// When the last one was given up.
    latest: Option<Instant>,
    /// How many have gone ahead since.
    ahead: u32,
}

// === impl Hangs ===

impl Hangs {
    /// Takes note of an answer.
    pub(super) fn answered(&mut self, now: Instant) {
        if self.first.is_none() {
            self.answered = Some(now);
            return;
        }
        *self = Self {
            answered: Some(now),
            ..Self::default()
        };
    }

    /// Takes note of a request that was not answered: how many failures of the host that makes. None while
    /// the host answers others, or nothing else was asked.
    pub(super) fn hung(&mut self, now: Instant, repository: Option<&str>, sent: Instant) -> u32 {
        if self.answered.is_some_and(|answered| answered >= sent) {
            return 0;
        }
        if self.latest.is_some_and(|latest| now > latest + TOGETHER) {
            (self.first, self.is_of_several, self.count) = (None, false, 0);
        }
        self.latest = Some(now);
        self.count = (self.count + 1).min(MOST);
        let repository = repository.unwrap_or_default();
        let first = self.first.get_or_insert_with(|| repository.to_owned());
        if self.is_of_several {
            return 1;
        }
        if first == repository {
            return 0;
        }
        self.is_of_several = true;
        self.count
    }

    /// Whether whoever goes ahead asks `/v2/` first, which belongs to no repository.
    pub(super) fn next_probe_asks_host(&mut self) -> bool {
        if self.first.is_none() {
            return false;
        }
        self.ahead = self.ahead.wrapping_add(1);
        !self.ahead.is_multiple_of(TURNS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(start: Instant, seconds: u64) -> Instant {
        start + Duration::from_secs(seconds)
    }

    /// A repository whose request hung, and the seconds from its being sent to its end; or an answer.
    enum Event {
        Hung(Option<&'static str>, u64, u64),
        Answered(u64),
    }

    #[test]
    fn a_host_is_silent_when_nothing_answers_whichever_repository_is_asked_for() {
        use Event::{Answered, Hung};
        let cases: [(&str, &[Event], &[u32]); 8] = [
            (
                "one repository",
                &[
                    Hung(Some("a"), 0, 30),
                    Hung(Some("a"), 0, 30),
                    Hung(Some("a"), 1, 31),
                ],
                &[0, 0, 0],
            ),
            (
                "two repositories",
                &[
                    Hung(Some("a"), 0, 30),
                    Hung(Some("b"), 0, 30),
                    Hung(Some("a"), 0, 30),
                ],
                &[0, 2, 1],
            ),
            (
                "one after the other",
                &[Hung(Some("a"), 0, 30), Hung(Some("b"), 30, 60)],
                &[0, 2],
            ),
            (
                "long apart",
                &[Hung(Some("a"), 0, 30), Hung(Some("b"), 100, 130)],
                &[0, 0],
            ),
            (
                "the list of repositories, and one of them",
                &[Hung(None, 0, 30), Hung(Some("b"), 0, 30)],
                &[0, 2],
            ),
            (
                "while others are answered",
                &[Answered(5), Hung(Some("a"), 0, 30), Hung(Some("b"), 5, 35)],
                &[0, 0],
            ),
            (
                "an answer in between",
                &[
                    Hung(Some("a"), 0, 30),
                    Answered(31),
                    Hung(Some("b"), 32, 62),
                ],
                &[0, 0],
            ),
            (
                "after the last answer",
                &[Answered(5), Hung(Some("a"), 6, 36), Hung(Some("b"), 6, 36)],
                &[0, 2],
            ),
        ];
        for (name, events, expected) in cases {
            let (mut hangs, start) = (Hangs::default(), Instant::now());
            let mut found = Vec::new();
            for event in events {
                match *event {
                    Hung(repository, sent, end) => {
                        found.push(hangs.hung(at(start, end), repository, at(start, sent)));
                    }
                    Answered(then) => hangs.answered(at(start, then)),
                }
            }
            assert_eq!(found, expected, "{name}");
        }
    }

    #[test]
    fn who_goes_ahead_asks_for_the_host_itself_but_now_and_then() {
        let (mut hangs, start) = (Hangs::default(), Instant::now());
        assert!(!hangs.next_probe_asks_host(), "it was never reached");
        hangs.hung(start, Some("a"), start);
        let asks = [(); 6].map(|()| hangs.next_probe_asks_host());
        assert_eq!(asks, [true, true, true, false, true, true]);
        hangs.answered(start);
        assert!(!hangs.next_probe_asks_host());
    }
}
