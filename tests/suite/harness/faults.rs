// SPDX-License-Identifier: Apache-2.0

//! The scripted registry behaves where it is let alone, and misbehaves exactly as told.

use bytes::Bytes;

use crate::support::canary::Canary;
use crate::support::client::{Access, Answer, Client};
use crate::support::content::{Blob, Image, ImageBuilder};
use crate::support::credentials::Login;
use crate::support::faults::FaultRegistry;
use crate::support::http::Reply;
use crate::support::http::script::{Action, Gate};
use crate::support::tls::Authority;
use crate::support::token::TokenServer;
use crate::support::witness::Witness;

const SIZE: usize = 10_000;

/// A registry with one image, and the path of its layer.
fn loaded() -> (FaultRegistry, Image, String) {
    let registry = FaultRegistry::start();
    let image = ImageBuilder::new(3).layers(&[SIZE]).build();
    registry.load("team/app", "v1", &image);
    let layer = format!("/v2/team/app/blobs/{}", image.blobs[1].digest);
    (registry, image, layer)
}

async fn get_range(registry: &FaultRegistry, path: &str, range: &str) -> Answer {
    registry
        .client()
        .send("GET", path, &[("range", range)], Bytes::new())
        .await
        .unwrap()
}

#[tokio::test]
async fn it_is_a_registry() {
    let image = ImageBuilder::new(4)
        .layers(&[3000, 70_000])
        .sha512_layer(100)
        .platforms(&["linux/amd64", "linux/arm64"])
        .attestations()
        .referrer("application/vnd.example.signature")
        .signature_tag()
        .build();
    let authority = Authority::generate();
    let modes = [
        ("plain", FaultRegistry::options()),
        ("tls", FaultRegistry::options().tls(&authority)),
        ("basic", FaultRegistry::options().basic()),
        ("token", FaultRegistry::options().token()),
        (
            "tls and token",
            FaultRegistry::options().tls(&authority).token(),
        ),
        (
            "without referrers API",
            FaultRegistry::options().without_referrers_api(),
        ),
        ("one tag a page", FaultRegistry::options().page_size(1)),
    ];
    for (name, options) in modes {
        let registry = options.start();
        registry.client().push("team/app", "v1", &image).await;
        let problems = Witness::new(registry.client(), "team/app")
            .expecting(&image)
            .check_all()
            .await;
        assert_eq!(problems, [], "{name}");
        assert_eq!(registry.open_uploads(), 0, "{name}");
    }
}

#[tokio::test]
async fn it_refuses_what_is_incomplete_or_wrong() {
    let (registry, image, _) = loaded();
    let client = registry.client();
    let put = async |path: &str, body: &Bytes| {
        client
            .send("PUT", path, &[], body.clone())
            .await
            .unwrap()
            .status
    };
    let elsewhere = format!("/v2/other/manifests/{}", image.digest());
    assert_eq!(
        put(&elsewhere, &image.root.bytes).await,
        400,
        "its blobs are not in that repository"
    );
    let wrong = format!("/v2/team/app/manifests/{}", image.blobs[0].digest);
    assert_eq!(put(&wrong, &image.root.bytes).await, 400, "another digest");
    assert_eq!(
        put(
            "/v2/team/app/blobs/uploads/gone?digest=sha256:00",
            &Bytes::new()
        )
        .await,
        404,
        "no such session"
    );
    assert_eq!(
        client.get("/v2/nowhere/tags/list").await.unwrap().status,
        404
    );
}

#[tokio::test]
async fn it_mounts_and_ranges_and_revalidates() {
    let (registry, image, layer) = loaded();
    let (client, digest) = (registry.client(), &image.blobs[1].digest);
    let mount = |from: &str| format!("/v2/other/blobs/uploads/?mount={digest}&from={from}");
    let post = async |path: String| {
        client
            .send("POST", &path, &[], Bytes::new())
            .await
            .unwrap()
            .status
    };
    assert_eq!(
        (post(mount("nowhere")).await, post(mount("team/app")).await),
        (202, 201)
    );
    let part = get_range(&registry, &layer, "bytes=10-19").await;
    assert_eq!(
        (part.status, &part.body[..]),
        (206, &image.blobs[1].bytes[10..20])
    );
    let known = [("if-none-match", image.digest())];
    let unchanged = client
        .send("GET", "/v2/team/app/manifests/v1", &known, Bytes::new())
        .await
        .unwrap();
    assert_eq!((unchanged.status, unchanged.body.len()), (304, 0));
}

