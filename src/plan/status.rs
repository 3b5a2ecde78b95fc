// SPDX-License-Identifier: Apache-2.0

//! What a round means for the status of its mirror.
//!
//! The new status is made from the old one and the report, and nothing that did not change is made new:
//! a round that finds nothing to do gives the very same status, which is then not written.

mod counts;
mod freshness;
mod job;
mod lists;
mod prune;
mod refusals;
mod round;
mod tries;

use std::collections::BTreeSet;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;

use self::counts::{Counts, count};
pub use self::freshness::{behind_since, judge_freshness, late_from};
pub use self::job::{follow, leave_job, queue};
pub use self::round::{Round, failures};
pub use self::tries::Tries;
use super::attempts::LONGEST_WAIT;
use super::report::{Failure, MirrorReport, Outcome, TagReport};
use crate::api::Reason;
use crate::api::annotations::Requests;
use crate::api::conditions::{
    self, ConditionWriter, Holds, READY, RECONCILING, STALLED, Statement,
};
use crate::api::image_mirror::{FAILURES, ImageMirrorStatus};
use crate::api::time::whole_seconds;
use crate::oci::{Algorithm, Digest};

/// Most failures that the status and the log tell.
pub const TOLD: usize = FAILURES;
/// What is said of a mirror that is suspended.
pub const SUSPENDED: &str = "spec.suspend is true: no round runs";
/// Others that fail for the same reason as the first one, by name.
const BESIDE: usize = 3;
/// Most bytes of a status.
const STATUS_BYTES: usize = 32 * 1024;

/// Why no round runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Halt {
    /// A person must change something.
    Stalled {
        /// The category.
        reason: Reason,
        /// What is wrong, and what to do.
        message: String,
    },
    /// Something that the mirror needs is not there; it is looked for again.
    Waiting {
        /// The category.
        reason: Reason,
        /// What is wrong, and what to do.
        message: String,
        /// When it is looked for again.
        next: Option<Timestamp>,
    },
    /// The spec says so.
    Suspended,
}

impl Halt {
    fn reason(&self) -> Reason {
        match self {
            Self::Stalled { reason, .. } | Self::Waiting { reason, .. } => *reason,
            Self::Suspended => Reason::Suspended,
        }
    }

    /// The same, with the time of the next look.
    #[must_use]
    pub fn until(self, time: Option<Timestamp>) -> Self {
        match self {
            Self::Waiting {
                reason,
                message,
                next: _,
            } => Self::Waiting {
                reason,
                message,
                next: time,
            },
            Self::Stalled { .. } | Self::Suspended => self,
        }
    }
}

/// The status when a generation is looked at for the first time.
pub fn begin(previous: &ImageMirrorStatus, generation: i64, now: Timestamp) -> ImageMirrorStatus {
    let mut status = previous.clone();
    if is_observed(previous, generation) {
        return status;
    }
    conditions::remove(&mut status.conditions, STALLED);
    let message = "the first round of this generation runs";
    let mut conditions = ConditionWriter {
        conditions: &mut status.conditions,
        generation,
        now,
    };
    conditions.say(READY, Holds::Unknown, Reason::Progressing, message);
    conditions.say(RECONCILING, Holds::True, Reason::Progressing, message);
    status
}

/// The status while a round copies: how far it is.
pub fn advance(
    previous: &ImageMirrorStatus,
    generation: i64,
    report: &MirrorReport,
    now: Timestamp,
) -> ImageMirrorStatus {
    let mut status = previous.clone();
    lists::write_counts(&mut status, &count(report));
    let statement = Statement {
        r#type: RECONCILING,
        holds: Holds::True,
        reason: Reason::Progressing,
        message: "tags are being copied",
        generation,
    };
    conditions::set(&mut status.conditions, &statement, now);
    status
}

/// The status after a round, and how often was tried what fails. The status equals the previous one where the
/// round found nothing to do, or failed as the one before.
pub fn finish(
    previous: &ImageMirrorStatus,
    tries: &Tries,
    round: &Round<'_>,
    requested: Requests,
) -> (ImageMirrorStatus, Tries) {
    let Round {
        generation,
        report,
        began: _,
        ended,
        next,
        policies,
    } = *round;
    let counts = count(report);
    let mut status = previous.clone();
    status.observed_generation = generation;
    answer(&mut status, requested);
    status.policy_revision = Some(policies.clone());
    status.revision = Some(revision(report));
    lists::write_counts(&mut status, &counts);
    lists::write_failures(&mut status, previous, tries, report, next);
    let tries = Tries::of(&status);
    refusals::write_refusals(&mut status, report);
    prune::write_prune(&mut status, report.prune.as_ref(), generation, ended);
    judge(&mut status, &counts, report, generation, ended);
    lists::write_round(&mut status, round);
    fit(&mut status);
    if !tries::is_news(previous, &status) && !is_put_off(report, ended) {
        return (previous.clone(), tries);
    }
    status.next_sync_time = next.map(whole_seconds);
    (status, tries)
}

