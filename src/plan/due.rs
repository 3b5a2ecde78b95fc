// SPDX-License-Identifier: Apache-2.0

//! Whether a round of a mirror runs now.

use jiff::Timestamp;

use crate::api::Reason;
use crate::api::annotations::Requests;
use crate::api::conditions::{self, PRUNED, READY};
use crate::api::image_mirror::ImageMirrorStatus;
use crate::oci::Digest;
use crate::oci::limits::LONGEST_REST;
use crate::policy::Schedule;

/// What is known of a mirror when that is decided.
#[derive(Clone, Copy, Debug)]
pub struct Situation<'a> {
    /// What was written last.
    pub status: &'a ImageMirrorStatus,
    /// The generation of its spec.
    pub generation: i64,
    /// The round that a person asks for.
    pub requested: &'a Requests,
    /// A digest of the generations of its policies.
    pub policies: &'a Digest,
    /// The prune plan that a person approves.
    pub approved: Option<&'a Digest>,
    /// Whether pushes are on record whose end nobody saw.
    pub has_pending: bool,
    /// When its rounds start.
    pub schedule: &'a Schedule,
    /// When this process means to run the next round; nothing before its first one.
    pub next: Option<Timestamp>,
}

/// When a round runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    /// Now.
    Now(Cause),
    /// Then.
    At(Timestamp),
    /// The schedule names no further time.
    Never,
}

/// Why a round runs now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// This generation of the spec was never acted on.
    NewGeneration,
    /// A person asks for it.
    Requested,
    /// A policy changed.
    PolicyChanged,
    /// A person approved the prune plan that waits.
    Approved,
    /// An earlier process did not come to the end of a round.
    Interrupted,
    /// It is time.
    Scheduled,
}

impl Situation<'_> {
    /// When the next round runs. Causes come before the clock: what a person did is acted on at once.
    pub fn decide(&self, now: Timestamp) -> Due {
        let Self {
            status,
            generation,
            requested: _,
            policies,
            approved,
            has_pending,
            schedule: _,
            next,
        } = *self;
        if status.observed_generation != generation {
            return Due::Now(Cause::NewGeneration);
        }
        if self.is_requested() {
            return Due::Now(Cause::Requested);
        }
        if status.policy_revision.as_ref() != Some(policies) {
            return Due::Now(Cause::PolicyChanged);
        }
        if approved.is_some_and(|plan| waits_for(status, plan)) {
            return Due::Now(Cause::Approved);
        }
        if has_pending && next.is_none() {
            return Due::Now(Cause::Interrupted);
        }
        match next.or_else(|| self.resume(now)) {
            Some(time) if time > now => Due::At(time),
            Some(_) => Due::Now(Cause::Scheduled),
            None => Due::Never,
        }
    }

    /// Whether a person asks for a round, whatever else it is due for.
    pub fn is_requested(&self) -> bool {
        let Requests {
            reconcile_at,
            requested_at,
        } = self.requested;
        let is_news =
            |asked: &Option<String>, handled: &Option<String>| asked.is_some() && asked != handled;
        is_news(reconcile_at, &self.status.last_handled_reconcile_at)
            || is_news(requested_at, &self.status.last_handled_requested_at)
    }

    /// The next time for a process that just began: as if its predecessor had gone on, so that a
    /// restart is no storm on the registries. It is the `next` of everything that is decided after that.
    fn resume(&self, now: Timestamp) -> Option<Timestamp> {
        let is_ready = conditions::find(&self.status.conditions, READY)
            .is_some_and(|ready| ready.status == conditions::Holds::True.as_str());
        match &self.status.next_sync_time {
            Some(time) if time.0 > now => Some(time.0.min(self.latest(now))),
            Some(time) if is_ready => match self.schedule {
                Schedule::Every(interval) => Some(interval.continue_from(time.0, now)),
                // A time that was missed is not made up for: it was chosen for a reason.
                Schedule::Cron(_) => self.schedule.next_after(None, now, 0.0),
            },
            Some(_) | None => Some(now),
        }
    }

    /// No predecessor meant to wait for longer: until the next time of the schedule, or for as long as a registry may
    /// ask for. Whoever may write statuses could hold rounds back for good otherwise.
    fn latest(&self, now: Timestamp) -> Timestamp {
        let regular = self.schedule.next_after(Some(now), now, 1.0);
        let rest = now.checked_add(LONGEST_REST).unwrap_or(Timestamp::MAX);
        regular.map_or(rest, |regular| regular.max(rest))
    }
}

