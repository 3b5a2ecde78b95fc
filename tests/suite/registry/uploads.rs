// SPDX-License-Identifier: Apache-2.0

//! Uploads to a registry that forgets, misdirects or does not say what it did.

use std::time::Duration;

use bytes::Bytes;
use futures::stream;
use transship::oci::{Digest, Repository};
use transship::registry::{BodyError, Client, Kind, Session, Upload};

use super::{
    client, client_with, digest, exchanges, frames, insecure, kind, logged_in, repository, upload,
};
use crate::support::canary::Canary;
use crate::support::content::{Blob, ImageBuilder};
use crate::support::faults::FaultRegistry;
use crate::support::http::script::{Action, Gate};
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
async fn a_mount_falls_back_to_an_upload() {
    let from: Repository = "other/app".parse().unwrap();
    let refused = |status| Action::Respond(Reply::error(status, "DENIED", "no"));
    let no_place = |status| Action::Respond(Reply::new(status));
    let cases: [(&str, Option<Action>, &[u16]); 21] = [
        ("mounted", None, &[201]),
        ("200", Some(no_place(200)), &[200, 202]),
        ("202 without a location", Some(no_place(202)), &[202, 202]),
        (
            "202 at another host",
            Some(Action::Respond(
                Reply::new(202).header("location", "http://192.0.2.1/v2/x"),
            )),
            &[202, 202],
        ),
        ("204", Some(no_place(204)), &[204, 202]),
        ("304", Some(no_place(304)), &[304, 202]),
        ("429", Some(no_place(429)), &[429, 429, 429, 202]),
        ("502", Some(no_place(502)), &[502, 502, 502, 202]),
        ("503", Some(no_place(503)), &[503, 503, 503, 202]),
        ("504", Some(no_place(504)), &[504, 504, 504, 202]),
        ("not answered", Some(Action::Close), &[0, 202]),
        (
            "an upload instead",
            Some(Action::Respond(
                Reply::new(202).header("location", "/v2/team/app/blobs/uploads/session-9"),
            )),
            &[202],
        ),
        ("400", Some(refused(400)), &[400, 202]),
        ("401", Some(refused(401)), &[401, 202]),
        ("403", Some(refused(403)), &[403, 202]),
        ("404", Some(refused(404)), &[404, 202]),
        ("405", Some(refused(405)), &[405, 202]),
        ("409", Some(refused(409)), &[409, 202]),
        ("422", Some(refused(422)), &[422, 202]),
        ("500", Some(refused(500)), &[500, 202]),
        ("501", Some(refused(501)), &[501, 202]),
    ];
    for (name, fault, expected) in cases {
        let registry = FaultRegistry::start();
        let blob = blob();
        registry.load_blob("other/app", &blob);
        if let Some(fault) = fault {
            registry.on("POST", "mount=").does(fault);
        }
        let started = client(&registry)
            .start_upload(&repository(), &digest(&blob), Some(&from))
            .await;
        assert_eq!(
            matches!(started.unwrap(), Upload::Mounted),
            name == "mounted",
            "{name}"
        );
        let posts = registry
            .requests()
            .into_iter()
            .filter(|request| request.method == "POST");
        let statuses: Vec<u16> = posts.map(|request| request.status.unwrap_or(0)).collect();
        assert_eq!(statuses, expected, "{name}");
    }
}

#[tokio::test]
async fn a_mount_that_meets_trouble_of_the_host_is_asked_for_again() {
    let registry = FaultRegistry::start();
    let blob = blob();
    registry.load_blob("other/app", &blob);
    registry
        .on("POST", "mount=")
        .first(2)
        .responds(Reply::new(503));
    let from: Repository = "other/app".parse().unwrap();
    let started = client(&registry)
        .start_upload(&repository(), &digest(&blob), Some(&from))
        .await;
    assert!(matches!(started.unwrap(), Upload::Mounted));
}

#[tokio::test]
async fn a_registry_that_knows_no_mount_is_not_asked_for_one_again() {
    let registry = FaultRegistry::start();
    registry.on("POST", "mount=").responds(Reply::new(405));
    let client = client(&registry);
    let from: Repository = "other/app".parse().unwrap();
    for _ in 0..2 {
        client
            .start_upload(&repository(), &digest(&blob()), Some(&from))
            .await
            .unwrap();
    }
    let statuses: Vec<u16> = exchanges(&registry)
        .into_iter()
        .map(|(_, status)| status)
        .collect();
    assert_eq!(statuses, [405, 202, 202]);
}

