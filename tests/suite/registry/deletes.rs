// SPDX-License-Identifier: Apache-2.0

//! Deletes: a tag while it stands for what is expected, by its name, and nothing else with it.

use std::sync::Arc;

use transship::oci::Tag;
use transship::registry::{Client, Deletion, Kind, Pool};

use super::{
    client, client_with, digest, exchanges, image, insecure, kind, loaded, logged_in, repository,
};
use crate::support::content::{Image, ImageBuilder};
use crate::support::faults::FaultRegistry;
use crate::support::http::Reply;
use crate::support::http::script::Action;

type Outcome = Result<Deletion, Kind>;

fn v1() -> Tag {
    "v1".parse().unwrap()
}

async fn delete_tag(client: &Client, image: &Image) -> Outcome {
    let root = digest(&image.root);
    kind(
        client
            .delete_tag(&repository(), &v1(), &root, &[], None)
            .await,
    )
}

async fn delete_manifest(client: &Client, image: &Image) -> Outcome {
    let root = digest(&image.root);
    kind(client.delete_manifest(&repository(), &root, None).await)
}

/// Methods of the requests, without those for tokens.
fn methods(registry: &FaultRegistry) -> Vec<String> {
    let exchanges = exchanges(registry);
    exchanges.into_iter().map(|(method, _)| method).collect()
}

fn deletes(registry: &FaultRegistry) -> usize {
    let methods = methods(registry);
    methods.iter().filter(|method| *method == "DELETE").count()
}

fn code(status: u16, code: &str) -> Action {
    Action::Respond(Reply::error(status, code, "no"))
}

fn bare(status: u16) -> Action {
    Action::Respond(Reply::new(status))
}

#[tokio::test]
async fn a_tag_goes_and_its_manifest_and_other_tags_stay() {
    let (registry, image) = loaded();
    registry.load("team/app", "latest", &image);
    let client = client(&registry);
    assert_eq!(delete_tag(&client, &image).await, Ok(Deletion::Deleted));
    assert_eq!(methods(&registry), ["HEAD", "DELETE"]);
    assert_eq!(registry.tags("team/app"), ["latest"]);
    assert!(registry.manifest("team/app", image.digest()).is_some());
    assert_eq!(delete_tag(&client, &image).await, Ok(Deletion::Missing));
    assert_eq!(deletes(&registry), 1, "what is gone is not deleted");
}

#[tokio::test]
async fn a_tag_that_stands_for_something_else_by_now_is_not_touched() {
    let (registry, image) = loaded();
    let other = ImageBuilder::new(8).layers(&[9_000]).build();
    registry.load("team/app", "v1", &other);
    let found = delete_tag(&client(&registry), &image).await;
    assert_eq!(found, Ok(Deletion::Moved));
    assert_eq!(deletes(&registry), 0);
    assert_eq!(registry.tags("team/app"), ["v1"]);
}

#[tokio::test]
async fn every_answer_has_its_outcome() {
    let unsupported = Ok(Deletion::Unsupported);
    let cases: [(&str, Action, Outcome, Outcome); 14] = [
        (
            "200",
            bare(200),
            Ok(Deletion::Deleted),
            Ok(Deletion::Deleted),
        ),
        (
            "202",
            bare(202),
            Ok(Deletion::Deleted),
            Ok(Deletion::Deleted),
        ),
        (
            "204",
            bare(204),
            Ok(Deletion::Deleted),
            Ok(Deletion::Deleted),
        ),
        ("404 for what is there", bare(404), unsupported, unsupported),
        ("405", code(405, "UNSUPPORTED"), unsupported, unsupported),
        ("405 without a word", bare(405), unsupported, unsupported),
        ("501", bare(501), unsupported, unsupported),
        (
            "an index needs it",
            code(405, "DENIED"),
            Err(Kind::Rejected),
            Err(Kind::Rejected),
        ),
        (
            "as distribution 2 says",
            code(400, "DIGEST_INVALID"),
            unsupported,
            Err(Kind::Rejected),
        ),
        (
            "a tag holds it",
            code(400, "GOOGLE_MANIFEST_DANGLING_TAG"),
            Err(Kind::Rejected),
            Err(Kind::Rejected),
        ),
        (
            "403 UNSUPPORTED",
            code(403, "UNSUPPORTED"),
            unsupported,
            unsupported,
        ),
        (
            "no right",
            code(403, "DENIED"),
            Err(Kind::AccessDenied),
            Err(Kind::AccessDenied),
        ),
        (
            "immutable",
            bare(412),
            Err(Kind::Rejected),
            Err(Kind::Rejected),
        ),
        (
            "a redirect",
            Action::Respond(Reply::new(307).header("location", "/v2/team/app/manifests/v2")),
            Err(Kind::Refused),
            Err(Kind::Refused),
        ),
    ];
    for (name, fault, of_tag, of_manifest) in cases {
        let (registry, image) = loaded();
        registry.on("DELETE", "/manifests/").does(fault);
        assert_eq!(
            delete_tag(&client(&registry), &image).await,
            of_tag,
            "{name}"
        );
        let found = delete_manifest(&client(&registry), &image).await;
        assert_eq!(found, of_manifest, "{name}");
        assert_eq!(registry.tags("team/app"), ["v1"], "{name}");
        let targets = registry.requests().into_iter();
        let targets: Vec<String> = targets
            .filter(|request| request.method == "DELETE")
            .map(|request| request.path)
            .collect();
        let asked = format!("/v2/team/app/manifests/{}", image.digest());
        assert_eq!(
            targets,
            ["/v2/team/app/manifests/v1", &asked],
            "{name}: nothing is tried in place of what is refused"
        );
    }
}

