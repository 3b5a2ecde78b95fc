// SPDX-License-Identifier: Apache-2.0

//! Who is not asked, what fails, and how that reads.

use futures::FutureExt as _;
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use tokio_rustls::TlsAcceptor;

use super::*;
use crate::registry::Kind;

#[tokio::test]
async fn a_wrong_password_is_tried_once_for_a_hundred_scopes() {
    let server = TokenServer::start([status(401)]).await;
    let registry = server.registry(user());
    let (challenge, registry) = (&server.challenge(), &registry);
    let answers = (0..100).map(|number| async move {
        let scope = pull(&format!("a{number}"));
        registry.challenged(challenge, &scope, None).await
    });
    for answer in join_all(answers).await {
        assert_eq!(answer.unwrap_err().kind(), Kind::AuthenticationFailed);
    }
    assert_eq!(server.asked().len(), 1);
}

#[tokio::test]
async fn a_right_that_is_missing_for_one_scope_is_remembered_for_that_scope_only() {
    let server = TokenServer::start([status(403), grant("t1"), grant("t2")]).await;
    let registry = server.registry(user());
    let (challenge, denied) = (server.challenge(), pull("denied"));
    registry
        .challenged(&challenge, &denied, None)
        .await
        .unwrap_err();
    let granted = registry.challenged(&challenge, &pull("a"), None).await;
    assert_eq!(said(&granted.unwrap()), "Bearer t1");
    registry.authorization(&denied).await.unwrap_err();
    assert_eq!(server.asked().len(), 2);

    pass(6).await;
    let later = registry.authorization(&denied).await.unwrap();
    assert_eq!(said(&later.unwrap()), "Bearer t2");
}

#[tokio::test]
async fn failures_that_may_pass_are_retried_with_the_credential() {
    let answers = [
        retry_after(503, "0"),
        retry_after(429, "0"),
        status(500),
        grant("t"),
    ];
    let server = TokenServer::start(answers).await;
    let registry = server.registry(user());
    let answer = registry
        .challenged(&server.challenge(), &pull("a"), None)
        .await;
    assert_eq!(said(&answer.unwrap()), "Bearer t");
    let with_credential = server
        .asked()
        .iter()
        .filter(|asked| asked.authorization.is_some())
        .count();
    assert_eq!(with_credential, 4);
}

