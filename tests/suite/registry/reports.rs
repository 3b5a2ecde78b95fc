// SPDX-License-Identifier: Apache-2.0

//! Wires of registries as public reports tell of them, each with the report that tells it.

mod pushes;
mod tokens;

use transship::oci::{Digest, Tag, TagOrDigest};
use transship::registry::{Kind, Referrers, Side};

use super::{
    client, client_with, content, descriptor, digest, exchanges, insecure, kind, loaded, logged_in,
    read, repository, tag,
};
use crate::support::canary::Canary;
use crate::support::content::ImageBuilder;
use crate::support::faults::FaultRegistry;
use crate::support::http::Reply;
use crate::support::http::script::Action;

const API: &str = "docker-distribution-api-version";

fn methods(registry: &FaultRegistry) -> Vec<String> {
    let exchanges = exchanges(registry).into_iter();
    exchanges.map(|(method, _)| method).collect()
}

// === looking up ===

/// Nexus answers 404 to every HEAD for a manifest, with the header of distribution and, behind a proxy, not
/// under its own name (crazy-max/diun#1614, andrey-pohilko/registry-cli#14, #43, merll/docker-registry-util#3).
#[tokio::test]
async fn a_source_that_never_answered_a_head_is_not_believed_to_lack_a_tag() {
    let absent = || TagOrDigest::Tag("absent".parse::<Tag>().unwrap());
    for reply in [
        Reply::new(404),
        Reply::new(404).header(API, "registry/2.0"),
        Reply::new(404)
            .header(API, "registry/2.0")
            .header("server", "nginx"),
    ] {
        let (registry, image) = loaded();
        registry.on("HEAD", "/manifests/").responds(reply);
        let client = client(&registry).on(Side::Source);
        let found = client.resolve(&repository(), &absent(), None).await;
        assert_eq!(kind(found), Ok(None));
        for _ in 0..2 {
            let found = client.resolve(&repository(), &tag(), None).await;
            let found = kind(found).unwrap().map(|found| found.digest);
            assert_eq!(found, Some(digest(&image.root)));
        }
    }
    // One that has answered a HEAD is believed, and costs nothing more.
    let (registry, _) = loaded();
    let client = client(&registry).on(Side::Source);
    registry
        .on("HEAD", "/manifests/absent")
        .responds(Reply::new(404).header(API, "registry/2.0"));
    client.resolve(&repository(), &tag(), None).await.unwrap();
    for _ in 0..2 {
        let found = client.resolve(&repository(), &absent(), None).await;
        assert_eq!(kind(found), Ok(None));
    }
    assert_eq!(methods(&registry), ["HEAD", "HEAD", "HEAD"]);
}

/// Some registries answer 401 to a HEAD and do not say what they want; anybody may GET.
#[tokio::test]
async fn a_head_that_is_shut_to_everybody_is_no_reason_to_fail() {
    let (registry, image) = loaded();
    registry.on("HEAD", "/").responds(Reply::new(401));
    for settings in [insecure(), logged_in(insecure())] {
        let client = client_with(&registry, &settings);
        for _ in 0..2 {
            let found = client.resolve(&repository(), &tag(), None).await;
            let found = kind(found).unwrap().map(|found| found.digest);
            assert_eq!(found, Some(digest(&image.root)));
        }
        let asked = registry.requests().len();
        let found = client.resolve(&repository(), &tag(), None).await;
        assert!(kind(found).is_ok());
        assert_eq!(registry.requests().len(), asked + 1, "it is remembered");
        let found = client
            .has_blob(&repository(), &digest(&image.blobs[0]))
            .await;
        assert_eq!(kind(found), Ok(true));
    }
}

