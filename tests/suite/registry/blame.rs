// SPDX-License-Identifier: Apache-2.0

//! Who is named when something on the way fails: the proxy, the storage behind a redirect, the side that
//! speaks another protocol; and that nothing which we sent is repeated.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;

use transship::registry::{Error, Kind, Proxy, Settings, Side};

use super::{
    client, client_with, descriptor, image, insecure, loaded, logged_in, read, repository, tag,
    trusting,
};
use crate::support::canary::Canary;
use crate::support::credentials::Login;
use crate::support::faults::FaultRegistry;
use crate::support::http::Reply;
use crate::support::http::script::Action;
use crate::support::tls::Authority;

/// An address at which nobody listens.
fn nobody() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().to_string()
}

fn through(proxy: &str, insecure: bool) -> Settings {
    Settings {
        insecure,
        proxy: Some(Proxy {
            url: format!("http://{proxy}"),
            username: Some("me".to_owned()),
            password: Some("canary".into()),
        }),
        ..Settings::default()
    }
}

#[tokio::test]
async fn a_proxy_that_lets_nothing_through_is_named_and_asked_once() {
    let page = |status| {
        Reply::new(status)
            .header("content-type", "text/html")
            .body("<html>canary</html>")
    };
    let refuses = "does not connect us to https://R: allow it at the proxy, or have it reached without one \
                   (NO_PROXY on the command line, no proxySecretRef in a mirror)";
    let asks = "wants a user name and password, or does not accept the ones it got (407): correct those of the proxy";
    for (status, is_plain, expected) in [
        (407, false, asks),
        (407, true, asks),
        (403, false, refuses),
        (502, false, refuses),
    ] {
        let (registry, proxy) = (FaultRegistry::start(), Canary::answering(page(status)));
        let settings = through(&proxy.host(), is_plain);
        let client = client_with(&registry, &settings);
        let error = client.list_tags(&repository()).await.unwrap_err();
        let text = error.to_string().replace(&registry.host(), "R");
        let expected = format!(
            "cannot list the tags of R/team/app: the proxy {} {expected}",
            proxy.url()
        );
        assert_eq!(text, expected, "{status}");
        let found = (error.kind(), error.is_transient(), proxy.requests().len());
        assert_eq!(found, (Kind::Unreachable, false, 1), "{status}");
        assert_eq!(registry.connections(), 0);
    }
}

#[tokio::test]
async fn a_proxy_that_is_down_is_named() {
    for is_plain in [false, true] {
        let (registry, proxy) = (FaultRegistry::start(), nobody());
        let client = client_with(&registry, &through(&proxy, is_plain));
        let error = client.list_tags(&repository()).await.unwrap_err();
        let text = error.to_string().replace(&registry.host(), "R");
        let expected = format!(
            "cannot list the tags of R/team/app: the proxy http://{proxy} cannot be reached: nothing listens \
             there, or a firewall refuses it: check host and port"
        );
        assert!(text.starts_with(&expected), "{text}");
        assert_eq!(
            (error.kind(), error.is_transient()),
            (Kind::Unreachable, true)
        );
    }
}

/// In plain HTTP a proxy's own answers look like those of the registry, but for what they are made of.
#[tokio::test]
async fn what_a_proxy_answers_itself_is_told_from_what_the_registry_answers() {
    let page = "<html><title>ERROR: The requested URL could not be retrieved</title></html>";
    let forbids = |status| {
        format!(
            "answers {status} in place of http://R: allow it at the proxy, or have it reached without one (NO_PROXY \
             on the command line, no proxySecretRef in a mirror)"
        )
    };
    let reaches_not = |status| {
        format!(
            "answers {status} in place of http://R: it does not reach it, check host and port, and whether the proxy \
             knows the name"
        )
    };
    let cases: [(u16, &str, &str, Option<String>); 9] = [
        (403, "text/html", page, Some(forbids("403 Forbidden"))),
        (403, "", "", Some(forbids("403 Forbidden"))),
        (
            405,
            "text/plain",
            "no",
            Some(forbids("405 Method Not Allowed")),
        ),
        (502, "text/html", page, Some(reaches_not("502 Bad Gateway"))),
        (
            503,
            "text/html",
            page,
            Some(reaches_not("503 Service Unavailable")),
        ),
        (
            504,
            "text/plain",
            "late",
            Some(reaches_not("504 Gateway Timeout")),
        ),
        (
            403,
            "application/json",
            r#"{"errors":[{"code":"DENIED"}]}"#,
            None,
        ),
        (502, "application/json; charset=utf-8", "{}", None),
        (
            403,
            "application/xml",
            "<Error><Code>AccessDenied</Code></Error>",
            None,
        ),
    ];
    let cases = cases.map(|(status, content_type, body, expected)| async move {
        let mut reply = Reply::new(status).body(body);
        if !content_type.is_empty() {
            reply = reply.header("content-type", content_type);
        }
        let (registry, proxy) = (FaultRegistry::start(), Canary::answering(reply));
        let client = client_with(&registry, &through(&proxy.host(), true));
        let error = client.list_tags(&repository()).await.unwrap_err();
        let text = error.to_string().replace(&registry.host(), "R");
        match expected {
            Some(expected) => {
                let expected = format!(
                    "cannot list the tags of R/team/app: the proxy {} {expected}",
                    proxy.url()
                );
                assert_eq!(
                    (text, error.kind()),
                    (expected, Kind::Unreachable),
                    "{status}"
                );
                assert_eq!(error.is_transient(), status > 500, "{status}");
            }
            None => assert!(!text.contains("the proxy http"), "{status}: {text}"),
        }
        assert_eq!(registry.connections(), 0);
    });
    futures::future::join_all(cases).await;
}