#[tokio::test]
async fn mounts_that_are_refused_are_given_up_for_their_kind_only() {
    let registry = FaultRegistry::start();
    registry
        .on("POST", "from=team%2Fapp")
        .responds(Reply::new(404));
    let client = client(&registry);
    let blob = blob();
    registry.load_blob("other/app", &blob);
    let from: Repository = "other/app".parse().unwrap();
    for _ in 0..6 {
        client
            .start_upload(&repository(), &digest(&blob), Some(&repository()))
            .await
            .unwrap();
    }
    let refused = exchanges(&registry)
        .into_iter()
        .filter(|(_, status)| *status == 404)
        .count();
    assert_eq!(refused, 4, "from the repository itself");
    let mounted = client
        .start_upload(&repository(), &digest(&blob), Some(&from))
        .await
        .unwrap();
    assert!(matches!(mounted, Upload::Mounted), "from another one");
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
async fn a_put_that_closes_an_upload_is_repeated_without_the_blob() {
    let cases: [(&str, Action); 3] = [
        ("in trouble", Action::Respond(Reply::new(503))),
        ("not answered", Action::Close),
        ("closed, and not answered", Action::CommitThenClose),
    ];
    for (name, fault) in cases {
        let (registry, blob) = (FaultRegistry::start(), blob());
        registry
            .script()
            .when(is_whole_put)
            .responds(Reply::new(413));
        let client = client(&registry);
        let _ = upload(&client, &repository(), &Blob::layer(1, 1)).await;
        registry.script().clear_rules();
        registry.on("PUT", "/uploads/").nth(1).does(fault);
        upload(&client, &repository(), &blob)
            .await
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        let sent = exchanges(&registry)
            .into_iter()
            .filter(|(method, _)| method == "PATCH");
        assert_eq!(sent.count(), 1, "{name}");
        assert!(registry.has_blob("team/app", &blob.digest), "{name}");
    }
}

#[tokio::test]
async fn a_put_that_closes_an_upload_brings_a_new_token_without_the_blob() {
    let (registry, blob) = (FaultRegistry::options().token().start(), blob());
    registry
        .on("PUT", "/uploads/")
        .nth(1)
        .responds(Reply::new(413));
    let client = client_with(&registry, &logged_in(insecure()));
    upload(&client, &repository(), &blob).await.unwrap_err();
    registry
        .on("PUT", "/uploads/")
        .nth(1)
        .responds(Reply::new(401));
    let session = session(&client, &blob).await;
    // A token that is refused at once did not expire.
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    let size = blob.bytes.len() as u64;
    let body = stream::iter(frames(&blob));
    client
        .upload(&repository(), session, &digest(&blob), size, body)
        .await
        .unwrap();
    let sent: usize = registry
        .requests()
        .iter()
        .filter(|request| request.method == "PATCH")
        .map(|request| request.body_length)
        .sum();
    assert_eq!(sent, blob.bytes.len());
}

#[tokio::test]
async fn a_registry_that_is_silent_after_the_whole_blob_is_given_up_after_a_quarter_of_an_hour() {
    let (registry, blob) = (FaultRegistry::start(), blob());
    registry
        .on("PUT", "/uploads/")
        .does(Action::Hold(Gate::closed()));
    registry
        .on("HEAD", "/blobs/")
        .does(Action::Hold(Gate::closed()));
    let client = client(&registry);
    let session = session(&client, &blob).await;
    tokio::time::pause();
    let start = tokio::time::Instant::now();
    let size = blob.bytes.len() as u64;
    let body = stream::iter(frames(&blob));
    let error = client
        .upload(&repository(), session, &digest(&blob), size, body)
        .await
        .unwrap_err();
    let waited = start.elapsed().as_secs();
    assert!((900..=930).contains(&waited), "{waited} s");
    assert_eq!(
        (error.kind(), error.is_transient()),
        (Kind::Unreachable, false)
    );
    assert!(error.to_string().contains("within 15 minutes"), "{error}");
}

#[tokio::test]
async fn a_blob_that_is_filed_under_another_digest_only_is_an_error() {
    let image = ImageBuilder::new(3).sha512_layer(5_000).build();
    let is_sha512 = |blob: &&Blob| blob.digest.starts_with("sha512:");
    let blob = image.blobs.iter().find(is_sha512).unwrap();
    for is_kept in [true, false] {
        let registry = FaultRegistry::start();
        let renamed = Action::SetHeader("docker-content-digest", Digest::sha256(b"x").to_string());
        registry.on("PUT", "/uploads/").does(renamed);
        if !is_kept {
            registry.on("PUT", "/uploads/").does(Action::Swallow);
        }
        let uploaded = upload(&client(&registry), &repository(), blob).await;
        match uploaded {
            Ok(()) => assert!(is_kept),
            Err(error) => {
                assert!(!is_kept && !error.is_transient(), "{error}");
                assert!(error.to_string().contains("it knows no sha512"), "{error}");
            }
        }
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

/// What a registry takes of a request that writes, by its length.
fn refuses_more_than(registry: &FaultRegistry, most: u64, reply: &Reply) {
    registry
        .script()
        .when(move |request| {
            let length = request.headers.value("content-length");
            matches!(request.method.as_str(), "PUT" | "PATCH")
                && length.is_some_and(|length| length.parse::<u64>().unwrap() > most)
        })
        .responds(reply.clone());
}

/// The ranges and lengths of the chunks that were taken.
fn chunks(registry: &FaultRegistry) -> Vec<(String, usize)> {
    let taken = registry
        .requests()
        .into_iter()
        .filter(|request| request.method == "PATCH" && request.status == Some(202));
    taken
        .map(|request| {
            let range = request.headers.value("content-range").unwrap_or_default();
            (range.to_owned(), request.body_length)
        })
        .collect()
}

/// What is said, by which headers, and the chunks that are sent.
type Bounds<'a> = (
    &'a str,
    &'a [(&'static str, &'a str)],
    &'a [(&'a str, usize)],
);