#[tokio::test]
async fn a_manifest_goes_with_all_of_its_tags() {
    let (registry, image) = loaded();
    registry.load("team/app", "latest", &image);
    let client = client(&registry);
    assert_eq!(
        delete_manifest(&client, &image).await,
        Ok(Deletion::Deleted)
    );
    assert!(registry.tags("team/app").is_empty());
    assert_eq!(
        delete_manifest(&client, &image).await,
        Ok(Deletion::Missing)
    );
}

#[tokio::test]
async fn what_a_registry_cannot_do_is_asked_once() {
    for (name, fault) in [
        ("405", code(405, "UNSUPPORTED")),
        ("400", code(400, "DIGEST_INVALID")),
        ("501", bare(501)),
    ] {
        let (registry, image) = loaded();
        registry.on("DELETE", "/manifests/v1").does(fault);
        let client = client(&registry);
        for _ in 0..3 {
            let found = delete_tag(&client, &image).await;
            assert_eq!(found, Ok(Deletion::Unsupported), "{name}");
        }
        assert_eq!(deletes(&registry), 1, "{name}");
        let found = delete_manifest(&client, &image).await;
        assert_eq!(
            found,
            Ok(Deletion::Deleted),
            "{name}: of tags nothing follows for digests"
        );
    }
}

#[tokio::test]
async fn what_concerns_one_tag_is_asked_anew_for_the_next() {
    for (name, fault) in [
        ("immutable", bare(412)),
        ("no right", code(403, "DENIED")),
        ("an index needs it", code(405, "DENIED")),
        ("no route", bare(404)),
    ] {
        let (registry, image) = loaded();
        registry.on("DELETE", "/manifests/").first(1).does(fault);
        let client = client(&registry);
        let first = delete_tag(&client, &image).await;
        assert!(first != Ok(Deletion::Deleted), "{name}");
        let second = delete_tag(&client, &image).await;
        assert_eq!(second, Ok(Deletion::Deleted), "{name}");
    }
}

#[tokio::test]
async fn trouble_on_the_way_is_overcome() {
    let retried = ["HEAD", "DELETE", "HEAD", "DELETE"];
    let lost = ["HEAD", "DELETE", "HEAD"];
    let cases: [(&str, Action, &[&str]); 6] = [
        ("500, then fine", bare(500), &retried),
        (
            "429, then fine",
            Action::Respond(Reply::new(429).header("retry-after", "0")),
            &retried,
        ),
        ("reset before the effect", Action::Close, &retried),
        ("reset after the effect", Action::CommitThenClose, &lost),
        (
            "500 after the effect",
            Action::CommitThen(Reply::new(500)),
            &lost,
        ),
        (
            "503 after the effect",
            Action::CommitThen(Reply::new(503)),
            &lost,
        ),
    ];
    for (name, fault, expected) in cases {
        let (registry, image) = loaded();
        registry.load("team/app", "latest", &image);
        registry.on("DELETE", "/manifests/").nth(1).does(fault);
        let found = delete_tag(&client(&registry), &image).await;
        assert_eq!(found, Ok(Deletion::Deleted), "{name}");
        // HEAD that finds nothing is confirmed by GET once.
        let methods = methods(&registry);
        let asked: Vec<&str> = methods.iter().map(String::as_str).collect();
        let asked = asked.strip_suffix(&["GET"]).unwrap_or(&asked);
        assert_eq!(asked, expected, "{name}");
        assert_eq!(registry.tags("team/app"), ["latest"], "{name}");
    }
}