/// What becomes of a blob whose storage answers so, and how often the registry is asked for it.
async fn read_from_storage(replies: &[Reply]) -> (Result<usize, Error>, usize, String) {
    let image = image();
    let (registry, _) = loaded();
    let storages: Vec<Canary> = replies
        .iter()
        .map(|reply| Canary::answering(reply.clone()))
        .collect();
    for (index, storage) in storages.iter().enumerate() {
        let signed = format!("{}/bucket?sig=canary", storage.url());
        let to = Reply::new(307).header("location", &signed);
        registry.on("GET", "/blobs/").nth(index + 1).responds(to);
    }
    let client = client(&registry).on(Side::Source);
    let outcome = read(&client, &descriptor(&image.blobs[1]), 0).await;
    let text = match &outcome {
        Ok(_) => String::new(),
        Err(error) => {
            let text = error.to_string();
            let (_, text) = text.split_once(": ").unwrap();
            storages.iter().fold(text.to_owned(), |text, storage| {
                text.replace(&storage.url(), "STORAGE")
            })
        }
    };
    let asked = registry.requests().len();
    (outcome.map(|bytes| bytes.len()), asked, text)
}

#[tokio::test]
async fn the_storage_behind_a_redirect_is_named() {
    let expired = "<Error><Code>AccessDenied</Code><Message>Request has expired</Message></Error>";
    let expired = Reply::new(403)
        .header("content-type", "application/xml")
        .body(expired);
    let gone = Reply::new(404);
    let refuses = "the storage does not accept what the registry signed: check the registry's clock and its key \
                   there, and whether a firewall or proxy answers in place of the storage";
    let (outcome, asked, text) = read_from_storage(&[expired.clone(), expired.clone()]).await;
    assert_eq!(
        text,
        format!(
            "STORAGE, where the registry redirects to, answers 403 Forbidden: {refuses}; it says \
             \"AccessDenied: Request has expired\""
        )
    );
    let error = outcome.unwrap_err();
    assert_eq!(
        (error.kind(), error.is_transient(), asked),
        (Kind::Unreachable, false, 2)
    );

    let (outcome, asked, text) = read_from_storage(&[gone]).await;
    assert_eq!(
        text,
        "STORAGE, where the registry redirects to, answers 404 Not Found: the registry knows it, and its storage has lost it"
    );
    assert_eq!((outcome.unwrap_err().kind(), asked), (Kind::NotFound, 1));

    let (outcome, asked, text) = read_from_storage(&[expired]).await;
    assert!(outcome.is_ok(), "a fresh redirect is good: {text}");
    assert_eq!(asked, 2);
}

#[tokio::test]
async fn https_that_is_called_insecure_is_named() {
    let authority = Authority::generate();
    let registry = FaultRegistry::options().tls(&authority).start();
    let client = client_with(&registry, &insecure()).on(Side::Destination);
    let error = client.list_tags(&repository()).await.unwrap_err();
    let text = error.to_string().replace(&registry.host(), "R");
    assert_eq!(
        (text.as_str(), error.kind()),
        (
            "cannot list the tags of R/team/app: http://R does not answer in HTTP: if it speaks HTTPS, take out \
             insecure: true at this destination in spec.destinations, and --insecure on the command line",
            Kind::Tls
        )
    );
}

#[tokio::test]
async fn a_redirect_to_https_says_that_the_registry_is_not_insecure() {
    let secure = Canary::start();
    let registry = FaultRegistry::start();
    let https = format!("https://{}/v2/", secure.host());
    registry
        .on("POST", "/uploads/")
        .responds(Reply::new(308).header("location", &https));
    let client = client(&registry).on(Side::Destination);
    let digest = transship::oci::Digest::sha256(b"x");
    let started = client.start_upload(&repository(), &digest, None).await;
    let error = started.unwrap_err();
    let expected =
        "speaks HTTPS, and is called with plain HTTP: take out insecure: true at this destination";
    assert!(error.to_string().contains(expected), "{error}");
    assert_eq!((error.kind(), secure.connections()), (Kind::Tls, 0));
}

