// SPDX-License-Identifier: Apache-2.0

//! Thousands of pushes, each with its event.

use std::collections::BTreeMap;

use super::*;

/// How many repositories there are, each with a mirror of its own, and how many pushes of each.
const MIRRORS: usize = 4;
const PUSHES: usize = 500;
/// How many events are on their way at once.
const AT_ONCE: usize = 16;

fn pushed(mirror: usize, push: usize) -> Image {
    let seed = u64::try_from(10_000 + mirror * PUSHES + push).unwrap();
    ImageBuilder::new(seed).layers(&[100]).build()
}

/// What was pulled of a registry, and how often.
fn pulls(registry: &FaultRegistry) -> BTreeMap<String, usize> {
    let mut pulls = BTreeMap::new();
    for request in registry.requests() {
        let is_content = request.path.contains("/manifests/") || request.path.contains("/blobs/");
        if request.method == "GET" && is_content {
            *pulls.entry(request.path).or_default() += 1;
        }
    }
    pulls
}

#[tokio::test(flavor = "multi_thread")]
async fn two_thousand_pushes_are_two_thousand_copies_and_nothing_is_pulled_twice() {
    let source = FaultRegistry::start();
    let destination = FaultRegistry::start();
    let reception = Reception::open("events-many", &generic(&source.host())).await;
    for number in 0..MIRRORS {
        let repository = format!("app{number}");
        source.load(&repository, "first", &image(1));
        let mirror = Mirror::of(&source.host())
            .named(&repository)
            .image(&repository, &["*"])
            .destination("d", &destination.host())
            .with("/referrers", json!({"mode": "Skip"}));
        reception.namespace.apply(&mirror.to_string()).await;
    }
    for number in 0..MIRRORS {
        let name = format!("app{number}");
        ready_for(&reception.namespace, "imir", &name, "Succeeded").await;
    }
    source.script().clear_requests();
    let (client, path) = (reception.client(), reception.path().await);
    let pushes = (0..PUSHES).flat_map(|push| (0..MIRRORS).map(move |mirror| (mirror, push)));
    stream::iter(pushes)
        .for_each_concurrent(AT_ONCE, async |(mirror, push)| {
            let (repository, tag) = (format!("app{mirror}"), format!("v{push}"));
            source.load(&repository, &tag, &pushed(mirror, push));
            // A sender that is told to come again does so.
            let body = event(&repository, &[&tag]);
            until(
                &format!("the event of {repository}:{tag} is taken"),
                async || {
                    let answer = client.send("POST", &path, &[], body.clone()).await;
                    answer.unwrap().status == 202
                },
            )
            .await;
        })
        .await;
    for mirror in 0..MIRRORS {
        let repository = format!("app{mirror}");
        until(
            &format!("everything of {repository} is copied"),
            async || destination.tags(&repository).len() == PUSHES + 1,
        )
        .await;
        for push in 0..PUSHES {
            let found = destination.manifest(&repository, &format!("v{push}"));
            assert_eq!(found.unwrap().digest, pushed(mirror, push).digest());
        }
    }
    let pulls = pulls(&source);
    let extra: Vec<_> = pulls.iter().filter(|(_, count)| **count > 1).collect();
    assert!(extra.is_empty(), "{extra:?}");
    // A manifest, a config and a layer of each: nothing that was there before is read again.
    assert_eq!(pulls.len(), MIRRORS * PUSHES * 3);
    let listed = source.requests().into_iter();
    let listed = listed.filter(|request| request.path.contains("/tags/list"));
    assert_eq!(listed.count(), 0);
}
