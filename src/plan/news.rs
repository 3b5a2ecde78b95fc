// SPDX-License-Identifier: Apache-2.0

//! What is worth telling people of a mirror, between the status that was written last and the one of a round.
//! Nothing else is remembered: whoever starts anew with a written status tells nothing twice.

use crate::api::conditions::{self, Holds, READY};
use crate::api::image_mirror::{
    Action, FailureStatus, ImageMirrorStatus, RecentCopy, RefusalStatus, RoundSummary,
};
use crate::api::image_policy::PolicyMode;

/// Something that is worth telling of a mirror. Its lists are as bounded as those of a status.
#[derive(Clone, Debug, PartialEq)]
pub enum News {
    /// Tags were written.
    New {
        /// How many, which may be more than are listed.
        count: i64,
        /// The last of them, the newest first.
        images: Vec<RecentCopy>,
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
    /// The mirror is ready after it was not. A spec that is new begins anew and recovers from nothing.
    Recovered,
    /// Policies keep out what they did not keep out before.
    Refused(Vec<RefusalStatus>),
}

/// What is worth telling, in the order in which it came about.
pub fn news(previous: &ImageMirrorStatus, status: &ImageMirrorStatus) -> Vec<News> {
    let news = [
        of_copies(previous, status),
        of_refusals(previous, status),
        of_readiness(previous, status),
    ];
    news.into_iter().flatten().collect()
}

fn of_copies(previous: &ImageMirrorStatus, status: &ImageMirrorStatus) -> Option<News> {
    let is_new =
        |copy: &&RecentCopy| copy.action != Action::Completed && !previous.recent.contains(copy);
    let images: Vec<RecentCopy> = status.recent.iter().filter(is_new).cloned().collect();
    let is_later = |round: &&RoundSummary| !previous.history.contains(round);
    let rounds = status.history.iter().filter(is_later);
    let written: i64 = rounds.map(|round| i64::from(round.copied)).sum();
    let listed = i64::try_from(images.len()).unwrap_or(i64::MAX);
    (listed > 0).then(|| News::New {
        count: written.max(listed),
        images,
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
        return had_failed.then_some(News::Recovered);
    }
    if now.status != Holds::False.as_str() {
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
