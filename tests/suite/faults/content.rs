// SPDX-License-Identifier: Apache-2.0

//! Images that are made to do harm, and images that point where nobody should look.

use serde_json::{Value, json};

use super::lab::{Lab, image};
use super::{Case, check_cases};
use crate::support::content::{Blob, Image, ImageBuilder, media_type};
use crate::support::http::Reply;

/// An index of these manifests.
fn index(entries: &[Value]) -> Blob {
    let document =
        json!({"schemaVersion": 2, "mediaType": media_type::OCI_INDEX, "manifests": entries});
    Blob::json(media_type::OCI_INDEX, &document)
}

fn index_of(manifests: &[Blob]) -> Blob {
    index(&manifests.iter().map(Blob::descriptor).collect::<Vec<_>>())
}

/// A manifest without layers, of about as many bytes as it is told to have.
fn manifest(number: usize, bytes: usize, blobs: &mut Vec<Blob>) -> Blob {
    let config = Blob::json(media_type::OCI_CONFIG, &json!({ "number": number }));
    let document = json!({
        "schemaVersion": 2, "mediaType": media_type::OCI_MANIFEST, "config": config.descriptor(), "layers": [],
        "annotations": {"padding": "x".repeat(bytes)},
    });
    blobs.push(config);
    Blob::json(media_type::OCI_MANIFEST, &document)
}

/// An image inside of so many indexes.
fn nested(depth: usize) -> Image {
    let mut image = ImageBuilder::new(2).build();
    for _ in 0..depth {
        let outer = index_of(std::slice::from_ref(&image.root));
        image
            .children
            .push(std::mem::replace(&mut image.root, outer));
    }
    image
}

/// So many indexes of so many manifests each.
fn wide(indexes: usize, manifests: usize, bytes: usize) -> Image {
    let (mut blobs, mut children, mut inner) = (Vec::new(), Vec::new(), Vec::new());
    for first in (0..indexes).map(|number| number * manifests) {
        let leaves: Vec<Blob> = (first..first + manifests)
            .map(|number| manifest(number, bytes, &mut blobs))
            .collect();
        inner.push(index_of(&leaves));
        children.extend(leaves);
    }
    let root = index_of(&inner);
    children.extend(inner);
    Image {
        root,
        children,
        blobs,
        referrers: Vec::new(),
    }
}

/// A lab whose source answers every question for referrers with these entries.
fn referred_by(entries: &[Value]) -> Lab {
    let lab = Lab::new();
    let reply = Reply::new(200)
        .header("content-type", media_type::OCI_INDEX)
        .body(index(entries).bytes);
    lab.at_source("GET", "/referrers/").responds(reply);
    lab
}

#[tokio::test(flavor = "multi_thread")]
async fn images_without_end() {
    let cases: [Case; 5] = [
        ("three levels of indexes", Lab::copying(nested(3)), "Copied"),
        (
            "four levels of indexes",
            Lab::copying(nested(4)).for_good(),
            "CopyFailed: reading SOURCE/team/app@DIGEST: the index nests deeper than 3 levels: \
             mirror the inner images by tags of their own",
        ),
        (
            "five hundred levels of indexes",
            Lab::copying(nested(500)).for_good(),
            "CopyFailed: reading SOURCE/team/app@DIGEST: the index nests deeper than 3 levels: \
             mirror the inner images by tags of their own",
        ),
        (
            "8,194 manifests",
            Lab::copying(wide(17, 482, 0)).for_good(),
            "CopyFailed: reading SOURCE/team/app@DIGEST: the image and what refers to it are \
             more than 8192 manifests: choose platforms, or set referrers to Skip",
        ),
        (
            "72 MB of manifests",
            Lab::copying(wide(1, 18, 4_000_000)).for_good(),
            "CopyFailed: reading SOURCE/team/app@DIGEST: the manifests of the image and of what \
             refers to it have more than 67108864 bytes: choose platforms, or set referrers to \
             Skip",
        ),
    ];
    check_cases(cases).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn referrers_without_end() {
    let some = |number: usize| Blob::json(media_type::OCI_MANIFEST, &json!(number)).descriptor();
    let many: Vec<Value> = (0..10_000).map(some).collect();
    let itself = image().root.descriptor();
    let cases: [Case; 3] = [
        (
            "ten thousand",
            referred_by(&many),
            "CopyFailed: reading SOURCE/team/app@DIGEST: cannot list what refers to \
             SOURCE/team/app@DIGEST: the list has more than 1024 entries; with referrers set to \
             Skip the image is copied without what refers to it",
        ),
        ("none of them is there", referred_by(&many[..3]), "Copied"),
        (
            "the image refers to itself",
            referred_by(&[itself]),
            "Copied",
        ),
    ];
    check_cases(cases).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_foreign_layer_is_not_looked_for() {
    let lab = Lab::new();
    let url = format!("{}/layer?token=canary", lab.bystander.url());
    let image = ImageBuilder::new(3)
        .layers(&[1_000])
        .foreign_layer(2_000, &url)
        .build();
    lab.source.load("team/app", "1", &image);
    check_cases([("a layer that is elsewhere", Lab { image, ..lab }, "Copied")]).await;
}
