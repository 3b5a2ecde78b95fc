// SPDX-License-Identifier: Apache-2.0

//! How many requests a second a host bears, learned from what it refuses. Pure.
//!
//! A host that refuses nothing has no pace. After the first refusal the rate is searched for: it doubles
//! each second from a guess. After the second it follows the curve of CUBIC (RFC 9438): soon back near
//! the rate that was answered before the refusal, slow around it, then ever faster, so that a
//! limit that is no more is soon forgotten. Only requests that had to wait for their turn move
//! it on: a rate that nobody asked for has proven nothing.

use std::time::Duration;

use tokio::time::Instant;

/// The rate with which the search begins at least, in requests a second.
const SLOWEST_START: f64 = 5.0;
/// The slowest rate there is, in requests a second.
const SLOWEST: f64 = 0.2;
/// Nobody counts so many requests a second: beyond this rate there is no pace.
const FASTEST: f64 = 2_000.0;
/// How much slower than what was answered we go after a refusal, as a part.
const DECREASE: f64 = 0.1;
/// In so many seconds of waiting requests the rate is back at what was answered.
const PLATEAU: f64 = 10.0;
/// What was refused so long ago says nothing any more.
const MEMORY: Duration = Duration::from_secs(60 * 60);
/// Requests that come late by the clock of the process may make up for so much.
const SLACK: Duration = Duration::from_millis(4);
/// What is answered is measured over at least so long.
const SPAN: Duration = Duration::from_secs(1);
/// Where nothing was answered for so long, nothing was asked.
const IDLE: Duration = Duration::from_secs(3);

/// The pace of a host.
#[derive(Debug)]
pub(super) struct Pace {
    limit: Option<Limit>,
    meter: Meter,
}

/// What was learned from refusals.
#[derive(Debug)]
struct Limit {
    /// Where the search began, or what was answered before the last refusal, in requests a second.
    rate: f64,
    is_searched: bool,
    /// Seconds for which requests waited for their turn since the last refusal.
    pressed: f64,
    refused: Instant,
    next_slot: Instant,
}

/// Counts answers, so that the rate of the last few seconds is known: at least half and at most all
/// of the time since the last refusal.
#[derive(Debug)]
struct Meter {
    answers: u32,
    /// Two moments with the number of answers then.
    older: (Instant, u32),
    newer: (Instant, u32),
    since: Instant,
    last: Instant,
}

// === impl Pace ===

impl Pace {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            limit: None,
            meter: Meter::new(now),
        }
    }

    /// Whether requests may go as they come.
    pub(super) fn is_free(&self) -> bool {
        self.limit.is_none()
    }

    /// When the next request may go.
    pub(super) fn next_slot(&mut self, now: Instant) -> Instant {
        self.forget(now);
        self.limit.as_ref().map_or(now, |limit| limit.next_slot)
    }

    /// Takes note of a request that goes, and whether it had to wait for it.
    pub(super) fn spend(&mut self, now: Instant, waited: bool) {
        let Some(limit) = &mut self.limit else {
            return;
        };
        let spacing = 1.0 / limit.now();
        let slot = limit.next_slot.max(now.checked_sub(SLACK).unwrap_or(now));
        limit.next_slot = slot + Duration::from_secs_f64(spacing);
        if waited {
            limit.pressed += spacing;
        }
        if limit.now() > FASTEST {
            self.limit = None;
        }
    }

    /// Takes note of an answer that is no refusal.
    pub(super) fn answered(&mut self, now: Instant) {
        self.meter.count(now);
    }

    /// Takes note of a refusal, the first one since something was answered.
    pub(super) fn refused(&mut self, now: Instant) {
        let answered = self.meter.rate(now);
        self.meter = Meter::new(now);
        let (rate, is_searched) = match &self.limit {
            None => (answered.max(SLOWEST_START), true),
            Some(limit) => {
                let asked = limit.now();
                // A search was within the limit a second ago, when it was half as fast.
                let least = asked / if limit.is_searched { 2.0 } else { 4.0 };
                (answered.clamp(least, asked).max(SLOWEST), false)
            }
        };
        self.limit = Some(Limit {
            rate,
            is_searched,
            pressed: 0.0,
            refused: now,
            next_slot: now,
        });
    }

    fn forget(&mut self, now: Instant) {
        self.limit
            .take_if(|limit| now.duration_since(limit.refused) > MEMORY);
    }
}

// === impl Limit ===

impl Limit {
    /// The rate at present, in requests a second.
    fn now(&self) -> f64 {
        if self.is_searched {
            return self.rate * self.pressed.min(60.0).exp2();
        }
        let distance = (self.pressed - PLATEAU) / PLATEAU;
        self.rate * DECREASE.mul_add(distance.powi(3), 1.0)
    }
}

// === impl Meter ===

impl Meter {
    fn new(now: Instant) -> Self {
        Self {
            answers: 0,
            older: (now, 0),
            newer: (now, 0),
            since: now,
            last: now,
        }
    }

