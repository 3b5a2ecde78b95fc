// SPDX-License-Identifier: Apache-2.0

//! The witness finds what is missing, wrong or too early, and nothing else.

use crate::support::client::Client;
use crate::support::content::{Format, Image, ImageBuilder};
use crate::support::corpus::Corpus;
use crate::support::digest::fallback_tag;
use crate::support::faults::FaultRegistry;
use crate::support::http::script::{Action, Gate};
use crate::support::poller::Poller;
use crate::support::registries::{Kind, Registry, Security};
use crate::support::witness::{Defect, Problem, Witness};

fn signed_index() -> Image {
    ImageBuilder::new(7)
        .layers(&[3000, 70_000])
        .platforms(&["linux/amd64", "linux/arm64/v8"])
        .attestations()
        .referrer("application/vnd.example.signature")
        .child_referrer("application/spdx+json")
        .signature_tag()
        .build()
}

async fn check(client: &Client, image: &Image) -> Vec<Problem> {
    Witness::new(client.clone(), "team/app")
        .expecting(image)
        .check_all()
        .await
}

#[tokio::test]
async fn a_complete_image_is_complete_everywhere() {
    let image = signed_index();
    for kind in Kind::ALL {
        for security in Security::ALL {
            let registry = Registry::start(kind, security).await;
            registry.client().push("team/app", "v1", &image).await;
            assert_eq!(
                check(&registry.client(), &image).await,
                [],
                "{kind:?} {security:?}"
            );
        }
    }
}

#[tokio::test]
async fn images_of_every_shape_are_taken_by_real_registries() {
    let base = ImageBuilder::new(8).layers(&[900]);
    let shapes = [
        (
            "docker manifest",
            base.clone().format(Format::Docker).build(),
        ),
        (
            "docker list",
            base.clone()
                .format(Format::Docker)
                .platforms(&["linux/amd64", "windows/amd64"])
                .build(),
        ),
        (
            "nested index",
            base.clone()
                .platforms(&["linux/amd64"])
                .attestations()
                .nested()
                .build(),
        ),
        ("empty layer", base.clone().empty_layer().build()),
        (
            "foreign layer",
            base.clone()
                .foreign_layer(500, "https://example.invalid/layer")
                .build(),
        ),
        (
            "no layers",
            ImageBuilder::new(9)
                .user("65532")
                .label("a", "b")
                .created("2020-01-01T00:00:00Z")
                .build(),
        ),
        (
            "annotated",
            base.annotation("org.example.name", "value")
                .platform("linux/arm/v7")
                .build(),
        ),
    ];
    for kind in [Kind::Distribution3, Kind::Distribution2] {
        let registry = Registry::start(kind, Security::Plain).await;
        for (name, image) in &shapes {
            registry.client().push("team/app", "v1", image).await;
            assert_eq!(
                check(&registry.client(), image).await,
                [],
                "{kind:?} {name}"
            );
        }
    }
}

#[tokio::test]
async fn lost_bytes_are_missed() {
    let image = signed_index();
    for kind in Kind::ALL {
        let registry = Registry::start(kind, Security::Plain).await;
        registry.client().push("team/app", "v1", &image).await;
        let lost = &image.blobs[1].digest;
        registry.lose_content(lost);
        let problems = check(&registry.client(), &image).await;
        let expected = Problem {
            repository: "team/app".into(),
            tag: "v1".into(),
            defect: Defect::BlobMissing(lost.clone()),
        };
        assert!(problems.contains(&expected), "{kind:?} {problems:?}");
    }
}

#[tokio::test]
async fn every_kind_of_damage_is_named() {
    let image = signed_index();
    let (child, blob) = (
        image.children[0].digest.clone(),
        image.blobs[1].digest.clone(),
    );
    let referrer = image.referrers[0].manifest.digest.clone();
    let flip = Action::flip_byte(7);
    let missing = |part: &str| {
        (
            part.to_owned(),
            Action::Respond(crate::support::http::Reply::new(404)),
        )
    };
    let cases = [
        (
            missing(&format!("manifests/{child}")),
            Defect::ManifestMissing(child.clone()),
        ),
        (
            missing(&format!("blobs/{blob}")),
            Defect::BlobMissing(blob.clone()),
        ),
        (
            (format!("manifests/{child}"), flip.clone()),
            Defect::Corrupt(child),
        ),
        ((format!("blobs/{blob}"), flip), Defect::Corrupt(blob)),
        (
            missing(&format!("referrers/{}", image.digest())),
            Defect::ReferrerMissing(image.digest().into(), referrer),
        ),
    ];
    for ((part, action), defect) in cases {
        let registry = FaultRegistry::start();
        registry.load("team/app", "v1", &image);
        assert_eq!(
            check(&registry.client(), &image).await,
            [],
            "before the damage"
        );
        registry.on("GET", part).does(action);
        let problems = check(&registry.client(), &image).await;
        assert!(
            problems.iter().any(|problem| problem.defect == defect),
            "{defect:?} not in {problems:?}"
        );
    }
}

