// SPDX-License-Identifier: Apache-2.0

//! Signatures that come later, to a process that goes on: by itself and without being asked.

use std::time::Duration;

use tempfile::TempDir;
use tokio::time::{sleep, timeout};

use super::lab::{REPOSITORY, attach};
use crate::support::content::{FoundBy, ImageBuilder, Referrer, Signer};
use crate::support::faults::FaultRegistry;
use crate::support::program::{Program, Running};

/// Longer than the interval of the mirror by far.
const LONG: Duration = Duration::from_secs(150);

/// A process that keeps `team/app` in sync, looking each half minute.
fn watch(source: &FaultRegistry, destination: &FaultRegistry, state: &TempDir) -> Running {
    let mirror = format!(
        "apiVersion: transship.dev/v1alpha1
kind: ImageMirror
metadata: {{name: m}}
spec:
  interval: 30s
  source: {{registry: '{}', insecure: true}}
  images: [{{repository: {REPOSITORY}, tags: ['*']}}]
  destinations: [{{name: d, registry: '{}', insecure: true}}]
",
        source.host(),
        destination.host()
    );
    Program::transship(&["sync", "-f", "-", "--watch", "--state"])
        .argument(state.path().join("state.json"))
        .input(mirror)
        .start()
}

async fn arrives(destination: &FaultRegistry, reference: &str) {
    let there = async {
        while destination.manifest(REPOSITORY, reference).is_none() {
            sleep(Duration::from_millis(50)).await;
        }
    };
    let arrived = timeout(LONG, there).await;
    assert!(arrived.is_ok(), "{reference} does not arrive");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watch_brings_what_a_tag_list_tells() {
    let without_api = || FaultRegistry::options().without_referrers_api().start();
    let (source, destination) = (without_api(), without_api());
    let image = ImageBuilder::new(1).layers(&[500]).build();
    source.load(REPOSITORY, "1", &image);
    let state = TempDir::new().unwrap();
    let running = watch(&source, &destination, &state);
    arrives(&destination, "1").await;
    let signature: Referrer = Signer::generate().sign_tagged(image.digest());
    attach(&source, &signature);
    let FoundBy::Tag(tag) = &signature.found_by else {
        panic!("a tag")
    };
    arrives(&destination, tag).await;
    running.process().kill().await;
}
