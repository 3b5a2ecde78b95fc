// SPDX-License-Identifier: Apache-2.0

//! Tags whose indexes have children in common, as releases and their aliases do.

use std::collections::HashMap;

use super::mirror::Mirror;
use crate::support::content::{Image, ImageBuilder};
use crate::support::faults::FaultRegistry;
use crate::support::http::Reply;

/// Two indexes of the same images, which are signed.
fn siblings() -> [Image; 2] {
    let builder = ImageBuilder::new(1)
        .platforms(&["linux/amd64", "linux/arm64"])
        .layers(&[2_000])
        .child_referrer("application/vnd.example.signature");
    ["1.0", "1.0.7"].map(|version| builder.clone().annotation("version", version).build())
}

fn source() -> FaultRegistry {
    let source = FaultRegistry::start();
    for (tag, image) in ["1.0", "1.0.7"].iter().zip(siblings()) {
        source.load("app", tag, &image);
    }
    source
}

#[tokio::test(flavor = "multi_thread")]
async fn a_manifest_is_written_once_whoever_names_it() {
    let (source, destination) = (source(), FaultRegistry::start());
    let report = Mirror::from(&source.access())
        .image("app", &["1.0*"])
        .to(&destination.access())
        .sync()
        .await;
    report.expect(0, [2, 0, 0, 0, 0], "two tags");
    let mut writes: HashMap<String, usize> = HashMap::new();
    for request in destination.requests() {
        if request.method == "PUT" && request.path.contains("/manifests/") {
            *writes.entry(request.path).or_default() += 1;
        }
    }
    writes.retain(|_, times| *times > 1);
    assert_eq!(writes, HashMap::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_of_referrers_that_is_refused_is_written_anew() {
    let destination = FaultRegistry::options().without_referrers_api().start();
    // distribution 2 says so of an index while it rewrites what it keeps of an entry.
    destination
        .on("PUT", "/manifests/sha256-")
        .first(1)
        .responds(Reply::error(400, "DIGEST_INVALID", "try again"));
    let source = source();
    let report = Mirror::from(&source.access())
        .image("app", &["1.0"])
        .to(&destination.access())
        .sync()
        .await;
    report.expect(0, [1, 0, 0, 0, 0], "one tag");
    let [image, _] = siblings();
    for subject in image.subjects() {
        let (tag, list) = image.fallback_index(subject);
        assert!(destination.manifest("app", &tag).is_some(), "{list:?}");
    }
}