#[tokio::test]
async fn two_repositories_are_compared() {
    let (image, other) = (signed_index(), ImageBuilder::new(70).build());
    let (source, destination) = (
        FaultRegistry::start(),
        FaultRegistry::options().without_referrers_api().start(),
    );
    source.load("a", "v1", &image);
    destination.load("b", "same", &image);
    destination.load("b", "other", &other);
    let mut left = Witness::new(source.client(), "a");
    let mut right = Witness::new(destination.client(), "b");
    assert_eq!(right.check_against("same", &mut left, "v1").await, []);
    let problems = right.check_against("other", &mut left, "v1").await;
    let wrong = Defect::WrongDigest(image.digest().into(), other.digest().into());
    assert!(
        problems.iter().any(|problem| problem.defect == wrong),
        "{problems:?}"
    );
    destination
        .client()
        .delete(&format!("/v2/b/manifests/{}", fallback_tag(image.digest())))
        .await
        .unwrap();
    let problems = right.check_against("same", &mut left, "v1").await;
    assert!(
        matches!(
            &problems[..],
            [Problem {
                defect: Defect::ReferrerMissing(..),
                ..
            }]
        ),
        "{problems:?}"
    );
}

#[tokio::test]
async fn a_poller_sees_a_tag_that_comes_before_its_content() {
    let image = ImageBuilder::new(7).layers(&[3000]).build();
    let registry = FaultRegistry::options().sparse().start();
    let looking = Gate::closed();
    registry
        .on("GET", "/manifests/early")
        .nth(1)
        .does(Action::HoldReply(looking.clone()));
    registry.load("team/app", "right", &image);
    registry.load_manifest("team/early", "early", &image.root);
    let poller = Poller::watch(&registry.client(), &["team/app", "team/early"]);
    looking.reached().await;
    looking.open();
    let observed = poller.finish().await;
    let found: Vec<&str> = observed
        .problems
        .iter()
        .map(|problem| problem.tag.as_str())
        .collect();
    assert_eq!(
        found,
        ["early", "early"],
        "a config and a layer: {:?}",
        observed.problems
    );
    assert_eq!(observed.tags.len(), 2);
}

#[tokio::test]
async fn a_poller_misses_the_signature_of_a_visible_tag() {
    let image = ImageBuilder::new(7)
        .referrer("application/vnd.example.signature")
        .build();
    let unsigned = Image {
        referrers: Vec::new(),
        ..image.clone()
    };
    let registry = FaultRegistry::start();
    registry.load("team/app", "v1", &unsigned);
    let poller = Poller::watch_images(&registry.client(), &["team/app"], &[&image]);
    let observed = poller.finish().await;
    let missing = Defect::ReferrerMissing(
        image.digest().into(),
        image.referrers[0].manifest.digest.clone(),
    );
    assert_eq!(
        observed
            .problems
            .iter()
            .map(|problem| &problem.defect)
            .collect::<Vec<_>>(),
        [&missing]
    );
}

#[tokio::test]
async fn a_poller_accuses_nobody_who_writes_in_order() {
    let corpus = Corpus::small_tags(5, 12, 2000);
    for kind in Kind::ALL {
        let registry = Registry::start(kind, Security::Plain).await;
        let poller = Poller::watch(&registry.client(), &["small/tags"]);
        registry.client().push_corpus(&corpus).await;
        let observed = poller.finish().await;
        assert_eq!(observed.problems, [], "{kind:?}");
        assert_eq!(observed.tags.len(), 12, "{kind:?}");
        assert!(observed.rounds > 1, "{kind:?}");
    }
}