#[tokio::test]
async fn a_body_can_be_cut() {
    let (registry, image, layer) = loaded();
    let whole = image.blobs[1].bytes.len();
    for cut in [0, 1, whole / 2, whole - 1] {
        registry.script().clear_rules();
        registry.script().clear_requests();
        registry.on("GET", &layer).nth(1).does(Action::CutBody(cut));
        let mut received = 0;
        let outcome = registry
            .client()
            .stream(&layer, |bytes| received += bytes.len())
            .await;
        assert!(outcome.is_err(), "cut at {cut}");
        assert_eq!((received, registry.requests()[0].body_sent), (cut, cut));
        assert_eq!(
            registry.client().get(&layer).await.unwrap().body.len(),
            whole,
            "only the first time"
        );
    }
}

#[tokio::test]
async fn ranges_can_be_ignored_or_wrong() {
    let (registry, image, layer) = loaded();
    registry.on("GET", &layer).nth(1).does(Action::IgnoreRange);
    registry
        .on("GET", &layer)
        .nth(2)
        .does(Action::SetHeader("content-range", "bytes 0-9/7".to_owned()));
    let ignored = get_range(&registry, &layer, "bytes=10-").await;
    assert_eq!(
        (ignored.status, &ignored.body),
        (200, &image.blobs[1].bytes)
    );
    let wrong = get_range(&registry, &layer, "bytes=10-").await;
    assert_eq!(
        (wrong.status, wrong.header("content-range")),
        (206, Some("bytes 0-9/7"))
    );
}

#[tokio::test]
async fn answers_can_be_replaced_and_edited() {
    let (registry, image, layer) = loaded();
    let busy = Reply::new(429).header("retry-after", "7");
    registry.on("*", "/tags/").first(2).responds(busy);
    registry
        .on("GET", "/manifests/")
        .does(Action::RemoveHeader("docker-content-digest"));
    registry
        .on("GET", "/manifests/")
        .does(Action::AddHeader("content-encoding", "gzip".to_owned()));
    registry
        .on("HEAD", &layer)
        .responds(Reply::new(307).header("location", "http://example.invalid/"));
    registry
        .script()
        .when(|request| request.headers.value("x-odd").is_some())
        .responds(Reply::new(418));
    let client = registry.client();
    let mut statuses = Vec::new();
    for _ in 0..3 {
        statuses.push(client.get("/v2/team/app/tags/list").await.unwrap().status);
    }
    assert_eq!(statuses, [429, 429, 200]);
    let manifest = client.get("/v2/team/app/manifests/v1").await.unwrap();
    assert_eq!(
        (
            manifest.header("docker-content-digest"),
            manifest.header("content-encoding")
        ),
        (None, Some("gzip"))
    );
    assert_eq!(manifest.body, image.root.bytes);
    assert_eq!(
        client.head(&layer).await.unwrap().header("location"),
        Some("http://example.invalid/")
    );
    assert_eq!(
        client
            .send("GET", &layer, &[("x-odd", "1")], Bytes::new())
            .await
            .unwrap()
            .status,
        418
    );
}

#[tokio::test]
async fn success_and_storage_can_disagree() {
    let blob = Blob::new("application/octet-stream", "content");
    let failed = Action::CommitThen(Reply::new(500));
    let cases: [(&str, Action, Option<u16>, bool); 5] = [
        ("swallowed", Action::Swallow, Some(201), false),
        ("committed, then 500", failed, Some(500), true),
        (
            "committed, then closed",
            Action::CommitThenClose,
            None,
            true,
        ),
        ("closed", Action::Close, None, false),
        ("cut while uploading", Action::CutUpload(3), None, false),
    ];
    for (name, action, status, is_stored) in cases {
        let registry = FaultRegistry::start();
        registry.on("PUT", "/blobs/uploads/").does(action);
        let client = registry.client();
        let session = client
            .send("POST", "/v2/a/blobs/uploads/", &[], Bytes::new())
            .await
            .unwrap();
        let target = format!(
            "{}?digest={}",
            session.header("location").unwrap(),
            blob.digest
        );
        let answered = client
            .send("PUT", &target, &[], blob.bytes.clone())
            .await
            .ok()
            .map(|answer| answer.status);
        assert_eq!(
            (answered, registry.has_blob("a", &blob.digest)),
            (status, is_stored),
            "{name}"
        );
    }
}

#[tokio::test]
async fn an_answer_can_come_before_the_body() {
    let registry = FaultRegistry::start();
    registry
        .on("PUT", "/uploads/")
        .does(Action::RespondEarly(Reply::error(
            404,
            "BLOB_UPLOAD_UNKNOWN",
            "gone",
        )));
    let body = Bytes::from(vec![0; 4 << 20]);
    let answer = registry
        .client()
        .send("PUT", "/v2/a/blobs/uploads/x?digest=y", &[], body)
        .await
        .unwrap();
    assert_eq!(
        (answer.status, registry.requests()[0].body_length),
        (404, 0)
    );
}

