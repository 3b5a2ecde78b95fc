// SPDX-License-Identifier: Apache-2.0

//! What registries do to a write that peers manage: nothing is sent twice, and nothing is given up that
//! a look would find.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use futures::future::join_all;
use tokio::time::sleep;
use transship::copy::Target;
use transship::oci::Tag;
use transship::registry::{Credential, Pool};

use super::lab::{Lab, assert_complete, endpoint, process, target};
use super::{Row, check, refusal};
use crate::support::content::{Blob, Image, ImageBuilder};
use crate::support::credentials::Login;
use crate::support::faults::FaultRegistry;
use crate::support::http::script::{Action, Gate, Recorded};
use crate::support::http::{Reply, Request};

/// An answer to the write of a manifest, and the reason that is told.
type Refused = (&'static str, fn() -> Reply, &'static str);

/// Answers that name no missing part: sending anything again cannot help.
const REFUSED: &[Refused] = &[
    (
        "ECR: an immutable tag",
        || refusal(400, "TAG_INVALID"),
        "TagImmutable",
    ),
    (
        "Harbor: an immutable tag",
        || refusal(412, "PRECONDITION"),
        "TagImmutable",
    ),
    ("a conflict", || refusal(409, "CONFLICT"), "CopyFailed"),
    (
        "an invalid manifest",
        || refusal(400, "MANIFEST_INVALID"),
        "CopyFailed",
    ),
    (
        "a media type it does not take",
        || refusal(415, "UNSUPPORTED"),
        "CopyFailed",
    ),
    ("no right", || refusal(403, "DENIED"), "AccessDenied"),
    (
        "a quota",
        || refusal(403, "QUOTA_EXCEEDED"),
        "QuotaExceeded",
    ),
    ("too large", || refusal(413, "SIZE_INVALID"), "CopyFailed"),
];

#[tokio::test(flavor = "multi_thread")]
async fn a_manifest_that_is_refused_sends_no_blob_again() {
    join_all(REFUSED.iter().map(|(name, reply, reason)| async move {
        let lab = Lab::new();
        lab.tag_write().responds(reply());
        let (engine, pool) = process();
        for _ in 0..2 {
            let outcome = engine.copy(&lab.job(&pool)).await.remove(0);
            let error = outcome.expect_err(name);
            assert_eq!(error.reason().as_str(), *reason, "{name}: {error}");
        }
        let requests = lab.destination.requests();
        assert_eq!(uploads(&requests), lab.image.blobs.len(), "{name}");
        let tries = requests
            .iter()
            .filter(|request| request.method == "PUT" && request.path.ends_with("/manifests/1"));
        assert_eq!(tries.count(), 2, "{name}: one in each run");
    }))
    .await;
}

/// The digest of a blob as it stands in a query.
fn encoded(blob: &Blob) -> String {
    blob.digest.replace(':', "%3A")
}

/// How many bodies of blobs were sent.
fn uploads(requests: &[Recorded]) -> usize {
    let is_body =
        |request: &&Recorded| request.path.contains("/blobs/uploads/") && request.body_length > 0;
    requests.iter().filter(is_body).count()
}

const MANAGED: &[Row] = &[
    (
        "a child that is there may not be stored again",
        |lab| {
            let child = lab.image.children[0].clone();
            for blob in &lab.image.blobs {
                lab.destination.load_blob("team/app", blob);
            }
            lab.destination
                .load_manifest("team/app", &child.digest, &child);
            lab.child_write().responds(refusal(409, "CONFLICT"));
        },
        "Copied",
    ),
    (
        "a child that is not there may not be stored",
        |lab| lab.child_write().responds(refusal(409, "CONFLICT")),
        "CopyFailed: cannot store the manifest DESTINATION/team/app@DIGEST: 409 Conflict \
         (CONFLICT): the registry does not accept it",
    ),
    (
        "a tag that names the image already may not be stored again",
        |lab| {
            lab.tag_write()
                .does(Action::CommitThen(refusal(400, "TAG_INVALID")));
        },
        "Copied",
    ),
    (
        "the tag is stored and never answered well",
        |lab| {
            lab.tag_write()
                .does(Action::CommitThen(refusal(500, "UNKNOWN")));
        },
        "Copied",
    ),
    (
        "a new tag is not there for some looks",
        |lab| {
            lab.at_destination("HEAD", "/manifests/1")
                .first(6)
                .responds(
                    refusal(404, "MANIFEST_UNKNOWN")
                        .header("docker-distribution-api-version", "registry/2.0"),
                );
        },
        "Copied",
    ),
    (
        "the children of an index are not there for some looks",
        |lab| {
            lab.tag_write()
                .first(4)
                .responds(refusal(400, "MANIFEST_BLOB_UNKNOWN"));
        },
        "Copied",
    ),
    (
        "the children of an index are not there for some looks, said by 404",
        |lab| {
            lab.tag_write()
                .first(4)
                .responds(refusal(404, "MANIFEST_UNKNOWN"));
        },
        "Copied",
    ),
    (
        "manifests are stored without a body and with 204",
        |lab| {
            lab.manifest_write()
                .does(Action::CommitThen(Reply::new(204)));
        },
        "Copied",
    ),
    (
        "mounts break it",
        |lab| {
            lab.at_destination("POST", "mount=")
                .responds(refusal(500, "UNKNOWN"));
        },
        "Copied",
    ),
    (
        "a PUT with a body breaks it",
        |lab| {
            let script = lab.destination.script();
            script.when(is_whole_put).responds(refusal(500, "UNKNOWN"));
        },
        "Copied",
    ),
    (
        "a PUT with a body is unsupported",
        |lab| {
            let script = lab.destination.script();
            script
                .when(is_whole_put)
                .responds(refusal(400, "UNSUPPORTED"));
        },
        "Copied",
    ),
];

