// SPDX-License-Identifier: Apache-2.0

//! What goes when a tag or a manifest is deleted, and what stays.

use futures::future;

use super::*;
use crate::layout::Deletion;
use crate::oci::Tag;

async fn delete_tag(fixture: &Fixture, tag: &str, expected: &Manifest) -> Deletion {
    let tag: Tag = tag.parse().unwrap();
    let deleted = fixture
        .layout
        .delete_tag(&fixture.repository, &tag, expected.digest())
        .await;
    deleted.unwrap()
}

async fn delete_manifest(fixture: &Fixture, manifest: &Manifest) -> Deletion {
    let deleted = fixture
        .layout
        .delete_manifest(&fixture.repository, manifest.digest())
        .await;
    deleted.unwrap()
}

#[tokio::test]
async fn a_tag_goes_and_its_manifest_stays() {
    let fixture = Fixture::new();
    let children = [image("amd64"), image("arm64")];
    let index = index_of(&[&children[0], &children[1]]);
    let signature = signature_of(&index);
    for manifest in children.iter().chain([&index]) {
        fixture.put_by_digest(manifest).await;
    }
    fixture.put("1.0", &index).await;
    fixture.put("latest", &index).await;
    fixture.put("signature", &signature).await;

    assert_eq!(delete_tag(&fixture, "1.0", &index).await, Deletion::Deleted);
    assert_eq!(
        fixture.listed(),
        [at("latest", &index), at("signature", &signature)]
    );
    assert_eq!(delete_tag(&fixture, "1.0", &index).await, Deletion::Missing);
    let deleted = delete_tag(&fixture, "signature", &signature).await;
    assert_eq!(deleted, Deletion::Deleted);
    assert_eq!(
        fixture.listed(),
        [at("latest", &index), at("", &signature)],
        "what refers to a manifest stays listed"
    );
    let deleted = delete_tag(&fixture, "latest", &index).await;
    assert_eq!(deleted, Deletion::Deleted);
    for manifest in children.iter().chain([&index, &signature]) {
        let digest = manifest.digest().as_str();
        assert!(fixture.resolve(digest).await.is_some(), "blobs stay");
    }
    fixture.put("1.0", &index).await;
    assert_eq!(fixture.resolve("1.0").await.as_ref(), Some(index.digest()));
}

#[tokio::test]
async fn a_tag_that_stands_for_something_else_by_now_is_not_touched() {
    let fixture = Fixture::new();
    let (old, new) = (image("old"), image("new"));
    fixture.put("1.0", &new).await;
    let before = fixture.state();
    assert_eq!(delete_tag(&fixture, "1.0", &old).await, Deletion::Moved);
    assert_eq!(fixture.state(), before, "nothing is written");
}

#[tokio::test]
async fn a_manifest_is_listed_under_none_of_its_tags_any_more() {
    let fixture = Fixture::new();
    let (image, other) = (image("a"), image("b"));
    let signature = signature_of(&image);
    fixture.put("1.0", &image).await;
    fixture.put("latest", &image).await;
    fixture.put("2.0", &other).await;
    fixture.put_by_digest(&signature).await;
    assert_eq!(
        delete_manifest(&fixture, &signature).await,
        Deletion::Deleted
    );
    let referrers = fixture
        .layout
        .referrers(&fixture.repository, image.digest())
        .await;
    assert_eq!(referrers.unwrap(), []);
    assert_eq!(delete_manifest(&fixture, &image).await, Deletion::Deleted);
    assert_eq!(fixture.listed(), [at("2.0", &other)]);
    assert_eq!(delete_manifest(&fixture, &image).await, Deletion::Missing);
}

#[tokio::test]
async fn where_there_is_no_layout_nothing_is_made() {
    let fixture = Fixture::new();
    let before = fixture.state();
    let image = image("a");
    assert_eq!(delete_tag(&fixture, "1.0", &image).await, Deletion::Missing);
    assert_eq!(delete_manifest(&fixture, &image).await, Deletion::Missing);
    assert_eq!(fixture.state(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn tags_that_go_and_tags_that_come_at_once_do_not_meet() {
    let fixture = Fixture::new();
    // A second tree on the same directory shares no memory with the first, as another process.
    let trees = [
        fixture.layout.clone(),
        Layout::open(fixture.layout.path().to_owned()),
    ];
    let image = image("a");
    for number in 0..20 {
        fixture.put(&format!("old-{number}"), &image).await;
    }
    let changes = (0..20).map(|number| {
        let layout = trees[number % 2].clone();
        let (repository, image) = (fixture.repository.clone(), image.clone());
        tokio::spawn(async move {
            let old: Tag = format!("old-{number}").parse().unwrap();
            let new = target(&format!("new-{number}"));
            let (deleted, put) = tokio::join!(
                layout.delete_tag(&repository, &old, image.digest()),
                layout.put_manifest(&repository, &new, &image)
            );
            (deleted.unwrap(), put.unwrap())
        })
    });
    for change in future::join_all(changes).await {
        assert_eq!(change.unwrap(), (Deletion::Deleted, ()));
    }
    for layout in &trees {
        let tags = layout.list_tags(&fixture.repository).await.unwrap();
        assert_eq!(tags.len(), 20);
        assert!(tags.iter().all(|tag| tag.as_str().starts_with("new-")));
    }
}