/// What goes wrong at the token server, how often it is asked before that counts, and how it reads.
#[tokio::test]
async fn failures_of_the_token_server() {
    let page = |body: String| (StatusCode::OK, HeaderMap::new(), body);
    let mut redirect = status(302);
    let target = HeaderValue::from_static("http://169.254.169.254/");
    redirect.1.insert(LOCATION, target);
    let invalid = (
        StatusCode::BAD_REQUEST,
        HeaderMap::new(),
        r#"{"error":"invalid_scope","error_description":"no such scope"}"#.to_owned(),
    );
    let cases = [
        ("busy", retry_after(429, "0"), 4, Kind::RateLimited),
        (
            "busy for long",
            retry_after(429, "3600"),
            1,
            Kind::RateLimited,
        ),
        ("broken", retry_after(503, "0"), 4, Kind::Unreachable),
        ("redirect", redirect, 1, Kind::Protocol),
        ("not there", status(404), 1, Kind::Protocol),
        ("invalid", invalid, 1, Kind::Protocol),
        ("refused", status(403), 1, Kind::AuthenticationFailed),
        ("page", page("<html>".to_owned()), 1, Kind::Protocol),
        (
            "too large",
            page(format!(r#"{{"token":"{}"}}"#, "a".repeat(70_000))),
            1,
            Kind::Protocol,
        ),
        (
            "header in the token",
            page(r#"{"token":"a\r\nX: y"}"#.to_owned()),
            1,
            Kind::Protocol,
        ),
    ];
    let mut messages = Vec::new();
    for (name, answer, times, kind) in cases {
        let server = TokenServer::start([answer]).await;
        let registry = server.registry(user());
        let error = registry
            .challenged(&server.challenge(), &pull("a"), None)
            .await
            .unwrap_err();
        assert_eq!(
            (server.asked().len(), error.kind()),
            (times, kind),
            "{name}"
        );
        messages.push(format!("{name}: {}", server.message(&error)));
    }
    insta::assert_snapshot!(messages.join("\n"), @r#"
    busy: the token server R of R is asked too much: try again later
    busy for long: the token server R of R is asked too much: try again later
    broken: the token server R of R cannot be used: it answers 503; try again later
    redirect: the token server R of R gave no usable token: it redirects, and a credential follows no redirect to another scheme, host or port; who runs it has to look at it
    not there: the token server R of R gave no usable token: it answers 404; who runs it has to look at it
    invalid: the token server R of R gave no usable token: it answers 400 and says "no such scope"; who runs it has to look at it
    refused: R gives no access: its token server R refuses the credential with 403, check it and its rights
    page: the token server R of R gave no usable token: its answer is a web page: check the address of the token server, and whether a proxy or login page answers in its place; who runs it has to look at it
    too large: the token server R of R gave no usable token: its answer is larger than 65536 bytes; who runs it has to look at it
    header in the token: the token server R of R gave no usable token: the token has characters that no token may have, or more than 16384; who runs it has to look at it
    "#);
}

#[tokio::test]
async fn a_server_that_wants_rest_gets_it() {
    let server = TokenServer::start([retry_after(429, "120"), grant("t")]).await;
    let registry = server.registry(user());
    let (challenge, scope) = (server.challenge(), pull("a"));
    let error = registry
        .challenged(&challenge, &scope, None)
        .await
        .unwrap_err();
    assert_eq!(error.retry_after(), Some(Duration::from_secs(120)));
    for (seconds, expected) in [(100, Kind::RateLimited), (10, Kind::RateLimited)] {
        pass(seconds).await;
        let error = registry.authorization(&scope).await.unwrap_err();
        assert_eq!(error.kind(), expected);
    }
    pass(11).await;
    assert!(registry.authorization(&scope).await.is_ok());
    assert_eq!(server.asked().len(), 2);
}

/// A realm elsewhere sees nothing: neither the credential nor a connection.
#[tokio::test]
async fn a_realm_elsewhere_is_not_asked_unless_it_is_trusted() {
    let server = TokenServer::start([grant("t")]).await;
    let elsewhere = TokenServer::start([grant("stolen")]).await;
    let challenge = elsewhere.challenge();
    let registry = server.registry(user());
    let error = registry
        .challenged(&challenge, &pull("a"), None)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), Kind::Refused);
    assert_eq!(elsewhere.asked(), []);
    assert!(registry.authorization(&pull("a")).await.unwrap().is_none());

    let registry = server.registry_trusting(user(), &[&elsewhere.address]);
    let answer = registry
        .challenged(&challenge, &pull("a"), None)
        .await
        .unwrap();
    assert_eq!(said(&answer), "Bearer stolen");
}

/// What a person reads where the registry, not its token server, refuses.
#[tokio::test]
async fn refusals_of_the_registry() {
    let server = TokenServer::start([grant("canary")]).await;
    let scope = pull("a");
    let twice = async |credential: Credential, line: &str| {
        let registry = server.registry(credential);
        let lines = line.replace("REALM", &format!("http://{}/t", server.address));
        let challenge = challenge(&lines);
        let error = match registry.challenged(&challenge, &scope, None).await {
            Ok(sent) => registry
                .challenged(&challenge, &scope, Some(&sent))
                .await
                .unwrap_err(),
            Err(error) => error,
        };
        server.message(&error)
    };
    let token = "Bearer realm=\"REALM\"";
    let own = Credential::RegistryToken("canary".into());
    let messages = [
        twice(Credential::Anonymous, token).await,
        twice(Credential::Anonymous, "Basic").await,
        twice(user(), token).await,
        twice(user(), "Basic").await,
        twice(own, token).await,
        twice(user(), "Negotiate").await,
        twice(
            user(),
            "Bearer realm=\"https://evil.test:8443/canary?canary\"",
        )
        .await,
        twice(user(), "Bearer realm=\"http://127.0.0.1:1/\"").await,
        twice(user(), "Bearer realm=\"http://canary@evil.test/\"").await,
        twice(user(), "Bearer realm=\"Nexus\"").await,
    ]
    .join("\n");
    assert!(!messages.contains("canary"), "{messages}");
    insta::assert_snapshot!(messages, @r#"
    R wants a credential, and none was found for it: log in to it (docker login) or name a secret
    R wants a credential, and none was found for it: log in to it (docker login) or name a secret
    R refuses a new token: the repository does not exist, or the credential may not do this
    R refuses the user name or password: check the credential
    R refuses the configured token: it may have expired, log in again
    R wants to know who is asking, but names neither basic authentication nor a token server: check that the address is that of a registry
    R names evil.test:8443 as its token server, a host of another domain: if it is the right one, allow it with --trusted-realms
    R names 127.0.0.1:1 as its token server, an address that may lead anywhere: if it is the right one, allow its host and port with --trusted-realms
    R names evil.test as its token server, with a user name or password in the URL
    R names "Nexus" as its token server, which is not the URL of a server
    "#);
}

/// A server of TLS with a certificate that nobody vouches for.
fn imposter() -> TlsAcceptor {
    let rcgen::CertifiedKey { cert, signing_key } =
        rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let key = PrivateKeyDer::try_from(signing_key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], key)
        .unwrap();
    TlsAcceptor::from(Arc::new(config))
}

#[tokio::test]
async fn an_imposter_is_tried_once_and_told_nothing() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("https://{}", listener.local_addr().unwrap());
    let serving = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let handshake = imposter().accept(stream).await;
        (handshake.is_ok(), listener)
    });
    let registry = authenticator(&base, user(), &[]);
    let challenge = challenge(&format!("Bearer realm=\"{base}/token\""));
    let error = registry
        .challenged(&challenge, &pull("a"), None)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), Kind::Tls, "{error}");
    let (was_trusted, listener) = serving.await.unwrap();
    assert!(!was_trusted);
    assert!(listener.accept().now_or_never().is_none());
}

