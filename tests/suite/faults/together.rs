// SPDX-License-Identifier: Apache-2.0

//! Requests of one image that fail together: the error that says most is the one that is told.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

use super::lab::{Lab, process};
use super::refusal;
use crate::support::content::{Blob, ImageBuilder};
use crate::support::http::script::{Action, Gate};

/// An image of several blobs, and the digests of the largest and the smallest as they stand in queries.
fn lab() -> (Lab, String, String) {
    let image = ImageBuilder::new(1).layers(&[700, 50_000]).build();
    let lab = Lab::copying(image);
    let size = |blob: &&Blob| blob.bytes.len();
    let large = lab.image.blobs.iter().max_by_key(size).unwrap();
    let small = lab.image.blobs.iter().min_by_key(size).unwrap();
    let [large, small] = [large, small].map(|blob| blob.digest.replace(':', "%3A"));
    (lab, large, small)
}

/// What is told of a destination that wants to be left alone for an hour.
const BUSY: &str = "429 Too Many Requests (TOOMANYREQUESTS): too many requests for the registry, it may be asked \
                    again at TIME";

fn busy() -> crate::support::http::Reply {
    refusal(429, "TOOMANYREQUESTS").header("retry-after", "3600")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_blob_that_had_to_wait_does_not_hide_why() {
    let (lab, large, small) = lab();
    let gate = Gate::closed();
    lab.at_destination("POST", large)
        .does(Action::HoldReply(gate.clone()));
    let refused = Arc::new(AtomicBool::new(false));
    let told = refused.clone();
    lab.destination
        .script()
        .when(move |request| {
            let is_small = request.method == "POST" && request.query.contains(&small);
            told.fetch_or(is_small, SeqCst);
            is_small
        })
        .responds(busy());
    // The large one goes on when the registry has refused the small one: it finds that nothing is asked any more.
    let opens = tokio::spawn(async move {
        gate.reached().await;
        while !refused.load(SeqCst) {
            tokio::task::yield_now().await;
        }
        tokio::time::sleep(std::time::Duration::from_millis(300)).await;
        gate.open();
    });
    let (engine, pool) = process();
    let outcome = engine.copy(&lab.job(&pool)).await.remove(0);
    opens.await.unwrap();
    let text = lab.describe(&outcome);
    assert_eq!(
        text,
        format!("RateLimited: cannot announce the blob DESTINATION/team/app@DIGEST: {BUSY}")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_that_is_not_tried_again_says_why_it_failed() {
    let (lab, large, _) = lab();
    lab.at_destination("PUT", large).responds(busy());
    let (engine, pool) = process();
    let outcome = engine.copy(&lab.job(&pool)).await.remove(0);
    let text = lab.describe(&outcome);
    assert_eq!(
        text,
        format!("RateLimited: cannot upload the blob DESTINATION/team/app@DIGEST: {BUSY}")
    );
}
