// SPDX-License-Identifier: Apache-2.0

//! The registries that people run.

use transship::oci::{Digest, Tag, TagOrDigest};
use transship::registry::{Client, Deletion, Error, Kind, Pool, Referrers, Settings, Tls, Upload};

use super::{descriptor, digest, everything, image, kind, logged_in, repository, tag, upload};
use crate::support::content::{Blob, Image, ImageBuilder};
use crate::support::registries::{self, Registry, Security};
use crate::support::witness::Witness;

fn client(registry: &Registry) -> Client {
    let settings = Settings {
        insecure: registry.ca_pem().is_none(),
        tls: Tls {
            ca_pem: registry.ca_pem().map(|pem| pem.as_bytes().to_vec()),
            identity_pem: None,
        },
        ..Settings::default()
    };
    let settings = match registry.login() {
        Some(_) => logged_in(settings),
        None => settings,
    };
    let name = registry.host().parse().unwrap();
    Pool::new("transship/test")
        .client(&name, &settings)
        .unwrap()
}

#[tokio::test]
async fn every_kind_in_every_mode_does_everything() {
    for program in registries::Kind::ALL {
        for security in Security::ALL {
            let registry = Registry::start(program, security).await;
            let done = everything(&client(&registry), &image()).await;
            done.unwrap_or_else(|error| panic!("{program:?} {security:?}: {error}"));
        }
    }
}

#[tokio::test]
async fn what_is_stored_is_found_again() {
    for program in registries::Kind::ALL {
        let registry = Registry::start(program, Security::Plain).await;
        let client = client(&registry);
        let image = image();
        assert_eq!(
            kind(client.resolve(&repository(), &tag(), None).await),
            Ok(None)
        );
        everything(&client, &image).await.unwrap();
        let root = digest(&image.root);
        for target in [tag(), TagOrDigest::Digest(root.clone())] {
            let found = client
                .resolve(&repository(), &target, None)
                .await
                .unwrap()
                .unwrap();
            let length = image.root.bytes.len() as u64;
            assert_eq!(
                (found.digest, found.size),
                (root.clone(), Some(length)),
                "{program:?}"
            );
        }
        let tags = client.list_tags(&repository()).await.unwrap();
        assert_eq!(tags, ["v1".parse().unwrap()], "{program:?}");
        let referrers = client.referrers(&repository(), &root).await.unwrap();
        assert!(
            matches!(&referrers, Referrers::Unsupported)
                || referrers == Referrers::Listed(Vec::new()),
            "{program:?}"
        );
        let missing = client.list_tags(&"no/such".parse().unwrap()).await;
        assert_eq!(kind(missing), Err(Kind::NotFound), "{program:?}");
    }
}

#[tokio::test]
async fn blobs_of_every_size_arrive_and_can_be_mounted() {
    for program in registries::Kind::ALL {
        let registry = Registry::start(program, Security::Plain).await;
        let client = client(&registry);
        let blobs = [
            Blob::new("x/y", ""),
            Blob::new("x/y", "x"),
            Blob::layer(1, 1_000_000),
        ];
        for blob in blobs {
            upload(&client, &repository(), &blob).await.unwrap();
            for offset in [0, blob.bytes.len() / 2, blob.bytes.len()] {
                let rest = super::read(&client, &descriptor(&blob), offset as u64)
                    .await
                    .unwrap();
                assert!(rest == blob.bytes.slice(offset..), "{program:?}");
            }
            let other = "other/app".parse().unwrap();
            let mounted = client
                .start_upload(&other, &digest(&blob), Some(&repository()))
                .await;
            let is_mounted = matches!(mounted, Ok(Upload::Mounted));
            assert_eq!(
                is_mounted,
                program != registries::Kind::Crane,
                "{program:?}"
            );
        }
    }
}

#[tokio::test]
async fn what_is_wrong_is_refused_with_its_code() {
    for program in registries::Kind::ALL {
        let registry = Registry::start(program, Security::Plain).await;
        let client = client(&registry);
        let wrong = Blob {
            digest: Digest::sha256(b"other").to_string(),
            ..Blob::layer(1, 1_000)
        };
        let error: Error = upload(&client, &repository(), &wrong).await.unwrap_err();
        let found = (error.kind(), error.code());
        assert_eq!(
            found,
            (Kind::Rejected, Some("DIGEST_INVALID")),
            "{program:?}"
        );
        assert!(
            !client
                .has_blob(&repository(), &digest(&wrong))
                .await
                .unwrap()
        );
    }
}

