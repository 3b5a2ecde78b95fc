// SPDX-License-Identifier: Apache-2.0

//! News that a template is tried with, before any happen: each kind alone, and with all others that may come together
//! with it; with as little in them as there may be, with several of all, and with as much.

use std::collections::BTreeSet;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use crate::api::conditions::MESSAGE_LENGTH;
use crate::api::image_mirror::{
    Action, FAILURES, FailureStatus, RECENT, REFUSALS, RecentCopy, RefusalStatus,
};
use crate::api::image_policy::PolicyMode;
use crate::api::{NewsKind, Reason};
use crate::oci::Digest;
use crate::plan::news::News;

/// What must not break JSON, and is more than a letter for each.
const WORDS: &str = "a \"b\" \\ {c}: [d],\n\u{1f980}";
const IMAGE: &str = "registry.example.com/app:1";

/// How much there is in news.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Amount {
    /// As little as there may be.
    Least,
    /// Two of each.
    Several,
    /// As much as a status has.
    Most,
}

/// News of these kinds, for one message each: those of one kind first, then of two, and so on.
pub(super) fn of(kinds: &BTreeSet<NewsKind>) -> Vec<Vec<News>> {
    let mut sets: Vec<Vec<NewsKind>> = vec![Vec::new()];
    for kind in kinds {
        let with: Vec<_> = sets
            .iter()
            .map(|set| [&set[..], &[*kind]].concat())
            .collect();
        sets.extend(with);
    }
    sets.retain(|set| !set.is_empty());
    sets.sort_by_key(Vec::len);
    let mut samples = Vec::new();
    for amount in [Amount::Least, Amount::Several, Amount::Most] {
        for set in &sets {
            // What is large alone is large with others.
            if amount != Amount::Most || set.len() == kinds.len() {
                let news = set.iter().filter_map(|kind| sample(*kind, amount));
                samples.push(news.collect());
            }
        }
    }
    samples
}

/// News of one kind.
pub(super) fn sample(kind: NewsKind, amount: Amount) -> Option<News> {
    let length = |most: usize| match amount {
        Amount::Least => 1,
        Amount::Several => 2,
        Amount::Most => most,
    };
    let count = i64::try_from(length(RECENT)).unwrap_or_default();
    let message = words(amount);
    Some(match kind {
        NewsKind::New => News::New {
            count,
            images: vec![copy(None); length(RECENT)],
        },
        NewsKind::Moved => News::Moved {
            count,
            images: vec![copy(Some(Digest::sha256(b"before"))); length(RECENT)],
        },
        NewsKind::Refused => {
            // The name is one, so there always is a sample.
            let policy = "policy".parse().ok()?;
            let refusal = RefusalStatus {
                image: IMAGE.to_owned(),
                policy,
                gate: "require.user".to_owned(),
                reason: Reason::PolicyViolation.to_string(),
                message,
                mode: PolicyMode::Enforce,
            };
            News::Refused(vec![refusal; length(REFUSALS)])
        }
        NewsKind::PruneWaits => News::PruneWaits {
            plan: Digest::sha256(b"plan"),
            candidates: 1,
            message,
        },
        NewsKind::Failed => News::Failed {
            reason: Reason::Unreachable.to_string(),
            message,
            failures: failures(amount, length(FAILURES)),
        },
        NewsKind::Recovered => News::Recovered,
    })
}

/// A mirror may fail as a whole, and an image at its source or at one destination.
fn failures(amount: Amount, count: usize) -> Vec<FailureStatus> {
    let failure = |place: usize| FailureStatus {
        image: IMAGE.to_owned(),
        destination: (place % 2 == 1).then(|| "main".to_owned()),
        reason: Reason::NotFound.to_string(),
        message: words(amount),
        attempts: 1,
        next_attempt_time: None,
    };
    match amount {
        Amount::Least => Vec::new(),
        Amount::Several | Amount::Most => (0..count).map(failure).collect(),
    }
}

fn copy(previous_digest: Option<Digest>) -> RecentCopy {
    RecentCopy {
        image: IMAGE.to_owned(),
        destination: "main".to_owned(),
        digest: Digest::sha256(b"image"),
        source_digest: Digest::sha256(b"image"),
        previous_digest,
        action: Action::Copied,
        time: Time(Timestamp::UNIX_EPOCH),
    }
}

fn words(amount: Amount) -> String {
    match amount {
        Amount::Least | Amount::Several => WORDS.to_owned(),
        Amount::Most => WORDS.chars().cycle().take(MESSAGE_LENGTH).collect(),
    }
}
