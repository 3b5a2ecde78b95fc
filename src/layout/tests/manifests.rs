// SPDX-License-Identifier: Apache-2.0

//! Tags, other roots and referrers.

use std::fs;

use futures::future;
use serde_json::json;

use super::*;
use crate::oci::{Descriptor, Tag};

#[tokio::test]
async fn a_tag_leads_to_the_same_bytes_again() {
    let fixture = Fixture::new();
    let image = image("a");
    fixture.put("1.0", &image).await;
    for wanted in ["1.0", image.digest().as_str()] {
        let found = fixture
            .layout
            .fetch_manifest(&fixture.repository, &target(wanted))
            .await
            .unwrap();
        assert_eq!(found, image, "{wanted}");
        assert_eq!(fixture.resolve(wanted).await.as_ref(), Some(image.digest()));
    }
    assert_eq!(fixture.resolve("2.0").await, None);
    assert_eq!(fixture.resolve(Digest::sha256(b"x").as_str()).await, None);
}

#[tokio::test]
async fn an_image_that_is_pushed_child_by_child_is_listed_once() {
    let fixture = Fixture::new();
    let children = [image("amd64"), image("arm64")];
    let index = index_of(&[&children[0], &children[1]]);
    let signature = signature_of(&index);
    for manifest in children.iter().chain([&index, &signature]) {
        fixture.put_by_digest(manifest).await;
    }
    assert_eq!(fixture.listed(), [at("", &index), at("", &signature)]);
    fixture.put("1.0", &index).await;
    let listed = [at("1.0", &index), at("", &signature)];
    assert_eq!(fixture.listed(), listed);

    fixture.put_by_digest(&children[0]).await;
    assert_eq!(
        fixture.listed(),
        listed,
        "a child that comes again is below the index"
    );
}

#[tokio::test]
async fn a_tag_that_moves_leaves_only_signatures_and_other_tags_behind() {
    let fixture = Fixture::new();
    let (old, new) = (image("old"), image("new"));
    let signature = signature_of(&old);
    for (tag, manifest) in [("1.0", &old), ("latest", &old), ("signature", &signature)] {
        fixture.put(tag, manifest).await;
    }
    for tag in ["latest", "signature", "1.0"] {
        fixture.put(tag, &new).await;
    }
    assert_eq!(
        fixture.listed(),
        [
            at("", &signature),
            at("latest", &new),
            at("signature", &new),
            at("1.0", &new)
        ]
    );
    let digest = old.digest();
    assert_eq!(
        fixture.resolve(digest.as_str()).await.as_ref(),
        Some(digest)
    );
}

#[tokio::test]
async fn names_that_other_tools_write_are_read_as_tags() {
    let fixture = Fixture::new();
    let image = image("a");
    fixture.put("0", &image).await;
    let text = fs::read_to_string(fixture.path("index.json")).unwrap();
    for (name, tags) in [
        ("1.0", vec!["1.0"]),
        ("docker.io/library/alpine:3.20", vec!["3.20"]),
        ("localhost:5000/a", vec![]),
    ] {
        let renamed = text.replace("\"0\"", &format!("{name:?}"));
        fs::write(fixture.path("index.json"), renamed).unwrap();
        let found = fixture.layout.list_tags(&fixture.repository).await.unwrap();
        assert_eq!(found.iter().map(Tag::as_str).collect::<Vec<_>>(), tags);
        for tag in tags {
            assert_eq!(fixture.resolve(tag).await.as_ref(), Some(image.digest()));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_tags_at_once_through_two_trees_are_all_there() {
    let fixture = Fixture::new();
    // A second tree on the same directory shares no memory with the first, as another process.
    let trees = [
        fixture.layout.clone(),
        Layout::open(fixture.layout.path().to_owned()),
    ];
    let image = image("a");
    let puts = (0..50).map(|number| {
        let layout = trees[number % 2].clone();
        let (repository, image) = (fixture.repository.clone(), image.clone());
        tokio::spawn(async move {
            let target = target(&format!("1.{number}"));
            layout.put_manifest(&repository, &target, &image).await
        })
    });
    for put in future::join_all(puts).await {
        put.unwrap().unwrap();
    }
    for layout in &trees {
        assert_eq!(
            layout.list_tags(&fixture.repository).await.unwrap().len(),
            50
        );
    }
    assert_eq!(fixture.temporary_files(), 0);
}

#[tokio::test]
async fn referrers_are_found_by_subject_and_by_the_referrers_tag() {
    let fixture = Fixture::new();
    let image = image("a");
    let signature = signature_of(&image);
    fixture.put("1.0", &image).await;
    fixture.put_by_digest(&signature).await;
    let only_in_fallback = parse(&json!({
        "schemaVersion": 2, "mediaType": OCI_INDEX,
        "manifests": [
            descriptor(OCI_MANIFEST, b"somewhere else"),
            descriptor(OCI_MANIFEST, signature.bytes()),
        ],
    }));
    let fallback_tag = format!("sha256-{}", image.digest().encoded());

    let listed = Descriptor {
        artifact_type: Some(BUNDLE.to_owned()),
        annotations: [("by".to_owned(), "somebody".to_owned())].into(),
        ..signature.descriptor()
    };
    let referrers = async || {
        let digest = image.digest();
        fixture
            .layout
            .referrers(&fixture.repository, digest)
            .await
            .unwrap()
    };
    assert_eq!(referrers().await, std::slice::from_ref(&listed));
    fixture.put(&fallback_tag, &only_in_fallback).await;
    let elsewhere = Descriptor::of(OCI_MANIFEST.into(), b"somewhere else");
    assert_eq!(referrers().await, [listed, elsewhere]);

    let of_nothing = fixture
        .layout
        .referrers(&repository("not/there"), image.digest())
        .await;
    assert_eq!(of_nothing.unwrap(), []);
}
