// SPDX-License-Identifier: Apache-2.0

//! A bundle that carries only what is new since another one.

use std::fs;

use super::Gap;
use crate::support::content::{Blob, Image, ImageBuilder};
use crate::support::registries::{Kind, Registry, Security};

/// An image with a layer of its own on one that all share.
fn on_base(seed: u64) -> Image {
    ImageBuilder::new(seed)
        .shared_layer(&Blob::layer(100, 500_000))
        .layers(&[20_000])
        .build()
}

fn size(image: &Image) -> u64 {
    let blobs = image.blobs.iter();
    blobs.map(|blob| blob.bytes.len() as u64).sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn only_what_is_new_is_carried_and_the_rest_is_looked_for() {
    let gap = Gap::new().await;
    let base = Blob::layer(100, 500_000).bytes.len() as u64;
    gap.source.client().push("app", "1", &on_base(1)).await;
    let first = gap.create(&["first.tar", "--index", "first.json"]).await;
    gap.source.client().push("app", "2", &on_base(2)).await;
    let of_index = gap.create(&["second.tar", "--since", "first.json"]).await;
    let of_bundle = gap.create(&["same.tar", "--since", "first.tar"]).await;
    for second in [&of_index, &of_bundle] {
        assert_eq!(second["previous"], first["index"]);
        assert_eq!(second["images"].as_array().unwrap().len(), 2);
        // The layer below, and the config and layer of the first image.
        assert_eq!(second["elsewhere"]["count"], 3, "{second:#}");
        assert_eq!(second["elsewhere"]["size"], size(&on_base(1)));
        let new = size(&on_base(2)) - base;
        let manifests = 2 * on_base(1).root.bytes.len() as u64;
        let carried = second["contents"]["size"].as_u64().unwrap();
        assert!(carried.abs_diff(new + manifests) < 100, "{second:#}");
    }

    // Nothing is tagged whose content is not all there.
    let empty = Registry::start(Kind::Distribution3, Security::Plain).await;
    let text = fs::read_to_string(gap.path("mirror.yaml")).unwrap();
    let text = text.replace(&gap.destination.host(), &empty.host());
    fs::write(gap.path("empty.yaml"), text).unwrap();
    let finished = gap
        .run(&["bundle", "load", "-f", "empty.yaml", "second.tar"])
        .await;
    assert_eq!(finished.code, Some(1), "{}", finished.stdout);
    let said = "which an earlier bundle brings: the destination does not have it, so load that bundle first";
    assert!(finished.stderr.contains(said), "{}", finished.stderr);
    let note = "relies on 3 blobs (";
    assert!(finished.stderr.contains(note), "{}", finished.stderr);
    let tags = empty.client().tags("mirrored/app").await;
    assert_eq!(tags.unwrap_or_default(), [""; 0]);

    gap.load("first.tar").await;
    let loaded = gap.load("second.tar").await;
    assert_eq!(loaded["totals"]["copied"], 1, "{loaded:#}");
    assert_eq!(loaded["totals"]["unchanged"], 1);
    assert_eq!(loaded["totals"]["bytes"], size(&on_base(2)) - base);
    gap.assert_whole(&["app:1", "app:2"]).await;

    // A third one goes on from the second, which relies on the first.
    gap.source.client().push("app", "3", &on_base(3)).await;
    let third = gap.create(&["third.tar", "--since", "second.tar"]).await;
    assert_eq!(third["elsewhere"]["count"], 5, "{third:#}");
    let loaded = gap.load("third.tar").await;
    assert_eq!(loaded["totals"]["bytes"], size(&on_base(3)) - base);
    gap.assert_whole(&["app:3"]).await;
    let whole = fs::metadata(gap.path("third.tar")).unwrap().len();
    assert!(whole < base, "{whole}");
}