#[tokio::test]
async fn exchanges_can_be_held() {
    let (registry, image, layer) = loaded();
    let (before, reply, body) = (Gate::closed(), Gate::closed(), Gate::closed());
    registry
        .on("DELETE", "/manifests/v1")
        .does(Action::Hold(before.clone()));
    registry
        .on("DELETE", "/manifests/v1")
        .does(Action::HoldReply(reply.clone()));
    registry
        .on("GET", &layer)
        .does(Action::HoldBody(100, body.clone()));
    let client = registry.client();
    let deletion = tokio::spawn({
        let client = client.clone();
        async move {
            client
                .delete("/v2/team/app/manifests/v1")
                .await
                .unwrap()
                .status
        }
    });
    before.reached().await;
    assert_eq!(registry.tags("team/app"), ["v1"]);
    before.open();
    reply.reached().await;
    assert!(registry.tags("team/app").is_empty() && !deletion.is_finished());
    reply.open();
    assert_eq!(deletion.await.unwrap(), 202);
    let download = tokio::spawn(async move { client.get(&layer).await.unwrap().body });
    body.reached().await;
    assert_eq!(registry.requests().last().unwrap().body_sent, 100);
    body.open();
    assert_eq!(download.await.unwrap(), image.blobs[1].bytes);
}

#[tokio::test]
async fn a_body_can_be_endless() {
    let registry = FaultRegistry::start();
    registry.on("GET", "/tags/list").does(Action::Endless);
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let mut response = http
        .get(format!("{}/v2/a/tags/list", registry.url()))
        .send()
        .await
        .unwrap();
    let mut received = 0;
    while received < 4 << 20 {
        received += response.chunk().await.unwrap().unwrap().len();
    }
}

#[tokio::test]
async fn tokens_are_scoped_counted_and_expire() {
    let registry = FaultRegistry::options().token().start();
    let issuer = registry.token_server().unwrap().issuer();
    registry.load("team/app", "v1", &ImageBuilder::new(1).build());
    let status = async |login| {
        let client = Client::new(Access {
            login,
            ..registry.access()
        });
        client.get("/v2/team/app/tags/list").await.unwrap().status
    };
    assert_eq!(status(Some(Login::valid())).await, 200);
    assert_eq!(status(Some(Login::wrong())).await, 401);
    assert_eq!(status(None).await, 401);
    assert_eq!(issuer.issued(), 1);
    issuer.set_age(61);
    assert_eq!(
        status(Some(Login::valid())).await,
        401,
        "a token that is 61 of its 60 seconds old"
    );
    issuer.set_age(0);
    let pull = [crate::support::credentials::Scope::parse("repository:team/app:pull").unwrap()];
    let bearer = format!("Bearer {}", issuer.issue(&pull));
    let client = Client::new(Access {
        login: None,
        ..registry.access()
    });
    let with_token = [("authorization", bearer.as_str())];
    let send = async |method, path| {
        client
            .send(method, path, &with_token, Bytes::new())
            .await
            .unwrap()
    };
    assert_eq!(send("GET", "/v2/team/app/tags/list").await.status, 200);
    assert_eq!(send("GET", "/v2/team/other/tags/list").await.status, 401);
    let refused = send("POST", "/v2/team/app/blobs/uploads/").await;
    assert!(
        refused
            .header("www-authenticate")
            .unwrap()
            .ends_with("error=\"insufficient_scope\"")
    );
}

#[tokio::test]
async fn a_token_server_can_be_elsewhere_and_misbehave() {
    let tokens = TokenServer::start(None);
    let registry = FaultRegistry::options().token_from(&tokens.realm()).start();
    tokens
        .script()
        .on("GET", "/token")
        .nth(1)
        .responds(Reply::new(503));
    let status = async || {
        registry
            .client()
            .get("/v2/team/app/tags/list")
            .await
            .unwrap()
            .status
    };
    assert_eq!(
        (status().await, status().await),
        (401, 401),
        "no token, then a token of somebody else"
    );
    let asked = tokens.script().requests();
    assert_eq!(asked.len(), 2);
    assert!(
        asked[0]
            .query
            .contains("scope=repository%3Ateam%2Fapp%3Apull"),
        "{}",
        asked[0].query
    );
}

#[tokio::test]
async fn a_canary_remembers_every_word() {
    let canary = Canary::answering(Reply::new(401).header("www-authenticate", "Basic realm=\"x\""));
    let silent = Canary::start();
    let access = Access {
        url: canary.url(),
        ca_pem: None,
        login: Some(Login::valid()),
    };
    Client::new(access)
        .send("PUT", "/v2/a?b=query", &[], Bytes::from("the body"))
        .await
        .unwrap();
    assert!(
        canary.heard("query") && canary.heard("the body") && canary.heard(&Login::valid().basic())
    );
    assert!(!canary.heard("something else"));
    assert_eq!(
        (
            canary.connections(),
            canary.requests().len(),
            silent.connections()
        ),
        (1, 2, 0)
    );
}