/// A type that is wrong or too general, as registries and the storage behind them give it: the body says what it is.
#[tokio::test]
async fn types_as_they_are_written_are_understood() {
    let types = [
        ("google/go-containerregistry#617", "text/plain"),
        (
            "google/go-containerregistry#617",
            "text/plain; charset=utf-8",
        ),
        ("containerd/cri#787", "application/json"),
        ("containers/image#58", "application/octet-stream"),
        ("containers/image#58", "binary/octet-stream"),
        (
            "with a parameter",
            "application/vnd.oci.image.manifest.v1+json; charset=utf-8",
        ),
        ("in capitals", "Application/vnd.OCI.image.manifest.v1+JSON"),
        (
            "with a parameter in quotes, and no blank",
            "application/vnd.oci.image.manifest.v1+json;charset=\"ISO-8859-1\"",
        ),
        (
            "two of them",
            "application/vnd.oci.image.manifest.v1+json, application/json",
        ),
        ("google/go-containerregistry#1061", "text/html"),
        ("nothing", ""),
        ("a word", "json"),
    ];
    for (report, content_type) in types {
        let (registry, image) = loaded();
        registry
            .on("*", "/manifests/")
            .does(Action::SetHeader("content-type", content_type.to_owned()));
        let client = client(&registry);
        let found = client.fetch_manifest(&repository(), &tag()).await;
        let found = found.unwrap_or_else(|error| panic!("{report} {content_type}: {error}"));
        assert_eq!(*found.digest(), digest(&image.root), "{report}");
        assert_eq!(
            found.media_type().as_str(),
            image.root.media_type,
            "{report}"
        );
        let found = client.resolve(&repository(), &tag(), None).await;
        assert!(kind(found).unwrap().is_some(), "{report}");
    }
}

/// Manifests of the first schema have no digests that a copy could keep.
#[tokio::test]
async fn a_manifest_of_the_first_schema_says_what_it_is() {
    let body = r#"{"schemaVersion":1,"name":"team/app","tag":"v1","architecture":"amd64","fsLayers":[{"blobSum":"sha256:0000000000000000000000000000000000000000000000000000000000000000"}],"history":[],"signatures":[]}"#;
    for content_type in [
        "application/vnd.docker.distribution.manifest.v1+prettyjws",
        "application/vnd.docker.distribution.manifest.v1+json",
        "text/plain",
    ] {
        let (registry, _) = loaded();
        registry.on("GET", "/manifests/").responds(
            Reply::new(200)
                .header("content-type", content_type)
                .body(body),
        );
        let error = client(&registry)
            .fetch_manifest(&repository(), &tag())
            .await
            .unwrap_err();
        assert_eq!(error.kind(), Kind::Protocol);
        assert!(
            error.to_string().contains("schema"),
            "{content_type}: {error}"
        );
    }
}

// === lists ===

/// Whatever a registry says of a number of names that it does not like, it is asked without one
/// (renovatebot/renovate#3078 for 406).
#[tokio::test]
async fn a_number_of_names_that_is_not_liked_is_left_out() {
    for status in [400, 405, 406, 413, 414, 416, 422, 501] {
        let (registry, _) = loaded();
        registry.on("GET", "?n=").responds(Reply::new(status));
        let client = client(&registry);
        for _ in 0..2 {
            let tags = client.list_tags(&repository()).await;
            assert_eq!(kind(tags), Ok(vec!["v1".parse().unwrap()]), "{status}");
        }
        let refused = registry.requests().into_iter();
        let refused = refused.filter(|request| request.status == Some(status));
        assert_eq!(refused.count(), 1, "{status}: it is remembered");
    }
    for status in [401, 403, 404] {
        let (registry, _) = loaded();
        registry.on("GET", "?n=").responds(Reply::new(status));
        let tags = client(&registry).list_tags(&repository()).await;
        assert!(tags.is_err(), "{status}");
    }
}

