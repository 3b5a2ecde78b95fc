// SPDX-License-Identifier: Apache-2.0

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::merge::merge;
use super::*;
use crate::api::Reason;
use crate::api::conditions::Statement;
use crate::api::image_mirror::PruneStatus;
use crate::oci::Digest;

fn status(holds: Holds, reason: Reason) -> ImageMirrorStatus {
    let mut status = ImageMirrorStatus::default();
    let statement = Statement {
        r#type: READY,
        holds,
        reason,
        message: "so it is",
        generation: 1,
    };
    conditions::set(&mut status.conditions, &statement, Timestamp::UNIX_EPOCH);
    status
}

fn failing(image: &str, attempts: i32) -> ImageMirrorStatus {
    let mut status = status(Holds::False, Reason::ProgressingWithRetry);
    status.failures = vec![FailureStatus {
        image: image.to_owned(),
        destination: None,
        reason: Reason::NotFound.to_string(),
        message: "it is not there".to_owned(),
        attempts,
        next_attempt_time: None,
    }];
    status
}

fn refusing(gate: &str, mode: PolicyMode) -> ImageMirrorStatus {
    let mut status = status(Holds::True, Reason::Succeeded);
    status.refusals = vec![RefusalStatus {
        image: "docker.io/library/app:1".to_owned(),
        policy: "strict".parse().unwrap(),
        gate: gate.to_owned(),
        reason: Reason::PolicyViolation.to_string(),
        message: "it runs as root".to_owned(),
        mode,
    }];
    status
}

fn copying(tag: &str, action: Action) -> ImageMirrorStatus {
    let mut status = status(Holds::True, Reason::Succeeded);
    let digest: Digest = format!("sha256:{}", "a".repeat(64)).parse().unwrap();
    status.recent = vec![RecentCopy {
        image: format!("registry.example/app:{tag}"),
        destination: "main".to_owned(),
        digest: digest.clone(),
        source_digest: digest,
        previous_digest: None,
        action,
        time: Time(Timestamp::UNIX_EPOCH),
    }];
    status
}

fn moving(tag: &str) -> ImageMirrorStatus {
    let mut status = copying(tag, Action::Retagged);
    status.recent[0].previous_digest = Some(Digest::sha256(b"before"));
    status
}

/// A status with a plan, of which this was approved, and the reason why nothing is pruned.
fn pruning(plan: &str, approved: Option<&str>, reason: Reason) -> ImageMirrorStatus {
    let mut status = status(Holds::True, Reason::Succeeded);
    let digest = |name: &str| Digest::sha256(name.as_bytes());
    status.prune = Some(PruneStatus {
        candidates: 7,
        plan: Some(digest(plan)),
        approved: approved.map(digest),
        ..PruneStatus::default()
    });
    let statement = Statement {
        r#type: PRUNED,
        holds: Holds::False,
        reason,
        message: "7 of 9 tags are due",
        generation: 1,
    };
    conditions::set(&mut status.conditions, &statement, Timestamp::UNIX_EPOCH);
    status
}

fn told(news: &[News]) -> Vec<String> {
    let words = news.iter().map(|news| match news {
        News::New { count, images } => format!("new {count}: {}", images[0].image),
        News::Moved { count, images } => format!("moved {count}: {}", images[0].image),
        News::PruneWaits { candidates, .. } => format!("{candidates} wait"),
        News::Failed {
            reason, failures, ..
        } => format!("failed {reason}, {}", failures.len()),
        News::Recovered => "recovered".to_owned(),
        News::Refused(refusals) => format!("refused by {}", refusals[0].gate),
    });
    words.collect()
}

#[test]
fn only_what_changed_is_news() {
    let fresh = ImageMirrorStatus::default();
    let begun = status(Holds::Unknown, Reason::Progressing);
    let ready = status(Holds::True, Reason::Succeeded);
    let denied = status(Holds::False, Reason::AccessDenied);
    let mut noted = denied.clone();
    conditions::restate(&mut noted.conditions, READY, "it is suspended", 1);
    let (enforce, audit) = (PolicyMode::Enforce, PolicyMode::Audit);
    let paused = Reason::PrunePaused;
    let suspended = status(Holds::False, Reason::Suspended);
    let cases: [(&str, _, _, &[&str]); 22] = [
        ("it begins", &fresh, &begun, &[]),
        ("it becomes ready", &begun, &ready, &[]),
        ("it stays ready", &ready, &ready, &[]),
        ("it fails", &ready, &denied, &["failed AccessDenied, 0"]),
        ("it fails again", &denied, &denied, &[]),
        ("it fails and is suspended", &denied, &noted, &[]),
        (
            "it fails otherwise",
            &denied,
            &failing("a:1", 1),
            &["failed ProgressingWithRetry, 1"],
        ),
        ("more often", &failing("a:1", 1), &failing("a:1", 2), &[]),
        (
            "with another image",
            &failing("a:1", 1),
            &failing("a:2", 1),
            &["failed ProgressingWithRetry, 1"],
        ),
        ("it recovers", &denied, &ready, &["recovered"]),
        (
            "it recovers and copies",
            &denied,
            &copying("1", Action::Copied),
            &["new 1: registry.example/app:1", "recovered"],
        ),
        (
            "only signatures came",
            &ready,
            &copying("1", Action::Completed),
            &[],
        ),
        (
            "it refuses",
            &ready,
            &refusing("require.user", enforce),
            &["refused by require.user"],
        ),
        (
            "by another rule",
            &refusing("require.user", enforce),
            &refusing("verify", enforce),
            &["refused by verify"],
        ),
        ("it is suspended before it ran", &fresh, &suspended, &[]),
        (
            "a tag moves",
            &copying("1", Action::Copied),
            &moving("1"),
            &["moved 1: registry.example/app:1"],
        ),
        (
            "a plan waits",
            &ready,
            &pruning("a", None, paused),
            &["7 wait"],
        ),
        (
            "another plan waits",
            &pruning("a", None, paused),
            &pruning("b", Some("a"), paused),
            &["7 wait"],
        ),
        (
            "the plan still waits",
            &pruning("a", None, paused),
            &pruning("a", Some("b"), paused),
            &[],
        ),
        (
            "the plan is approved",
            &pruning("a", None, paused),
            &pruning("a", Some("a"), paused),
            &[],
        ),
        (
            "nothing is pruned for another reason",
            &ready,
            &pruning("a", None, Reason::Unreachable),
            &[],
        ),
        ("in audit", &ready, &refusing("verify", audit), &[]),
    ];
    for (name, previous, status, expected) in cases {
        assert_eq!(told(&news(previous, status)), expected, "{name}");
        let restarted = news(status, status);
        assert_eq!(restarted, [], "{name}: a restart tells nothing twice");
    }
}