fn moved(code: u16, location: &str) -> Answer {
    let (status, mut headers, body) = status(code);
    headers.insert(LOCATION, HeaderValue::from_str(location).unwrap());
    (status, headers, body)
}

/// What a token server that moves us is asked: nothing where it would be somebody else.
#[tokio::test]
async fn a_token_server_may_move_us_on_its_own_host_only() {
    let elsewhere = TokenServer::start([grant("stolen")]).await;
    let other = format!("http://{}/token", elsewhere.address);
    let (password, form) = ("GET", "POST");
    // Credential, status, location (H: the host): the methods that are asked with, and whether a token comes.
    let cases: [(Credential, u16, &str, &[&str], bool); 14] = [
        (user(), 301, "/token/?x=y", &[password; 2], true),
        (user(), 302, "token/", &[password; 2], true),
        (user(), 303, "http://H/other", &[password; 2], true),
        (user(), 307, "http://H/token/", &[password; 2], true),
        (user(), 308, "?x=y", &[password; 2], true),
        (user(), 307, &other, &[password], false),
        (user(), 302, "https://H/token", &[password], false),
        (user(), 302, "http://me:pw@H/token", &[password], false),
        (user(), 302, "", &[password], false),
        (user(), 304, "/token/", &[password], false),
        (identity(), 307, "/token/", &[form, form], true),
        (identity(), 308, "http://H/token/", &[form, form], true),
        // A form is sent again only where it is asked for; GET is the other way to say it.
        (identity(), 302, "/token/", &[form, password], true),
        (identity(), 307, &other, &[form, password], true),
    ];
    for (credential, code, location, methods, is_granted) in cases {
        let server = TokenServer::start([status(500)]).await;
        let location = location.replace('H', &server.address);
        *server.script.answers.lock().unwrap() =
            VecDeque::from([moved(code, &location), grant("t")]);
        let registry = server.registry(credential);
        let granted = registry
            .challenged(&server.challenge(), &pull("a"), None)
            .await;
        let name = format!("{code} {location}");
        assert_eq!(granted.is_ok(), is_granted, "{name}");
        let asked = server.asked();
        let with: Vec<&str> = asked.iter().map(|asked| asked.method.as_str()).collect();
        assert_eq!(with, methods, "{name}");
        let is_proven = |asked: &Asked| asked.authorization.is_some() || !asked.body.is_empty();
        assert!(asked.iter().all(is_proven), "{name}");
    }
    assert_eq!(elsewhere.asked(), []);
}

#[tokio::test]
async fn a_token_server_that_moves_us_in_a_circle_is_left() {
    let server = TokenServer::start([moved(302, "/token")]).await;
    let error = server
        .registry(user())
        .challenged(&server.challenge(), &pull("a"), None)
        .await
        .unwrap_err();
    assert_eq!((server.asked().len(), error.kind()), (6, Kind::Protocol));
}
