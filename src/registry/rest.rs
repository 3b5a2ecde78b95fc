// SPDX-License-Identifier: Apache-2.0

//! When a host is left alone, for how long, and who finds out whether that is over. Pure.
//!
//! After a refusal the host rests. Then one request goes ahead, and all others wait for what comes of
//! it: an answer ends the rest, another refusal begins a longer one.

use std::time::Duration;

use tokio::time::Instant;

/// How long others wait for one that goes ahead, where the host has been silent for long already.
const PROBE_PATIENCE: Duration = Duration::from_secs(5);
/// One that went ahead and has not come back for so long may be sending a large body: another one may go.
const PROBE_LIFE: Duration = Duration::from_secs(30);
/// How much longer than its nominal length a rest is at most, so that clients that were refused
/// together do not come back together.
const JITTER: f64 = 0.25;

/// What a host is left alone for, and how long.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rules {
    /// So many failures in a row are put up with.
    pub(super) tolerated: u32,
    /// The first rest; each further one in a row is twice as long.
    pub(super) first: Duration,
    /// The longest rest that we impose on ourselves.
    pub(super) longest: Duration,
    /// How long requests wait for a host of which nothing good comes, counted from the first failure
    /// to the end of the rest. Beyond that the work is given back.
    pub(super) patience: Duration,
}

/// The rests of one host.
#[derive(Debug)]
pub(super) struct Rest {
    rules: Rules,
    state: State,
    /// Failures in a row.
    failures: u32,
    /// When the first of them was sent.
    since: Option<Instant>,
    /// What was sent before says nothing about now.
    news: Option<Instant>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Calm,
    Resting { until: Instant },
    Probing { since: Instant },
}

/// What a request may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Go, as one of many.
    Go,
    /// Go ahead, alone: the others wait for what comes of it.
    Probe,
    /// Look again then, or when something has changed.
    Wait(Instant),
    /// Give up: it would take so long, as far as one can tell.
    GiveBack(Duration),
}

/// What a failure means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// Nothing new: it left together with another one that failed.
    Old,
    /// The first after something good, or one of the few that are put up with.
    First,
    /// The one that went ahead failed, too.
    Again,
}

/// A request as far as its outcome counts.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sent {
    /// When it left.
    pub(super) at: Instant,
    /// Whether it went ahead of all others.
    pub(super) is_probe: bool,
}

// === impl Rest ===

impl Rest {
    pub(super) fn new(rules: Rules) -> Self {
        Self {
            rules,
            state: State::Calm,
            failures: 0,
            since: None,
            news: None,
        }
    }

    /// Whether there is nothing to wait for and nothing to remember.
    pub(super) fn is_calm(&self) -> bool {
        self.state == State::Calm && self.failures == 0
    }

    /// Whether all wait, but the one that goes ahead.
    pub(super) fn is_held(&self) -> bool {
        self.state != State::Calm
    }

    /// What the next request may do; one that may go ahead counts as doing so.
    pub(super) fn next(&mut self, now: Instant) -> Next {
        let since = self.since.unwrap_or(now);
        let patience_ends = since + self.rules.patience;
        match self.state {
            State::Calm => Next::Go,
            State::Resting { until } if until > patience_ends && until > now => {
                Next::GiveBack(until - now)
            }
            State::Resting { until } if until > now => Next::Wait(until),
            State::Probing { since } if now < since + PROBE_LIFE => {
                let wait_until = patience_ends.max(since + PROBE_PATIENCE);
                if now < wait_until {
                    return Next::Wait(wait_until.min(since + PROBE_LIFE));
                }
                Next::GiveBack(self.rest(self.failures.saturating_add(1), 0.0))
            }
            State::Resting { .. } | State::Probing { .. } => {
                self.state = State::Probing { since: now };
                Next::Probe
            }
        }
    }

    /// Takes note of an answer. Where the host rests, only one that went ahead tells that this is over.
    pub(super) fn answered(&mut self, now: Instant, sent: Sent) {
        if self.state == State::Calm {
            self.failures = 0;
            self.since = None;
        } else if sent.is_probe {
            self.state = State::Calm;
            self.failures = 0;
            self.since = None;
            self.news = Some(now);
        }
    }

