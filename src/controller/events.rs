// SPDX-License-Identifier: Apache-2.0

//! What people are told when something changes: transitions, and one line for a batch of copies.

use kube::runtime::events::{Event, EventType};

use crate::api::Reason;
use crate::api::conditions::{self, Holds, PRUNED, READY};
use crate::api::image_mirror::{ImageMirrorStatus, RefusalStatus};
use crate::plan::report::Totals;
use crate::plan::status::SUSPENDED;

/// Longest note, in bytes: more is refused by the API server.
const NOTE_BYTES: usize = 1000;
/// What is done to a mirror.
const ACTION: &str = "Sync";

/// The events for a round.
pub(super) fn of_round(
    previous: &ImageMirrorStatus,
    status: &ImageMirrorStatus,
    totals: &Totals,
) -> Vec<Event> {
    let events = [
        of_batch(totals),
        of_refusals(previous, status),
        of_deletions(totals),
        of_pruning(previous, status),
        of_transition(previous, status),
    ];
    events.into_iter().flatten().collect()
}

/// The event for a batch of tags that were pruned.
fn of_deletions(totals: &Totals) -> Option<Event> {
    let note = format!("deleted {} tags that are no longer wanted", totals.pruned);
    (totals.pruned > 0).then(|| event(EventType::Normal, "Pruned", note))
}

/// The event for pruning that does not go on, for another reason than before. What keeps the mirror from
/// being ready is told by its own event.
fn of_pruning(previous: &ImageMirrorStatus, status: &ImageMirrorStatus) -> Option<Event> {
    let before = conditions::find(&previous.conditions, PRUNED);
    let now = conditions::find(&status.conditions, PRUNED)?;
    let ready = conditions::find(&status.conditions, READY);
    let is_news = before.is_none_or(|before| before.reason != now.reason)
        && ready.is_none_or(|ready| ready.reason != now.reason);
    let is_told = is_news && now.status == Holds::False.as_str();
    is_told.then(|| event(EventType::Warning, &now.reason, now.message.clone()))
}

/// The event for more refused tags than before: Ready says nothing of them.
fn of_refusals(previous: &ImageMirrorStatus, status: &ImageMirrorStatus) -> Option<Event> {
    let count = |status: &ImageMirrorStatus| status.tags.map_or(0, |tags| tags.refused);
    let refused = count(status);
    if refused <= count(previous) {
        return None;
    }
    // Refusals come first in the list, before what only waits.
    let RefusalStatus {
        image,
        policy: _,
        gate: _,
        reason,
        message,
        mode: _,
    } = status.refusals.first()?;
    let note = format!("{refused} refused; {image}: {message}");
    Some(event(EventType::Warning, reason, note))
}

/// The event for a condition `Ready` that says something else than before.
pub(super) fn of_transition(
    previous: &ImageMirrorStatus,
    status: &ImageMirrorStatus,
) -> Option<Event> {
    let before = conditions::find(&previous.conditions, READY);
    let now = conditions::find(&status.conditions, READY)?;
    if before.is_some_and(|before| before.status == now.status && before.reason == now.reason) {
        return None;
    }
    // A first round that begins is no news.
    if now.reason == Reason::Progressing.as_str() {
        return None;
    }
    let type_ = if now.status == Holds::False.as_str() {
        EventType::Warning
    } else {
        EventType::Normal
    };
    Some(event(type_, &now.reason, now.message.clone()))
}

/// The event for a mirror that was suspended: what `Ready` says stays.
pub(super) fn of_suspension(
    previous: &ImageMirrorStatus,
    status: &ImageMirrorStatus,
) -> Option<Event> {
    let message = |status: &ImageMirrorStatus| {
        let ready = conditions::find(&status.conditions, READY);
        ready.map(|ready| ready.message.clone())
    };
    let is_news = message(previous) != message(status);
    is_news.then(|| {
        event(
            EventType::Normal,
            Reason::Suspended.as_str(),
            SUSPENDED.to_owned(),
        )
    })
}