#[tokio::test]
async fn a_registry_that_says_how_large_chunks_may_be_gets_such_chunks() {
    let bounds: [Bounds<'_>; 5] = [
        (
            "at most",
            &[("oci-chunk-max-length", "90000")],
            &[
                ("0-89999", 90_000),
                ("90000-179999", 90_000),
                ("180000-201765", 21_766),
            ],
        ),
        (
            "at least and at most",
            &[
                ("OCI-Chunk-Min-Length", "150000"),
                ("OCI-Chunk-Max-Length", "190000"),
            ],
            &[("0-189999", 190_000), ("190000-201765", 11_766)],
        ),
        ("enough", &[("oci-chunk-max-length", "201766")], &[]),
        ("at least", &[("oci-chunk-min-length", "100")], &[]),
        ("nonsense", &[("oci-chunk-max-length", "many")], &[]),
    ];
    for (name, headers, expected) in bounds {
        let (registry, blob) = (FaultRegistry::start(), blob());
        for (header, value) in headers {
            let value = Action::SetHeader(header, (*value).to_owned());
            registry.on("POST", "/uploads/").does(value);
        }
        upload(&client(&registry), &repository(), &blob)
            .await
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(registry.has_blob("team/app", &blob.digest), "{name}");
        let found = chunks(&registry);
        let found: Vec<_> = found
            .iter()
            .map(|(range, length)| (range.as_str(), *length))
            .collect();
        assert_eq!(found, expected, "{name}");
        let puts = exchanges(&registry).into_iter();
        assert_eq!(puts.filter(|(method, _)| method == "PUT").count(), 1);
    }
}

#[tokio::test]
async fn a_body_that_is_too_large_is_sent_in_chunks_that_are_not() {
    let plain = Reply::new(413);
    let said = Reply::new(413).header("oci-chunk-max-length", "60000");
    // What is taken at once, what is said, and how many chunks are taken.
    for (most, reply, expected) in [
        (60_000, &plain, 5),
        (60_000, &said, 4),
        (2_000, &plain, 129),
    ] {
        let (registry, blob) = (FaultRegistry::start(), blob());
        refuses_more_than(&registry, most, reply);
        let client = client(&registry);
        let error = upload(&client, &repository(), &blob).await.unwrap_err();
        assert!(error.is_transient(), "{error}");
        upload(&client, &repository(), &blob).await.unwrap();
        assert!(registry.has_blob("team/app", &blob.digest));
        let taken = chunks(&registry);
        assert_eq!(taken.len(), expected, "{most}");
        let bytes: usize = taken.iter().map(|(_, length)| length).sum();
        assert_eq!(bytes, blob.bytes.len(), "what was taken is sent once");
        // The size that was taken is the first one from then on.
        registry.script().clear_requests();
        upload(&client, &repository(), &Blob::layer(6, 150_000))
            .await
            .unwrap();
        let refused = exchanges(&registry).into_iter();
        assert_eq!(refused.filter(|(_, status)| *status == 413).count(), 0);
    }
}

#[tokio::test]
async fn a_registry_that_takes_no_body_at_all_is_left() {
    let registry = FaultRegistry::start();
    refuses_more_than(&registry, 0, &Reply::new(413));
    let client = client(&registry);
    upload(&client, &repository(), &blob()).await.unwrap_err();
    let error = upload(&client, &repository(), &blob()).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.is_transient()),
        (Kind::Rejected, false)
    );
    assert!(
        error.to_string().contains("larger than the registry"),
        "{error}"
    );
    assert!(registry.requests().len() < 20);
}

