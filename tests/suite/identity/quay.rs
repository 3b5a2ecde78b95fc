// SPDX-License-Identifier: Apache-2.0

//! Quay: a token of a ServiceAccount or in a file is exchanged for one of a robot.

use std::fs;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tempfile::TempDir;
use transship::identity::Who;
use transship::oci::CloudRegistry;
use transship::registry::Issuer;

use super::{ApiServer, account, claims, end, identities, issue, issuer, jwt, words};
use crate::support::cloud::Cloud;
use crate::support::http::{Reply, Request};

const QUAY: &str = "quay.io";
const ROBOT: [(&str, &str); 1] = [("transship.dev/quay-robot", "team+mirror")];

/// The user name and password of a request.
fn login(request: &Request) -> (String, String) {
    let value = request.headers.value("authorization").unwrap_or_default();
    let pair = STANDARD.decode(value.strip_prefix("Basic ").unwrap_or_default());
    let pair = String::from_utf8(pair.unwrap()).unwrap();
    let (user, password) = pair.split_once(':').unwrap();
    (user.to_owned(), password.to_owned())
}

/// What Quay finds wrong with whoever asks for a token of `team+mirror`, which trusts one subject.
fn fault(request: &Request) -> Option<String> {
    let whole = ("GET", "/oauth2/federation/robot/token", "");
    if (&*request.method, &*request.path, &*request.query) != whole {
        return Some("no such page".to_owned());
    }
    let (robot, token) = login(request);
    if robot != "team+mirror" {
        return Some(format!("Could not find robot with username: {robot}"));
    }
    let claims = claims(&token);
    if claims["exp"].as_i64() <= Some(end(0).as_second()) {
        return Some("Token has expired".to_owned());
    }
    (claims["sub"] != "theirs").then(|| "Token does not match robot".to_owned())
}

/// Quay as it is.
fn quay() -> Cloud {
    Cloud::start(|request| match fault(request) {
        Some(fault) => Reply::json(401, &json!({"error": fault})),
        None => Reply::json(
            200,
            &json!({"token": jwt(3600, json!({"sub": "team+mirror"}))}),
        ),
    })
}

/// Who gives out credentials for a registry that a mirror says is Quay.
fn said(registry: &str, variables: &[(&str, &str)], who: &Who) -> Arc<dyn Issuer> {
    let registry = registry.parse().unwrap();
    identities(variables).issuer(&registry, &CloudRegistry::Quay, who)
}

#[tokio::test]
async fn a_service_account_is_the_robot_that_its_annotation_names() {
    let (quay, tokens) = (quay(), Arc::new(ApiServer::of("theirs")));
    let url = quay.url();
    let issuer = issuer(QUAY, &[(QUAY, &url)], &account("mirror", &ROBOT, &tokens));
    let (user, password) = issue(&issuer).await.unwrap();
    assert_eq!(user, "team+mirror");
    assert_eq!(claims(&password)["sub"], "team+mirror");
    issue(&issuer).await.unwrap();
    let requests = quay.requests();
    assert_eq!(requests.len(), 1, "its token lives for an hour");
    assert_eq!(claims(&login(&requests[0]).1)["aud"], json!([QUAY]));
    assert_eq!(*tokens.audiences.lock().unwrap(), [QUAY]);
}

#[tokio::test]
async fn a_token_in_a_file_is_exchanged_and_read_anew() {
    let (quay, directory) = (quay(), TempDir::new().unwrap());
    let (url, path) = (quay.url(), directory.path().join("token"));
    let file = path.to_str().unwrap();
    let variables = [
        (QUAY, url.as_str()),
        ("TRANSSHIP_QUAY_ROBOT", "team+mirror"),
        ("TRANSSHIP_QUAY_TOKEN_FILE", file),
    ];
    fs::write(&path, jwt(-60, json!({"sub": "theirs"}))).unwrap();
    let late = words(&issuer(QUAY, &variables, &Who::Process)).await;
    assert!(
        late.contains("the token in ") && late.contains(" ended at "),
        "{late}"
    );
    assert!(quay.requests().is_empty());
    let own = jwt(600, json!({"sub": "theirs"}));
    fs::write(&path, format!("{own}\n")).unwrap();
    issue(&issuer(QUAY, &variables, &Who::Process))
        .await
        .unwrap();
    assert_eq!(login(&quay.requests()[0]).1, own);
}

