// SPDX-License-Identifier: Apache-2.0

//! Uploads to a registry that forgets, misdirects or does not say what it did.

mod chunks;
mod closing;
mod mounts;

use bytes::Bytes;
use futures::stream;
use transship::registry::{BodyError, Client, Kind, Session, Upload};

use super::{client, digest, exchanges, frames, kind, repository, upload};
use crate::support::canary::Canary;
use crate::support::content::Blob;
use crate::support::faults::FaultRegistry;
use crate::support::http::script::Action;
use crate::support::http::{Reply, Request};

/// What comes of an upload: nothing to say, or an error and whether it may pass.
type Outcome = Result<(), (Kind, bool)>;

/// Makes a location of the registry's host and the path of the session.
type Location = fn(&str, &str) -> String;

fn blob() -> Blob {
    Blob::layer(5, 200_000)
}

#[tokio::test]
async fn what_comes_of_an_upload_is_what_the_registry_has() {
    let gone = Reply::error(404, "BLOB_UPLOAD_UNKNOWN", "gone");
    let cases: [(&str, Action, Outcome); 10] = [
        ("stored", Action::SetHeader("x-odd", "1".to_owned()), Ok(())),
        (
            "stored, but answered 500",
            Action::CommitThen(Reply::new(500)),
            Ok(()),
        ),
        ("stored, but not answered", Action::CommitThenClose, Ok(())),
        (
            "500 and not stored",
            Action::Respond(Reply::new(500)),
            Err((Kind::Unreachable, true)),
        ),
        (
            "not answered and not stored",
            Action::Close,
            Err((Kind::Interrupted, true)),
        ),
        (
            "cut",
            Action::CutUpload(70_000),
            Err((Kind::Interrupted, true)),
        ),
        (
            "the session is gone",
            Action::Respond(gone),
            Err((Kind::Interrupted, true)),
        ),
        (
            "the digest is wrong",
            Action::Respond(Reply::error(400, "DIGEST_INVALID", "no")),
            Err((Kind::Rejected, false)),
        ),
        (
            "no room",
            Action::Respond(Reply::new(507)),
            Err((Kind::QuotaExceeded, false)),
        ),
        (
            "another digest in the answer",
            Action::SetHeader(
                "docker-content-digest",
                digest(&Blob::layer(1, 1)).to_string(),
            ),
            Err((Kind::DigestMismatch, false)),
        ),
    ];
    for (name, fault, expected) in cases {
        let registry = FaultRegistry::start();
        registry.on("PUT", "/blobs/uploads/").does(fault);
        let uploaded = upload(&client(&registry), &repository(), &blob()).await;
        let uploaded = uploaded.map_err(|error| (error.kind(), error.is_transient()));
        assert_eq!(uploaded, expected, "{name}");
        let tries = registry
            .requests()
            .iter()
            .filter(|request| request.method == "PUT")
            .count();
        assert_eq!(tries, 1, "{name}: the body exists once");
    }
}

#[tokio::test]
async fn the_location_of_an_upload_must_stay_at_the_registry() {
    let elsewhere = Canary::start();
    let session = "/v2/team/app/blobs/uploads/session-1";
    let good: [(&str, Location); 4] = [
        ("a path", |_, session| session.to_owned()),
        ("relative", |_, _| "session-1".to_owned()),
        ("absolute", |host, session| {
            format!("http://{host}{session}")
        }),
        ("with a query", |_, session| {
            format!("{session}?_state=a%2Fb%3D%3D&x")
        }),
    ];
    for (name, location) in good {
        let registry = FaultRegistry::start();
        let location = location(&registry.host(), session);
        let has_query = location.contains('?');
        registry
            .on("POST", "/uploads/")
            .does(Action::SetHeader("location", location));
        let blob = blob();
        upload(&client(&registry), &repository(), &blob)
            .await
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        let digest = blob.digest.replace(':', "%3A");
        let query = if has_query {
            "_state=a%2Fb%3D%3D&x&"
        } else {
            ""
        };
        assert_eq!(
            registry.requests()[1].query,
            format!("{query}digest={digest}"),
            "{name}"
        );
    }
    let bad: [(&str, String); 8] = [
        ("another host", "http://example.invalid/u".to_owned()),
        ("another port", format!("{}/u", elsewhere.url())),
        (
            "another port, no scheme",
            format!("//{}/u", elsewhere.host()),
        ),
        ("the port got lost", "http://127.0.0.1/u".to_owned()),
        ("metadata", "http://169.254.169.254/u".to_owned()),
        ("https", "https://127.0.0.1/u".to_owned()),
        ("a user", format!("http://me@{}/u", elsewhere.host())),
        ("a file", "file:///etc/passwd".to_owned()),
    ];
    for (name, location) in bad {
        let registry = FaultRegistry::start();
        registry
            .on("POST", "/uploads/")
            .does(Action::SetHeader("location", location));
        assert_eq!(
            kind(upload(&client(&registry), &repository(), &blob()).await),
            Err(Kind::Refused),
            "{name}"
        );
        assert_eq!(registry.requests().len(), 1, "{name}");
    }
    for fault in [
        Action::RemoveHeader("location"),
        Action::SetHeader("location", String::new()),
    ] {
        let registry = FaultRegistry::start();
        registry.on("POST", "/uploads/").does(fault);
        assert_eq!(
            kind(upload(&client(&registry), &repository(), &blob()).await),
            Err(Kind::Protocol)
        );
    }
    assert_eq!(elsewhere.connections(), 0);
}

