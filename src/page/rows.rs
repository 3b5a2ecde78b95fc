// SPDX-License-Identifier: Apache-2.0

//! What stands in the tables.

use std::cmp::Reverse;

use jiff::Timestamp;

use super::advice::{Advice, advice};
use super::bounded::{Bounded, MANY, ROWS};
use super::sharing::SharedWork;
use super::text::Text;
use super::unreadable::UnreadableMirror;
use crate::api::image_mirror::{Action, RecentCopy, TagCounts};
use crate::api::time::since;
use crate::api::{ImageMirror, MirroredRepository};
use crate::plan::health::{
    Checkup, Health, further_causes, tell_failure, tell_job, tell_refusal, waiting_plan,
    worst_first,
};
use crate::plan::mirror_home::{MirrorHome, MirrorStep};
use crate::plan::named_mirror::NamedMirror;
use crate::plan::why::{ImageAnswer, MirrorAnswer, Told};

#[derive(Debug)]
pub(super) struct MirrorLine {
    pub(super) name: Text,
    /// Who works on it, where several processes share the work.
    pub(super) worker: Text,
    pub(super) class: &'static str,
    pub(super) state: &'static str,
    pub(super) synced: Text,
    /// How many tags are not, and why, in words.
    pub(super) missing: Text,
    pub(super) message: Text,
    /// Single images that are not there.
    pub(super) notes: Vec<Part>,
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
    /// What is to be known of the answer as a whole.
    pub(super) remarks: Vec<Part>,
    /// Why no mirror says anything, and what to do.
    pub(super) silence: Option<String>,
    pub(super) mirrors: Vec<Saying>,
    /// How many more say something.
    pub(super) more: usize,
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

// === impl Answer ===

impl Answer {
    pub(super) fn of(answer: &ImageAnswer, home: &MirrorHome, now: Timestamp) -> Self {
        // Those that have it come first.
        let mut mirrors: Vec<&MirrorAnswer> = answer.answers.iter().collect();
        mirrors.sort_by_key(|mirror| (!mirror.is_mirrored(), &mirror.mirror, &mirror.destination));
        let told = mirrors.iter().take(MANY);
        Self {
            heading: Text::of(&answer.heading()),
            remarks: answer.remarks().into_iter().map(Part::of).collect(),
            silence: answer
                .silence()
                .map(|(what, next)| format!("No mirror {what}: {next}.")),
            mirrors: told.map(|mirror| Saying::of(mirror, home, now)).collect(),
            more: mirrors.len().saturating_sub(MANY),
        }
    }
}

// === impl Saying ===

impl Saying {
    fn of(answer: &MirrorAnswer, home: &MirrorHome, now: Timestamp) -> Self {
        let parts = answer.told(home, now).into_iter().map(Part::of);
        Self {
            title: Text::of(&answer.title()),
            parts: parts.collect(),
        }
    }
}

// === impl Part ===

impl Part {
    fn of(told: Told) -> Self {
        let Told { label, text } = told;
        Self {
            label,
            text: Text::of(&text),
        }
    }

    fn new(label: &'static str, text: String) -> Self {
        Self::of(Told { label, text })
    }
}

// === impl MirrorLine ===

impl MirrorLine {
    fn of(checkup: &Checkup, mirror: &ImageMirror, sharing: Option<&SharedWork>) -> Self {
        let named = NamedMirror::of(mirror);
        let status = mirror.status.as_ref();
        let synced = status.and_then(|status| status.synced.as_deref());
        let tags = status.and_then(|status| status.tags);
        Self {
            name: Text::of(&named.to_string()),
            worker: worker(&named, sharing),
            class: class(checkup.health),
            state: checkup.health.as_str(),
            synced: Text::of(synced.unwrap_or_default()),
            missing: Text::of(&tags.as_ref().map(missing).unwrap_or_default()),
            message: Text::of(&checkup.message),
            notes: Vec::new(),
        }
    }

