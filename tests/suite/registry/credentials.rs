// SPDX-License-Identifier: Apache-2.0

//! Credentials and tokens: they get us in, are renewed in time, and go nowhere else.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use futures::future::BoxFuture;
use transship::oci::{Digest, Manifest, TagOrDigest};
use transship::registry::{Client, Credential, IssueError, Issuer, Kind, Settings};

use super::{
    client_with, content, descriptor, digest, everything, image, insecure, kind, logged_in, read,
    repository, tag, upload,
};
use crate::support::canary::Canary;
use crate::support::content::{Blob, Image, ImageBuilder};
use crate::support::credentials::Login;
use crate::support::faults::{FaultRegistry, Options};
use crate::support::http::Reply;
use crate::support::http::script::Action;
use crate::support::token::{IDENTITY_TOKEN, TokenServer};

fn with(credential: Credential) -> Settings {
    Settings {
        credential,
        ..insecure()
    }
}

fn identity_token() -> Settings {
    with(Credential::IdentityToken {
        username: String::new(),
        token: IDENTITY_TOKEN.into(),
    })
}

#[tokio::test]
async fn every_credential_opens_every_endpoint() {
    let basic = || FaultRegistry::options().basic();
    let token = || FaultRegistry::options().token();
    let cases: [(&str, Options, Settings); 4] = [
        ("open", FaultRegistry::options(), insecure()),
        ("basic", basic(), logged_in(insecure())),
        ("token for a password", token(), logged_in(insecure())),
        ("token for an identity token", token(), identity_token()),
    ];
    for (name, options, settings) in cases {
        let registry = options.start();
        let client = client_with(&registry, &settings);
        let done = everything(&client, &image()).await;
        done.unwrap_or_else(|error| panic!("{name}: {error}"));
        let challenged = registry
            .requests()
            .iter()
            .filter(|request| request.status == Some(401))
            .count();
        let expected = usize::from(name != "open");
        assert_eq!(
            challenged, expected,
            "{name}: only the first request is challenged"
        );
        assert_eq!(registry.connections(), 1, "{name}");
    }
}

/// Gives out a password that is wrong until somebody says so, as one that was revoked is.
#[derive(Debug, Default)]
struct Revoked(AtomicUsize);

impl Issuer for Revoked {
    fn issue(&self) -> BoxFuture<'_, Result<Credential, IssueError>> {
        let is_wrong = self.0.load(Ordering::SeqCst) == 0;
        let login = if is_wrong {
            Login::wrong()
        } else {
            Login::valid()
        };
        let credential = Credential::Basic {
            username: login.username,
            password: login.password.into(),
        };
        Box::pin(async { Ok(credential) })
    }

    fn refused(&self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }

    fn fingerprint(&self) -> Digest {
        Digest::sha256(b"revoked")
    }
}

#[tokio::test]
async fn who_gives_out_a_password_is_told_that_it_was_refused() {
    for options in [
        FaultRegistry::options().basic(),
        FaultRegistry::options().token(),
    ] {
        let registry = options.start();
        registry.load("team/app", "v1", &image());
        let issuer = Arc::new(Revoked::default());
        let client = client_with(&registry, &with(Credential::Issued(issuer.clone())));
        let refused = kind(client.ping().await);
        assert_eq!(refused, Err(Kind::AuthenticationFailed));
        assert_eq!(issuer.0.load(Ordering::SeqCst), 1);
    }
    let registry = FaultRegistry::options().basic().start();
    registry.load("team/app", "v1", &image());
    let issuer = Arc::new(Revoked::default());
    let client = client_with(&registry, &with(Credential::Issued(issuer.clone())));
    client.ping().await.unwrap_err();
    let found = client.resolve(&repository(), &tag(), None).await.unwrap();
    assert!(found.is_some());
}

#[tokio::test]
async fn a_wrong_password_is_tried_once() {
    let Login { username, password } = Login::wrong();
    let wrong = with(Credential::Basic {
        username,
        password: password.into(),
    });
    let cases = [
        ("basic", FaultRegistry::options().basic(), wrong.clone()),
        ("token", FaultRegistry::options().token(), wrong),
        (
            "nobody, basic",
            FaultRegistry::options().basic(),
            insecure(),
        ),
        (
            "nobody, token",
            FaultRegistry::options().token(),
            insecure(),
        ),
    ];
    for (name, options, settings) in cases {
        let registry = options.start();
        let client = client_with(&registry, &settings);
        for _ in 0..3 {
            let found = client.resolve(&repository(), &tag(), None).await;
            assert_eq!(kind(found), Err(Kind::AuthenticationFailed), "{name}");
        }
        let wrong = Login::wrong().basic();
        let tries = registry
            .requests()
            .iter()
            .filter(|request| request.headers.value("authorization") == Some(wrong.as_str()))
            .count();
        assert!(tries <= 1, "{name}: tried {tries} times");
    }
}