#[tokio::test]
async fn a_registry_that_takes_no_single_put_is_sent_a_patch_the_next_time() {
    let registry = FaultRegistry::start();
    let blob = blob();
    registry
        .script()
        .when(|request| {
            request.method == "PUT" && request.headers.value("content-length") != Some("0")
        })
        .responds(Reply::new(413));
    let client = client(&registry);
    let error = upload(&client, &repository(), &blob).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.is_transient()),
        (Kind::Rejected, true),
        "{error}"
    );
    upload(&client, &repository(), &blob).await.unwrap();
    assert!(registry.has_blob("team/app", &blob.digest));
    let methods: Vec<_> = exchanges(&registry)
        .into_iter()
        .map(|(method, _)| method)
        .collect();
    assert_eq!(methods, ["POST", "PUT", "DELETE", "POST", "PATCH", "PUT"]);
}

/// An upload that waits for the bytes.
async fn session(client: &Client, blob: &Blob) -> Session {
    match client
        .start_upload(&repository(), &digest(blob), None)
        .await
    {
        Ok(Upload::Session(session)) => session,
        Ok(Upload::Mounted) => panic!("nothing to mount"),
        Err(error) => panic!("{error}"),
    }
}

fn is_whole_put(request: &Request) -> bool {
    request.method == "PUT" && request.headers.value("content-length") != Some("0")
}

#[tokio::test]
async fn a_registry_that_breaks_at_a_put_with_a_body_is_sent_a_patch_from_then_on() {
    for refusal in [
        Reply::new(500),
        Reply::new(501),
        Reply::error(400, "UNSUPPORTED", "no"),
    ] {
        let (registry, blob) = (FaultRegistry::start(), blob());
        registry.script().when(is_whole_put).responds(refusal);
        let client = client(&registry);
        let error = upload(&client, &repository(), &blob).await.unwrap_err();
        assert!(error.is_transient(), "{error}");
        for seed in [5, 6] {
            let blob = Blob::layer(seed, 1_000);
            upload(&client, &repository(), &blob).await.unwrap();
        }
        let sent = exchanges(&registry)
            .into_iter()
            .filter(|(method, _)| method == "PATCH");
        assert_eq!(sent.count(), 2);
    }
}

#[tokio::test]
async fn one_failure_does_not_change_how_a_registry_is_sent_blobs_that_took_one_before() {
    let registry = FaultRegistry::start();
    let client = client(&registry);
    upload(&client, &repository(), &Blob::layer(5, 10))
        .await
        .unwrap();
    registry
        .on("PUT", "/uploads/")
        .nth(1)
        .responds(Reply::new(500));
    for seed in [6, 6, 7] {
        let _ = upload(&client, &repository(), &Blob::layer(seed, 10)).await;
    }
    let methods = exchanges(&registry).into_iter().map(|(method, _)| method);
    assert!(methods.into_iter().all(|method| method != "PATCH"));
    assert!(registry.has_blob("team/app", &Blob::layer(7, 10).digest));
}