    fn of_unreadable(unreadable: &UnreadableMirror, sharing: Option<&SharedWork>) -> Self {
        let UnreadableMirror { mirror, error } = unreadable;
        let message = format!("this version of transship does not understand it: {error}");
        Self {
            name: Text::of(&mirror.to_string()),
            worker: worker(mirror, sharing),
            class: class(Health::Stalled),
            state: Health::Stalled.as_str(),
            synced: Text::of(""),
            missing: Text::of(""),
            message: Text::of(&message),
            notes: Vec::new(),
        }
    }
}

/// Mirrors, and what to do about them.
pub(super) struct MirrorLines {
    pub(super) lines: Bounded<MirrorLine>,
    pub(super) advice: Vec<Advice>,
}

/// The mirrors, the worst first, and first of all those that cannot be read.
pub(super) fn lines<'a>(
    mirrors: impl Iterator<Item = &'a ImageMirror>,
    unreadable: impl Iterator<Item = &'a UnreadableMirror>,
    (home, sharing): (&MirrorHome, Option<&SharedWork>),
    most: usize,
    now: Timestamp,
) -> MirrorLines {
    let unreadable: Vec<&UnreadableMirror> = unreadable.collect();
    let looked = worst_first(mirrors, home, now);
    let advice = advice(&unreadable, &looked, home);
    let mut lines = Bounded::of(looked, |(checkup, mirror)| MirrorLine {
        notes: notes(&checkup, mirror, home, most),
        ..MirrorLine::of(&checkup, mirror, sharing)
    });
    let first = Bounded::of(unreadable, |unreadable| {
        MirrorLine::of_unreadable(unreadable, sharing)
    });
    lines.put_first(first);
    MirrorLines { lines, advice }
}

fn worker(mirror: &NamedMirror, sharing: Option<&SharedWork>) -> Text {
    let worker = sharing.and_then(|sharing| sharing.worker(mirror));
    Text::of(worker.unwrap_or_default())
}

/// What is counted of tags that are not there.
fn missing(tags: &TagCounts) -> String {
    let counts = [
        (tags.failed, "failed"),
        (tags.refused, "refused"),
        (tags.quarantined, "quarantined"),
        (tags.pending, "pending"),
    ];
    let counts = counts.into_iter().filter(|(count, _)| *count > 0);
    let counts = counts.map(|(count, word)| format!("{count} {word}"));
    counts.collect::<Vec<_>>().join(", ")
}

/// How far its Job is, what else a mirror fails with, each cause once, and what policies keep out: so many of each.
fn notes(checkup: &Checkup, mirror: &ImageMirror, home: &MirrorHome, most: usize) -> Vec<Part> {
    let Some(status) = &mirror.status else {
        return Vec::new();
    };
    let named = NamedMirror::of(mirror);
    let causes = further_causes(&status.failures, &checkup.message);
    let told = causes.iter().take(most);
    let told = told.filter_map(|cause| {
        let (first, others) = cause.split_first()?;
        Some(Part::of(tell_failure(first, others.len())))
    });
    let mut notes: Vec<Part> = tell_job(status).map(Part::of).into_iter().collect();
    notes.extend(told);
    let look = home.how_to(MirrorStep::Look, &named);
    let rest = causes.iter().skip(most).map(Vec::len).sum::<usize>();
    if rest > 0 {
        notes.push(Part::new("failed", format!("{rest} more: {look}")));
    }
    let refusals = status.refusals.iter();
    notes.extend(refusals.clone().take(most).map(tell_refusal).map(Part::of));
    let rest = refusals.skip(most).count();
    if rest > 0 {
        notes.push(Part::new("kept out", format!("{rest} more: {look}")));
    }
    notes
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
pub(super) fn approvals<'a>(
    mirrors: impl Iterator<Item = &'a ImageMirror>,
    home: &MirrorHome,
) -> Vec<Approval> {
    let waiting = mirrors.filter(|mirror| {
        let status = mirror.status.as_ref();
        status.and_then(waiting_plan).is_some()
    });
    let named = waiting.take(ROWS).map(NamedMirror::of);
    named
        .map(|named| Approval {
            mirror: Text::of(&named.to_string()),
            command: Text::of(&home.how_to(MirrorStep::Approve, &named)),
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