    /// Takes note of a failure, and of how long the host asked to be left alone. `jitter` is a random
    /// number from 0.0 to 1.0. Says how much longer the host is left alone now than before.
    pub(super) fn failed(
        &mut self,
        now: Instant,
        sent: Sent,
        asked: Option<Duration>,
        jitter: f64,
    ) -> (Failure, Duration) {
        let is_old = match self.state {
            State::Calm => self.news.is_some_and(|news| sent.at < news),
            State::Resting { .. } | State::Probing { .. } => !sent.is_probe,
        };
        let failure = match self.state {
            _ if is_old => Failure::Old,
            State::Calm => Failure::First,
            State::Resting { .. } | State::Probing { .. } => Failure::Again,
        };
        if !is_old {
            self.failures = self.failures.saturating_add(1);
        }
        // A wish is understood when it is heard; silence began when the request left.
        let began = if asked.is_some() { now } else { sent.at };
        if !is_old || asked.is_some() {
            self.since.get_or_insert(began);
        }
        let counted = self.failures.saturating_sub(self.rules.tolerated);
        let own = (!is_old && counted > 0).then(|| self.rest(counted, jitter));
        // What the host says counts, also where it says less than we would, as long as that works.
        let said = asked.map(|wait| match counted {
            0 | 1 => wait,
            _ if is_old => wait,
            _ => wait.max(self.rest(counted - 1, jitter)),
        });
        let Some(wait) = said.or(own) else {
            return (failure, Duration::ZERO);
        };
        let before = match self.state {
            State::Resting { until } => until.max(now),
            State::Calm | State::Probing { .. } => now,
        };
        let until = before.max(now + wait);
        self.state = State::Resting { until };
        (failure, until - before)
    }

    /// Takes note that one that went ahead came to nothing: the next may go.
    pub(super) fn abandoned(&mut self, now: Instant, sent: Sent) {
        if sent.is_probe && self.state == (State::Probing { since: sent.at }) {
            self.state = State::Resting { until: now };
        }
    }