#[tokio::test]
async fn any_answer_of_success_is_taken_for_one() {
    let moved = "/v2/team/app/blobs/uploads/session-2";
    let answers: [(&'static str, Reply); 7] = [
        ("PATCH", Reply::new(200)),
        ("PATCH", Reply::new(201)),
        ("PATCH", Reply::new(202)),
        ("PATCH", Reply::new(204)),
        ("PATCH", Reply::new(204).header("location", moved)),
        ("PUT", Reply::new(202)),
        ("PUT", Reply::new(204)),
    ];
    for (method, answer) in answers {
        let (registry, blob) = (FaultRegistry::start(), blob());
        registry
            .script()
            .when(is_whole_put)
            .responds(Reply::new(413));
        let client = client(&registry);
        let _ = upload(&client, &repository(), &Blob::layer(1, 1)).await;
        registry.script().clear_rules();
        let status = answer.status;
        registry
            .on(method, "/uploads/")
            .does(Action::CommitThen(answer));
        upload(&client, &repository(), &blob)
            .await
            .unwrap_or_else(|error| panic!("{method} {status}: {error}"));
        assert!(
            registry.has_blob("team/app", &blob.digest),
            "{method} {status}"
        );
    }
}

#[tokio::test]
async fn a_body_that_fails_or_has_another_length_commits_nothing() {
    let blob = blob();
    let size = blob.bytes.len() as u64;
    let failed = || Err(BodyError("the digest is wrong".to_owned()));
    let cases: [(&str, Vec<_>, &str); 3] = [
        (
            "failed",
            frames(&blob)
                .into_iter()
                .take(3)
                .chain([failed()])
                .collect(),
            "the digest is wrong",
        ),
        (
            "too short",
            frames(&blob).into_iter().take(3).collect(),
            "bytes early",
        ),
        (
            "too long",
            [Ok(Bytes::from_static(b"x"))]
                .into_iter()
                .chain(frames(&blob))
                .collect(),
            "more bytes",
        ),
    ];
    for (name, body, reason) in cases {
        let registry = FaultRegistry::start();
        let client = client(&registry);
        let started = client
            .start_upload(&repository(), &digest(&blob), None)
            .await
            .unwrap();
        let Upload::Session(session) = started else {
            panic!("{name}: nothing to mount");
        };
        let sent = client
            .upload(
                &repository(),
                session,
                &digest(&blob),
                size,
                stream::iter(body),
            )
            .await;
        let error = sent.unwrap_err();
        assert_eq!(error.kind(), Kind::Interrupted, "{name}");
        assert!(error.to_string().contains(reason), "{name}: {error}");
        assert!(!registry.has_blob("team/app", &blob.digest), "{name}");
        registry.quiet().await;
        assert_eq!(registry.open_uploads(), 0, "{name}");
    }
}

/// An upload that fails so, whether the registry is told, and how many uploads stay open there.
type GivenUp = (&'static str, fn(&FaultRegistry), bool, usize);

#[tokio::test]
async fn an_upload_that_failed_is_given_up_at_the_registry() {
    fn refuse(registry: &FaultRegistry, method: &'static str, status: u16) {
        let no = Reply::error(status, "DENIED", "no");
        registry.on(method, "/uploads/").responds(no);
    }
    let cases: [GivenUp; 9] = [
        ("400", |registry| refuse(registry, "PUT", 400), true, 0),
        ("403", |registry| refuse(registry, "PUT", 403), true, 0),
        ("413", |registry| refuse(registry, "PUT", 413), true, 0),
        ("507", |registry| refuse(registry, "PUT", 507), true, 0),
        ("trouble", |registry| refuse(registry, "PUT", 500), false, 1),
        (
            "forgotten",
            |registry| refuse(registry, "PUT", 404),
            false,
            1,
        ),
        (
            "no answer",
            |registry| registry.on("PUT", "/uploads/").does(Action::Close),
            false,
            1,
        ),
        (
            "400, and the end is refused",
            |registry| {
                refuse(registry, "PUT", 400);
                refuse(registry, "DELETE", 401);
            },
            true,
            1,
        ),
        (
            "400, and the end is not answered",
            |registry| {
                refuse(registry, "PUT", 400);
                registry.on("DELETE", "/uploads/").does(Action::Close);
            },
            true,
            1,
        ),
    ];
    for (name, fault, is_told, open) in cases {
        let registry = FaultRegistry::start();
        fault(&registry);
        let uploaded = upload(&client(&registry), &repository(), &blob()).await;
        assert!(uploaded.is_err(), "{name}");
        registry.quiet().await;
        assert_eq!(registry.open_uploads(), open, "{name}");
        let told = exchanges(&registry)
            .into_iter()
            .filter(|(method, _)| method == "DELETE");
        assert_eq!(told.count(), usize::from(is_told), "{name}");
    }
}

#[tokio::test]
async fn an_answer_before_the_end_of_the_body_is_heard() {
    let registry = FaultRegistry::start();
    let early = Reply::error(403, "DENIED", "no");
    registry
        .on("PUT", "/uploads/")
        .does(Action::RespondEarly(early));
    let uploaded = upload(&client(&registry), &repository(), &Blob::layer(6, 8 << 20)).await;
    assert_eq!(kind(uploaded), Err(Kind::AccessDenied));
}
