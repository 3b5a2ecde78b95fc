// SPDX-License-Identifier: Apache-2.0

//! Descriptors and manifests as few write them.

use serde_json::{Value, json};

use super::{index, manifest, on};
use crate::matrix::mirror::Mirror;
use crate::support::content::{Blob, Image, media_type};
use crate::support::faults::FaultRegistry;

#[tokio::test(flavor = "multi_thread")]
async fn unusual_descriptors() {
    let layer = Blob::layer(7, 3_000);
    let mut foreign = layer.descriptor();
    foreign["mediaType"] = json!(media_type::OCI_FOREIGN_LAYER);
    foreign["urls"] = json!(["https://example.invalid/layer"]);
    let mut linked = layer.descriptor();
    linked["urls"] = json!(["https://example.invalid/layer"]);
    let mut short = layer.descriptor();
    short["size"] = json!(1);
    let config = on("linux", "amd64");
    let with = |layers: &[Value], seed: u64| {
        let mut image = manifest(
            media_type::OCI_CONFIG,
            &config,
            layers,
            &json!({"annotations": {"seed": seed.to_string()}}),
        );
        image.blobs.push(layer.clone());
        image
    };
    let linux = on("linux", "amd64");
    let (source, destination) = (FaultRegistry::start(), FaultRegistry::start());
    let cases: [(&str, Image, Result<(), &str>); 6] = [
        (
            "a layer with a URL is copied all the same",
            with(&[linked], 1),
            Ok(()),
        ),
        (
            "foreign first, then not",
            with(&[foreign.clone(), layer.descriptor()], 2),
            Ok(()),
        ),
        (
            "foreign in one image of an index, and not in the other",
            index(&[
                (&with(&[foreign], 3), linux.clone()),
                (&with(&[layer.descriptor()], 4), linux.clone()),
            ]),
            Ok(()),
        ),
        (
            "one layer with two sizes",
            with(&[layer.descriptor(), short.clone()], 5),
            Err("bytes and 1 bytes"),
        ),
        (
            "one layer with two sizes in two images",
            index(&[
                (&with(&[layer.descriptor()], 6), linux.clone()),
                (&with(&[short.clone()], 7), linux.clone()),
            ]),
            Err("bytes and 1 bytes: build the image again"),
        ),
        (
            "one layer with a wrong size",
            with(&[short], 8),
            Err("bytes where the manifest says 1"),
        ),
    ];
    for (number, (name, image, expected)) in cases.into_iter().enumerate() {
        let repository = format!("odd{number}");
        source.load(&repository, "1", &image);
        let report = Mirror::from(&source.access())
            .image(&repository, &["1"])
            .to(&destination.access())
            .sync()
            .await;
        match expected {
            Ok(()) => {
                report.expect(0, [1, 0, 0, 0, 0], name);
                assert!(destination.has_blob(&repository, &layer.digest), "{name}");
            }
            Err(part) => {
                let failure = report.failure();
                assert!(failure.message.contains(part), "{name}: {failure:?}");
                assert!(destination.manifest(&repository, "1").is_none(), "{name}");
            }
        }
    }
}