#[tokio::test]
async fn a_registry_in_plain_http_is_recognised() {
    let registry = Registry::start(registries::Kind::Distribution3, Security::Plain).await;
    let name = registry.host().parse().unwrap();
    let client = Pool::new("transship/test")
        .client(&name, &Settings::default())
        .unwrap();
    let error = client
        .resolve(&repository(), &tag(), None)
        .await
        .unwrap_err();
    assert_eq!((error.kind(), error.is_transient()), (Kind::Tls, false));
    let shown = error.to_string().replace(&registry.host(), "REGISTRY");
    insta::assert_snapshot!(shown, @"cannot look up REGISTRY/team/app:v1: https://REGISTRY speaks plain HTTP, and is called with HTTPS: if that is how it should be, write insecure: true where a mirror names it, or name it with --insecure on the command line");
}

#[tokio::test]
async fn a_sha512_digest_is_taken_where_the_registry_knows_it() {
    let image = ImageBuilder::new(3).sha512_layer(5_000).build();
    for program in [
        registries::Kind::Distribution2,
        registries::Kind::Distribution3,
    ] {
        let registry = Registry::start(program, Security::Plain).await;
        let done = everything(&client(&registry), &image).await;
        done.unwrap_or_else(|error| panic!("{program:?}: {error}"));
    }
}

/// Two tags of one image, and a child of it that is an image of its own tag, too.
async fn with_shared_tags(program: registries::Kind, security: Security) -> (Registry, Image) {
    let registry = Registry::start(program, security).await;
    let image = ImageBuilder::new(5)
        .platforms(&["linux/amd64", "linux/arm64"])
        .layers(&[5_000])
        .build();
    for tag in ["v1", "latest"] {
        registry.client().push("team/app", tag, &image).await;
    }
    let child = &image.children[0];
    registry
        .client()
        .push_manifest("team/app", "amd64", child)
        .await;
    (registry, image)
}

#[tokio::test]
async fn a_deleted_tag_takes_nothing_along() {
    for program in registries::Kind::ALL {
        for security in Security::ALL {
            let (registry, image) = with_shared_tags(program, security).await;
            let client = client(&registry);
            let root = digest(&image.root);
            let can = program != registries::Kind::Distribution2;
            let expected = if can {
                [Deletion::Deleted, Deletion::Missing]
            } else {
                [Deletion::Unsupported, Deletion::Unsupported]
            };
            let v1: Tag = "v1".parse().unwrap();
            for expected in expected {
                let found = client
                    .delete_tag(&repository(), &v1, &root, &[], None)
                    .await;
                assert_eq!(kind(found), Ok(expected), "{program:?} {security:?}");
            }
            let tags = client.list_tags(&repository()).await.unwrap();
            let tags: Vec<&str> = tags.iter().map(Tag::as_str).collect();
            let rest: &[&str] = if can {
                &["amd64", "latest"]
            } else {
                &["amd64", "latest", "v1"]
            };
            assert_eq!(tags, rest, "{program:?} {security:?}");
            let mut witness = Witness::new(registry.client(), "team/app").expecting(&image);
            assert_eq!(
                witness.check("latest").await,
                [],
                "{program:?} {security:?}"
            );
            let by_digest = client
                .fetch_manifest(&repository(), &TagOrDigest::Digest(root))
                .await;
            assert!(by_digest.is_ok(), "{program:?} {security:?}");
        }
    }
}

#[tokio::test]
async fn a_deleted_manifest_takes_its_tags_along_and_not_its_children() {
    for program in registries::Kind::ALL {
        let (registry, image) = with_shared_tags(program, Security::Plain).await;
        let client = client(&registry);
        let root = digest(&image.root);
        let found = client.delete_manifest(&repository(), &root, None).await;
        assert_eq!(kind(found), Ok(Deletion::Deleted), "{program:?}");
        let target = TagOrDigest::Digest(root.clone());
        let left = client.resolve(&repository(), &target, None).await;
        assert_eq!(kind(left), Ok(None), "{program:?}");
        for child in &image.children {
            let child = TagOrDigest::Digest(digest(child));
            let found = client.resolve(&repository(), &child, None).await;
            assert!(kind(found).unwrap().is_some(), "{program:?}");
        }
        let again = client.delete_manifest(&repository(), &root, None).await;
        assert_eq!(kind(again), Ok(Deletion::Missing), "{program:?}");
    }
}

#[tokio::test]
async fn a_list_of_several_pages_is_whole_with_and_without_links() {
    for program in registries::Kind::ALL {
        let registry = Registry::start(program, Security::Plain).await;
        let image = image();
        let client = registry.client();
        client.push("team/app", "t", &image).await;
        let mut expected = vec!["t".to_owned()];
        for number in 0..1_499 {
            let tag = format!("t{number:04}");
            client.push_manifest("team/app", &tag, &image.root).await;
            expected.push(tag);
            // A page that is full and the last one, too.
            if number == 998 {
                assert_eq!(listed(&registry).await, expected, "{program:?}");
            }
        }
        assert_eq!(listed(&registry).await, expected, "{program:?}");
    }
}

async fn listed(registry: &Registry) -> Vec<String> {
    let tags = client(registry).list_tags(&repository()).await.unwrap();
    tags.iter().map(ToString::to_string).collect()
}
