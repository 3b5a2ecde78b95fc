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
