// SPDX-License-Identifier: Apache-2.0

//! A garbage collection while the registry runs: its storage has lost what its cache still has.

use super::lab::{Lab, image, process, target};
use crate::support::registries::{Kind, Registry, Security};
use crate::support::witness::Witness;

#[tokio::test(flavor = "multi_thread")]
async fn what_a_garbage_collection_left_of_an_image_is_made_whole() {
    for kind in [Kind::Distribution2, Kind::Distribution3] {
        let (image, registry) = (image(), Registry::start(kind, Security::Plain).await);
        let client = registry.client();
        client.push("team/app", "1", &image).await;
        for manifest in image.children.iter().chain([&image.root]) {
            let path = format!("/v2/team/app/manifests/{}", manifest.digest);
            assert_eq!(client.delete(&path).await.unwrap().status, 202, "{kind:?}");
        }
        registry.collect_garbage();
        let blob = format!("/v2/team/app/blobs/{}", image.blobs[0].digest);
        assert_eq!(client.head(&blob).await.unwrap().status, 200, "{kind:?}");
        assert!(
            client.get(&blob).await.is_err(),
            "{kind:?} serves what it has lost"
        );

        let (lab, (engine, pool)) = (Lab::copying(image), process());
        let mut job = lab.job(&pool);
        job.targets = vec![target(&pool, &registry.host(), "team/app")];
        let outcome = engine.copy(&job).await.remove(0);
        assert!(outcome.is_ok(), "{kind:?}: {outcome:?}");
        let mut witness = Witness::new(client, "team/app");
        assert_eq!(witness.check("1").await, [], "{kind:?}");
    }
}
