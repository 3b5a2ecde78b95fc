// SPDX-License-Identifier: Apache-2.0

//! A real registry with the referrers API, on both sides.

use super::mirror::Mirror;
use super::pair::assert_arrived;
use crate::support::access_log::{Resource, count};
use crate::support::content::{Image, ImageBuilder};
use crate::support::registries::{Kind, Registry};

fn with_referrers(seed: u64) -> Image {
    ImageBuilder::new(seed)
        .platforms(&["linux/amd64", "linux/arm64"])
        .layers(&[2_000])
        .referrer("application/spdx+json")
        .child_referrer("application/vnd.example.scan")
        .build()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_refers_to_an_image_is_listed_and_needs_no_fallback_tag() {
    let options = |switches| Registry::options(Kind::Ocimem).switches(switches);
    for switches in [&[][..], &["-no-digest", "-no-link", "-page-limit=1000"]] {
        let (source, destination) =
            tokio::join!(options(switches).start(), options(switches).start());
        let image = with_referrers(1);
        let alone = ImageBuilder::new(2).build();
        source.client().push("app", "1", &image).await;
        source.client().push("app", "alone", &alone).await;
        let mirror = Mirror::from(&source.access())
            .image("app", &["*"])
            .to(&destination.access());
        mirror
            .sync()
            .await
            .expect(0, [2, 0, 0, 0, 0], format!("{switches:?}"));
        for (tag, image) in [("1", &image), ("alone", &alone)] {
            assert_arrived(&destination, "app", tag, image).await;
        }
        let tags = destination.client().tags("app").await.unwrap();
        assert_eq!(tags, ["1", "alone"]);
        destination.forget_requests().await;
        mirror
            .sync()
            .await
            .expect(0, [0, 0, 2, 0, 0], format!("{switches:?} again"));
        let asked = destination.requests().await;
        assert_eq!(count(&asked, "PUT", Resource::Manifest), 0, "{asked:#?}");
    }
}