/// Referrers of registries that have the endpoint and speak in another way, or lead to a web site in place of it.
#[tokio::test]
async fn lists_of_referrers_as_registries_give_them() {
    let signed = ImageBuilder::new(9)
        .referrer("application/vnd.example.signature")
        .build();
    let list = |content_type: &str| {
        let entry = &signed.referrers[0].manifest.digest;
        let body = format!(r#"{{"schemaVersion":2,"manifests":[{{"digest":"{entry}"}}]}}"#);
        Reply::new(200)
            .header("content-type", content_type)
            .body(body)
    };
    let web_site = Canary::answering(Reply::new(429).header("retry-after", "3600"));
    let login = Canary::answering(
        Reply::new(200)
            .header("content-type", "text/html")
            .body("<html>"),
    );
    let to = |status, canary: &Canary| {
        let path = format!("{}/-/v2/packages/container/team%2Fapp", canary.url());
        Reply::new(status).header("location", &path)
    };
    let cases = [
        ("goharbor/harbor#19690", list("application/json"), true),
        ("google/go-containerregistry#1760", list("text/plain"), true),
        ("artifacthub/hub#4785: GHCR", to(303, &web_site), false),
        (
            "oras-project/oras-go#633: registry.k8s.io",
            to(307, &login),
            false,
        ),
        (
            "google/go-containerregistry#1968: GAR",
            Reply::new(200)
                .header("content-type", "text/html; charset=utf-8")
                .body("<!doctype html>"),
            false,
        ),
    ];
    for (report, reply, is_listed) in cases {
        let registry = FaultRegistry::start();
        registry.load("team/app", "v1", &signed);
        registry.on("GET", "/referrers/").responds(reply);
        let found = client(&registry)
            .referrers(&repository(), &digest(&signed.root))
            .await;
        let found = matches!(kind(found).unwrap(), Referrers::Listed(_));
        assert_eq!(found, is_listed, "{report}");
    }
    assert_eq!(web_site.connections() + login.connections(), 0);
}

// === who asks ===
// === blobs ===

/// What the storage behind a redirect refuses may have expired: manifests and lists are asked for anew, too.
#[tokio::test]
async fn a_redirect_that_has_expired_is_asked_for_anew() {
    for status in [400, 403] {
        let expired = Reply::new(status)
            .header("content-type", "application/xml")
            .body("<Error><Code>ExpiredToken</Code></Error>");
        let storage = Canary::answering(expired);
        let (registry, image) = loaded();
        let to = format!("{}/bucket?sig=canary", storage.url());
        for part in ["/manifests/", "/tags/list", "/blobs/"] {
            let to = Reply::new(307).header("location", &to);
            registry.on("GET", part).nth(1).responds(to);
        }
        let client = client(&registry);
        let found = client.fetch_manifest(&repository(), &tag()).await;
        assert!(kind(found).is_ok(), "{status}");
        let tags = client.list_tags(&repository()).await;
        assert!(kind(tags).is_ok(), "{status}");
        let blob = &image.blobs[1];
        let got = read(&client, &descriptor(blob), 0).await;
        assert_eq!(content(got), Ok(Digest::sha256(&blob.bytes)), "{status}");
        assert_eq!(storage.requests().len(), 3, "{status}");
    }
}

/// What stands before a registry may leave out how long an answer is, and gives blobs any type (containerd/containerd#5124,
/// Katello/katello#10124, google/go-containerregistry#1061).
#[tokio::test]
async fn an_answer_without_a_length_is_read_to_its_end() {
    for content_type in ["application/octet-stream", "text/html", ""] {
        let (registry, image) = loaded();
        let blob = &image.blobs[1];
        registry
            .on("GET", "/v2/")
            .does(Action::RemoveHeader("content-length"));
        registry
            .on("GET", "/blobs/")
            .does(Action::SetHeader("content-type", content_type.to_owned()));
        let client = client(&registry);
        let tags = client.list_tags(&repository()).await;
        assert_eq!(kind(tags), Ok(vec!["v1".parse().unwrap()]));
        let found = client.fetch_manifest(&repository(), &tag()).await;
        let found = kind(found).map(|found| found.digest().clone());
        assert_eq!(found, Ok(digest(&image.root)), "{content_type}");
        let got = read(&client, &descriptor(blob), 0).await;
        assert_eq!(
            content(got),
            Ok(Digest::sha256(&blob.bytes)),
            "{content_type}"
        );
    }
}

/// Caches that keep parts of files answer 206 to whoever wants all of it.
#[tokio::test]
async fn all_of_a_blob_as_a_part_of_it_is_all_of_it() {
    let (registry, image) = loaded();
    let blob = &image.blobs[1];
    let size = blob.bytes.len();
    let part = |range: String| {
        Reply::new(206)
            .header("content-range", &range)
            .body(blob.bytes.clone())
    };
    registry
        .on("GET", "/blobs/")
        .nth(1)
        .responds(part(format!("bytes 0-{}/{size}", size - 1)));
    let got = read(&client(&registry), &descriptor(blob), 0).await;
    assert_eq!(content(got), Ok(Digest::sha256(&blob.bytes)));
    registry.script().clear_rules();
    registry
        .on("GET", "/blobs/")
        .responds(part(format!("bytes 1-{}/{size}", size - 1)));
    let got = read(&client(&registry), &descriptor(blob), 0).await;
    assert_eq!(content(got), Err(Kind::Protocol));
}

// === uploads ===
