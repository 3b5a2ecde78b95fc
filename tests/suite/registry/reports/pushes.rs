// SPDX-License-Identifier: Apache-2.0

//! Uploads and manifests, as reports show them.

use futures::future::join_all;
use futures::stream;
use transship::oci::{Manifest, TagOrDigest};
use transship::registry::{Client, Error, Kind, Side, Upload};

use crate::registry::{
    client, client_with, digest, frames, insecure, kind, loaded, logged_in, repository, tag, upload,
};
use crate::support::content::{Blob, Image};
use crate::support::faults::FaultRegistry;
use crate::support::http::Reply;
use crate::support::http::script::Action;

/// Announces and sends a blob in chunks of 80,000 bytes.
async fn in_chunks(registry: &FaultRegistry, blob: &Blob) -> Result<(), Error> {
    let most = Action::SetHeader("oci-chunk-max-length", "80000".to_owned());
    registry.on("POST", "/uploads/").does(most);
    upload(&client(registry), &repository(), blob).await
}

/// ECR's range stands still behind the first chunk, and nobody can ask how much is there
/// (aws/containers-roadmap#2831, dotnet/sdk#33019); zot's named the length of the last chunk (regclient#961).
#[tokio::test]
async fn a_range_that_stands_still_does_not_send_a_chunk_again() {
    for (report, asks) in [
        ("aws/containers-roadmap#2831", Some(Reply::new(404))),
        (
            "goharbor/harbor#21684",
            Some(Reply::error(404, "BLOB_UPLOAD_INVALID", "no")),
        ),
        ("regclient/regclient#961", None),
    ] {
        let (registry, blob) = (FaultRegistry::start(), Blob::layer(5, 300_000));
        registry
            .on("PATCH", "/uploads/")
            .does(Action::SetHeader("range", "0-79999".to_owned()));
        if let Some(reply) = asks {
            registry.on("GET", "/uploads/").responds(reply);
        }
        in_chunks(&registry, &blob)
            .await
            .unwrap_or_else(|error| panic!("{report}: {error}"));
        assert!(registry.has_blob("team/app", &blob.digest), "{report}");
        let requests = registry.requests();
        let patches = requests.iter().filter(|request| request.method == "PATCH");
        assert_eq!(patches.count(), 4, "{report}: each chunk once");
        let asked = requests.iter().filter(|request| request.method == "GET");
        assert_eq!(asked.count(), 1, "{report}");
    }
}

/// What opens an upload is any answer with a place to send it to: containerd takes these, too.
#[tokio::test]
async fn any_answer_with_a_location_opens_an_upload() {
    for (status, with_location, expected) in [
        (202, true, Ok(())),
        (200, true, Ok(())),
        (204, true, Ok(())),
        (202, false, Err(Kind::Protocol)),
        (200, false, Err(Kind::Protocol)),
        (302, false, Err(Kind::Protocol)),
    ] {
        let registry = FaultRegistry::start();
        let mut reply = Reply::new(status);
        if with_location {
            reply = reply.header("location", "/v2/team/app/blobs/uploads/session-1");
        }
        registry
            .on("POST", "/uploads/")
            .does(Action::CommitThen(reply));
        let uploaded = upload(&client(&registry), &repository(), &Blob::layer(5, 1_000)).await;
        assert_eq!(kind(uploaded), expected, "{status} {with_location}");
    }
}

/// A location without TLS, or at another port, is a misconfigured registry, and is named as that
/// (podman-container-tools/buildah#4788, distribution/distribution#2225, #2862, regclient/regclient#699).
#[tokio::test]
async fn a_location_that_leads_elsewhere_is_named() {
    let registry = FaultRegistry::start();
    registry.on("POST", "/uploads/").does(Action::SetHeader(
        "location",
        "http://127.0.0.1/v2/team/app/blobs/uploads/1".to_owned(),
    ));
    let error = upload(&client(&registry), &repository(), &Blob::layer(5, 1_000)).await;
    let text = error.unwrap_err().to_string();
    assert!(text.contains("http://127.0.0.1"), "{text}");
    assert!(text.contains("external URL"), "{text}");
}

// === manifests ===

fn parsed(image: &Image) -> Manifest {
    Manifest::parse(image.root.bytes.clone(), None, None).unwrap()
}

async fn put(client: &Client, image: &Image) -> Result<(), Kind> {
    let target = TagOrDigest::Tag("v2".parse().unwrap());
    let manifest = parsed(image);
    let stored = client.put_manifest(&repository(), &target, &manifest).await;
    kind(stored.map(drop))
}

/// Answers of success to a manifest, with and without what the specification asks for.
#[tokio::test]
async fn a_stored_manifest_is_stored_whatever_is_said_with_it() {
    let digest_header = "docker-content-digest";
    let cases = [
        (
            "goharbor/harbor#10455: Quay",
            Action::CommitThen(Reply::new(202)),
        ),
        (
            "distribution/distribution#3848: Nexus",
            Action::RemoveHeader(digest_header),
        ),
        ("no location", Action::RemoveHeader("location")),
        (
            "a digest in quotes",
            Action::SetHeader(digest_header, "\"sha256:0\"".to_owned()),
        ),
        (
            "two digests",
            Action::AddHeader(digest_header, "nonsense".to_owned()),
        ),
    ];
    for (report, fault) in cases {
        let (registry, image) = loaded();
        registry.on("PUT", "/manifests/").does(fault);
        assert_eq!(put(&client(&registry), &image).await, Ok(()), "{report}");
        assert_eq!(registry.tags("team/app"), ["v1", "v2"], "{report}");
    }
}

#[tokio::test]
async fn what_cannot_be_mounted_is_uploaded() {
    // goharbor/harbor#18541: a mount that is answered with an upload; sonatype/nexus-public#967: 401 to it.
    for reply in [
        Reply::error(401, "UNAUTHORIZED", "no"),
        Reply::error(400, "BLOB_UPLOAD_INVALID", "no"),
        Reply::error(404, "NAME_UNKNOWN", "no"),
        Reply::error(403, "DENIED", "no"),
        Reply::new(202),
    ] {
        let (registry, image) = loaded();
        let status = reply.status;
        registry.on("POST", "mount=").responds(reply);
        let client = client_with(&registry, &logged_in(insecure()));
        let blob = &image.blobs[1];
        let other = "other/app".parse().unwrap();
        let started = client
            .start_upload(&other, &digest(blob), Some(&repository()))
            .await;
        let Ok(Upload::Session(session)) = started else {
            panic!("{status}: {started:?}");
        };
        let (size, body) = (blob.bytes.len() as u64, stream::iter(frames(blob)));
        let sent = client
            .upload(&other, session, &digest(blob), size, body)
            .await;
        assert_eq!(kind(sent), Ok(()), "{status}");
    }
}

/// One after the other and at once: nothing that is learned of one answer spoils another.
#[tokio::test(flavor = "multi_thread")]
async fn many_at_once_learn_no_nonsense() {
    let (registry, image) = loaded();
    registry.on("HEAD", "/manifests/").responds(Reply::new(404));
    let client = client(&registry).on(Side::Source);
    let looks = (0..16).map(|_| async {
        let found = client.resolve(&repository(), &tag(), None).await;
        kind(found).unwrap().map(|found| found.digest)
    });
    let expected = Some(digest(&image.root));
    assert!(
        join_all(looks)
            .await
            .into_iter()
            .all(|found| found == expected)
    );
}
