// SPDX-License-Identifier: Apache-2.0

//! `transship verify -f`: whether mirrors are complete, and what is there besides.

use serde_json::Value;

use super::Files;
use crate::support::content::ImageBuilder;
use crate::support::faults::FaultRegistry;
use crate::support::http::Reply;

/// Two registries, and a mirror of three tags between them that is in sync.
struct Lab {
    source: FaultRegistry,
    destination: FaultRegistry,
    files: Files,
}

impl Lab {
    async fn new() -> Self {
        let (source, destination) = (FaultRegistry::start(), FaultRegistry::start());
        for number in 1..=3 {
            source.load("app", &number.to_string(), &image(number));
        }
        let mirror = format!(
            "apiVersion: transship.dev/v1alpha1
kind: ImageMirror
metadata: {{name: m}}
spec:
  source: {{registry: '{}', insecure: true}}
  images: [{{repository: app, tags: ['*']}}]
  destinations: [{{name: d, registry: '{}', insecure: true, previousTag: '{{tag}}-old'}}]
",
            source.host(),
            destination.host()
        );
        let lab = Self {
            source,
            destination,
            files: Files::new(&[("mirror.yaml", &mirror)]),
        };
        lab.files
            .run(&["sync", "-f", "mirror.yaml"])
            .await
            .assert_success();
        lab
    }

    /// The exit code, and what is said on both streams, with names in place of ports.
    async fn verify(&self, flags: &[&str]) -> (Option<i32>, String) {
        let words = [&["verify", "-f", "mirror.yaml"], flags].concat();
        let finished = self.files.run(&words).await;
        let said = format!("{}{}", finished.stdout, finished.stderr);
        let said = said.replace(&self.source.host(), "SOURCE");
        let said = said.replace(&self.destination.host(), "DESTINATION");
        let said = (1..=4).fold(said, |said, number| {
            said.replace(&image(number).root.digest, &format!("IMAGE-{number}"))
        });
        (finished.code, said)
    }
}

fn image(number: u64) -> crate::support::content::Image {
    ImageBuilder::new(number).layers(&[1_000]).build()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mirror_in_sync_is_complete_and_what_else_is_there_is_listed() {
    let lab = Lab::new().await;
    lab.destination.load("app", "1-old", &image(9));
    lab.destination.load("app", "mine", &image(9));
    for flags in [&[][..], &["--deep"]] {
        let (code, said) = lab.verify(flags).await;
        assert_eq!(code, Some(0), "{said}");
        insta::allow_duplicates! {
            insta::assert_snapshot!(said, @"
            DESTINATION/app:mine is wanted by none of these mirrors
            3 of 3 tags that are wanted are there and complete (8.6 kB), 1 others are there
            ");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_looked_at_counts_too() {
    let lab = Lab::new().await;
    for (registry, tag) in [(&lab.source, "2"), (&lab.destination, "3")] {
        let part = format!("/manifests/{tag}");
        for method in ["HEAD", "GET"] {
            let refusal = Reply::error(403, "DENIED", "no");
            registry.on(method, &part).responds(refusal);
        }
    }
    let (code, said) = lab.verify(&[]).await;
    assert_eq!(code, Some(1), "{said}");
    assert!(
        said.contains("1 of 3 tags that are wanted are there and complete"),
        "{said}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_missing_moved_or_damaged_is_a_failure_each() {
    let lab = Lab::new().await;
    lab.destination.lose_tag("app", "1");
    lab.destination.load("app", "2", &image(4));
    let layer = image(3).blobs[1].digest.clone();
    lab.destination.lose_blob("app", &layer);
    let (code, said) = lab.verify(&[]).await;
    assert_eq!(code, Some(1), "{said}");
    insta::assert_snapshot!(said.replace(&layer, "LAYER"), @"
    DESTINATION/app:3 is not complete: 1 manifest, 2 blobs, 2.9 kB
    0 of 3 tags that are wanted are there and complete (2.9 kB), 0 others are there
    failed: DESTINATION/app:1: NotFound: the tag is missing
    failed: DESTINATION/app:2: DigestMismatch: names IMAGE-4, and IMAGE-2 at the source
    failed: DESTINATION/app@LAYER: NotFound: the blob is missing
    ");

    let (_, said) = lab.verify(&["-o", "json"]).await;
    let report: Value = serde_json::from_str(said.split("\nfailed").next().unwrap()).unwrap();
    assert_eq!(report["kind"], "VerifyReport");
    assert_eq!(report["failures"].as_array().unwrap().len(), 3, "{said}");
    assert_eq!(report["images"].as_array().unwrap().len(), 1, "{said}");
}