    /// The length of the rest after so many failures in a row.
    fn rest(&self, failures: u32, jitter: f64) -> Duration {
        let doublings = failures.saturating_sub(1).min(16);
        let rest = self.rules.first.saturating_mul(1 << doublings);
        rest.min(self.rules.longest)
            .mul_f64(JITTER.mul_add(jitter, 1.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: Rules = Rules {
        tolerated: 0,
        first: Duration::from_secs(1),
        longest: Duration::from_secs(60),
        patience: Duration::from_secs(60),
    };

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn one_of_many(at: Instant) -> Sent {
        Sent {
            at,
            is_probe: false,
        }
    }

    fn probe(at: Instant) -> Sent {
        Sent { at, is_probe: true }
    }

    /// Refuses whoever goes ahead; the rests that follow, and how long the last one is to be put up with.
    fn refuse_all(rest: &mut Rest, mut now: Instant) -> (Vec<u64>, Duration) {
        let mut rests = Vec::new();
        rest.failed(now, one_of_many(now), None, 0.0);
        loop {
            match rest.next(now) {
                Next::Wait(until) => {
                    rests.push((until - now).as_secs());
                    now = until;
                }
                Next::Probe => {
                    rest.failed(now, probe(now), None, 0.0);
                }
                Next::GiveBack(wait) => return (rests, wait),
                Next::Go => panic!("{rests:?}"),
            }
        }
    }

    #[test]
    fn rests_grow_while_nothing_good_comes_and_then_the_work_is_given_back() {
        let mut rest = Rest::new(RULES);
        let (rests, wait) = refuse_all(&mut rest, Instant::now());
        assert_eq!((rests, wait), (vec![1, 2, 4, 8, 16], seconds(32)));
    }

    #[test]
    fn one_goes_ahead_and_its_answer_ends_the_rest() {
        let mut rest = Rest::new(RULES);
        let now = Instant::now();
        rest.failed(now, one_of_many(now), None, 0.0);
        let then = now + seconds(1);
        assert_eq!(rest.next(then), Next::Probe);
        assert!(matches!(rest.next(then), Next::Wait(_)));
        rest.answered(then, one_of_many(now));
        assert!(
            matches!(rest.next(then), Next::Wait(_)),
            "an answer to what left before the refusal says nothing"
        );
        rest.answered(then, probe(then));
        assert_eq!(rest.next(then), Next::Go);
        assert!(rest.is_calm());
        let (failure, longer) = rest.failed(then, one_of_many(now), None, 0.0);
        assert_eq!((failure, longer), (Failure::Old, Duration::ZERO));
        assert!(rest.is_calm(), "it left before the rest");
    }

    #[test]
    fn refusals_of_what_left_together_are_one() {
        let mut rest = Rest::new(RULES);
        let now = Instant::now();
        let outcomes = [(), (), ()].map(|()| rest.failed(now, one_of_many(now), None, 0.0));
        assert_eq!(
            outcomes,
            [
                (Failure::First, seconds(1)),
                (Failure::Old, Duration::ZERO),
                (Failure::Old, Duration::ZERO)
            ]
        );
    }

    #[test]
    fn what_the_host_says_counts() {
        let now = Instant::now();
        let mut rest = Rest::new(RULES);
        let asked = [Some(0), Some(5), Some(2), Some(6)];
        let longer = asked.map(|wait| {
            let (_, longer) = rest.failed(now, one_of_many(now), wait.map(seconds), 0.5);
            longer.as_secs()
        });
        assert_eq!(longer, [0, 5, 0, 1]);
        assert_eq!(rest.next(now), Next::Wait(now + seconds(6)));
        rest.failed(now, one_of_many(now), Some(seconds(61)), 0.0);
        assert_eq!(rest.next(now), Next::GiveBack(seconds(61)));
    }

    #[test]
    fn a_host_that_says_now_and_refuses_again_is_not_asked_in_a_loop() {
        let now = Instant::now();
        let mut rest = Rest::new(RULES);
        rest.failed(now, one_of_many(now), Some(Duration::ZERO), 0.0);
        let rests = [(), (), ()].map(|()| {
            assert_eq!(rest.next(now + seconds(9)), Next::Probe);
            let at = now + seconds(9);
            rest.state = State::Probing { since: now };
            let (_, longer) = rest.failed(now, probe(at), Some(Duration::ZERO), 0.0);
            longer.as_secs()
        });
        assert_eq!(rests, [1, 2, 4]);
    }

    #[test]
    fn some_failures_in_a_row_are_put_up_with() {
        let mut rest = Rest::new(Rules {
            tolerated: 2,
            ..RULES
        });
        let now = Instant::now();
        for _ in 0..3 {
            rest.failed(now, one_of_many(now), None, 0.0);
            rest.failed(now, one_of_many(now), None, 0.0);
            assert_eq!(rest.next(now), Next::Go);
            rest.answered(now, one_of_many(now));
        }
        for _ in 0..3 {
            rest.failed(now, one_of_many(now), None, 0.0);
        }
        assert_eq!(rest.next(now), Next::Wait(now + seconds(1)));
    }

    #[test]
    fn one_that_never_comes_back_holds_nobody_up_for_long() {
        let rules = Rules {
            patience: seconds(10),
            ..RULES
        };
        let mut rest = Rest::new(rules);
        let now = Instant::now();
        rest.failed(now, one_of_many(now), None, 0.0);
        let then = now + seconds(1);
        assert_eq!(rest.next(then), Next::Probe);
        assert_eq!(rest.next(then), Next::Wait(now + seconds(10)));
        assert_eq!(
            rest.next(now + seconds(10)),
            Next::GiveBack(seconds(2)),
            "there is no telling, but about as long as the next rest"
        );
        assert_eq!(rest.next(then + PROBE_LIFE), Next::Probe);
        rest.abandoned(then + PROBE_LIFE, probe(then));
        assert!(
            matches!(rest.next(then + PROBE_LIFE), Next::Wait(_)),
            "another one went ahead meanwhile"
        );
        rest.abandoned(then + PROBE_LIFE, probe(then + PROBE_LIFE));
        assert_eq!(rest.next(then + PROBE_LIFE), Next::Probe);
    }
}
