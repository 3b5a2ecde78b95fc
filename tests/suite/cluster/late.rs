// SPDX-License-Identifier: Apache-2.0

//! A signature that comes after its image was copied.

use serde_json::json;

use super::scene::{MIRROR, Scene};
use crate::support::content::{Image, ImageBuilder, Signer};
use crate::support::faults::FaultRegistry;

#[tokio::test(flavor = "multi_thread")]
async fn it_is_brought_at_once_when_a_person_asks_for_a_round() {
    let scene = Scene::prepare("late", 1_000).await;
    let (source, destination) = (FaultRegistry::start(), FaultRegistry::start());
    let image = ImageBuilder::new(1).layers(&[500]).build();
    source.load("app", "1", &image);
    let mirror = json!({
        "apiVersion": "transship.dev/v1alpha1", "kind": "ImageMirror", "metadata": {"name": MIRROR},
        "spec": {
            "source": {"registry": source.host(), "insecure": true},
            "images": [{"repository": "app", "tags": ["1"]}],
            "destinations": [{"name": "d", "registry": destination.host(), "insecure": true}],
            "referrers": {"recheck": "24h"},
        },
    });
    scene.namespace().apply(&mirror.to_string()).await;
    let replica = scene.almighty_replica();
    let _controller = replica.start().await;
    scene.wait_until_ready().await;
    let record = async || {
        let records = scene.namespace().list("mrepo").await;
        records[0]["status"]["tags"][0].clone()
    };
    let before = record().await;
    assert!(before["referrersCheckedAt"].is_string(), "{before}");

    let signature = Signer::generate().sign(image.digest());
    let digest = signature.manifest.digest.clone();
    let signed = Image {
        referrers: vec![signature],
        ..image
    };
    source.load("app", "1", &signed);
    let mirror = scene.wait_for_round("monday").await;
    assert!(destination.manifest("app", &digest).is_some());
    let recent = &mirror["status"]["recent"][0];
    assert_eq!(recent["action"], "Completed", "{mirror}");
    assert_eq!(mirror["status"]["history"][0]["copied"], 1);
    let after = record().await;
    assert_ne!(after["referrersFound"], before["referrersFound"]);
    assert_eq!(after["copiedAt"], before["copiedAt"]);

    source.script().clear_requests();
    let mirror = scene.wait_for_round("tuesday").await;
    assert_eq!(mirror["status"]["recent"].as_array().unwrap().len(), 2);
    let mut requests = source.requests().into_iter();
    assert!(
        requests.any(|request| request.path.contains("/referrers/")),
        "it was looked for"
    );
}