#[tokio::test]
async fn plain_http_that_is_called_secure_is_named() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let host = listener.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().take(1).flatten() {
            let mut hello = [0; 1024];
            let _ = stream.read(&mut hello);
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n");
        }
    });
    let pool = transship::registry::Pool::new("transship/test");
    let client = pool.client(&host.parse().unwrap(), &Settings::default());
    let client = client.unwrap().on(Side::Source);
    let error = client.list_tags(&repository()).await.unwrap_err();
    let text = error.to_string().replace(&host, "R");
    assert_eq!(
        (text.as_str(), error.kind()),
        (
            "cannot list the tags of R/team/app: https://R speaks plain HTTP, and is called with HTTPS: if that is \
             how it should be, write insecure: true in spec.source, or name it with --insecure on the command line",
            Kind::Tls
        )
    );
}

/// An address where every connection is closed as soon as something was said.
fn closing() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let host = listener.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            // What is left unread makes it a reset.
            let _ = stream.read(&mut [0; 1]);
        }
    });
    host
}

#[tokio::test]
async fn a_server_that_closes_what_it_does_not_understand_may_speak_otherwise() {
    let other = |insecure: bool| {
        if insecure {
            "; if it speaks HTTPS, take out insecure: true in spec.source, and --insecure on the command line"
        } else {
            "; if it speaks plain HTTP, write insecure: true in spec.source, or name it with --insecure on the \
             command line"
        }
    };
    for insecure in [true, false] {
        let settings = Settings {
            insecure,
            ..Settings::default()
        };
        let pool = transship::registry::Pool::new("transship/test");
        let client = pool.client(&closing().parse().unwrap(), &settings);
        let client = client.unwrap().on(Side::Source);
        let error = client.list_tags(&repository()).await.unwrap_err();
        assert!(error.to_string().ends_with(other(insecure)), "{error}");
        assert!(error.is_transient(), "{error}");
    }
    // Who has answered speaks as it is spoken to.
    let (registry, _) = loaded();
    let client = client(&registry).on(Side::Source);
    client.list_tags(&repository()).await.unwrap();
    registry.on("GET", "/tags/list").does(Action::Close);
    let error = client.list_tags(&repository()).await.unwrap_err();
    assert!(!error.to_string().contains("if it speaks"), "{error}");
}

#[tokio::test]
async fn certificates_that_are_not_trusted_say_why() {
    let (ours, theirs) = (Authority::generate(), Authority::generate());
    let options = FaultRegistry::options;
    for (options, expected) in [
        (
            options().tls(&theirs),
            "its certificate is signed by an authority that is not trusted here",
        ),
        (
            options().tls_with(ours.issue_for(&["example.com"]).server(), &ours),
            "its certificate is for example.com: check the host, or have its name added there",
        ),
        (
            options().tls_with(ours.mutual_server(), &ours),
            "it wants a client certificate",
        ),
    ] {
        let registry = options.start();
        let client = client_with(&registry, &trusting(&ours));
        let error = client.list_tags(&repository()).await.unwrap_err();
        assert!(error.to_string().contains(expected), "{expected}: {error}");
        assert_eq!(error.kind(), Kind::Tls);
    }
}

#[tokio::test]
async fn nothing_that_we_sent_is_repeated() {
    let Login { username, password } = Login::valid();
    let basic = Login::valid().basic();
    let (_, encoded) = basic.split_once(' ').unwrap_or(("", &basic));
    let echo = |status, token: &str| {
        let text = format!("{username}:{password} {basic} {encoded} [{token}] x{password}x");
        Reply::error(status, "DENIED", &text)
    };
    // Basic, then a token that a token server gave.
    for options in [
        FaultRegistry::options().basic(),
        FaultRegistry::options().token(),
    ] {
        let registry = options.start();
        registry.load("team/app", "v1", &image());
        let client = client_with(&registry, &logged_in(insecure()));
        client.resolve(&repository(), &tag(), None).await.unwrap();
        let sent = registry.requests();
        let sent = sent
            .iter()
            .rev()
            .find_map(|request| request.headers.value("authorization"));
        let (_, token) = sent.unwrap().split_once(' ').unwrap();
        // A code is any word that the peer likes.
        let whole = token.len() <= 40 && token.bytes().all(|byte| byte.is_ascii_alphanumeric());
        for code in [password.as_str(), if whole { token } else { &username }] {
            registry.script().clear_rules();
            let reply = Reply::error(403, code, "no");
            registry.on("GET", "/manifests/").responds(reply);
            let error = client.fetch_manifest(&repository(), &tag()).await;
            let text = error.unwrap_err().to_string();
            let upper = code.to_ascii_uppercase().replace('-', "_");
            assert!(code == username || !text.contains(&upper), "{text}");
            assert!(text.contains("403 Forbidden"), "{text}");
        }
        for status in [403, 500, 401] {
            registry.script().clear_rules();
            registry
                .on("GET", "/manifests/")
                .responds(echo(status, token));
            let error = client
                .fetch_manifest(&repository(), &tag())
                .await
                .unwrap_err();
            let text = format!("{error} {error:?}");
            assert!(text.contains("it says"), "{status}: {text}");
            for secret in [password.as_str(), encoded, token] {
                assert!(!text.contains(secret), "{status}: {text}");
            }
        }
    }
}