#[tokio::test]
async fn an_upload_that_is_challenged_is_worth_another_try() {
    let registry = FaultRegistry::start();
    let login = Login::valid().basic();
    registry
        .script()
        .when(move |request| {
            request.method == "PUT"
                && request.headers.value("authorization") != Some(login.as_str())
        })
        .responds(Reply::new(401).header("www-authenticate", "Basic realm=\"x\""));
    let client = client_with(&registry, &logged_in(insecure()));
    let blob = Blob::layer(1, 10_000);
    let error = upload(&client, &repository(), &blob).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.is_transient()),
        (Kind::AuthenticationFailed, true),
        "{error}"
    );
    upload(&client, &repository(), &blob).await.unwrap();
    assert!(registry.has_blob("team/app", &blob.digest));
}

#[tokio::test]
async fn a_challenge_that_is_only_given_at_the_base_is_asked_for_there() {
    let registry = FaultRegistry::options().token().start();
    registry.load("team/app", "v1", &image());
    registry
        .on("HEAD", "/manifests/")
        .nth(1)
        .responds(Reply::new(401));
    let client = client_with(&registry, &logged_in(insecure()));
    let found = client.resolve(&repository(), &tag(), None).await;
    assert!(kind(found).unwrap().is_some());
    let paths: Vec<_> = registry
        .requests()
        .into_iter()
        .map(|request| request.path)
        .collect();
    assert_eq!(paths[1], "/v2/");
}