fn of_batch(totals: &Totals) -> Option<Event> {
    let Totals {
        copied,
        retagged,
        completed,
        failed,
        bytes: _,
        planned: _,
        unchanged: _,
        frozen: _,
        refused: _,
        quarantined: _,
        pruned: _,
    } = *totals;
    if copied + retagged + completed == 0 {
        return None;
    }
    let mut parts = Vec::new();
    for (count, word) in [
        (copied, "copied"),
        (retagged, "retagged"),
        (completed, "completed"),
        (failed, "failed"),
    ] {
        if count > 0 {
            parts.push(format!("{word} {count}"));
        }
    }
    Some(event(EventType::Normal, "Synced", parts.join(", ")))
}

fn event(type_: EventType, reason: &str, note: String) -> Event {
    Event {
        type_,
        reason: reason.to_owned(),
        note: Some(shorten(note)),
        action: ACTION.to_owned(),
        secondary: None,
    }
}

fn shorten(mut note: String) -> String {
    let end = note
        .char_indices()
        .map(|(start, character)| start + character.len_utf8())
        .take_while(|end| *end <= NOTE_BYTES)
        .last();
    note.truncate(end.unwrap_or_default());
    note
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::api::conditions::Statement;
    use crate::api::image_mirror::TagCounts;
    use crate::api::image_policy::PolicyMode;

    fn status(holds: Holds, reason: Reason) -> ImageMirrorStatus {
        let mut status = ImageMirrorStatus::default();
        let message = "\u{1f980}".repeat(400);
        let statement = Statement {
            r#type: READY,
            holds,
            reason,
            message: &message,
            generation: 1,
        };
        conditions::set(&mut status.conditions, &statement, Timestamp::UNIX_EPOCH);
        status
    }

    #[test]
    fn only_transitions_and_batches_are_told() {
        let fresh = ImageMirrorStatus::default();
        let begun = status(Holds::Unknown, Reason::Progressing);
        let ready = status(Holds::True, Reason::Succeeded);
        let failing = status(Holds::False, Reason::Unreachable);
        let denied = status(Holds::False, Reason::AccessDenied);
        let nothing = Totals::default();
        let batch = Totals {
            copied: 14,
            failed: 2,
            ..nothing
        };
        let cases: [(&str, _, _, _, &[&str]); 8] = [
            ("it begins", &fresh, &begun, &nothing, &[]),
            (
                "it becomes ready",
                &begun,
                &ready,
                &nothing,
                &["Normal Succeeded"],
            ),
            ("it stays ready", &ready, &ready, &nothing, &[]),
            ("it copies", &ready, &ready, &batch, &["Normal Synced"]),
            (
                "it fails",
                &ready,
                &failing,
                &nothing,
                &["Warning Unreachable"],
            ),
            ("it fails again", &failing, &failing, &nothing, &[]),
            (
                "for another reason",
                &failing,
                &denied,
                &nothing,
                &["Warning AccessDenied"],
            ),
            (
                "it copies and fails",
                &ready,
                &failing,
                &batch,
                &["Normal Synced", "Warning Unreachable"],
            ),
        ];
        for (name, previous, status, totals, expected) in cases {
            let events = of_round(previous, status, totals);
            let told: Vec<String> = events
                .iter()
                .map(|event| format!("{:?} {}", event.type_, event.reason))
                .collect();
            assert_eq!(told, expected, "{name}");
            for event in events {
                assert!(event.note.unwrap().len() <= NOTE_BYTES, "{name}");
            }
        }
        let mut refusing = ready.clone();
        refusing.tags = Some(TagCounts {
            refused: 3,
            ..TagCounts::default()
        });
        refusing.refusals = vec![RefusalStatus {
            image: "docker.io/library/app:1".to_owned(),
            policy: "strict".parse().unwrap(),
            gate: "require.user".to_owned(),
            reason: Reason::PolicyViolation.to_string(),
            message: "it runs as root".to_owned(),
            mode: PolicyMode::Enforce,
        }];
        let event = of_refusals(&ready, &refusing).unwrap();
        assert_eq!(event.reason, "PolicyViolation");
        assert_eq!(
            event.note.unwrap(),
            "3 refused; docker.io/library/app:1: it runs as root"
        );
        assert!(of_refusals(&refusing, &refusing).is_none(), "no news");
        let note = of_batch(&batch).unwrap().note.unwrap();
        assert_eq!(note, "copied 14, failed 2");
    }
}