#[tokio::test]
async fn no_token_goes_to_a_registry_that_the_operator_did_not_list() {
    let (quay, tokens) = (quay(), Arc::new(ApiServer::of("theirs")));
    let (url, who) = (quay.url(), account("mirror", &ROBOT, &tokens));
    let own = "quay.example.com:8443";
    let listed = |list: &'static str| [("TRANSSHIP_QUAY_REGISTRIES", list), (own, url.as_str())];
    for list in ["", "quay.example.com", "evil.test:8443, quay.io"] {
        let found = words(&said(own, &listed(list), &who)).await;
        insta::allow_duplicates! {
            insta::assert_snapshot!(found, @"Forbidden: quay.example.com:8443 is not known to be Quay, and no token that says who somebody is goes elsewhere: add quay.example.com:8443 to the variable TRANSSHIP_QUAY_REGISTRIES of the controller (extraEnv of the Helm chart) or of the shell");
        }
    }
    assert!(tokens.audiences.lock().unwrap().is_empty() && quay.requests().is_empty());
    let list = "other.test, quay.example.com:8443";
    issue(&said(own, &listed(list), &who)).await.unwrap();
    assert_eq!(*tokens.audiences.lock().unwrap(), [own]);
}

#[tokio::test]
async fn each_wrong_answer_has_its_words() {
    let tokens = Arc::new(ApiServer::of("theirs"));
    let who = account("mirror", &ROBOT, &tokens);
    let token = |token: &Value| Reply::json(200, &json!({"token": token}));
    let unending = "e30.e30.canary";
    let cases: Vec<(Reply, &str)> = vec![
        (
            Reply::json(200, &json!({})),
            "Answer: SERVER gave a token of the robot that cannot be used: it has no token",
        ),
        (
            token(&json!("canary")),
            "Answer: SERVER gave a token of the robot that cannot be used: its token is no JWT",
        ),
        (
            token(&json!(unending)),
            "Answer: SERVER gave a token of the robot that cannot be used: its token does not say when it ends",
        ),
        (
            token(&json!(5)),
            "Answer: SERVER gave a token of the robot that cannot be used: its answer is not what is documented, see line 1, column 10",
        ),
        (
            Reply::new(200).body("<html>canary"),
            "Answer: SERVER gave a token of the robot that cannot be used: its answer is not what is documented, see line 1, column 1",
        ),
        (
            Reply::new(302).header("location", "http://evil.test/"),
            "Answer: SERVER gave a token of the robot that cannot be used: it answers 302",
        ),
        (
            Reply::json(429, &json!({"error": "slow_down"})),
            "RateLimited: SERVER is asked too much: try again later",
        ),
        (
            Reply::new(503),
            "Unreachable: SERVER cannot be used: it answers 503; try again later",
        ),
    ];
    for (reply, expected) in cases {
        let quay = Cloud::start(move |_| reply.clone());
        let url = quay.url();
        assert_eq!(words(&issuer(QUAY, &[(QUAY, &url)], &who)).await, expected);
    }
    let over = Cloud::start(move |_| token(&json!(jwt(-60, json!({})))));
    let url = over.url();
    let found = words(&issuer(QUAY, &[(QUAY, &url)], &who)).await;
    assert!(found.contains("it ended at "), "{found}");
}

#[tokio::test]
async fn what_quay_refuses_and_what_is_missing_is_told() {
    let quay = quay();
    let url = quay.url();
    let ask = async |annotations: &[(&str, &str)], tokens: ApiServer| {
        let who = account("mirror", annotations, &Arc::new(tokens));
        words(&issuer(QUAY, &[(QUAY, &url)], &who)).await
    };
    let theirs = || ApiServer::of("theirs");
    insta::assert_snapshot!(ask(&ROBOT, ApiServer::of("others")).await, @r#"Identity: SERVER refuses a token of the robot with 401; that says "Token does not match robot""#);
    let other = [("transship.dev/quay-robot", "team+other")];
    insta::assert_snapshot!(ask(&other, theirs()).await, @r#"Identity: SERVER refuses a token of the robot with 401; that says "Could not find robot with username: team+other""#);
    insta::assert_snapshot!(ask(&[], theirs()).await, @r#"Identity: service account "mirror" of namespace "team" has no annotation transship.dev/quay-robot: it names the identity that the account stands for"#);
    let wrong = [("transship.dev/quay-robot", "team+a:canary")];
    insta::assert_snapshot!(ask(&wrong, theirs()).await, @"Identity: the annotation transship.dev/quay-robot is not the name of a robot, such as organisation+mirror");
    let own =
        async |variables: &[(&str, &str)]| words(&issuer(QUAY, variables, &Who::Process)).await;
    insta::assert_snapshot!(own(&[]).await, @"Identity: no identity of Quay was found: TRANSSHIP_QUAY_ROBOT and TRANSSHIP_QUAY_TOKEN_FILE are not set");
    insta::assert_snapshot!(own(&[("TRANSSHIP_QUAY_ROBOT", "a+b")]).await, @"Identity: of TRANSSHIP_QUAY_ROBOT and TRANSSHIP_QUAY_TOKEN_FILE one is set and the other is not");
}
