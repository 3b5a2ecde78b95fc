//! A registry that is in trouble or wants to be left alone.

use jiff::fmt::rfc2822::DateTimePrinter;
use jiff::{SignedDuration, Timestamp};
use transship::registry::{Class, Kind};

use super::{client, exchanges, kind, loaded, repository, tag};
use crate::support::http::Reply;
use crate::support::http::script::{Action, Gate};

#[expect(clippy::disallowed_methods, reason = "a server has to know the time")]
fn now() -> Timestamp {
    Timestamp::now()
}

fn busy(retry_after: &str) -> Reply {
    Reply::new(429)
        .header("retry-after", retry_after)
        .body("<html>slow down")
}

#[tokio::test]
async fn trouble_that_passes_is_not_noticed() {
    let cases = [
        ("500", Action::Respond(Reply::new(500))),
        (
            "502 with a page",
            Action::Respond(Reply::new(502).body("<html>".repeat(10_000))),
        ),
        (
            "503, now",
            Action::Respond(Reply::new(503).header("retry-after", "0")),
        ),
        ("429, now", Action::Respond(busy("0"))),
        (
            "429, a date gone by",
            Action::Respond(busy("Wed, 21 Oct 2015 07:28:00 GMT")),
        ),
        ("429 without a word", Action::Respond(Reply::new(429))),
        ("closed", Action::Close),
    ];
    for (name, fault) in cases {
        let (registry, _) = loaded();
        registry.on("*", "/v2/").nth(1).does(fault);
        let found = client(&registry).resolve(&repository(), &tag(), None).await;
        assert!(kind(found).unwrap().is_some(), "{name}");
        assert_eq!(registry.requests().len(), 2, "{name}");
    }
}

#[tokio::test]
async fn trouble_that_stays_is_an_error_after_five_tries() {
    let (registry, _) = loaded();
    registry
        .on("*", "/v2/")
        .responds(Reply::error(500, "UNKNOWN", "no"));
    let error = client(&registry)
        .fetch_manifest(&repository(), &tag())
        .await
        .unwrap_err();
    assert_eq!(
        (error.kind(), error.is_transient()),
        (Kind::Unreachable, true)
    );
    assert_eq!(exchanges(&registry).len(), 5);
    let shown = error.to_string().replace(&registry.host(), "REGISTRY");
    insta::assert_snapshot!(shown, @r#"cannot fetch the manifest REGISTRY/team/app:v1: 500 Internal Server Error (UNKNOWN): the registry is in trouble: its log says more; it says "no""#);
}

#[tokio::test]
async fn a_short_rest_is_waited_for() {
    let (registry, _) = loaded();
    registry.on("GET", "/manifests/").nth(1).responds(busy("1"));
    let found = client(&registry)
        .fetch_manifest(&repository(), &tag())
        .await;
    assert!(found.is_ok());
    assert_eq!(registry.requests().len(), 2);
}

#[tokio::test]
async fn for_a_long_rest_the_work_is_given_back_and_nothing_is_asked_meanwhile() {
    let ahead = SignedDuration::from_hours(1);
    let in_an_hour = now() + ahead;
    let date = DateTimePrinter::new()
        .timestamp_to_rfc9110_string(&in_an_hour)
        .unwrap();
    for (name, retry_after) in [("seconds", "3600"), ("a date", &date)] {
        let (registry, _) = loaded();
        registry
            .on("GET", "/manifests/")
            .responds(busy(retry_after));
        let client = client(&registry);
        for _ in 0..3 {
            let error = client
                .fetch_manifest(&repository(), &tag())
                .await
                .unwrap_err();
            assert_eq!(
                (error.kind(), error.is_transient()),
                (Kind::RateLimited, true),
                "{name}"
            );
            let until = error.retry_at().unwrap();
            let difference = until.duration_since(in_an_hour).abs();
            assert!(difference < SignedDuration::from_mins(1), "{name}: {until}");
        }
        assert_eq!(client.traffic().requests(Class::ManifestRead), 1, "{name}");
        // Only what was asked too much rests.
        assert!(client.list_tags(&repository()).await.is_ok(), "{name}");
    }
}

#[tokio::test]
async fn a_registry_that_never_says_how_long_is_given_a_minute() {
    let (registry, _) = loaded();
    registry.on("GET", "/manifests/").responds(Reply::new(429));
    let error = client(&registry)
        .fetch_manifest(&repository(), &tag())
        .await
        .unwrap_err();
    assert_eq!(error.kind(), Kind::RateLimited);
    let wait = error.retry_at().unwrap().duration_since(now());
    assert!(wait > SignedDuration::from_secs(30), "{wait}");
}

#[tokio::test]
async fn thirty_two_requests_go_out_at_once_and_the_others_wait() {
    let (registry, _) = loaded();
    let gate = Gate::closed();
    registry
        .on("HEAD", "/manifests/")
        .does(Action::HoldReply(gate.clone()));
    let client = client(&registry);
    let asked: Vec<_> = (0..60)
        .map(|_| {
            let client = client.clone();
            tokio::spawn(async move { client.resolve(&repository(), &tag(), None).await })
        })
        .collect();
    for _ in 0..32 {
        gate.reached().await;
    }
    assert_eq!(registry.requests().len(), 32);
    gate.open();
    for asked in asked {
        assert!(asked.await.unwrap().is_ok());
    }
}
