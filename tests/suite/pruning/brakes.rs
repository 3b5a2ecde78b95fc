// SPDX-License-Identifier: Apache-2.0

//! The limits count what could be deleted, at each destination, over a day.

use super::files::{Files, place};
use crate::support::faults::FaultRegistry;

const TAGS: [&str; 10] = ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"];
const FIFTH: &str = "mode: Delete, grace: 1ms, inUse: Ignore, maxPercent: 20";

#[tokio::test(flavor = "multi_thread")]
async fn a_share_is_of_what_could_be_deleted_there() {
    let files = Files::with_tags(&TAGS);
    let elsewhere = FaultRegistry::start();
    let here = place("d", &files.destination.host(), "");
    // Other tags: the same ones at another port of one host might be these.
    let both = [here, place("e", &elsewhere.host(), ", tags: ['e-{tag}']")];
    let all = files.mirror("a", "['*']").prune(FIFTH).at(&both);
    files.run_well(&[&all], &["sync"]).await;
    // One destination is gone from the spec: 3 of 20 on record, and 3 of 10 that could go.
    let narrow = files.mirror("a", "['[3-9]']").prune(FIFTH);
    let ran = files.prune(&[&narrow], &[]).await;
    assert_eq!(
        (
            files.tags().len(),
            elsewhere.tags(super::files::REPOSITORY).len()
        ),
        (10, 10),
        "{}",
        ran.said
    );
    assert_eq!(ran.first()["stop"]["reason"], "PrunePaused", "{}", ran.said);
    assert!(
        ran.said
            .contains("3 of 10 tags that could be deleted are due"),
        "{}",
        ran.said
    );

    // What was there before is not ours to delete, and is no part of the whole.
    let files = Files::with_tags(&TAGS);
    for (tag, number) in TAGS.iter().zip(1..).skip(5) {
        files
            .destination
            .load(super::files::REPOSITORY, tag, &super::lab::image(number));
    }
    let all = files.mirror("a", "['*']").prune(FIFTH);
    files.run_well(&[&all], &["sync"]).await;
    let narrow = files.mirror("a", "['[2-9]']").prune(FIFTH);
    let ran = files.prune(&[&narrow], &[]).await;
    assert_eq!(files.tags().len(), 10, "{}", ran.said);
    assert!(
        ran.said
            .contains("2 of 5 tags that could be deleted are due"),
        "{}",
        ran.said
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn many_small_plans_are_no_way_around_a_limit() {
    let files = Files::with_tags(&TAGS);
    let all = files.mirror("a", "['*']").prune(FIFTH);
    files.run_well(&[&all], &["sync"]).await;
    let steps = ["['[1-9]']", "['[2-9]']", "['[3-9]']", "['[4-9]']"];
    for (tags, left) in steps.into_iter().zip([9, 8, 8, 8]) {
        let narrow = files.mirror("a", tags).prune(FIFTH);
        let ran = files.prune(&[&narrow], &[]).await;
        assert_eq!(files.tags().len(), left, "{tags}: {}", ran.said);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_approval_is_spent_once() {
    const NONE: &str = "mode: Delete, grace: 1ms, inUse: Ignore, maxDeletes: 0";
    let files = Files::with_tags(&["1", "2"]);
    let (all, narrow) = (
        files.mirror("a", "['*']").prune(NONE),
        files.mirror("a", "['2']").prune(NONE),
    );
    files.run_well(&[&all], &["sync"]).await;
    let paused = files.prune(&[&narrow], &[]).await;
    let plan = paused.first()["plan"].as_str().unwrap().to_owned();
    let approving = ["prune", "--delete", "--approve", &plan];
    files.run_well(&[&narrow], &approving).await;
    assert_eq!(files.tags(), ["2"]);

    // The same mistake again: only the time is another one.
    files.run_well(&[&all], &["sync"]).await;
    assert_eq!(files.tags(), ["1", "2"]);
    files.prune(&[&narrow], &[]).await;
    let again = files.run(&[&narrow], &approving).await;
    assert_eq!(files.tags(), ["1", "2"], "{}", again.said);
    assert!(again.said.contains("it is for once"), "{}", again.said);
}