/// The status after a look at some tags: what they came to. Counts stay those of the last round over all tags.
pub fn glanced(previous: &ImageMirrorStatus, round: &Round<'_>) -> ImageMirrorStatus {
    let mut status = previous.clone();
    lists::write_round(&mut status, round);
    if status != *previous {
        status.last_sync_time = Some(whole_seconds(round.ended));
        fit(&mut status);
    }
    status
}

/// The status of a mirror that runs no round.
pub fn halt(
    previous: &ImageMirrorStatus,
    generation: i64,
    halt: &Halt,
    requested: Requests,
    now: Timestamp,
) -> ImageMirrorStatus {
    let mut status = previous.clone();
    answer(&mut status, requested);
    let mut conditions = ConditionWriter {
        conditions: &mut status.conditions,
        generation,
        now,
    };
    match halt {
        Halt::Stalled { reason, message } => {
            conditions.say(READY, Holds::False, *reason, message);
            conditions.say(STALLED, Holds::True, *reason, message);
            conditions::remove(&mut status.conditions, RECONCILING);
            status.next_sync_time = None;
        }
        Halt::Waiting {
            reason,
            message,
            next,
        } => {
            conditions.say(READY, Holds::False, *reason, message);
            conditions.say(
                RECONCILING,
                Holds::True,
                Reason::ProgressingWithRetry,
                message,
            );
            conditions::remove(&mut status.conditions, STALLED);
            if status != *previous {
                status.next_sync_time = next.map(whole_seconds);
            }
        }
        Halt::Suspended => suspend(&mut status, generation, now),
    }
    prune::halt_prune(&mut status, halt.reason(), generation, now);
    status.observed_generation = generation;
    status
}

/// The condition that says why no round runs, or why the last one came to no tag: a reason of the mirror itself.
pub fn halted(status: &ImageMirrorStatus) -> Option<&Condition> {
    let ready = conditions::find(&status.conditions, READY)?;
    let is_of_all = [Reason::InvalidSpec, Reason::DependencyNotReady]
        .iter()
        .any(|reason| ready.reason == reason.as_str());
    let told = status.failures.len();
    let failed = status.tags.map_or(0, |tags| tags.failed);
    let is_of_tags = usize::try_from(failed).is_ok_and(|failed| failed > told)
        || status
            .failures
            .iter()
            .any(|failure| failure.reason == ready.reason);
    let is_halted = ready.status == Holds::False.as_str()
        && ready.reason != Reason::Progressing.as_str()
        && (is_of_all || !is_of_tags);
    is_halted.then_some(ready)
}

/// What the last round came to stays. Nothing is under way that anybody could wait for: a mirror that is not
/// ready is stalled until a person lets it go on.
fn suspend(status: &mut ImageMirrorStatus, generation: i64, now: Timestamp) {
    let conditions = &mut status.conditions;
    let holds = |holds: Holds| {
        let ready = conditions::find(conditions, READY);
        ready.is_some_and(|ready| ready.status == holds.as_str())
    };
    let (is_ready, has_failed) = (holds(Holds::True), holds(Holds::False));
    let statement = Statement {
        r#type: STALLED,
        holds: Holds::True,
        reason: Reason::Suspended,
        message: SUSPENDED,
        generation,
    };
    if is_ready || has_failed {
        conditions::restate(conditions, READY, SUSPENDED, generation);
    } else {
        let unready = Statement {
            r#type: READY,
            holds: Holds::False,
            ..statement
        };
        conditions::set(conditions, &unready, now);
    }
    if is_ready {
        conditions::remove(conditions, STALLED);
    } else {
        conditions::set(conditions, &statement, now);
    }
    conditions::remove(conditions, RECONCILING);
    status.next_sync_time = None;
}

/// Whether a registry wants to be left alone for longer than one waits anyway: the next process has to know.
fn is_put_off(report: &MirrorReport, ended: Timestamp) -> bool {
    let usual = ended.checked_add(LONGEST_WAIT).unwrap_or(Timestamp::MAX);
    failures(report).any(|(_, failure)| failure.next_attempt_time.is_some_and(|time| time > usual))
}