    fn count(&mut self, now: Instant) {
        if now.duration_since(self.last) > IDLE {
            *self = Self::new(now);
        }
        self.answers = self.answers.saturating_add(1);
        self.last = now;
        let span = (now.duration_since(self.since) / 4).clamp(SPAN, SPAN * 8);
        if now.duration_since(self.newer.0) >= span {
            self.older = self.newer;
            self.newer = (now, self.answers);
        }
    }

    /// Answers a second, lately.
    fn rate(&self, now: Instant) -> f64 {
        let (since, answers) = self.older;
        let span = now.duration_since(since).max(SPAN);
        f64::from(self.answers.saturating_sub(answers)) / span.as_secs_f64()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A host that answers `rate` requests a second, and `burst` more at once (a leaky bucket).
    struct Host {
        rate: f64,
        burst: f64,
        level: f64,
        at: Instant,
    }

    impl Host {
        fn takes(&mut self, now: Instant) -> bool {
            let drained = self.rate * now.duration_since(self.at).as_secs_f64();
            let level = (self.level - drained).max(0.0);
            self.at = now;
            let is_taken = level <= self.burst;
            self.level = if is_taken { level + 1.0 } else { level };
            is_taken
        }
    }

    /// Asks a host without a break for so many seconds, with a rest of a second after each refusal:
    /// how many requests were answered, how many refused.
    fn ask(rate: f64, burst: f64, seconds: u64) -> (u32, u32) {
        let mut now = Instant::now();
        let mut host = Host {
            rate,
            burst,
            level: 0.0,
            at: now,
        };
        let mut pace = Pace::new(now);
        let end = now + Duration::from_secs(seconds);
        let (mut answered, mut refused, mut is_news) = (0, 0, true);
        while now < end {
            let slot = pace.next_slot(now);
            pace.spend(slot.max(now), slot > now);
            // An answer takes a millisecond.
            now = slot.max(now) + Duration::from_millis(1);
            if host.takes(now) {
                answered += 1;
                pace.answered(now);
                is_news = true;
            } else {
                refused += 1;
                if is_news {
                    pace.refused(now);
                }
                is_news = false;
                now += Duration::from_secs(1);
            }
        }
        (answered, refused)
    }

    #[test]
    fn a_steady_limit_is_met_with_few_refusals_and_little_waste() {
        let cases = [
            (5.0, 5.0),
            (20.0, 5.0),
            (20.0, 0.0),
            (20.0, 50.0),
            (100.0, 20.0),
            (300.0, 10.0),
        ];
        for (rate, burst) in cases {
            let (answered, refused) = ask(rate, burst, 120);
            let share = f64::from(answered) / (rate * 120.0);
            assert!(
                refused * 50 <= answered,
                "{rate}/s, burst {burst}: {refused} of {answered} refused"
            );
            assert!(share > 0.75, "{rate}/s, burst {burst}: {share:.2} used");
        }
    }

    #[test]
    fn a_host_that_refuses_nothing_has_no_pace() {
        let now = Instant::now();
        let mut pace = Pace::new(now);
        for _ in 0..10_000 {
            assert_eq!(pace.next_slot(now), now);
            pace.spend(now, false);
            pace.answered(now);
        }
        assert!(pace.is_free());
    }

    #[test]
    fn a_limit_that_is_no_more_is_soon_forgotten_and_any_after_an_hour() {
        let start = Instant::now();
        let refused = || {
            let mut pace = Pace::new(start);
            pace.refused(start);
            pace.refused(start);
            pace
        };
        let (mut pace, mut now) = (refused(), start);
        while !pace.is_free() {
            let slot = pace.next_slot(now);
            now = now.max(slot);
            pace.spend(now, true);
        }
        let took = now - start;
        assert!(took < Duration::from_secs(240), "{took:?}");

        let mut idle = refused();
        idle.next_slot(start + MEMORY);
        assert!(!idle.is_free());
        idle.next_slot(start + MEMORY + SPAN);
        assert!(idle.is_free());
    }

    #[test]
    fn a_rate_that_nobody_waits_for_does_not_grow() {
        let mut now = Instant::now();
        let mut pace = Pace::new(now);
        pace.refused(now);
        for _ in 0..1_000 {
            now += SPAN;
            assert!(pace.next_slot(now) <= now);
            pace.spend(now, false);
        }
        let slot = pace.next_slot(now);
        assert!(slot > now + Duration::from_millis(150), "{:?}", slot - now);
    }

    proptest! {
        #[test]
        fn the_next_slot_is_never_far(steps in prop::collection::vec((0u64..5_000, 0u8..3), 0..200)) {
            let mut now = Instant::now();
            let mut pace = Pace::new(now);
            for (milliseconds, what) in steps {
                now += Duration::from_millis(milliseconds);
                match what {
                    0 => pace.answered(now),
                    1 => pace.refused(now),
                    _ => {
                        let slot = pace.next_slot(now).max(now);
                        prop_assert!(slot <= now + Duration::from_secs(10));
                        now = slot;
                        pace.spend(now, true);
                    }
                }
            }
        }
    }
}
