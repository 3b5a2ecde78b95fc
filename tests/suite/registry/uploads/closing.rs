// SPDX-License-Identifier: Apache-2.0

//! The last request of an upload, and what it is worth.

use std::time::Duration;

use futures::stream;
use transship::oci::Digest;
use transship::registry::Kind;

use super::{blob, is_whole_put, session};
use crate::registry::{
    client, client_with, digest, exchanges, frames, insecure, logged_in, repository, upload,
};
use crate::support::content::{Blob, ImageBuilder};
use crate::support::faults::FaultRegistry;
use crate::support::http::Reply;
use crate::support::http::script::{Action, Gate};

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