/// Repeats the requests that are answered.
fn answer(status: &mut ImageMirrorStatus, requested: Requests) {
    let Requests {
        reconcile_at,
        requested_at,
    } = requested;
    if reconcile_at.is_some() {
        status.last_handled_reconcile_at = reconcile_at;
        status.last_handled_requested_at = requested_at;
    }
}

/// Whether the status already speaks of a generation, finished or not.
fn is_observed(status: &ImageMirrorStatus, generation: i64) -> bool {
    conditions::find(&status.conditions, READY)
        .is_some_and(|ready| ready.observed_generation == Some(generation))
}

/// Sets the conditions by what the round came to.
fn judge(
    status: &mut ImageMirrorStatus,
    counts: &Counts,
    report: &MirrorReport,
    generation: i64,
    now: Timestamp,
) {
    let failure = worst(report);
    let (holds, reason, message) = match failure {
        None => (Holds::True, Reason::Succeeded, counts.to_string()),
        Some(failure) => (
            Holds::False,
            failure.reason,
            format!("{counts}; {}", tell(failure, report)),
        ),
    };
    let mut conditions = ConditionWriter {
        conditions: &mut status.conditions,
        generation,
        now,
    };
    conditions.say(READY, holds, reason, &message);
    let is_stalled = failure.is_some_and(|failure| needs_person(failure.reason));
    if is_stalled {
        conditions.say(STALLED, Holds::True, reason, &message);
    } else if failure.is_some() {
        let reason = Reason::ProgressingWithRetry;
        conditions.say(RECONCILING, Holds::True, reason, &message);
    }
    if is_stalled || failure.is_none() {
        conditions::remove(&mut status.conditions, RECONCILING);
    }
    if !is_stalled {
        conditions::remove(&mut status.conditions, STALLED);
    }
}

/// Whether trying again cannot help.
pub fn needs_person(reason: Reason) -> bool {
    matches!(reason, Reason::InvalidSpec | Reason::DestinationConflict)
}

/// The failure that is told first: one that needs a person before one that passes, else by name.
pub fn worst(report: &MirrorReport) -> Option<&Failure> {
    failures(report)
        .map(|(_, failure)| failure)
        .min_by_key(|failure| (!needs_person(failure.reason), &failure.subject))
}

/// What failed first, by name, and which others failed for the same reason.
fn tell(worst: &Failure, report: &MirrorReport) -> String {
    let Failure {
        subject, message, ..
    } = worst;
    let ends = [':', ',', ';'];
    let mut words = message.split(' ');
    // One that begins with the name, or has it where it belongs, is not told it twice.
    let told = if words.any(|word| word.trim_end_matches(ends) == subject) {
        message.clone()
    } else {
        format!("{subject}: {message}")
    };
    let is_like =
        |failure: &&Failure| failure.reason == worst.reason && failure.subject != *subject;
    let others = failures(report).map(|(_, failure)| failure).filter(is_like);
    let others: BTreeSet<&str> = others.map(|failure| failure.subject.as_str()).collect();
    if others.is_empty() {
        return told;
    }
    let named: Vec<&str> = others.iter().take(BESIDE).copied().collect();
    let rest = match others.len().saturating_sub(named.len()) {
        0 => String::new(),
        rest => format!(" and {rest} more"),
    };
    format!("{told}; also {}: {}{rest}", worst.reason, named.join(", "))
}

/// A digest over the tags that are wanted and what they are to name.
fn revision(report: &MirrorReport) -> Digest {
    let is_admitted =
        |tag: &&TagReport| !matches!(tag.outcome, Outcome::Refused(_) | Outcome::Quarantined(_));
    let mut wanted: Vec<(&str, &str)> = report
        .tags
        .iter()
        .filter(is_admitted)
        .map(|tag| (tag.target.as_str(), tag.source_digest.as_str()))
        .collect();
    wanted.sort_unstable();
    let mut hasher = Algorithm::Sha256.hasher();
    for (target, digest) in wanted {
        hasher.update(format!("{target} {digest}\n").as_bytes());
    }
    hasher.finish()
}

/// Shortens the lists until the whole is small enough.
fn fit(status: &mut ImageMirrorStatus) {
    let is_large = |status: &ImageMirrorStatus| {
        serde_json::to_vec(status).is_ok_and(|bytes| bytes.len() > STATUS_BYTES)
    };
    while is_large(status) {
        let longer = status.refusals.len() > status.failures.len();
        let is_shorter = (longer && status.refusals.pop().is_some())
            || status.failures.pop().is_some()
            || status.recent.pop().is_some();
        if !is_shorter {
            return;
        }
    }
}

#[cfg(test)]
mod tests;
