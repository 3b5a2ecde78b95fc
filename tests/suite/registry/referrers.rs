// SPDX-License-Identifier: Apache-2.0

//! Referrers at registries with, without and with half a list of them.

use transship::oci::{Digest, Manifest, TagOrDigest};
use transship::registry::{Kind, Referrers};

use super::{client, digest, kind, repository};
use crate::support::canary::Canary;
use crate::support::content::{Image, ImageBuilder};
use crate::support::faults::FaultRegistry;
use crate::support::http::Reply;
use crate::support::http::script::Action;

fn signed() -> Image {
    ImageBuilder::new(9)
        .referrer("application/vnd.example.signature")
        .build()
}

async fn listed(registry: &FaultRegistry, image: &Image) -> Result<Option<Vec<Digest>>, Kind> {
    let referrers = client(registry)
        .referrers(&repository(), &digest(&image.root))
        .await;
    kind(referrers).map(|referrers| match referrers {
        Referrers::Listed(list) => Some(list.into_iter().map(|entry| entry.digest).collect()),
        Referrers::Unsupported => None,
    })
}

#[tokio::test]
async fn a_registry_lists_them_or_is_known_not_to() {
    let elsewhere = Canary::start();
    let moved = |status| Reply::new(status).header("location", &elsewhere.url());
    let image = signed();
    let signature = digest(&image.referrers[0].manifest);
    let page = |body: &str| Some(Reply::new(200).body(body.to_owned()));
    let typed = |body: &str, name: &str| {
        let reply = Reply::new(200).body(body.to_owned());
        Some(reply.header("content-type", name))
    };
    let status = |status| Some(Reply::new(status));
    let bare = format!(r#"{{"manifests":[{{"digest":"{signature}"}}]}}"#);
    let listed_too = || Ok(Some(vec![signature.clone()]));
    let cases = [
        ("listed", None, listed_too()),
        ("no more than digests", page(&bare), listed_too()),
        (
            "as a Docker list",
            typed(
                &bare,
                "application/vnd.docker.distribution.manifest.list.v2+json",
            ),
            listed_too(),
        ),
        (
            "null",
            page(r#"{"schemaVersion":2,"manifests":null}"#),
            Ok(Some(Vec::new())),
        ),
        (
            "no such endpoint",
            Some(Reply::new(404).body("404 page not found")),
            Ok(None),
        ),
        ("a redirect to the web site", Some(moved(303)), Ok(None)),
        ("a redirect for now", Some(moved(302)), Ok(None)),
        ("bad request", status(400), Ok(None)),
        (
            "bad request about the manifest, quay/quay#3071",
            Some(Reply::error(400, "MANIFEST_UNKNOWN", "manifest unknown")),
            Ok(None),
        ),
        ("not allowed", status(405), Ok(None)),
        ("not acceptable", status(406), Ok(None)),
        ("gone", status(410), Ok(None)),
        ("not understood", status(422), Ok(None)),
        ("not implemented", status(501), Ok(None)),
        ("forbidden", status(403), Ok(None)),
        ("who asks is not said how to tell", status(401), Ok(None)),
        ("a web page", page("<html>"), Ok(None)),
        (
            "a web page with its type",
            typed("<html>", "text/html"),
            Ok(None),
        ),
        ("an empty object", page("{}"), Ok(None)),
        ("nothing", page(""), Ok(None)),
        (
            "an index that is none",
            typed("<html>", "application/vnd.oci.image.index.v1+json"),
            Err(Kind::Protocol),
        ),
        ("torn", page(&bare[..30]), Err(Kind::Protocol)),
        (
            "too many requests",
            Some(Reply::new(429).header("retry-after", "900")),
            Err(Kind::RateLimited),
        ),
        ("in trouble", status(500), Err(Kind::Unreachable)),
        ("full", status(507), Err(Kind::QuotaExceeded)),
    ];
    for (name, answer, expected) in cases {
        let registry = FaultRegistry::start();
        registry.load("team/app", "v1", &image);
        if let Some(answer) = answer {
            registry.on("GET", "/referrers/").responds(answer);
        }
        assert_eq!(listed(&registry, &image).await, expected, "{name}");
    }
    assert_eq!(elsewhere.connections(), 0);
}

#[tokio::test]
async fn what_is_about_the_host_is_remembered_and_what_is_about_the_name_is_not() {
    let cases = [
        (Reply::new(404), 1),
        (Reply::error(404, "NAME_UNKNOWN", "no"), 2),
        (Reply::new(403), 2),
        (Reply::new(501), 1),
        (Reply::new(405), 1),
        (Reply::new(406), 2),
        (Reply::new(200).body("{}"), 2),
    ];
    for (answer, requests) in cases {
        let registry = FaultRegistry::start();
        registry.on("GET", "/referrers/").responds(answer);
        let client = client(&registry);
        for _ in 0..2 {
            let found = client.referrers(&repository(), &Digest::sha256(b"x")).await;
            assert_eq!(kind(found), Ok(Referrers::Unsupported));
        }
        assert_eq!(registry.requests().len(), requests);
    }
}

#[tokio::test]
async fn pages_are_followed_and_loops_are_not() {
    let image = signed();
    let entries = [
        digest(&image.referrers[0].manifest),
        digest(&image.referrers[0].manifest),
    ];
    let next = |query: &str| Action::SetHeader("link", format!("<?{query}>; rel=\"next\""));
    let registry = FaultRegistry::start();
    registry.load("team/app", "v1", &image);
    registry
        .on("GET", "/referrers/")
        .nth(1)
        .does(next("page=2"));
    assert_eq!(listed(&registry, &image).await, Ok(Some(entries.to_vec())));

    registry.on("GET", "/referrers/").does(next("page=2"));
    assert_eq!(listed(&registry, &image).await, Err(Kind::Protocol));
}

#[tokio::test]
async fn a_registry_says_whether_it_lists_what_it_stored() {
    let image = signed();
    let signature = &image.referrers[0].manifest;
    let manifest = Manifest::parse(signature.bytes.clone(), None, None).unwrap();
    let target = TagOrDigest::Digest(digest(signature));
    let cases = [
        ("with the API", FaultRegistry::options(), true),
        (
            "without",
            FaultRegistry::options().without_referrers_api(),
            false,
        ),
    ];
    for (name, options, expected) in cases {
        let registry = options.start();
        registry.load("team/app", "v1", &image);
        let stored = client(&registry)
            .put_manifest(&repository(), &target, &manifest)
            .await;
        assert_eq!(stored.unwrap().subject_indexed, expected, "{name}");
    }
}

#[tokio::test]
async fn who_has_listed_them_before_may_not_hide_them() {
    let image = signed();
    for (status, expected) in [(401, Kind::AuthenticationFailed), (403, Kind::AccessDenied)] {
        let registry = FaultRegistry::start();
        registry.load("team/app", "v1", &image);
        let shut = Reply::new(status).header("www-authenticate", "Basic realm=\"x\"");
        registry
            .on("GET", "/referrers/")
            .nth(2)
            .responds(shut.clone());
        registry
            .on("GET", "/referrers/")
            .nth(3)
            .responds(Reply::new(404));
        let client = client(&registry);
        let ask = async || {
            let found = client.referrers(&repository(), &digest(&image.root)).await;
            kind(found).map(|found| found != Referrers::Unsupported)
        };
        assert_eq!(ask().await, Ok(true));
        assert_eq!(ask().await, Err(expected), "{status}");
        assert_eq!(ask().await, Ok(false), "one that is gone");
        assert_eq!(ask().await, Ok(true), "the others are not");
    }
}

#[tokio::test]
async fn a_list_behind_a_redirect_is_read() {
    let image = signed();
    let signature = digest(&image.referrers[0].manifest);
    let registry = FaultRegistry::start();
    registry.load("team/app", "v1", &image);
    let front = FaultRegistry::start();
    let location = format!(
        "{}/v2/team/app/referrers/{}",
        registry.url(),
        image.root.digest
    );
    let moved = Reply::new(307).header("location", &location);
    front.on("GET", "/referrers/").responds(moved);
    assert_eq!(listed(&front, &image).await, Ok(Some(vec![signature])));
}
