// SPDX-License-Identifier: Apache-2.0

//! What stands in the tables.

use std::cmp::Reverse;

use jiff::Timestamp;

use super::text::Text;
use crate::api::image_mirror::{Action, RecentCopy};
use crate::api::time::since;
use crate::api::{ImageMirror, MirroredRepository};
use crate::plan::health::{Health, waiting_plan, worst_first};
use crate::plan::named_mirror::NamedMirror;
use crate::plan::why::{ImageAnswer, MirrorAnswer};

/// Most rows of a table.
const ROWS: usize = 2000;

/// The first rows of a table, and how many more there are.
#[derive(Debug)]
pub(super) struct Bounded<R> {
    pub(super) rows: Vec<R>,
    pub(super) more: usize,
}

#[derive(Debug)]
pub(super) struct MirrorLine {
    pub(super) name: Text,
    pub(super) class: &'static str,
    pub(super) state: &'static str,
    pub(super) synced: Text,
    pub(super) message: Text,
}

#[derive(Debug)]
pub(super) struct Arrival {
    pub(super) image: Text,
    pub(super) action: &'static str,
    pub(super) digest: Text,
    pub(super) when: Text,
}

#[derive(Debug)]
pub(super) struct Approval {
    pub(super) mirror: Text,
    pub(super) command: Text,
}

#[derive(Debug)]
pub(super) struct Leaving {
    pub(super) image: Text,
    pub(super) reason: Text,
    pub(super) since: Text,
    pub(super) protected_by: Text,
}

#[derive(Debug)]
pub(super) struct Answer {
    pub(super) heading: Text,
    pub(super) mirrors: Vec<Saying>,
}

/// What one mirror says.
#[derive(Debug)]
pub(super) struct Saying {
    pub(super) title: Text,
    pub(super) parts: Vec<Part>,
}

#[derive(Debug)]
pub(super) struct Part {
    pub(super) label: &'static str,
    pub(super) text: Text,
}

// === impl Bounded ===

impl<R> Bounded<R> {
    pub(super) fn of<T>(all: Vec<T>, show: impl FnMut(T) -> R) -> Self {
        let more = all.len().saturating_sub(ROWS);
        let rows = all.into_iter().take(ROWS).map(show).collect();
        Self { rows, more }
    }
}

// === impl Answer ===

impl Answer {
    pub(super) fn of(answer: &ImageAnswer, now: Timestamp) -> Self {
        let mirrors = answer.answers.iter();
        Self {
            heading: Text::of(&answer.heading()),
            mirrors: mirrors.map(|mirror| Saying::of(mirror, now)).collect(),
        }
    }
}

// === impl Saying ===

impl Saying {
    fn of(answer: &MirrorAnswer, now: Timestamp) -> Self {
        let told = answer.told(now).into_iter();
        let parts = told.map(|told| Part {
            label: told.label,
            text: Text::of(&told.text),
        });
        Self {
            title: Text::of(&answer.title()),
            parts: parts.collect(),
        }
    }
}

/// The mirrors, the worst first.
pub(super) fn lines<'a>(
    mirrors: impl Iterator<Item = &'a ImageMirror>,
    now: Timestamp,
) -> Bounded<MirrorLine> {
    Bounded::of(worst_first(mirrors, now), |(checkup, mirror)| {
        let status = mirror.status.as_ref();
        let synced = status.and_then(|status| status.synced.as_deref());
        MirrorLine {
            name: Text::of(&NamedMirror::of(mirror).to_string()),
            class: class(checkup.health),
            state: checkup.health.as_str(),
            synced: Text::of(synced.unwrap_or_default()),
            message: Text::of(&checkup.message),
        }
    })
}

/// How a state looks; its word says the same.
fn class(health: Health) -> &'static str {
    match health {
        Health::Stalled | Health::Failing => "bad",
        Health::Late | Health::PrunePaused | Health::Unknown => "wait",
        Health::Progressing | Health::Suspended => "soft",
        Health::Ready => "good",
    }
}

/// What was written last, the newest first.
pub(super) fn arrivals<'a>(
    mirrors: impl Iterator<Item = &'a ImageMirror>,
    now: Timestamp,
) -> Bounded<Arrival> {
    let statuses = mirrors.filter_map(|mirror| mirror.status.as_ref());
    let mut copies: Vec<&RecentCopy> = statuses.flat_map(|status| &status.recent).collect();
    copies.sort_by_key(|copy| Reverse(copy.time.0));
    Bounded::of(copies, |copy| Arrival {
        image: Text::of(&copy.image),
        action: match copy.action {
            Action::Copied => "copied",
            Action::Retagged => "retagged",
            Action::Completed => "completed",
        },
        digest: Text::of(copy.digest.to_string().as_str()),
        when: Text::of(&since(copy.time.0, now)),
    })
}

/// The prune plans that wait for a person.
pub(super) fn approvals<'a>(mirrors: impl Iterator<Item = &'a ImageMirror>) -> Vec<Approval> {
    let waiting = mirrors.filter(|mirror| {
        let status = mirror.status.as_ref();
        status.and_then(waiting_plan).is_some()
    });
    let named = waiting.take(ROWS).map(NamedMirror::of);
    named
        .map(|named| Approval {
            mirror: Text::of(&named.to_string()),
            command: Text::of(&named.command("approve")),
        })
        .collect()
}

/// What is no longer wanted.
pub(super) fn leaving(records: &[&MirroredRepository], now: Timestamp) -> Bounded<Leaving> {
    let candidates = records.iter().flat_map(|record| {
        let candidates = record.status.iter().flat_map(|status| &status.candidates);
        candidates.map(|candidate| (&record.spec.repository, candidate))
    });
    Bounded::of(candidates.collect(), |(repository, candidate)| Leaving {
        image: Text::of(&format!("{repository}:{}", candidate.tag)),
        reason: Text::of(&candidate.reason),
        since: Text::of(&since(candidate.since.0, now)),
        protected_by: Text::of(candidate.protected_by.as_deref().unwrap_or_default()),
    })
}
