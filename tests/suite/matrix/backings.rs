// SPDX-License-Identifier: Apache-2.0

//! distribution as it is run in earnest: as a cache, without the right to write, and on S3.

use super::mirror::Mirror;
use super::pair::assert_arrived;
use crate::support::access_log::Request;
use crate::support::content::{Image, ImageBuilder};
use crate::support::credentials::Login;
use crate::support::registries::{Kind, ObjectStore, Options, Registry, Security};

const V3: Kind = Kind::Distribution3;

fn image(seed: u64) -> Image {
    ImageBuilder::new(seed)
        .platforms(&["linux/amd64", "linux/arm64"])
        .layers(&[2_000, 40_000])
        .build()
}

fn options() -> Options {
    Registry::options(V3)
}

/// Whether a copy to a registry that refuses every write fails at once, with its name and answer.
async fn assert_takes_nothing(source: &Registry, destination: &Registry) {
    let other = image(2);
    source.client().push("other", "2", &other).await;
    destination.forget_requests().await;
    let mirror = Mirror::from(&source.access())
        .image("other", &["2"])
        .to(&destination.access());
    let report = mirror.sync().await;
    report.expect(1, [0, 0, 0, 0, 1], "into it");
    let failure = report.failure();
    assert_eq!(failure.reason, "CopyFailed", "{report}");
    let advice = "the registry takes no writes here: it is read-only, or a cache of another one";
    for part in [destination.host().as_str(), "405", advice] {
        assert!(failure.message.contains(part), "{part}: {failure:?}");
    }
    let mut writes = destination.requests().await;
    writes.retain(Request::is_mutating);
    assert!(!writes.is_empty(), "{report}");
    // A mount that is refused is followed by the start of an upload, and that by nothing.
    assert!(writes.len() <= 2 * other.blobs.len(), "{writes:#?}");
    assert!(
        writes.iter().all(|write| write.method == "POST"),
        "{writes:#?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cache_gives_what_is_behind_it_and_takes_nothing() {
    let image = image(1);
    let (upstream, destination) = tokio::join!(
        Registry::start(V3, Security::Basic),
        Registry::start(V3, Security::Plain)
    );
    upstream.client().push("app", "1", &image).await;
    let cache = options().cache_of(&upstream).start().await;

    let mirror = Mirror::from(&cache.access())
        .image("app", &["*"])
        .to(&destination.access());
    let report = mirror.sync().await;
    report.expect(0, [1, 0, 0, 0, 0], "from a cache");
    assert_arrived(&destination, "app", "1", &image).await;

    assert_takes_nothing(&destination, &cache).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registry_without_the_right_to_write_is_read_and_named() {
    let image = image(3);
    let (writable, destination) = tokio::join!(
        Registry::start(V3, Security::Plain),
        Registry::start(V3, Security::Plain)
    );
    writable.client().push("app", "1", &image).await;
    let frozen = options().read_only(&writable).start().await;

    let mirror = Mirror::from(&frozen.access())
        .image("app", &["1"])
        .to(&destination.access());
    let report = mirror.sync().await;
    report.expect(0, [1, 0, 0, 0, 0], "from it");
    assert_arrived(&destination, "app", "1", &image).await;

    assert_takes_nothing(&destination, &frozen).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn blobs_come_from_s3_without_the_credential_of_the_registry() {
    let image = image(5);
    let store = ObjectStore::start().await;
    let (source, plain) = tokio::join!(
        options().basic().on(&store).start(),
        Registry::start(V3, Security::Plain)
    );
    plain.client().push("app", "1", &image).await;
    let into = Mirror::from(&plain.access())
        .image("app", &["1"])
        .destination(&source.access(), ", repository: kept");
    into.sync().await.expect(0, [1, 0, 0, 0, 0], "to S3");
    let behind = options().behind(&store).start().await;
    assert_arrived(&behind, "kept", "1", &image).await;

    let from = Mirror::from(&source.access())
        .image("kept", &["1"])
        .destination(&plain.access(), ", repository: back");
    let report = from.sync().await;
    report.expect(0, [1, 0, 0, 0, 0], "from S3");
    assert_arrived(&plain, "back", "1", &image).await;
    let fetched = store.redirected();
    assert_eq!(fetched.len(), image.blobs.len(), "{fetched:#?}");
    let basic = Login::valid().basic();
    for request in fetched {
        assert_eq!(request.headers.value("authorization"), None, "{request:?}");
        assert!(request.query.contains("X-Amz-Signature="), "{request:?}");
        assert!(!format!("{request:?}").contains(&basic), "{request:?}");
    }
}
