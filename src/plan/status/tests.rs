// SPDX-License-Identifier: Apache-2.0

use std::sync::LazyLock;

use super::*;
use crate::api::image_mirror::Reachable;
use crate::plan::gates::{Gate, Quarantine, Refusal};
use crate::plan::report::{Audited, TagReport};

const GENERATION: i64 = 3;

fn second(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn tag(name: &str, destination: &str, outcome: Outcome) -> TagReport {
    TagReport {
        source: format!("docker.io/library/app:{name}"),
        destination: destination.to_owned(),
        target: format!("{destination}.example.com/app:{name}"),
        source_digest: Digest::sha256(name.as_bytes()),
        previous_digest: None,
        selected_by: Vec::new(),
        outcome,
    }
}

fn copied(name: &str) -> Outcome {
    Outcome::Copied {
        digest: Digest::sha256(name.as_bytes()),
        bytes: 10,
    }
}

fn failure(subject: &str, reason: Reason) -> Failure {
    Failure {
        subject: subject.to_owned(),
        reason,
        message: format!("it is {reason}"),
        next_attempt_time: None,
        is_of_tag: false,
    }
}

fn failed(name: &str, reason: Reason) -> Outcome {
    Outcome::Failed(failure(&format!("eu.example.com/app:{name}"), reason))
}

fn report(tags: Vec<TagReport>) -> MirrorReport {
    MirrorReport {
        tags,
        ..MirrorReport::new("platform/base")
    }
}

fn round(report: &MirrorReport, at: i64) -> Round<'_> {
    static POLICIES: LazyLock<Digest> = LazyLock::new(|| Digest::sha256(b"policies"));
    Round {
        policies: &POLICIES,
        generation: GENERATION,
        report,
        began: second(at),
        ended: second(at + 5),
        next: Some(second(at + 3600)),
    }
}

/// The status after a round, as a process tells it that has seen no other one.
fn finish(
    previous: &ImageMirrorStatus,
    round: &Round<'_>,
    requested: Requests,
) -> ImageMirrorStatus {
    super::finish(previous, &Tries::default(), round, requested).0
}

/// Conditions as `type=status reason: message`, one a line.
fn conditions_of(status: &ImageMirrorStatus) -> String {
    let lines: Vec<String> = status
        .conditions
        .iter()
        .map(|condition| {
            let (name, value) = (&condition.type_, &condition.status);
            format!("{name}={value} {}: {}", condition.reason, condition.message)
        })
        .collect();
    lines.join("\n")
}

fn planned(moves: bool) -> Outcome {
    Outcome::Planned {
        moves,
        completes: false,
        destination_digest: None,
        moved: None,
    }
}

