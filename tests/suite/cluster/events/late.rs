// SPDX-License-Identifier: Apache-2.0

//! Signatures that come after their images, and events that tell of them.

use super::*;
use crate::support::content::{FoundBy, Referrer, Signer};

fn attach(registry: &FaultRegistry, referrer: &Referrer) {
    for blob in &referrer.blobs {
        registry.load_blob("app", blob);
    }
    let reference = match &referrer.found_by {
        FoundBy::Tag(tag) => tag,
        FoundBy::Subject => &referrer.manifest.digest,
    };
    registry.load_manifest("app", reference, &referrer.manifest);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signature_that_an_event_tells_of_arrives_and_no_other_image_is_looked_at() {
    let source = FaultRegistry::start();
    let destination = FaultRegistry::start();
    let reception = Reception::open("events-late-signature", &generic(&source.host())).await;
    for (tag, seed) in [("1", 1), ("2", 2), ("3", 3)] {
        source.load("app", tag, &image(seed));
    }
    let mirror = Mirror::of(&source.host())
        .image("app", &["1", "2", "3"])
        .destination("d", &destination.host());
    reception.namespace.apply(&mirror.to_string()).await;
    ready_for(&reception.namespace, "imir", "mirror", "Succeeded").await;
    let (client, path) = (reception.client(), reception.path().await);
    source.script().clear_requests();

    // By its tag, and one that is found by its subject and told of by the tag of the list of referrers.
    let signer = Signer::generate();
    let (first, second) = (image(1), image(2));
    let tagged = signer.sign_tagged(first.digest());
    let bundle = signer.sign(second.digest());
    let FoundBy::Tag(tag) = &tagged.found_by else {
        panic!("{:?}", tagged.found_by)
    };
    let list = second.digest().replace(':', "-");
    for (referrer, hint) in [(&tagged, tag), (&bundle, &list)] {
        attach(&source, referrer);
        let body = event("app", &[hint]);
        let answer = client.send("POST", &path, &[], body).await.unwrap();
        assert_eq!(answer.status, 202);
        let digest = &referrer.manifest.digest;
        until(&format!("{hint} is copied"), async || {
            destination.manifest("app", digest).is_some()
        })
        .await;
    }
    let found = destination.manifest("app", tag).unwrap();
    assert_eq!(found.digest, tagged.manifest.digest);
    assert_eq!(looked_up(&source), ["app:1", "app:2"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signature_of_one_platform_arrives_by_its_event_and_no_other_image_is_looked_at() {
    let source = FaultRegistry::start();
    let destination = FaultRegistry::start();
    let reception = Reception::open("events-late-part", &generic(&source.host())).await;
    let index = |seed| {
        let index = ImageBuilder::new(seed).platforms(&["linux/amd64", "linux/arm64"]);
        index.layers(&[1_000]).build()
    };
    let indexes = [index(1), index(2), index(3)];
    for (tag, index) in ["1", "2", "3"].into_iter().zip(&indexes) {
        source.load("app", tag, index);
    }
    source.load("app", "4", &image(4));
    let mirror = Mirror::of(&source.host())
        .image("app", &["1", "2", "3", "4"])
        .destination("d", &destination.host());
    reception.namespace.apply(&mirror.to_string()).await;
    ready_for(&reception.namespace, "imir", "mirror", "Succeeded").await;
    let (client, path) = (reception.client(), reception.path().await);
    source.script().clear_requests();
    destination.script().clear_requests();

    // Again in both ways: by its tag, and by the tag of the list of referrers.
    let signer = Signer::generate();
    let (first, second) = (
        &indexes[0].children[1].digest,
        &indexes[1].children[0].digest,
    );
    let tagged = signer.sign_tagged(first);
    let bundle = signer.sign(second);
    let FoundBy::Tag(tag) = &tagged.found_by else {
        panic!("{:?}", tagged.found_by)
    };
    let list = second.replace(':', "-");
    for (referrer, hint) in [(&tagged, tag), (&bundle, &list)] {
        attach(&source, referrer);
        let body = event("app", &[hint]);
        let answer = client.send("POST", &path, &[], body).await.unwrap();
        assert_eq!(answer.status, 202);
        let digest = &referrer.manifest.digest;
        until(&format!("{hint} is copied"), async || {
            destination.manifest("app", digest).is_some()
        })
        .await;
    }
    // One that is named after nothing here leads to nothing.
    let stranger = signer.sign_tagged(image(5).digest());
    attach(&source, &stranger);
    let FoundBy::Tag(tag) = &stranger.found_by else {
        panic!("{:?}", stranger.found_by)
    };
    // What is hinted at with it is looked at with it.
    let body = event("app", &[tag, "4"]);
    client.send("POST", &path, &[], body).await.unwrap();
    until("the last event is looked at", async || {
        looked_up(&source).contains(&"app:4".to_owned())
    })
    .await;
    assert_eq!(looked_up(&source), ["app:1", "app:2", "app:4"]);
    // Which index lists what is asked of the destination, and once.
    for index in &indexes {
        let path = format!("/v2/app/manifests/{}", index.digest());
        let reads = |registry: &FaultRegistry| {
            let requests = registry.requests().into_iter();
            let reads = requests.filter(|request| request.method == "GET" && request.path == path);
            reads.count()
        };
        assert_eq!(reads(&source), 0);
        assert!(reads(&destination) >= 1);
    }
}
