// SPDX-License-Identifier: Apache-2.0

//! Reading blobs from a registry that cuts, ignores, lies or compresses.

use bytes::{Bytes, BytesMut};
use futures::StreamExt;
use transship::oci::{Descriptor, Digest};
use transship::registry::{Class, Kind};

use super::{client, content, descriptor, digest, exchanges, kind, loaded, read, repository};
use crate::support::content::Blob;
use crate::support::faults::FaultRegistry;
use crate::support::http::Reply;
use crate::support::http::script::Action;

#[tokio::test]
async fn a_body_cut_anywhere_is_resumed_where_it_broke() {
    let (registry, image) = loaded();
    let client = client(&registry);
    let (layer, blob) = (&image.blobs[1], descriptor(&image.blobs[1]));
    for tenth in 0..10 {
        let cut = layer.bytes.len() * tenth / 10;
        registry.script().clear_rules();
        registry
            .on("GET", "/blobs/")
            .nth(1)
            .does(Action::CutBody(cut));
        let mut got = BytesMut::new();
        let mut body = client.fetch_blob(&repository(), &blob, 0).await.unwrap();
        let error = loop {
            match body.next().await.unwrap() {
                Ok(frame) => got.extend_from_slice(&frame),
                Err(error) => break error,
            }
        };
        assert_eq!(
            (error.kind(), error.is_transient()),
            (Kind::Interrupted, true)
        );
        assert_eq!(got.len(), cut);
        got.extend(read(&client, &blob, cut as u64).await.unwrap());
        assert!(got == layer.bytes, "cut at {cut}");
    }
}

#[tokio::test]
async fn a_part_is_never_taken_for_another() {
    const OFFSET: u64 = 70_000;
    let cases: [(&str, Action, Result<(), Kind>); 6] = [
        (
            "whole blob instead of the part",
            Action::IgnoreRange,
            Ok(()),
        ),
        (
            "another part",
            Action::SetHeader("content-range", "bytes 0-9/10".to_owned()),
            Err(Kind::Protocol),
        ),
        (
            "a part without a name",
            Action::RemoveHeader("content-range"),
            Err(Kind::Protocol),
        ),
        (
            "no such part",
            Action::Respond(Reply::new(416)),
            Err(Kind::Protocol),
        ),
        (
            "another length",
            Action::SetHeader("content-length", "9".to_owned()),
            Err(Kind::DigestMismatch),
        ),
        (
            "a page of the proxy",
            Action::Respond(Reply::new(200).body("<html>")),
            Err(Kind::DigestMismatch),
        ),
    ];
    for (name, fault, expected) in cases {
        let (registry, image) = loaded();
        let client = client(&registry);
        let (layer, blob) = (&image.blobs[1], descriptor(&image.blobs[1]));
        registry.on("GET", "/blobs/").nth(1).does(fault);
        let rest = layer.bytes.slice(70_000..);
        let first = read(&client, &blob, OFFSET).await;
        assert_eq!(
            content(first),
            expected.map(|()| Digest::sha256(&rest)),
            "{name}"
        );
        let again = read(&client, &blob, OFFSET).await;
        assert_eq!(
            content(again),
            Ok(Digest::sha256(&rest)),
            "{name}, the next time"
        );
    }
}

#[tokio::test]
async fn a_registry_that_gave_the_wrong_part_is_not_asked_for_parts_again() {
    let (registry, image) = loaded();
    let (client, blob) = (client(&registry), descriptor(&image.blobs[1]));
    let wrong = Action::SetHeader("content-range", "bytes 0-9/10".to_owned());
    registry.on("GET", "/blobs/").nth(1).does(wrong);
    let error = read(&client, &blob, 5).await.unwrap_err();
    assert!(error.is_transient(), "{error}");
    read(&client, &blob, 5).await.unwrap();
    let asked: Vec<bool> = registry
        .requests()
        .iter()
        .map(|request| request.headers.value("range").is_some())
        .collect();
    assert_eq!(asked, [true, false]);
}

#[tokio::test]
async fn a_blob_of_another_length_is_refused_before_its_first_byte() {
    let (registry, image) = loaded();
    let client = client(&registry);
    let blob = descriptor(&image.blobs[1]);
    for size in [blob.size - 1, blob.size + 1] {
        let blob = Descriptor {
            size,
            ..blob.clone()
        };
        let body = client.fetch_blob(&repository(), &blob, 0).await;
        assert_eq!(
            kind(body.map(|_| ())),
            Err(Kind::DigestMismatch),
            "{size} bytes"
        );
    }
    // Without an announced length only counting helps.
    registry.on("GET", "/blobs/").does(Action::Endless);
    let endless = read(&client, &blob, 0).await;
    assert_eq!(kind(endless), Err(Kind::DigestMismatch));
}

#[tokio::test]
async fn a_compressed_answer_is_refused() {
    let (registry, image) = loaded();
    let encoding = Action::AddHeader("content-encoding", "gzip".to_owned());
    registry.on("GET", "/").does(encoding);
    let client = client(&registry);
    let blob = read(&client, &descriptor(&image.blobs[1]), 0).await;
    assert_eq!(kind(blob), Err(Kind::Protocol));
    let manifest = client.fetch_manifest(&repository(), &super::tag()).await;
    assert_eq!(kind(manifest), Err(Kind::Protocol));
    let tags = client.list_tags(&repository()).await;
    assert_eq!(kind(tags), Err(Kind::Protocol));
}