#[test]
fn the_life_of_a_mirror_as_its_conditions_tell_it() {
    let fresh = ImageMirrorStatus::default();
    let begun = begin(&fresh, GENERATION, second(0));
    assert_eq!(
        begun.observed_generation, -1,
        "a fresh object is never current"
    );
    insta::assert_snapshot!(conditions_of(&begun), @r"
    Ready=Unknown Progressing: the first round of this generation runs
    Reconciling=True Progressing: the first round of this generation runs
    ");

    let copying = report(vec![
        tag("1", "eu", copied("1")),
        tag("2", "eu", planned(false)),
    ]);
    let advanced = advance(&begun, GENERATION, &copying, second(0));
    assert_eq!(advanced.observed_generation, -1);
    assert_eq!(advanced.tags.unwrap().pending, 1);

    let broken = report(vec![
        tag("1", "eu", Outcome::Unchanged),
        tag("2", "eu", failed("2", Reason::RateLimited)),
    ]);
    let retrying = finish(&advanced, &round(&broken, 10), unasked());
    assert_eq!(retrying.observed_generation, GENERATION);
    insta::assert_snapshot!(conditions_of(&retrying), @r"
    Ready=False RateLimited: 1 of 2 tags are synced; eu.example.com/app:2: it is RateLimited
    Reconciling=True ProgressingWithRetry: 1 of 2 tags are synced; eu.example.com/app:2: it is RateLimited
    ");

    let whole = report(vec![
        tag("1", "eu", Outcome::Unchanged),
        tag("2", "eu", copied("2")),
        tag("old", "eu", Outcome::Frozen),
    ]);
    let ready = finish(&retrying, &round(&whole, 20), asked("now"));
    insta::assert_snapshot!(conditions_of(&ready), @"Ready=True Succeeded: 2 of 3 tags are synced, 1 frozen");
    assert_eq!(ready.synced.as_deref(), Some("3/3"));
    assert_eq!(ready.last_handled_reconcile_at.as_deref(), Some("now"));
    assert!(ready.failures.is_empty());

    let refreshing = begin(&ready, GENERATION, second(30));
    assert_eq!(refreshing, ready, "a refresh does not flip Ready");
    let changed = begin(&ready, GENERATION + 1, second(30));
    insta::assert_snapshot!(conditions_of(&changed), @r"
    Ready=Unknown Progressing: the first round of this generation runs
    Reconciling=True Progressing: the first round of this generation runs
    ");
}

fn unasked() -> Requests {
    Requests::default()
}

fn asked(value: &str) -> Requests {
    Requests {
        reconcile_at: Some(value.to_owned()),
        requested_at: None,
    }
}

#[test]
fn a_round_that_finds_nothing_to_do_changes_nothing() {
    let unchanged = report(vec![tag("1", "eu", Outcome::Unchanged)]);
    let first = finish(
        &ImageMirrorStatus::default(),
        &round(&unchanged, 0),
        unasked(),
    );
    for at in [100, 200, 300] {
        assert_eq!(finish(&first, &round(&unchanged, at), unasked()), first);
    }
    assert_eq!(first.last_sync_time.unwrap().0, second(5));
}

#[test]
fn the_last_sync_is_when_something_was_copied_or_all_was_in_sync_again() {
    let unchanged = report(vec![tag("1", "eu", Outcome::Unchanged)]);
    let copying = report(vec![tag("1", "eu", copied("1"))]);
    let failing = report(vec![tag("1", "eu", failed("1", Reason::Unreachable))]);
    let rounds = [
        ("fails at first", &failing, None),
        ("fails again", &failing, None),
        ("is in sync", &unchanged, Some(205)),
        ("is in sync still", &unchanged, Some(205)),
        ("copies", &copying, Some(405)),
        ("fails once more", &failing, Some(405)),
        ("goes on failing", &failing, Some(405)),
        ("is in sync again", &unchanged, Some(705)),
    ];
    let mut status = ImageMirrorStatus::default();
    for ((name, report, expected), at) in rounds.into_iter().zip((0..).step_by(100)) {
        status = finish(&status, &round(report, at), unasked());
        let last = status.last_sync_time.as_ref().map(|time| time.0);
        assert_eq!(last, expected.map(second), "{name}");
    }
}

#[test]
fn what_stops_a_mirror() {
    let cases = [
        (
            "a conflict",
            finish(
                &ImageMirrorStatus::default(),
                &round(
                    &MirrorReport {
                        failures: vec![
                            failure("a.test/a:1", Reason::Unreachable),
                            failure("b.test/b:1", Reason::DestinationConflict),
                        ],
                        ..report(Vec::new())
                    },
                    0,
                ),
                unasked(),
            ),
        ),
        (
            "a wrong spec",
            halt(
                &ImageMirrorStatus::default(),
                GENERATION,
                &Halt::Stalled {
                    reason: Reason::InvalidSpec,
                    message: "spec.images[0].tags[0]: is no glob".to_owned(),
                },
                unasked(),
                second(0),
            ),
        ),
        (
            "a policy that is not there",
            halt(
                &ImageMirrorStatus::default(),
                GENERATION,
                &Halt::Waiting {
                    reason: Reason::DependencyNotReady,
                    message: "policy stable does not exist".to_owned(),
                    next: Some(second(60)),
                },
                unasked(),
                second(0),
            ),
        ),
    ];
    let text: Vec<String> = cases
        .iter()
        .map(|(name, status)| {
            assert_eq!(status.observed_generation, GENERATION, "{name}");
            format!("{name}:\n{}", conditions_of(status))
        })
        .collect();
    insta::assert_snapshot!(text.join("\n"), @r"
    a conflict:
    Ready=False DestinationConflict: 0 of 0 tags are synced; b.test/b:1: it is DestinationConflict
    Stalled=True DestinationConflict: 0 of 0 tags are synced; b.test/b:1: it is DestinationConflict
    a wrong spec:
    Ready=False InvalidSpec: spec.images[0].tags[0]: is no glob
    Stalled=True InvalidSpec: spec.images[0].tags[0]: is no glob
    a policy that is not there:
    Ready=False DependencyNotReady: policy stable does not exist
    Reconciling=True ProgressingWithRetry: policy stable does not exist
    ");
}

#[test]
fn what_is_suspended_keeps_what_the_last_round_came_to_and_nobody_waits_for_it() {
    let synced = report(vec![tag("1", "eu", copied("1"))]);
    let failing = report(vec![tag("1", "eu", failed("1", Reason::Unreachable))]);
    let waiting = Halt::Waiting {
        reason: Reason::DependencyNotReady,
        message: "policy stable does not exist".to_owned(),
        next: None,
    };
    let none = ImageMirrorStatus::default();
    let cases = [
        ("synced", finish(&none, &round(&synced, 0), unasked())),
        ("failing", finish(&none, &round(&failing, 0), unasked())),
        (
            "waiting",
            halt(&none, GENERATION, &waiting, unasked(), second(0)),
        ),
        ("at its first round", begin(&none, GENERATION, second(0))),
        ("never seen", none.clone()),
    ];
    let text: Vec<String> = cases
        .iter()
        .map(|(name, before)| {
            let suspend = |status: &ImageMirrorStatus| {
                halt(
                    status,
                    GENERATION + 1,
                    &Halt::Suspended,
                    unasked(),
                    second(60),
                )
            };
            let status = suspend(before);
            assert_eq!(status.observed_generation, GENERATION + 1, "{name}");
            for condition in &status.conditions {
                let observed = condition.observed_generation;
                assert_eq!(observed, Some(GENERATION + 1), "{name}: {condition:?}");
            }
            assert_eq!(suspend(&status), status, "{name}");
            let resumed = begin(&status, GENERATION + 2, second(120));
            assert_eq!(
                conditions_of(&resumed),
                conditions_of(&begin(&none, GENERATION + 2, second(120))),
                "{name}"
            );
            format!("{name}:\n{}", conditions_of(&status))
        })
        .collect();
    insta::assert_snapshot!(text.join("\n"), @r"
    synced:
    Ready=True Succeeded: 1 of 1 tags are synced; spec.suspend is true: no round runs
    failing:
    Ready=False Unreachable: 0 of 1 tags are synced; eu.example.com/app:1: it is Unreachable; spec.suspend is true: no round runs
    Stalled=True Suspended: spec.suspend is true: no round runs
    waiting:
    Ready=False DependencyNotReady: policy stable does not exist; spec.suspend is true: no round runs
    Stalled=True Suspended: spec.suspend is true: no round runs
    at its first round:
    Ready=False Suspended: spec.suspend is true: no round runs
    Stalled=True Suspended: spec.suspend is true: no round runs
    never seen:
    Ready=False Suspended: spec.suspend is true: no round runs
    Stalled=True Suspended: spec.suspend is true: no round runs
    ");
}

#[test]
fn a_tag_counts_once_and_its_worst_destination_counts() {
    let mut report = report(vec![
        tag("1", "eu", Outcome::Unchanged),
        tag("1", "us", copied("1")),
        tag("2", "eu", Outcome::Unchanged),
        tag("2", "us", failed("2", Reason::Unreachable)),
        tag("3", "eu", planned(true)),
        tag("3", "us", failed("3", Reason::TlsError)),
    ]);
    report.failures = vec![Failure {
        is_of_tag: true,
        ..failure("docker.io/library/app:gone", Reason::NotFound)
    }];
    let status = finish(&ImageMirrorStatus::default(), &round(&report, 0), unasked());
    let tags = status.tags.unwrap();
    assert_eq!(
        (tags.selected, tags.synced, tags.failed, tags.pending),
        (4, 1, 3, 0)
    );
    let destinations: Vec<_> = status
        .destinations
        .iter()
        .map(|one| (one.name.as_str(), one.synced, one.failed, one.reachable))
        .collect();
    assert_eq!(
        destinations,
        [("eu", 2, 0, Reachable::True), ("us", 1, 2, Reachable::True)]
    );
}

#[test]
fn the_same_failure_is_told_at_its_first_second_fourth_and_eighth_try() {
    let broken = |reason| {
        report(vec![
            tag("1", "eu", Outcome::Unchanged),
            tag("2", "eu", failed("2", reason)),
        ])
    };
    let (limited, denied) = (broken(Reason::RateLimited), broken(Reason::AccessDenied));
    let told = |status: &ImageMirrorStatus| {
        let failure = &status.failures[0];
        let next = failure.next_attempt_time.as_ref().unwrap().0.as_second();
        (failure.attempts, next - 3600)
    };
    let mut status = ImageMirrorStatus::default();
    let mut tries = Tries::default();
    let mut seen = Vec::new();
    for at in 1..=9 {
        let previous = status.clone();
        (status, tries) = super::finish(&previous, &tries, &round(&limited, at), unasked());
        if status != previous {
            seen.push(told(&status));
        }
    }
    assert_eq!(seen, [(1, 1), (2, 2), (4, 4), (8, 8)]);

    let asked_for = super::finish(&status, &tries, &round(&limited, 10), asked("now")).0;
    assert_eq!(told(&asked_for), (10, 10), "whatever else is written");
    let another = super::finish(&status, &tries, &round(&denied, 10), unasked()).0;
    assert_eq!(told(&another), (10, 10), "another reason is news");
    let restarted = finish(&status, &round(&limited, 10), asked("now"));
    assert_eq!(told(&restarted), (9, 10), "what an earlier process told");
    let healed = report(vec![tag("1", "eu", Outcome::Unchanged)]);
    let (healed, tries) = super::finish(&status, &tries, &round(&healed, 10), unasked());
    let again = super::finish(&healed, &tries, &round(&limited, 11), unasked()).0;
    assert_eq!(told(&again), (1, 11), "in a row");
}

#[test]
fn failures_in_a_row_are_counted_and_kept_small() {
    let name = |number: usize| format!("{number:0>100}");
    let tags = |count: usize| {
        (0..count).map(|number| tag(&name(number), "eu", failed(&name(number), Reason::NotFound)))
    };
    let many = report(tags(20_000).collect());
    let (mut status, mut tries) = (ImageMirrorStatus::default(), Tries::default());
    for at in 0..4 {
        (status, tries) = super::finish(&status, &tries, &round(&many, at * 100), unasked());
    }
    assert!(status.failures.iter().all(|failure| failure.attempts == 4));
    assert_eq!(status.failures.len(), 20);
    assert!(serde_json::to_vec(&status).unwrap().len() <= STATUS_BYTES);
    assert_eq!(status.history.len(), 1, "the same failure again is no news");

    let wide = "\u{1f980}".repeat(2000);
    let longest = report(
        (0..30)
            .map(|number| {
                let failure = Failure {
                    message: wide.clone(),
                    ..failure(&format!("{}{number}", "a".repeat(600)), Reason::CopyFailed)
                };
                tag(&number.to_string(), "eu", Outcome::Failed(failure))
            })
            .collect(),
    );
    let status = finish(&status, &round(&longest, 1000), unasked());
    assert!(serde_json::to_vec(&status).unwrap().len() <= STATUS_BYTES);
    assert!(!status.failures.is_empty());
}

fn refusal(gate: Gate) -> Refusal {
    Refusal {
        policy: "strict".parse().unwrap(),
        gate,
        reason: gate.reason(),
        message: format!("policy \"strict\", {gate}: no"),
    }
}

fn quarantined(until: i64) -> Outcome {
    Outcome::Quarantined(Quarantine {
        until: second(until),
        refusal: refusal(Gate::MinAge),
    })
}

#[test]
fn what_policies_do_not_admit_is_told_and_does_not_make_a_mirror_unready() {
    let mut mixed = report(vec![
        tag("3", "eu", quarantined(900)),
        tag("2", "eu", Outcome::Refused(refusal(Gate::User))),
        tag("2", "us", Outcome::Refused(refusal(Gate::User))),
        tag("1", "eu", Outcome::Unchanged),
        tag("4", "eu", quarantined(800)),
    ]);
    mixed.audited = vec![Audited {
        source: "docker.io/library/app:1".to_owned(),
        refusal: refusal(Gate::Labels),
    }];
    assert_eq!(mixed.next_admission(), Some(second(800)));
    let status = finish(&ImageMirrorStatus::default(), &round(&mixed, 0), unasked());
    insta::assert_snapshot!(conditions_of(&status), @"Ready=True Succeeded: 1 of 4 tags are synced, 1 refused, 2 quarantined");
    let tags = status.tags.unwrap();
    assert_eq!((tags.refused, tags.quarantined, tags.failed), (1, 2, 0));
    let told: Vec<String> = status
        .refusals
        .iter()
        .map(|told| format!("{} {} {:?}", told.image, told.gate, told.mode))
        .collect();
    assert_eq!(
        told,
        [
            "docker.io/library/app:2 require.user Enforce",
            "docker.io/library/app:3 minAge Enforce",
            "docker.io/library/app:4 minAge Enforce",
            "docker.io/library/app:1 require.labels Audit",
        ]
    );
    let us = status.destinations.iter().find(|known| known.name == "us");
    assert_eq!(us.unwrap().reachable, Reachable::True, "it was looked at");

    let admitted = report(vec![tag("1", "eu", Outcome::Unchanged)]);
    let later = finish(&status, &round(&admitted, 10), unasked());
    assert!(later.refusals.is_empty());
}

#[test]
fn thousands_of_refusals_and_failures_fit() {
    let long = |number: usize| format!("{number:0>5}-{}", "t".repeat(120));
    let mut flood: Vec<TagReport> = (0..5_000)
        .map(|number| {
            let refusal = Refusal {
                message: "\u{1f980}".repeat(2_000),
                ..refusal(Gate::Labels)
            };
            tag(&long(number), "eu", Outcome::Refused(refusal))
        })
        .collect();
    let failures = (5_000..10_000).map(|number| {
        let failure = Failure {
            message: "\u{1f980}".repeat(2_000),
            ..failure(&long(number), Reason::CopyFailed)
        };
        tag(&long(number), "eu", Outcome::Failed(failure))
    });
    flood.extend(failures);
    let status = finish(
        &ImageMirrorStatus::default(),
        &round(&report(flood), 0),
        unasked(),
    );
    let bytes = serde_json::to_vec(&status).unwrap().len();
    assert!(bytes <= STATUS_BYTES, "{bytes}");
    assert_eq!(status.tags.unwrap().refused, 5_000);
    assert!(!status.refusals.is_empty() && !status.failures.is_empty());
}