#[test]
fn more_tags_than_are_listed_are_counted() {
    let ready = status(Holds::True, Reason::Succeeded);
    let mut status = copying("1", Action::Copied);
    status.history = vec![RoundSummary {
        start_time: Time(Timestamp::UNIX_EPOCH),
        end_time: Time(Timestamp::UNIX_EPOCH),
        result: RoundResult::Succeeded,
        copied: 10_000,
        moved: 0,
        bytes: 0,
    }];
    let news = news(&ready, &status);
    assert_eq!(told(&news), ["new 10000: registry.example/app:1"]);
}

#[test]
fn what_moved_and_what_only_got_signatures_is_not_counted_as_new() {
    let ready = status(Holds::True, Reason::Succeeded);
    let mut status = copying("1", Action::Copied);
    status.recent.extend(moving("2").recent);
    status.recent.extend(copying("3", Action::Completed).recent);
    status.history = vec![RoundSummary {
        start_time: Time(Timestamp::UNIX_EPOCH),
        end_time: Time(Timestamp::UNIX_EPOCH),
        result: RoundResult::Succeeded,
        copied: 20,
        moved: 4,
        bytes: 0,
    }];
    let expected = [
        "new 15: registry.example/app:1",
        "moved 4: registry.example/app:2",
    ];
    assert_eq!(told(&news(&ready, &status)), expected);
}

#[test]
fn a_mirror_recovers_by_a_new_spec_if_the_last_round_failed() {
    let round = |result| RoundSummary {
        start_time: Time(Timestamp::UNIX_EPOCH),
        end_time: Time(Timestamp::UNIX_EPOCH),
        result,
        copied: 0,
        moved: 0,
        bytes: 0,
    };
    let ready = status(Holds::True, Reason::Succeeded);
    for (history, expected) in [
        (vec![], &[][..]),
        (vec![RoundResult::Succeeded, RoundResult::Failed], &[]),
        (
            vec![RoundResult::Failed, RoundResult::Succeeded],
            &["recovered"],
        ),
    ] {
        let before = ImageMirrorStatus {
            history: history.iter().copied().map(round).collect(),
            ..status(Holds::Unknown, Reason::Progressing)
        };
        assert_eq!(told(&news(&before, &ready)), expected, "{history:?}");
    }
}

#[test]
fn several_news_become_one_of_each_kind() {
    let ready = status(Holds::True, Reason::Succeeded);
    let of = |status: &ImageMirrorStatus| news(&ready, status);
    let failed = |image| of(&failing(image, 1));
    let recovered = || vec![News::Recovered];
    let cases: [(_, Vec<_>, &[&str]); 4] = [
        (
            "copies",
            vec![
                of(&copying("1", Action::Copied)),
                of(&copying("2", Action::Copied)),
            ],
            &["new 2: registry.example/app:2"],
        ),
        (
            "it failed and recovered",
            vec![failed("a:1"), recovered()],
            &["failed ProgressingWithRetry, 1", "recovered"],
        ),
        (
            "it failed once more",
            vec![failed("a:1"), recovered(), failed("a:2"), failed("a:1")],
            &["failed ProgressingWithRetry, 2"],
        ),
        (
            "all kinds",
            vec![
                of(&moving("1")),
                of(&copying("1", Action::Copied)),
                of(&moving("1")),
            ],
            &[
                "new 1: registry.example/app:1",
                "moved 2: registry.example/app:1",
            ],
        ),
    ];
    for (name, parts, expected) in cases {
        let mut waiting = Vec::new();
        for part in parts {
            merge(&mut waiting, part);
        }
        assert_eq!(told(&waiting), expected, "{name}");
    }
    let mut flood = Vec::new();
    for tag in 0..1_000 {
        merge(&mut flood, of(&copying(&tag.to_string(), Action::Copied)));
    }
    let [News::New { count, images }] = flood.as_slice() else {
        panic!("{flood:?}");
    };
    assert_eq!((*count, images.len()), (1_000, 10), "lists stay short");
}
