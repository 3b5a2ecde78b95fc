// SPDX-License-Identifier: Apache-2.0

//! Messages to an address: what becomes of one, and where it does not go.

use std::time::Duration;

use secrecy::SecretString;
use transship::registry::{Boundaries, Outlet, Pool, Post, PostError, Proxy, Settings};

use super::insecure;
use crate::support::canary::Canary;
use crate::support::http::Reply;
use crate::support::http::script::{Action, Gate};

fn open(pool: &Pool, url: &str, settings: &Settings) -> Result<Outlet, PostError> {
    pool.outlet(&url.parse().unwrap(), settings)
}

fn outlet(url: &str) -> Outlet {
    open(&Pool::new("transship/test"), url, &insecure()).unwrap()
}

fn post() -> Post {
    Post {
        content_type: "application/json",
        headers: vec![("authorization", SecretString::from("Bearer canary"))],
        body: "{}".to_owned(),
    }
}

#[tokio::test]
async fn an_answer_says_whether_and_when_a_message_is_tried_again() {
    for (status, retry_after, may_pass, wait) in [
        (200, None, None, None),
        (204, None, None, None),
        (429, Some("7"), Some(true), Some(7)),
        (503, Some("90"), Some(true), Some(90)),
        (503, None, Some(true), None),
        (408, None, Some(true), None),
        (400, Some("7"), Some(false), Some(7)),
        (404, None, Some(false), None),
        (302, Some("7"), Some(false), None),
    ] {
        let mut reply = Reply::new(status).header("location", "http://r.test/");
        if let Some(seconds) = retry_after {
            reply = reply.header("retry-after", seconds);
        }
        let receiver = Canary::answering(reply);
        let sent = outlet(&receiver.url()).post(&post()).await;
        let found = sent.as_ref().err();
        assert_eq!(found.map(PostError::may_pass), may_pass, "{status}");
        let expected = wait.map(Duration::from_secs);
        assert_eq!(found.and_then(PostError::wait), expected, "{status}");
        assert_eq!(receiver.requests().len(), 1, "{status}");
    }
}

#[tokio::test]
async fn a_message_goes_through_the_proxy_that_is_named() {
    let address = "http://hooks.test/canary";
    let through = |proxy: &Canary| Settings {
        proxy: Some(Proxy {
            url: proxy.url(),
            username: Some("me".to_owned()),
            password: Some("secret".into()),
        }),
        ..insecure()
    };
    let pool = Pool::new("transship/test");
    let proxy = Canary::answering(Reply::new(202));
    let outlet = open(&pool, address, &through(&proxy)).unwrap();
    outlet.post(&post()).await.unwrap();
    let [request] = proxy.requests().try_into().unwrap();
    assert_eq!(request.path, "http://hooks.test/canary");
    let login = request.headers.value("proxy-authorization");
    assert_eq!(login, Some("Basic bWU6c2VjcmV0"));
    // One that lets nothing through is no receiver that says no.
    let proxy = Canary::answering(Reply::new(407));
    let outlet = open(&pool, address, &through(&proxy)).unwrap();
    let error = outlet.post(&post()).await.unwrap_err();
    assert_eq!((&error, error.may_pass()), (&PostError::Proxy, true));
    // One that is not among those of the operator is not asked.
    let bounded = Pool::builder("transship/test")
        .boundaries(Boundaries {
            allowed_proxies: vec!["proxy.test".parse().unwrap()],
            ..Boundaries::default()
        })
        .build();
    let error = open(&bounded, address, &through(&proxy)).unwrap_err();
    assert!(matches!(error, PostError::OutOfBounds(_)), "{error}");
    assert_eq!(proxy.requests().len(), 1);
}

#[tokio::test]
async fn a_receiver_that_says_nothing_is_given_up_after_ten_seconds() {
    let receiver = Canary::answering(Reply::new(202));
    let gate = Gate::closed();
    receiver.script().on("POST", "/").does(Action::Hold(gate));
    let outlet = outlet(&receiver.url());
    tokio::time::pause();
    let start = tokio::time::Instant::now();
    let error = outlet.post(&post()).await.unwrap_err();
    assert_eq!(error, PostError::TimedOut);
    let waited = start.elapsed().as_secs();
    assert!((10..12).contains(&waited), "{waited} s");
}

#[tokio::test]
async fn nothing_of_an_address_or_a_secret_is_in_an_error() {
    let receiver = Canary::answering(Reply::new(202));
    let bounded = Pool::builder("transship/test")
        .boundaries(Boundaries::default())
        .build();
    let url = format!("{}/canary-path", receiver.url());
    let error = open(&bounded, &url, &insecure()).unwrap_err();
    assert!(!error.to_string().contains("canary-path"), "{error}");
    let broken = Post {
        headers: vec![("authorization", SecretString::from("canary\n"))],
        ..post()
    };
    let error = outlet(&receiver.url()).post(&broken).await.unwrap_err();
    assert!(matches!(error, PostError::Settings(_)), "{error}");
    assert!(!error.to_string().contains("canary"), "{error}");
    assert_eq!(receiver.connections(), 0);
}

#[tokio::test]
async fn a_process_that_may_not_write_tells_nobody() {
    let receiver = Canary::answering(Reply::new(202));
    let pool = Pool::builder("transship/test")
        .write_guard(std::sync::Arc::new(|| false))
        .build();
    let outlet = open(&pool, &receiver.url(), &insecure()).unwrap();
    let error = outlet.post(&post()).await.unwrap_err();
    assert_eq!((&error, error.may_pass()), (&PostError::Lapsed, false));
    assert_eq!(receiver.connections(), 0);
}