#[tokio::test]
async fn a_tag_that_is_pushed_anew_between_two_tries_is_not_touched() {
    let (registry, image) = loaded();
    let other = ImageBuilder::new(8).layers(&[9_000]).build();
    let gate = crate::support::http::script::Gate::closed();
    let failing = Action::CommitThen(Reply::new(500));
    registry.on("DELETE", "/manifests/").nth(1).does(failing);
    registry
        .on("HEAD", "/manifests/")
        .nth(2)
        .does(Action::Hold(gate.clone()));
    let client = client(&registry);
    let (found, ()) = tokio::join!(delete_tag(&client, &image), async {
        gate.reached().await;
        registry.load("team/app", "v1", &other);
        gate.open();
    });
    assert_eq!(found, Ok(Deletion::Moved));
    assert_eq!(registry.tags("team/app"), ["v1"]);
    assert_eq!(deletes(&registry), 1);
}

/// A look of the caller stands for the one before the first try, and for no other one.
#[tokio::test]
async fn a_tag_that_was_seen_right_before_is_looked_at_again_before_another_try() {
    for (fault, expected) in [
        (None, &["DELETE"][..]),
        (Some(500), &["DELETE", "HEAD", "DELETE"]),
    ] {
        let (registry, image) = loaded();
        if let Some(status) = fault {
            registry
                .on("DELETE", "/manifests/")
                .nth(1)
                .does(bare(status));
        }
        let root = digest(&image.root);
        let client = client(&registry);
        let seen = tokio::time::Instant::now();
        let deleted = client
            .delete_seen_tag(&repository(), &v1(), &root, seen)
            .await;
        assert_eq!(deleted.unwrap(), Deletion::Deleted, "{fault:?}");
        assert_eq!(methods(&registry), expected, "{fault:?}");
    }
}

#[tokio::test]
async fn a_registry_that_stays_in_trouble_is_an_error_and_nothing_is_learned() {
    let (registry, image) = loaded();
    registry
        .on("DELETE", "/manifests/")
        .first(5)
        .responds(Reply::new(500));
    let client = client(&registry);
    assert_eq!(delete_tag(&client, &image).await, Err(Kind::Unreachable));
    assert_eq!(delete_tag(&client, &image).await, Ok(Deletion::Deleted));
}

#[tokio::test]
async fn without_the_lease_nothing_is_asked_that_deletes() {
    let (registry, image) = loaded();
    let pool = Pool::builder("transship/test")
        .write_guard(Arc::new(|| false))
        .build();
    let client = pool
        .client(&registry.host().parse().unwrap(), &insecure())
        .unwrap();
    let root = digest(&image.root);
    for found in [
        client
            .delete_tag(&repository(), &v1(), &root, &[], None)
            .await,
        client.delete_manifest(&repository(), &root, None).await,
    ] {
        let error = found.unwrap_err();
        assert_eq!(
            (error.kind(), error.is_transient()),
            (Kind::Interrupted, false)
        );
        assert!(
            error.to_string().ends_with("no longer holds the lease"),
            "{error}"
        );
    }
    assert_eq!(methods(&registry), ["HEAD"]);
}

#[tokio::test]
async fn the_token_is_asked_for_the_right_to_delete() {
    let registry = FaultRegistry::options().token().start();
    let image = image();
    registry.load("team/app", "v1", &image);
    let client = client_with(&registry, &logged_in(insecure()));
    assert_eq!(delete_tag(&client, &image).await, Ok(Deletion::Deleted));
    assert_eq!(
        delete_manifest(&client, &image).await,
        Ok(Deletion::Deleted)
    );
    let requests = registry.requests().into_iter();
    let scopes: Vec<String> = requests
        .filter(|request| request.path == "/token")
        .map(|request| {
            url::form_urlencoded::parse(request.query.as_bytes())
                .filter(|(name, _)| name == "scope")
                .map(|(_, scope)| scope.into_owned())
                .collect()
        })
        .collect();
    assert_eq!(
        scopes,
        ["repository:team/app:pull", "repository:team/app:delete"]
    );
}

#[tokio::test]
async fn messages_say_what_was_to_be_deleted() {
    let (registry, image) = loaded();
    registry.on("DELETE", "/manifests/v1").does(bare(412));
    registry
        .on("DELETE", "/manifests/sha256")
        .does(code(403, "DENIED"));
    let client = client(&registry);
    let root = digest(&image.root);
    let shown =
        |error: transship::registry::Error| error.to_string().replace(&registry.host(), "REGISTRY");
    let error = client
        .delete_tag(&repository(), &v1(), &root, &[], None)
        .await;
    insta::assert_snapshot!(shown(error.unwrap_err()), @"cannot delete the tag REGISTRY/team/app:v1: 412 Precondition Failed: the registry does not accept it: its log says why");
    let error = client.delete_manifest(&repository(), &root, None).await;
    let error = shown(error.unwrap_err()).replace(image.digest(), "DIGEST");
    insta::assert_snapshot!(error, @r#"cannot delete the manifest REGISTRY/team/app@DIGEST: 403 Forbidden (DENIED): the credential may not delete this: give it the right to delete, or use another one; it says "no""#);
}