#[tokio::test]
async fn a_registry_that_changes_its_mind_for_ever_is_left() {
    let registry = FaultRegistry::start();
    let challenge = |text| Reply::new(401).header("www-authenticate", text);
    let token = TokenServer::start(None);
    let bearer = format!(
        "Bearer realm=\"http://{}/token\",service=\"x\"",
        registry.host()
    );
    registry
        .on("GET", "/token")
        .responds(Reply::new(200).body(r#"{"token":"abc"}"#));
    registry
        .script()
        .when(|request| {
            request.path.starts_with("/v2/")
                && request
                    .headers
                    .value("authorization")
                    .is_none_or(|value| value.starts_with("Bearer"))
        })
        .responds(challenge("Basic realm=\"x\""));
    registry
        .script()
        .when(|request| {
            request.path.starts_with("/v2/")
                && request
                    .headers
                    .value("authorization")
                    .is_some_and(|value| value.starts_with("Basic"))
        })
        .responds(challenge(&bearer));
    let client = client_with(&registry, &logged_in(insecure()));
    let found = client.resolve(&repository(), &tag(), None).await;
    assert_eq!(kind(found), Err(Kind::AuthenticationFailed));
    assert!(registry.requests().len() < 8);
    assert_eq!(token.script().requests().len(), 0);
}

/// Every way in which a registry can name another place.
pub(super) fn lures(
    registry: &FaultRegistry,
    canary: &Canary,
) -> Vec<(&'static str, Action, &'static str, &'static str)> {
    lures_to(registry, &canary.host())
}

/// The same to any host and port.
pub(super) fn lures_to(
    registry: &FaultRegistry,
    target: &str,
) -> Vec<(&'static str, Action, &'static str, &'static str)> {
    let url = format!("http://{target}");
    let host = registry.host();
    let there = |status| {
        Action::Respond(Reply::new(status).header("location", &format!("{url}/x?here={host}")))
    };
    let realm = |scheme: &str| {
        let challenge = format!("{scheme} realm=\"{url}/token\",service=\"x\"");
        Action::Respond(Reply::new(401).header("www-authenticate", &challenge))
    };
    let registry = |status| {
        let location = format!("{url}/v2/team/app/manifests/v0");
        Action::Respond(Reply::new(status).header("location", &location))
    };
    let relative = Action::Respond(Reply::new(401).header(
        "www-authenticate",
        &format!("Bearer realm=\"//{target}/token\",service=\"x\""),
    ));
    let link = Action::SetHeader(
        "link",
        format!("<{url}/v2/team/app/tags/list?last=a>; rel=\"next\""),
    );
    vec![
        ("realm", realm("Bearer"), "*", "/v2/"),
        ("redirect of a manifest", there(307), "GET", "/manifests/"),
        (
            "permanent redirect of a manifest",
            there(301),
            "HEAD",
            "/manifests/",
        ),
        ("redirect of a blob", there(302), "GET", "/blobs/"),
        ("redirect of an upload", there(307), "POST", "/uploads/"),
        ("redirect of the body", there(308), "PUT", "/uploads/"),
        (
            "location of the upload",
            Action::SetHeader("location", format!("{url}/u")),
            "POST",
            "/uploads/",
        ),
        (
            "redirect of a stored manifest",
            there(307),
            "PUT",
            "/manifests/",
        ),
        ("redirect of a delete", there(307), "DELETE", "/manifests/"),
        ("redirect of a list", there(307), "GET", "/tags/"),
        ("next page", link.clone(), "GET", "/tags/"),
        ("next repositories", link.clone(), "GET", "/_catalog"),
        ("next referrers", link, "GET", "/referrers/"),
        ("redirect of referrers", there(303), "GET", "/referrers/"),
        ("realm without a scheme", relative, "*", "/v2/"),
        ("another registry", registry(307), "HEAD", "/manifests/v0"),
        (
            "another registry for GET",
            registry(302),
            "GET",
            "/manifests/v0",
        ),
    ]
}

#[tokio::test]
async fn no_lure_gets_a_credential_a_token_or_content() {
    let answers = [
        Reply::new(200),
        Reply::new(401).header("www-authenticate", "Basic realm=\"x\""),
        Reply::new(401).header(
            "www-authenticate",
            "Bearer realm=\"http://127.0.0.1/token\",service=\"x\"",
        ),
        Reply::new(200).body(r#"{"token":"reflected","tags":[]}"#),
        // The token server of the registry itself, to which its credential belongs.
        Reply::new(401).header(
            "www-authenticate",
            "Bearer realm=\"/token\",service=\"x\",scope=\"repository:team/app:pull,push\"",
        ),
    ];
    for answer in answers {
        for place in 0..17 {
            for options in [
                FaultRegistry::options().basic(),
                FaultRegistry::options().token(),
            ] {
                let registry = options.start();
                let canary = Canary::answering(answer.clone());
                let image = ImageBuilder::new(3).layers(&[5_000]).build();
                let stored = ImageBuilder::new(4).layers(&[5_000]).build();
                registry.load("team/app", "v0", &stored);
                let client = client_with(&registry, &logged_in(insecure()));
                client.list_tags(&repository()).await.unwrap();
                let (name, fault, method, part) = lures(&registry, &canary).swap_remove(place);
                registry.on(method, part).does(fault);
                everything_apart(&client, &image, &stored).await;

                let Login { password, .. } = Login::valid();
                let said = ["Bearer", "Basic", password.as_str(), "data/0"];
                for word in said {
                    assert!(!canary.heard(word), "{name}: the canary heard {word:?}");
                }
                assert!(
                    !canary.heard(&Login::valid().basic()),
                    "{name}: the canary heard the login"
                );
                for request in canary.requests() {
                    let method = request.method.as_str();
                    assert!(
                        matches!(method, "GET" | "HEAD"),
                        "{name}: {method} at the canary"
                    );
                    assert!(request.body.is_empty(), "{name}");
                }
            }
        }
    }
}

/// Every operation, each on its own, whatever comes of it.
/// Does everything, whatever comes of it.
pub(super) async fn everything_apart(client: &Client, image: &Image, stored: &Image) {
    let layer = &image.blobs[1];
    let manifest = Manifest::parse(image.root.bytes.clone(), None, None).unwrap();
    let tag = TagOrDigest::Tag("v0".parse().unwrap());
    let _ = client.list_tags(&repository()).await;
    let _ = client.list_repositories().await;
    let _ = client.resolve(&repository(), &tag, None).await;
    let _ = client.fetch_manifest(&repository(), &tag).await;
    let _ = read(client, &descriptor(&stored.blobs[1]), 0).await;
    let _ = upload(client, &repository(), layer).await;
    let _ = client.put_manifest(&repository(), &tag, &manifest).await;
    let _ = client.referrers(&repository(), &digest(&stored.root)).await;
    let root = digest(&stored.root);
    let _ = client.delete_manifest(&repository(), &root, None).await;
}

#[tokio::test]
async fn secrets_are_in_no_message_and_no_debug_text() {
    let canary = "canary-of-the-password";
    let settings = Settings {
        credential: Credential::Basic {
            username: "me".to_owned(),
            password: canary.into(),
        },
        ..insecure()
    };
    assert!(!format!("{settings:?}").contains(canary));
    let registry = FaultRegistry::options().basic().start();
    let storage = format!("http://127.0.0.1:1/bucket?signature={canary}");
    registry
        .on("GET", "/blobs/")
        .responds(Reply::new(307).header("location", &storage));
    registry
        .on("GET", "/manifests/")
        .responds(Reply::new(400).body(canary));
    let client = client_with(&registry, &settings);
    let errors = [
        read(&client, &descriptor(&Blob::layer(1, 9)), 0)
            .await
            .unwrap_err(),
        client
            .fetch_manifest(&repository(), &tag())
            .await
            .unwrap_err(),
        client.list_tags(&repository()).await.unwrap_err(),
    ];
    for error in errors {
        assert!(
            !format!("{error} {error:?} {client:?} {:?}", client.identity()).contains(canary),
            "{error}"
        );
    }
}

#[tokio::test]
async fn storage_behind_a_redirect_hears_no_token() {
    let layer = Blob::layer(2, 9_000);
    let storage = Canary::answering(Reply::new(200).body(layer.bytes.clone()));
    let registry = FaultRegistry::options().token().start();
    registry
        .script()
        .when(|request| {
            request.path.contains("/blobs/") && request.headers.value("authorization").is_some()
        })
        .responds(Reply::new(307).header("location", &format!("{}/b?signature=x", storage.url())));
    let client = client_with(&registry, &logged_in(insecure()));
    let got = read(&client, &descriptor(&layer), 0).await;
    assert_eq!(content(got), Ok(Digest::sha256(&layer.bytes)));
    let [request] = storage.requests().try_into().unwrap();
    assert_eq!(request.headers.value("authorization"), None);
    assert_eq!(request.body, Bytes::new());
}
