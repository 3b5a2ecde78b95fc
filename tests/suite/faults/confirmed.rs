// SPDX-License-Identifier: Apache-2.0

//! Manifests that leave early, at destinations that refuse, or confirm what they do not keep.

use std::time::Duration;

use tokio::time::{sleep, timeout};
use transship::registry::Credential;

use super::lab::{Lab, assert_complete, endpoint, job, process, target};
use super::{HANGING, refusal};
use crate::support::content::ImageBuilder;
use crate::support::faults::FaultRegistry;
use crate::support::http::Reply;
use crate::support::http::script::{Action, Gate};

/// How many requests of a method are about a part of the destination.
fn count(lab: &Lab, method: &str, part: &str) -> usize {
    let requests = lab.destination.requests();
    let meant = requests
        .iter()
        .filter(|request| request.method == method && request.path.contains(part));
    meant.count()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_confirmed_before_a_lie_was_known_is_stored_again() {
    let image = ImageBuilder::new(7)
        .platforms(&["linux/amd64", "linux/arm64"])
        .layers(&[1_000, 50_000])
        .build();
    let destination = FaultRegistry::options().sparse().start();
    let lab = Lab::between(FaultRegistry::start(), destination, image);
    lab.source.load("team/base", "1", &lab.image);
    let (engine, pool) = process();
    let source = endpoint(&pool, &lab.source.host(), Credential::Anonymous);
    let base = target(&pool, &lab.destination.host(), "team/base");
    let base = engine.copy(&job(source, &lab.image, base)).await.remove(0);
    base.expect("the same image in another repository");

    let layer = lab.layer().trim_start_matches("/blobs/").to_owned();
    let names_layer = |child: &&crate::support::content::Blob| {
        String::from_utf8_lossy(&child.bytes).contains(&layer)
    };
    let other = lab.image.children.iter().find(|child| !names_layer(child));
    let other = format!(
        "/manifests/{}",
        other.expect("a platform without it").digest
    );
    // A mount that is confirmed and not done, which is seen once the other platform is confirmed and not stored.
    let lie = Reply::new(201);
    lab.at_destination("POST", layer.trim_start_matches("sha256:"))
        .does(Action::Respond(lie.clone()));
    let seen = Gate::closed();
    lab.at_destination("*", lab.layer())
        .does(Action::Hold(seen.clone()));
    lab.at_destination("PUT", &other)
        .first(1)
        .does(Action::Respond(lie));
    let watch = async {
        let confirmed = async {
            while count(&lab, "PUT", &other) == 0 {
                sleep(Duration::from_millis(5)).await;
            }
        };
        let confirmed = timeout(HANGING, confirmed).await;
        assert!(confirmed.is_ok(), "the other platform waits");
        seen.open();
    };
    let copied = lab.job(&pool);
    let (mut copied, ()) = tokio::join!(engine.copy(&copied), watch);
    copied.remove(0).expect("a copy");
    assert_complete(&lab.destination, "team/app", &lab.image).await;
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
