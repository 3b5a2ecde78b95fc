// SPDX-License-Identifier: Apache-2.0

//! The registry in memory does what its switches say.

use serde_json::Value;

use crate::support::content::{Image, ImageBuilder};
use crate::support::registries::{Kind, Registry};

#[tokio::test]
async fn ocimem_does_what_its_switches_say() {
    let image = ImageBuilder::new(1)
        .referrer("application/spdx+json")
        .build();
    let options = || Registry::options(Kind::Ocimem);
    let list = |registry: &Registry, n: u16| {
        let client = registry.client();
        async move {
            let path = format!("/v2/a/tags/list?n={n}");
            client.get(&path).await.unwrap()
        }
    };
    let (plain, strange) = tokio::join!(
        options().start(),
        options()
            .switches(&["-page-limit=2", "-no-link", "-no-digest", "-immutable-tags"])
            .start()
    );
    for registry in [&plain, &strange] {
        for tag in ["1", "2", "3"] {
            registry.client().push("a", tag, &image).await;
        }
    }
    let (page, cut) = (list(&plain, 2).await, list(&strange, 2).await);
    assert!(page.header("link").is_some());
    assert_eq!((cut.status, cut.header("link")), (200, None));
    assert_eq!(page.body, cut.body);
    assert_eq!(list(&plain, 3).await.status, 200);
    assert_eq!(list(&strange, 3).await.status, 400);

    let other = ImageBuilder::new(2).build();
    for (registry, has_digest, status) in [(&plain, true, 201), (&strange, false, 403)] {
        let client = registry.client();
        let manifest = format!("/v2/a/manifests/{}", image.digest());
        let found = client.get(&manifest).await.unwrap();
        let digest = found.header("docker-content-digest");
        assert_eq!(digest.is_some(), has_digest);
        client.push("a", "other", &other).await;
        let headers = [("content-type", other.root.media_type.as_str())];
        let body = other.root.bytes.clone();
        let moved = client
            .send("PUT", "/v2/a/manifests/1", &headers, body)
            .await;
        assert_eq!(moved.unwrap().status, status);
    }
}

#[tokio::test]
async fn ocimem_lists_referrers_and_writes_null_for_none() {
    let image = ImageBuilder::new(1)
        .referrer("application/spdx+json")
        .build();
    let alone = ImageBuilder::new(2).build();
    let (with, without) = tokio::join!(
        Registry::options(Kind::Ocimem).start(),
        Registry::options(Kind::Ocimem)
            .switches(&["-no-referrers"])
            .start()
    );
    with.client().push("a", "1", &image).await;
    with.client().push("a", "2", &alone).await;
    let referrers = |registry: &Registry, image: &Image| {
        let (client, path) = (
            registry.client(),
            format!("/v2/a/referrers/{}", image.digest()),
        );
        async move { client.get(&path).await.unwrap() }
    };
    let listed: Value = referrers(&with, &image).await.json().unwrap();
    assert_eq!(listed["manifests"].as_array().map(Vec::len), Some(1));
    let none: Value = referrers(&with, &alone).await.json().unwrap();
    assert_eq!(none["manifests"], Value::Null);
    assert_eq!(referrers(&without, &image).await.status, 404);
    let deleted = with.client().delete("/v2/a/manifests/2").await.unwrap();
    assert_eq!(deleted.status, 202);
}
