// SPDX-License-Identifier: Apache-2.0

//! What is not written where a destination refuses something before it.

use super::lab::{Lab, process};
use super::refusal;
use crate::support::content::ImageBuilder;
use crate::support::faults::FaultRegistry;

/// How many requests of a method are about a part of the destination.
fn count(lab: &Lab, method: &str, part: &str) -> usize {
    let requests = lab.destination.requests();
    let meant = requests
        .iter()
        .filter(|request| request.method == method && request.path.contains(part));
    meant.count()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_of_referrers_is_not_written_where_the_image_cannot_be_read() {
    let image = ImageBuilder::new(7)
        .layers(&[1_000])
        .referrer("application/vnd.example.signature")
        .build();
    let destination = FaultRegistry::options().without_referrers_api().start();
    let lab = Lab::between(FaultRegistry::start(), destination, image);
    for method in ["GET", "HEAD"] {
        lab.at_destination(method, "/manifests/")
            .responds(refusal(403, "DENIED"));
    }
    let (engine, pool) = process();
    let copied = engine.copy(&lab.job(&pool)).await.remove(0);
    assert!(copied.is_err(), "{copied:?}");
    assert_eq!(count(&lab, "PUT", "/manifests/sha256-"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_more_is_pushed_after_a_refusal() {
    const AT_ONCE: usize = 8;
    let platforms: Vec<String> = (0..40).map(|number| format!("linux/p{number}")).collect();
    let platforms: Vec<&str> = platforms.iter().map(String::as_str).collect();
    let image = ImageBuilder::new(7).platforms(&platforms).layers(&[100]);
    let lab = Lab::copying(image.build());
    lab.manifest_write().responds(refusal(403, "DENIED"));
    let (engine, pool) = process();
    let copied = engine.copy(&lab.job(&pool)).await.remove(0);
    assert!(copied.is_err(), "{copied:?}");
    let pushes = count(&lab, "PUT", "/manifests/");
    assert!((1..=AT_ONCE).contains(&pushes), "{pushes}");
}
