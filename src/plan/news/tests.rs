// SPDX-License-Identifier: Apache-2.0

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::*;
use crate::api::Reason;
use crate::api::conditions::Statement;
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
        action,
        time: Time(Timestamp::UNIX_EPOCH),
    }];
    status
}

fn told(news: &[News]) -> Vec<String> {
    let words = news.iter().map(|news| match news {
        News::New { count, images } => format!("new {count}: {}", images[0].image),
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
    let cases: [(&str, _, _, &[&str]); 15] = [
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
        result: crate::api::image_mirror::RoundResult::Succeeded,
        copied: 10_000,
        bytes: 0,
    }];
    let news = news(&ready, &status);
    assert_eq!(told(&news), ["new 10000: registry.example/app:1"]);
}