fn is_whole_put(request: &Request) -> bool {
    request.method == "PUT"
        && request.path.contains("/blobs/uploads/")
        && request.headers.value("content-length") != Some("0")
}

#[tokio::test(flavor = "multi_thread")]
async fn what_peers_manage() {
    check(MANAGED).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tag_that_serves_something_else_is_a_failure_that_sends_nothing_again() {
    let lab = Lab::new();
    let (other, _) = &lab.other;
    lab.destination.load("team/app", "other", other);
    let folded = Action::SetHeader("docker-content-digest", other.digest().to_owned());
    lab.at_destination("HEAD", "/manifests/1").does(folded);
    let (engine, pool) = process();
    let outcome = engine.copy(&lab.job(&pool)).await.remove(0);
    assert_eq!(
        lab.describe(&outcome),
        "CopyFailed: DESTINATION/team/app confirmed 1 but serves DIGEST under it: somebody else \
         writes this tag, the registry takes upper and lower case of tags for the same, or it \
         keeps tags as they are"
    );
    let requests = lab.destination.requests();
    assert_eq!(uploads(&requests), lab.image.blobs.len());
    let tries = requests
        .iter()
        .filter(|request| request.method == "PUT" && request.path.ends_with("/manifests/1"));
    assert_eq!(tries.count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_what_a_registry_misses_is_sent_again() {
    let lab = Lab::new();
    let lost = encoded(&lab.image.blobs[1]);
    lab.at_destination("PUT", &lost)
        .nth(1)
        .does(Action::Swallow);
    let (engine, pool) = process();
    engine.copy(&lab.job(&pool)).await.remove(0).unwrap();
    assert_complete(&lab.destination, "team/app", &lab.image).await;
    let requests = lab.destination.requests();
    for blob in &lab.image.blobs {
        let digest = encoded(blob);
        let sent = requests
            .iter()
            .filter(|request| request.method == "PUT" && request.query.contains(&digest));
        assert_eq!(sent.count(), if digest == lost { 2 } else { 1 });
    }
}

/// How a registry answers a mount of what it has, and what may be sent of an image that is there but
/// for one layer and its config.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_there_is_not_sent_again_where_mounts_are_not_granted() {
    let cases: [(&str, Option<Reply>, bool); 4] = [
        ("an upload", None, false),
        ("refused", Some(refusal(403, "DENIED")), false),
        ("broken", Some(refusal(500, "UNKNOWN")), false),
        ("parts of blobs are not given", None, true),
    ];
    join_all(cases.map(|(name, mount, ignores_range)| async move {
        let (old, new) = two_releases();
        let registry = FaultRegistry::options().without_mounts().start();
        let lab = Lab::between(FaultRegistry::start(), registry, new);
        lab.destination.load("team/app", "0", &old);
        if let Some(reply) = mount {
            lab.destination.on("POST", "mount=").responds(reply);
        }
        if ignores_range {
            lab.destination
                .on("GET", "/blobs/")
                .does(Action::IgnoreRange);
        }
        let (engine, pool) = process();
        let done = engine.copy(&lab.job(&pool)).await.remove(0).unwrap();
        let is_new = |blob: &&Blob| old.blobs.iter().all(|known| known.digest != blob.digest);
        let missing = lab.image.blobs.iter().filter(is_new);
        let missing: usize = missing.map(|blob| blob.bytes.len()).sum();
        assert_eq!(done.bytes, missing as u64, "{name}");
        let requests = lab.destination.requests();
        let sent: usize = requests
            .iter()
            .filter(|request| request.path.contains("/uploads/"))
            .map(|request| request.body_length)
            .sum();
        assert_eq!(sent, missing, "{name}");
        assert_eq!(lab.destination.open_uploads(), 0, "{name}");
        assert_complete(&lab.destination, "team/app", &lab.image).await;
        // What was learned serves the next image: nothing is announced that is there.
        lab.destination.script().clear_requests();
        let (engine, second) = (engine, target_of(&lab, &pool, "2"));
        let mut job = lab.job(&pool);
        job.targets = vec![second];
        engine.copy(&job).await.remove(0).unwrap();
        assert_eq!(uploads(&lab.destination.requests()), 0, "{name}");
    }))
    .await;
}

fn target_of(lab: &Lab, pool: &Pool, tag: &str) -> Target {
    let mut target = target(pool, &lab.destination.host(), "team/app");
    target.tags[0].tag = tag.parse().unwrap();
    target
}

/// Two images that have most layers in common.
fn two_releases() -> (Image, Image) {
    let shared: Vec<Blob> = (0..6).map(|seed| Blob::layer(seed, 300_000)).collect();
    let release = |seed| {
        let builder = shared
            .iter()
            .fold(ImageBuilder::new(seed), ImageBuilder::shared_layer);
        builder.layers(&[900]).build()
    };
    (release(200), release(201))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_ends_with_the_upload_sends_the_blob_once_more() {
    let registry = FaultRegistry::options().token().start();
    let lab = Lab::between(FaultRegistry::start(), registry, Lab::new().image.clone());
    let layer = lab.layer().replace("/blobs/", "").replace(':', "%3A");
    lab.at_destination("PUT", &layer).responds(Reply::new(401));
    let gates: Vec<Gate> = (1..=3)
        .map(|nth| {
            let gate = Gate::closed();
            let held = Action::Hold(gate.clone());
            lab.at_destination("PUT", &layer).nth(nth).does(held);
            gate
        })
        .collect();
    // Each upload takes longer than a token is new.
    tokio::spawn(async move {
        for gate in gates {
            gate.reached().await;
            sleep(Duration::from_millis(1_100)).await;
            gate.open();
        }
    });
    let (engine, pool) = process();
    let mut job = lab.job(&pool);
    let login = Login::valid();
    let credential = Credential::Basic {
        username: login.username,
        password: login.password.into(),
    };
    job.targets[0].endpoint = endpoint(&pool, &lab.destination.host(), credential);
    let error = engine.copy(&job).await.remove(0).unwrap_err();
    assert_eq!(error.reason().as_str(), "AuthenticationFailed", "{error}");
    let requests = lab.destination.requests();
    let sent = requests
        .iter()
        .filter(|request| request.method == "PUT" && request.query.contains(&layer));
    assert_eq!(sent.count(), 2);
}

/// Registries that answer 404 to every HEAD for a manifest, whatever they have.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_head_denies_is_asked_for_with_a_get_once_it_was_stored() {
    let distribution = "docker-distribution-api-version";
    for reply in [
        Reply::new(404),
        Reply::new(404).header(distribution, "registry/2.0"),
    ] {
        let lab = Lab::new();
        lab.destination
            .on("HEAD", "/manifests/")
            .responds(reply.clone());
        let (engine, pool) = process();
        engine.copy(&lab.job(&pool)).await.remove(0).unwrap();
        // From then on a GET has the last word there.
        lab.destination.script().clear_requests();
        let repository = lab.job(&pool).targets[0].repository.clone();
        let there = endpoint(&pool, &lab.destination.host(), Credential::Anonymous);
        let tag = "1".parse::<Tag>().unwrap().into();
        let found = there.resolve(&repository, &tag, None).await.unwrap();
        let found = found.map(|digest| digest.to_string());
        assert_eq!(found.as_deref(), Some(lab.image.digest()));
        let looks = lab.destination.requests();
        assert!(looks.len() <= 2, "{}", looks.len());
    }
}

/// A registry that shows a blob, grants its mount and gives its bytes, and takes no manifest that names it.
#[tokio::test(flavor = "multi_thread")]
async fn a_blob_that_is_shown_and_not_accepted_is_sent_once() {
    for accepts_in_the_end in [true, false] {
        let lab = Lab::new();
        let layer = lab.image.blobs[1].clone();
        lab.destination.load_blob("team/app", &layer);
        let digest = encoded(&layer);
        let is_sent = Arc::new(AtomicBool::new(false));
        let (sent, accepted) = (is_sent.clone(), is_sent);
        let script = lab.destination.script();
        let unknown = Reply::error(
            400,
            "MANIFEST_BLOB_UNKNOWN",
            &format!("blob {} unknown to registry", layer.digest),
        );
        let whole = digest.clone();
        script
            .when(move |request| {
                if request.method == "PUT" && request.query.contains(&whole) {
                    sent.store(accepts_in_the_end, Relaxed);
                }
                request.method == "PUT"
                    && request.path.contains("/manifests/")
                    && !accepted.load(Relaxed)
            })
            .responds(unknown);
        let (engine, pool) = process();
        let done = engine.copy(&lab.job(&pool)).await.remove(0);
        assert_eq!(done.is_ok(), accepts_in_the_end, "{:?}", done.err());
        let requests = lab.destination.requests();
        for blob in &lab.image.blobs {
            let digest = encoded(blob);
            let bodies = requests
                .iter()
                .filter(|request| request.method == "PUT" && request.query.contains(&digest));
            assert_eq!(bodies.count(), 1, "{}", blob.digest);
        }
        if accepts_in_the_end {
            assert_complete(&lab.destination, "team/app", &lab.image).await;
        }
    }
}