#[tokio::test]
async fn a_missing_blob_and_a_blob_without_bytes() {
    let (registry, image) = loaded();
    let client = client(&registry);
    let missing = Descriptor::of("x/y".into(), b"nowhere");
    assert_eq!(kind(read(&client, &missing, 0).await), Err(Kind::NotFound));
    assert!(
        !client
            .has_blob(&repository(), &missing.digest)
            .await
            .unwrap()
    );
    let blob = descriptor(&image.blobs[1]);
    assert!(client.has_blob(&repository(), &blob.digest).await.unwrap());
    registry.script().clear_requests();
    let nothing = [
        (
            "nothing",
            Descriptor::of("x/y".into(), b""),
            0,
            Bytes::new(),
        ),
        ("the end of a blob", blob.clone(), blob.size, Bytes::new()),
    ];
    for (name, blob, offset, expected) in nothing {
        assert_eq!(
            kind(read(&client, &blob, offset).await),
            Ok(expected),
            "{name}"
        );
    }
    assert_eq!(exchanges(&registry), [], "known without a request");
}

#[tokio::test]
async fn an_answer_that_breaks_before_its_head_is_asked_for_again() {
    let (registry, image) = loaded();
    registry.on("GET", "/blobs/").first(2).does(Action::Close);
    let (client, layer) = (client(&registry), &image.blobs[1]);
    let got = read(&client, &descriptor(layer), 0).await.unwrap();
    assert!(got == layer.bytes);
    assert_eq!(client.traffic().requests(Class::BlobRead), 3);
}

#[tokio::test]
async fn whether_a_blob_is_there_is_asked_otherwise_where_head_fails() {
    for status in [400, 403, 405, 500] {
        let (registry, image) = loaded();
        registry.on("HEAD", "/blobs/").responds(Reply::new(status));
        let client = client(&registry);
        let blob = digest(&image.blobs[0]);
        let found = client.has_blob(&repository(), &blob).await;
        assert_eq!(kind(found), Ok(true), "{status}");
        let found = client.has_blob(&repository(), &Digest::sha256(b"x")).await;
        assert_eq!(kind(found), Ok(false), "{status}");
        let read: usize = registry
            .requests()
            .iter()
            .map(|request| request.body_sent)
            .sum();
        assert!(read < 1_000, "{status}: {read} bytes for nothing");
        registry
            .on("GET", "/blobs/")
            .responds(Reply::error(403, "DENIED", "no"));
        let error = client.has_blob(&repository(), &blob).await.unwrap_err();
        assert_eq!(error.code(), Some("DENIED"), "{status}");
    }
}

/// A registry, what it does to a proof, whether the blob is proven, and what it was asked for two proofs.
type Proof = (
    &'static str,
    fn(&FaultRegistry, &str),
    bool,
    &'static [(&'static str, u16)],
);

#[tokio::test]
async fn a_proof_costs_some_kilobytes_at_most() {
    let cases: [Proof; 7] = [
        (
            "the last byte",
            |_, _| {},
            true,
            &[("GET", 206), ("GET", 206)],
        ),
        (
            "all of it",
            |registry, _| registry.on("GET", "/blobs/").does(Action::IgnoreRange),
            true,
            &[("GET", 200), ("HEAD", 200)],
        ),
        (
            "no part",
            |registry, _| registry.on("GET", "/blobs/").responds(Reply::new(416)),
            true,
            &[("GET", 416), ("HEAD", 200), ("HEAD", 200)],
        ),
        (
            "another part",
            |registry, _| {
                registry
                    .on("GET", "/blobs/")
                    .does(Action::SetHeader("content-range", "bytes 0-0/1".to_owned()));
            },
            true,
            &[("GET", 206), ("HEAD", 200), ("HEAD", 200)],
        ),
        (
            "a page of the proxy",
            |registry, _| {
                registry
                    .on("GET", "/blobs/")
                    .responds(Reply::new(200).body("<html>"));
            },
            false,
            &[("GET", 200), ("HEAD", 200)],
        ),
        (
            "nothing, whatever it says",
            |registry, _| {
                registry
                    .on("GET", "/blobs/")
                    .responds(Reply::error(404, "BLOB_UNKNOWN", "gone"));
            },
            false,
            &[("GET", 404), ("GET", 404)],
        ),
        (
            "it is not there",
            |registry, digest| registry.lose_blob("team/app", digest),
            false,
            &[("GET", 404), ("GET", 404)],
        ),
    ];
    for (name, fault, is_proven, expected) in cases {
        let registry = FaultRegistry::start();
        let layer = Blob::layer(8, 8 << 20);
        registry.load_blob("team/app", &layer);
        fault(&registry, &layer.digest);
        let (client, blob) = (client(&registry), descriptor(&layer));
        let proven = client.proves_blob(&repository(), &blob).await;
        assert_eq!(kind(proven), Ok(is_proven), "{name}");
        let _ = client.proves_blob(&repository(), &blob).await;
        let asked = exchanges(&registry);
        let asked: Vec<(&str, u16)> = asked
            .iter()
            .map(|(method, status)| (method.as_str(), *status))
            .collect();
        assert_eq!(asked, expected, "{name}");
        let read = client.traffic().bytes_read;
        assert!(read < 64 * 1024, "{name}: {read} bytes");
    }
}
