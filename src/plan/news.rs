// SPDX-License-Identifier: Apache-2.0

//! What is worth telling people of a mirror, between the status that was written last and the one of a round.
//! Nothing else is remembered: whoever starts anew with a written status tells nothing twice.

pub mod merge;

use crate::api::conditions::{self, Holds, PRUNED, READY};
use crate::api::image_mirror::{
    Action, FailureStatus, ImageMirrorStatus, RecentCopy, RefusalStatus, RoundResult, RoundSummary,
};
use crate::api::image_policy::PolicyMode;
use crate::api::{NewsKind, Reason};
use crate::oci::Digest;

/// Something that is worth telling of a mirror. Its lists are as bounded as those of a status.
#[derive(Clone, Debug, PartialEq)]
pub enum News {
    /// Images were copied under tags that were not there.
    New {
        /// How many, which may be more than are listed.
        count: i64,
        /// The last of them, the newest first.
        images: Vec<RecentCopy>,
    },
    /// Tags name other images than before.
    Moved {
        /// How many, which may be more than are listed.
        count: i64,
        /// The last of them, the newest first.
        images: Vec<RecentCopy>,
    },
    /// A plan of tags to delete waits for approval.
    PruneWaits {
        /// What the annotation has to be that approves it.
        plan: Digest,
        /// How many tags are no longer wanted and not protected, those that are not due yet among them.
        candidates: i32,
        /// Why it waits, for people.
        message: String,
    },
    /// The mirror is not ready, for another reason or with other failures than before.
    Failed {
        /// Why, as one word.
        reason: String,
        /// Why, for people.
        message: String,
        /// What had not failed before, or for another reason.
        failures: Vec<FailureStatus>,
    },
    /// The mirror is ready after it was not, or after the last round of another spec failed.
    Recovered,
    /// Policies keep out what they did not keep out before.
    Refused(Vec<RefusalStatus>),
}

// === impl News ===

impl News {
    /// What kind of news it is.
    pub const fn kind(&self) -> NewsKind {
        match self {
            Self::New { .. } => NewsKind::New,
            Self::Moved { .. } => NewsKind::Moved,
            Self::PruneWaits { .. } => NewsKind::PruneWaits,
            Self::Failed { .. } => NewsKind::Failed,
            Self::Recovered => NewsKind::Recovered,
            Self::Refused(_) => NewsKind::Refused,
        }
    }
}

/// What is worth telling, in the order in which it came about.
pub fn news(previous: &ImageMirrorStatus, status: &ImageMirrorStatus) -> Vec<News> {
    let news = [
        of_copies(previous, status),
        of_moves(previous, status),
        of_refusals(previous, status),
        of_pruning(previous, status),
        of_readiness(previous, status),
    ];
    news.into_iter().flatten().collect()
}

fn of_copies(previous: &ImageMirrorStatus, status: &ImageMirrorStatus) -> Option<News> {
    let completed = later_copies(previous, status)
        .filter(|copy| copy.action == Action::Completed)
        .count();
    let is_new =
        |copy: &&RecentCopy| copy.action != Action::Completed && copy.previous_digest.is_none();
    let copies = later_copies(previous, status).filter(is_new);
    let images: Vec<RecentCopy> = copies.cloned().collect();
    let rounds = later_rounds(previous, status);
    let written: i64 = rounds
        .map(|round| i64::from(round.copied) - i64::from(round.moved))
        .sum();
    let count = (written - number(completed)).max(number(images.len()));
    (!images.is_empty()).then_some(News::New { count, images })
}

fn of_moves(previous: &ImageMirrorStatus, status: &ImageMirrorStatus) -> Option<News> {
    let copies = later_copies(previous, status).filter(|copy| copy.previous_digest.is_some());
    let images: Vec<RecentCopy> = copies.cloned().collect();
    let rounds = later_rounds(previous, status);
    let moved: i64 = rounds.map(|round| i64::from(round.moved)).sum();
    let count = moved.max(number(images.len()));
    (!images.is_empty()).then_some(News::Moved { count, images })
}

