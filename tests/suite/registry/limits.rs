// SPDX-License-Identifier: Apache-2.0

//! A registry that is in trouble or wants to be left alone.

use jiff::fmt::rfc2822::DateTimePrinter;
use jiff::{SignedDuration, Timestamp};
use transship::oci::Digest;
use transship::registry::{Class, Credential, Kind, Pool, Proxy, Referrers, Settings};

use super::{client, exchanges, insecure, kind, loaded, repository, tag, trusting};
use crate::support::faults::FaultRegistry;
use crate::support::http::Reply;
use crate::support::http::script::{Action, Gate};
use crate::support::tls::Authority;

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
        // All of it rests, whatever was asked too much.
        let error = client.list_tags(&repository()).await.unwrap_err();
        assert_eq!(error.kind(), Kind::RateLimited, "{name}");
        assert_eq!(registry.requests().len(), 1, "{name}");
    }
}

#[tokio::test]
async fn a_registry_that_refuses_everything_is_asked_ever_less_and_the_work_is_given_back() {
    let (registry, _) = loaded();
    registry.on("*", "/v2/").responds(Reply::new(429));
    let client = client(&registry);
    let (repository, tag) = (repository(), tag());
    let both = tokio::join!(
        client.fetch_manifest(&repository, &tag),
        client.list_tags(&repository)
    );
    let errors = [both.0.unwrap_err(), both.1.unwrap_err()];
    for error in errors {
        assert_eq!(
            (error.kind(), error.is_transient()),
            (Kind::RateLimited, true)
        );
        let wait = error.retry_at().unwrap().duration_since(now());
        assert!(wait > SignedDuration::from_secs(25), "{wait}");
    }
    // Two at once, then one after 1, 2, 4, 8 and 16 s.
    assert!(registry.requests().len() <= 7, "{:?}", exchanges(&registry));
}

#[tokio::test]
async fn refusals_without_a_word_are_waited_out() {
    for status in [429, 503] {
        let (registry, _) = loaded();
        let refusals = registry.on("*", "/v2/").first(3);
        refusals.responds(Reply::new(status).body("<html>slow down"));
        let found = client(&registry).resolve(&repository(), &tag(), None).await;
        assert!(kind(found).unwrap().is_some(), "{status}");
        assert_eq!(registry.requests().len(), 4, "{status}");
    }
}

#[tokio::test]
async fn a_time_as_a_number_is_that_time() {
    let ahead = SignedDuration::from_mins(2);
    let time = now() + ahead;
    let forms = [
        time.as_second().to_string(),
        time.as_millisecond().to_string(),
    ];
    for form in forms {
        let (registry, _) = loaded();
        registry.on("GET", "/manifests/").responds(busy(&form));
        let error = client(&registry)
            .fetch_manifest(&repository(), &tag())
            .await
            .unwrap_err();
        let until = error.retry_at().unwrap();
        let difference = until.duration_since(time).abs();
        assert!(difference < SignedDuration::from_mins(1), "{form}: {until}");
    }
}

#[tokio::test]
async fn twenty_four_requests_go_out_at_first_and_more_when_they_are_answered() {
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
    for _ in 0..24 {
        gate.reached().await;
    }
    assert_eq!(registry.requests().len(), 24);
    gate.open();
    for asked in asked {
        assert!(asked.await.unwrap().is_ok());
    }
}

#[tokio::test]
async fn what_stands_in_front_of_a_broken_registry_is_believed_that_it_passes() {
    for status in [502, 504, 520, 521, 522, 523, 524, 525, 526, 527, 529, 530] {
        let (registry, _) = loaded();
        registry
            .on("*", "/v2/")
            .nth(1)
            .responds(Reply::new(status).body("<html>error code: 1033"));
        let found = client(&registry).resolve(&repository(), &tag(), None).await;
        assert!(kind(found).unwrap().is_some(), "{status}");
        assert_eq!(registry.requests().len(), 2, "{status}");
    }
}