/// Whether this plan waits for approval, and was not acted on.
fn waits_for(status: &ImageMirrorStatus, plan: &Digest) -> bool {
    let is_paused = conditions::find(&status.conditions, PRUNED)
        .is_some_and(|pruned| pruned.reason == Reason::PrunePaused.as_str());
    let prune = status.prune.as_ref();
    is_paused
        && prune.is_some_and(|prune| {
            prune.plan.as_ref() == Some(plan) && prune.approved.as_ref() != Some(plan)
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::Reason;
    use crate::api::conditions::{Holds, Statement};
    use crate::api::time::whole_seconds;
    use crate::policy::schedule::{CronTimes, Interval};

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn status(ready: Holds, next: Option<i64>) -> ImageMirrorStatus {
        let mut status = ImageMirrorStatus {
            observed_generation: 2,
            policy_revision: Some(Digest::sha256(b"policies")),
            last_handled_reconcile_at: Some("monday".to_owned()),
            next_sync_time: next.map(at).map(whole_seconds),
            ..ImageMirrorStatus::default()
        };
        let statement = Statement {
            r#type: READY,
            holds: ready,
            reason: Reason::Succeeded,
            message: "",
            generation: 2,
        };
        conditions::set(&mut status.conditions, &statement, at(0));
        status
    }

    #[expect(clippy::too_many_lines, reason = "a table of cases")]
    #[test]
    fn when_the_next_round_runs() {
        let schedule = Schedule::Every(Interval::new("1m".parse().unwrap()).unwrap());
        let policies = Digest::sha256(b"policies");
        let others = Digest::sha256(b"others");
        let ready = status(Holds::True, Some(100));
        let far = status(Holds::True, Some(1_000_000));
        let daily = Schedule::Every(Interval::new("24h".parse().unwrap()).unwrap());
        let nightly = CronTimes::parse("0 3 * * *", "UTC").unwrap();
        let nightly = Schedule::Cron(Box::new(nightly));
        let failing = status(Holds::False, Some(100));
        let fresh = ImageMirrorStatus::default();
        let asked = |reconcile_at: Option<&str>, requested_at: Option<&str>| Requests {
            reconcile_at: reconcile_at.map(str::to_owned),
            requested_at: requested_at.map(str::to_owned),
        };
        let (nothing, monday) = (Requests::default(), asked(Some("monday"), None));
        let (tuesday, both) = (
            asked(Some("tuesday"), None),
            asked(Some("monday"), Some("flux")),
        );
        let plain = Situation {
            status: &ready,
            generation: 2,
            requested: &nothing,
            policies: &policies,
            approved: None,
            has_pending: false,
            schedule: &schedule,
            next: None,
        };
        let now = |cause| Due::Now(cause);
        let cases = [
            ("not yet", plain, 90, Due::At(at(100))),
            (
                "where its predecessor would be",
                plain,
                250,
                Due::At(at(280)),
            ),
            (
                "as long as a registry may ask for, whatever a status says",
                Situation {
                    status: &far,
                    ..plain
                },
                100,
                Due::At(at(100 + 6 * 60 * 60)),
            ),
            (
                "an interval ahead at the most",
                Situation {
                    status: &far,
                    schedule: &daily,
                    ..plain
                },
                100,
                Due::At(at(100 + 11 * 24 * 6 * 60)),
            ),
            (
                "at the next time of the clock at the latest",
                Situation {
                    status: &far,
                    schedule: &nightly,
                    ..plain
                },
                4 * 60 * 60,
                Due::At(at(27 * 60 * 60)),
            ),
            (
                "after a failure at once",
                Situation {
                    status: &failing,
                    ..plain
                },
                250,
                now(Cause::Scheduled),
            ),
            (
                "after a failure not before its time",
                Situation {
                    status: &failing,
                    ..plain
                },
                90,
                Due::At(at(100)),
            ),
            (
                "as this process means to",
                Situation {
                    next: Some(at(300)),
                    ..plain
                },
                250,
                Due::At(at(300)),
            ),
            (
                "when it is time",
                Situation {
                    next: Some(at(300)),
                    ..plain
                },
                300,
                now(Cause::Scheduled),
            ),
            (
                "never seen",
                Situation {
                    status: &fresh,
                    ..plain
                },
                0,
                now(Cause::NewGeneration),
            ),
            (
                "another spec",
                Situation {
                    generation: 3,
                    ..plain
                },
                0,
                now(Cause::NewGeneration),
            ),
            (
                "asked for",
                Situation {
                    requested: &tuesday,
                    ..plain
                },
                0,
                now(Cause::Requested),
            ),
            (
                "asked for and answered",
                Situation {
                    requested: &monday,
                    ..plain
                },
                0,
                Due::At(at(100)),
            ),
            (
                "asked for by Flux's annotation beside ours",
                Situation {
                    requested: &both,
                    ..plain
                },
                0,
                now(Cause::Requested),
            ),
            (
                "another policy",
                Situation {
                    policies: &others,
                    ..plain
                },
                0,
                now(Cause::PolicyChanged),
            ),
            (
                "interrupted",
                Situation {
                    has_pending: true,
                    ..plain
                },
                0,
                now(Cause::Interrupted),
            ),
            (
                "a push that failed in this process",
                Situation {
                    has_pending: true,
                    next: Some(at(5)),
                    ..plain
                },
                0,
                Due::At(at(5)),
            ),
        ];
        for (name, situation, second, expected) in cases {
            assert_eq!(situation.decide(at(second)), expected, "{name}");
        }
    }
}