fn later_copies<'a>(
    previous: &'a ImageMirrorStatus,
    status: &'a ImageMirrorStatus,
) -> impl Iterator<Item = &'a RecentCopy> {
    let copies = status.recent.iter();
    copies.filter(|copy| !previous.recent.contains(copy))
}

fn later_rounds<'a>(
    previous: &'a ImageMirrorStatus,
    status: &'a ImageMirrorStatus,
) -> impl Iterator<Item = &'a RoundSummary> {
    let rounds = status.history.iter();
    rounds.filter(|round| !previous.history.contains(round))
}

fn number(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// A plan that waits, unless it was told before. That nothing is pruned for another reason than its size is none.
fn of_pruning(previous: &ImageMirrorStatus, status: &ImageMirrorStatus) -> Option<News> {
    let waiting = |status: &ImageMirrorStatus| {
        let pruned = conditions::find(&status.conditions, PRUNED)?;
        let is_paused = pruned.reason == Reason::PrunePaused.as_str();
        let prune = status.prune.as_ref().filter(|_| is_paused)?;
        let plan = prune.plan.clone()?;
        let waits = prune.approved.as_ref() != Some(&plan);
        waits.then(|| (plan, prune.candidates, pruned.message.clone()))
    };
    let (plan, candidates, message) = waiting(status)?;
    let is_told = waiting(previous).is_some_and(|(known, ..)| known == plan);
    (!is_told).then_some(News::PruneWaits {
        plan,
        candidates,
        message,
    })
}

fn of_refusals(previous: &ImageMirrorStatus, status: &ImageMirrorStatus) -> Option<News> {
    let is_known = |refusal: &RefusalStatus| {
        previous.refusals.iter().any(|known| {
            (&known.image, &known.policy, &known.gate, known.mode)
                == (&refusal.image, &refusal.policy, &refusal.gate, refusal.mode)
        })
    };
    let refusals: Vec<RefusalStatus> = status
        .refusals
        .iter()
        .filter(|refusal| refusal.mode == PolicyMode::Enforce && !is_known(refusal))
        .cloned()
        .collect();
    (!refusals.is_empty()).then_some(News::Refused(refusals))
}

fn of_readiness(previous: &ImageMirrorStatus, status: &ImageMirrorStatus) -> Option<News> {
    let before = conditions::find(&previous.conditions, READY);
    let now = conditions::find(&status.conditions, READY)?;
    let had_failed = before.is_some_and(|before| before.status == Holds::False.as_str());
    if now.status == Holds::True.as_str() {
        // With a new spec nothing is known of the mirror until its first round has ended.
        let is_anew = before.is_some_and(|before| before.status == Holds::Unknown.as_str());
        let has_recovered = had_failed || is_anew && last_round_failed(previous);
        return has_recovered.then_some(News::Recovered);
    }
    // Its owner suspended it, and knows.
    if now.status != Holds::False.as_str() || now.reason == Reason::Suspended.as_str() {
        return None;
    }
    let failures = new_failures(previous, status);
    // Not by the message: a note, such as that the mirror is suspended, is no other failure.
    let is_same = had_failed && before.is_some_and(|before| before.reason == now.reason);
    let is_news = !is_same || !failures.is_empty();
    is_news.then(|| News::Failed {
        reason: now.reason.clone(),
        message: now.message.clone(),
        failures,
    })
}

fn last_round_failed(status: &ImageMirrorStatus) -> bool {
    let last = status.history.first();
    last.is_some_and(|last| last.result == RoundResult::Failed)
}

/// The failures that are not those of before: how often one was tried makes it no other.
fn new_failures(previous: &ImageMirrorStatus, status: &ImageMirrorStatus) -> Vec<FailureStatus> {
    let is_known = |failure: &FailureStatus| {
        previous.failures.iter().any(|known| {
            (&known.image, &known.destination, &known.reason)
                == (&failure.image, &failure.destination, &failure.reason)
        })
    };
    let failures = status.failures.iter();
    failures
        .filter(|failure| !is_known(failure))
        .cloned()
        .collect()
}

#[cfg(test)]
mod tests;