/// A host that does not even refuse a connection.
#[tokio::test]
async fn a_host_that_cannot_be_reached_is_tried_by_one_for_all() {
    let registry = FaultRegistry::start();
    registry.on("*", "/v2/").does(Action::Close);
    let address = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let host = address.local_addr().unwrap().to_string();
    drop(address);
    let pool = Pool::new("transship/test");
    let client = pool.client(&host.parse().unwrap(), &insecure()).unwrap();
    let asked: Vec<_> = (0..40)
        .map(|_| {
            let client = client.clone();
            tokio::spawn(async move { client.resolve(&repository(), &tag(), None).await })
        })
        .collect();
    for asked in asked {
        let error = asked.await.unwrap().unwrap_err();
        assert_eq!(
            (error.kind(), error.is_transient()),
            (Kind::Unreachable, true)
        );
        assert!(error.retry_at().unwrap() > now(), "{error}");
    }
    // Forty requests, and not many more than as many tries.
    let tries = client.traffic().requests(Class::Lookup);
    assert!(tries <= 20, "{tries}");
    // The same registry by another way is nobody's fault.
    let other = Settings {
        proxy: Some(Proxy {
            url: format!("http://{}", registry.host()),
            username: None,
            password: None,
        }),
        ..insecure()
    };
    let other = pool.client(&host.parse().unwrap(), &other).unwrap();
    drop(other.resolve(&repository(), &tag(), None).await);
    assert!(other.traffic().requests(Class::Lookup) > 0);
}

/// What a registry says to one who asks is not said to another: one with a credential of his own, or one who comes
/// another way.
#[tokio::test]
async fn what_one_is_refused_and_told_is_nobody_elses() {
    let (registry, image) = loaded();
    let authority = Authority::generate();
    let proxied = Settings {
        proxy: Some(Proxy {
            url: format!("http://{}", registry.host()),
            username: None,
            password: None,
        }),
        ..insecure()
    };
    let vouched = Settings {
        tls: trusting(&authority).tls,
        ..insecure()
    };
    let named = Settings {
        credential: Credential::Basic {
            username: "paying".to_owned(),
            password: "customer".into(),
        },
        ..insecure()
    };
    let digest = Digest::sha256(image.digest().as_bytes());
    for (name, theirs) in [
        ("a proxy", proxied),
        ("an authority", vouched),
        ("a credential", named),
    ] {
        let pool = Pool::new("transship/test");
        let client = |settings| {
            let client = pool.client(&registry.host().parse().unwrap(), settings);
            client.unwrap()
        };
        let (theirs, ours) = (client(&theirs), client(&insecure()));
        // What a proxy answers by itself has no such header.
        let refused = Reply::new(405).header("docker-distribution-api-version", "registry/2.0");
        registry.on("GET", "/referrers/").responds(refused);
        registry.on("HEAD", "/manifests/").responds(busy("21600"));
        let unsupported = theirs.referrers(&repository(), &digest).await;
        assert_eq!(kind(unsupported), Ok(Referrers::Unsupported), "{name}");
        let refused = theirs.resolve(&repository(), &tag(), None).await;
        assert_eq!(kind(refused), Err(Kind::RateLimited), "{name}");
        registry.script().clear_rules();
        let listed = ours.referrers(&repository(), &digest).await;
        assert_eq!(kind(listed), Ok(Referrers::Listed(Vec::new())), "{name}");
        let found = ours.resolve(&repository(), &tag(), None).await;
        assert!(kind(found).unwrap().is_some(), "{name}");
        let refused = theirs.resolve(&repository(), &tag(), None).await;
        assert_eq!(kind(refused), Err(Kind::RateLimited), "{name}");
    }
}

#[tokio::test]
async fn one_repository_says_nothing_of_the_others() {
    let (registry, _) = loaded();
    registry
        .on("GET", "/team/app/referrers/")
        .responds(Reply::new(404));
    let client = client(&registry);
    let list = async |name: &str| {
        let repository = name.parse().unwrap();
        let listed = client.referrers(&repository, &Digest::sha256(b"x")).await;
        kind(listed).unwrap()
    };
    assert_eq!(list("team/app").await, Referrers::Unsupported);
    assert_eq!(list("team/other").await, Referrers::Listed(Vec::new()));
}
