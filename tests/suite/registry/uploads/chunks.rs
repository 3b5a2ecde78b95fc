// SPDX-License-Identifier: Apache-2.0

//! Bodies that are too large for one request.

use transship::registry::Kind;

use super::blob;
use crate::registry::{client, client_with, exchanges, insecure, logged_in, repository, upload};
use crate::support::canary::Canary;
use crate::support::content::Blob;
use crate::support::faults::FaultRegistry;
use crate::support::http::Reply;
use crate::support::http::script::Action;

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
