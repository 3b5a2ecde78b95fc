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
    let moved = Reply::new(303).header("location", &elsewhere.url());
    let image = signed();
    let signature = digest(&image.referrers[0].manifest);
    let cases = [
        ("listed", None, Ok(Some(vec![signature]))),
        (
            "no such endpoint",
            Some(Reply::new(404).body("404 page not found")),
            Ok(None),
        ),
        ("a redirect to the web site", Some(moved), Ok(None)),
        ("not allowed", Some(Reply::new(405)), Ok(None)),
        ("forbidden", Some(Reply::new(403)), Ok(None)),
        (
            "a web page",
            Some(Reply::new(200).body("<html>")),
            Err(Kind::Protocol),
        ),
        (
            "too many requests",
            Some(Reply::new(429).header("retry-after", "900")),
            Err(Kind::RateLimited),
        ),
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