/// A registry that is sent chunks, of which some are taken in part or not answered.
#[tokio::test]
async fn what_a_registry_took_of_a_chunk_is_not_sent_again() {
    let part = |range: &str| {
        Action::Respond(
            Reply::new(202)
                .header("location", "/v2/team/app/blobs/uploads/session-1")
                .header("range", range),
        )
    };
    // What happens to the second chunk, and the ranges that are sent.
    let cases: [(&str, Action, &[&str]); 5] = [
        (
            "taken",
            Action::SetHeader("x-odd", String::new()),
            &["0-79999", "80000-159999", "160000-201765"],
        ),
        (
            "nothing of it was taken",
            part("0-79999"),
            &["0-79999", "80000-159999", "80000-159999", "160000-201765"],
        ),
        (
            "not answered, and taken",
            Action::CommitThenClose,
            &["0-79999", "80000-159999", "160000-201765"],
        ),
        (
            "not answered, and not taken",
            Action::Close,
            &["0-79999", "80000-159999", "80000-159999", "160000-201765"],
        ),
        (
            "in trouble, and taken",
            Action::CommitThen(Reply::new(502)),
            &["0-79999", "80000-159999", "160000-201765"],
        ),
    ];
    for (name, fault, expected) in cases {
        let (registry, blob) = (FaultRegistry::start(), blob());
        let most = Action::SetHeader("oci-chunk-max-length", "80000".to_owned());
        registry.on("POST", "/uploads/").does(most);
        registry.on("PATCH", "/uploads/").nth(2).does(fault);
        upload(&client(&registry), &repository(), &blob)
            .await
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(registry.has_blob("team/app", &blob.digest), "{name}");
        let ranges: Vec<String> = registry
            .requests()
            .iter()
            .filter_map(|request| request.headers.value("content-range").map(str::to_owned))
            .collect();
        assert_eq!(ranges, expected, "{name}");
    }
}

#[tokio::test]
async fn a_registry_that_never_takes_anything_is_left() {
    let registry = FaultRegistry::start();
    let most = Action::SetHeader("oci-chunk-max-length", "80000".to_owned());
    registry.on("POST", "/uploads/").does(most);
    registry
        .on("PATCH", "/uploads/")
        .nth(1)
        .does(Action::SetHeader("x-odd", String::new()));
    registry
        .script()
        .when(|request| {
            let range = request.headers.value("content-range");
            range.is_some_and(|range| range.starts_with("80000-"))
        })
        .responds(Reply::new(202).header("range", "0-79999"));
    let error = upload(&client(&registry), &repository(), &blob())
        .await
        .unwrap_err();
    assert_eq!(error.kind(), Kind::Protocol);
    assert!(registry.requests().len() < 25);
}

/// What is sent in one PATCH exists once: where less of it is taken, the next try goes on from there.
#[tokio::test]
async fn a_patch_of_which_less_is_taken_is_followed_by_chunks() {
    let (registry, blob) = (FaultRegistry::start(), blob());
    registry
        .on("PUT", "/uploads/")
        .nth(1)
        .responds(Reply::new(405));
    let client = client(&registry);
    let _ = upload(&client, &repository(), &Blob::layer(1, 1)).await;
    let less = Action::SetHeader("range", "0-99999".to_owned());
    registry.on("PATCH", "/uploads/").nth(1).does(less);
    let error = upload(&client, &repository(), &blob).await.unwrap_err();
    assert!(error.is_transient(), "{error}");
    upload(&client, &repository(), &blob).await.unwrap();
    assert!(registry.has_blob("team/app", &blob.digest));
}

/// A body that exists once is not sent again on a redirect; the next try sends one that can be.
#[tokio::test]
async fn an_upload_that_is_moved_on_its_host_is_sent_there() {
    let elsewhere = Canary::start();
    for (status, to, expected) in [
        (307, "?moved=1".to_owned(), Ok(())),
        (308, "?moved=1".to_owned(), Ok(())),
        (302, "?moved=1".to_owned(), Err((Kind::Refused, false))),
        (307, elsewhere.url(), Err((Kind::Refused, false))),
    ] {
        let (registry, blob) = (FaultRegistry::start(), blob());
        let moved = Reply::new(status).header("location", &to);
        registry
            .script()
            .when(|request| {
                matches!(request.method.as_str(), "PUT" | "PATCH")
                    && request.headers.value("content-length") != Some("0")
                    && !request.query.contains("moved=1")
            })
            .responds(moved);
        let client = client_with(&registry, &logged_in(insecure()));
        let first = upload(&client, &repository(), &blob).await.unwrap_err();
        assert_eq!(
            first.is_transient(),
            expected.is_ok(),
            "{status} {to}: {first}"
        );
        let uploaded = upload(&client, &repository(), &blob).await;
        let uploaded = uploaded.map_err(|error| (error.kind(), error.is_transient()));
        assert_eq!(uploaded, expected, "{status} {to}");
        let is_there = registry.has_blob("team/app", &blob.digest);
        assert_eq!(is_there, expected.is_ok(), "{status} {to}");
    }
    assert_eq!(elsewhere.connections(), 0);
}
