// SPDX-License-Identifier: Apache-2.0

//! A program that is killed around its deletes: what is not gone is whole, and what is gone comes back.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::future::join_all;

use super::registries::{ALL, FREE, KEPT, Lab, REPOSITORY, image, names};
use crate::support::crash::CrashPoint;
use crate::support::front::Moment;
use crate::support::registries::Kind;
use crate::support::witness::Witness;

/// Kills of one lane, and lanes that are run side by side.
const KILLS: usize = 10;
const SEEDS: [u64; 5] = [1, 2, 3, 4, 5];
/// Tags of each word.
const TAGS: u32 = 5;
/// Between two looks that are to find the same.
const SETTLING: Duration = Duration::from_millis(300);
/// Longest time until a program is killed that is killed at any time, in milliseconds: about how long it runs.
const LONGEST: u64 = 150;

const MOMENTS: [Moment; 3] = [
    Moment::BeforeForward,
    Moment::BeforeReply,
    Moment::AfterReply,
];
const MUCH: &str = "mode: Delete, grace: 1ms, inUse: Ignore, maxPercent: 100, maxDeletes: 1000";

/// Tags of two words for the same images, and one more image for each of the second.
async fn fill(lab: &Lab) {
    let client = lab.source.client();
    for number in 0..TAGS {
        let shared = image(u64::from(number % 3));
        client
            .push(REPOSITORY, &format!("keep-{number}"), &shared)
            .await;
        let own = if number % 2 == 0 {
            shared
        } else {
            image(u64::from(100 + number))
        };
        client
            .push(REPOSITORY, &format!("drop-{number}"), &own)
            .await;
    }
}

async fn digests(lab: &Lab) -> BTreeMap<String, String> {
    let mut digests = BTreeMap::new();
    for tag in lab.tags().await {
        let digest = lab.digest(&tag).await.expect("a tag");
        digests.insert(tag, digest);
    }
    digests
}

/// Everything that is there is whole, and was not moved.
async fn assert_whole(lab: &Lab, before: &BTreeMap<String, String>, name: &str) {
    for (tag, digest) in digests(lab).await {
        assert_eq!(Some(&digest), before.get(&tag), "{name}: {tag}");
    }
    let mut witness = Witness::new(lab.destination.client(), REPOSITORY);
    assert_eq!(witness.check_all().await, [], "{name}");
}

/// The number of tags that are gone once the registry has done what it was told last: nobody tells any more.
async fn gone(lab: &Lab) -> usize {
    let mut left = lab.tags().await;
    loop {
        tokio::time::sleep(SETTLING).await;
        let now = lab.tags().await;
        if now == left {
            return 2 * TAGS as usize - now.len();
        }
        left = now;
    }
}

/// Kills the program at some moment; the number of tags that are gone then.
async fn kill(lab: &Lab, point: &CrashPoint, random: &mut fastrand::Rng) -> usize {
    let command = lab.with(KEPT, MUCH).command(&["prune", "--delete"]);
    if random.u8(..3) == 0 {
        let running = command.start();
        tokio::time::sleep(Duration::from_millis(random.u64(1..LONGEST))).await;
        running.killer().kill().await;
        running.finish().await;
    } else {
        let moment = MOMENTS[random.usize(..MOMENTS.len())];
        point
            .run(command, moment, random.usize(1..=TAGS as usize))
            .await;
    }
    gone(lab).await
}

async fn run_lane(kind: Kind, seed: u64) -> usize {
    let mut lab = Lab::new(kind).await;
    let point = CrashPoint::in_front_of(lab.destination.address());
    lab.host = point.host();
    fill(&lab).await;
    lab.with(ALL, MUCH).text(&["sync"]).await.assert_success();
    let before = digests(&lab).await;
    assert_eq!(before.len(), 2 * TAGS as usize);
    let mut random = fastrand::Rng::with_seed(seed);
    let mut gone_in_all = 0;
    for number in 0..KILLS {
        let name = format!("{kind:?}, seed {seed}, kill {number}");
        let found = lab.with(KEPT, MUCH).json(&["prune"]).await;
        assert_eq!(
            found.document["totals"]["failed"], 0,
            "{name}: {}",
            found.text
        );
        let gone = kill(&lab, &point, &mut random).await;
        gone_in_all += gone;
        assert_whole(&lab, &before, &name).await;
        let kept = names(&[("keep", 0..TAGS)]);
        assert!(lab.tags().await.is_superset(&kept), "{name}");

        // The next look finds out what came of the deletions that had begun, and so does whoever restores them.
        if random.bool() {
            lab.with(KEPT, MUCH).json(&["prune"]).await;
        }
        let restored = lab.with(KEPT, FREE).text(&["restore", "--all"]).await;
        restored.assert_success();
        let said = format!("{gone} restored, 0 failed\n");
        assert!(
            restored.stdout.ends_with(&said),
            "{name}: {} {}",
            restored.stdout,
            said
        );
        assert_eq!(digests(&lab).await, before, "{name}");
        assert_whole(&lab, &before, &name).await;
    }
    gone_in_all
}

#[tokio::test(flavor = "multi_thread")]
async fn whenever_it_is_killed_what_is_gone_is_on_record_and_the_rest_is_whole() {
    let lanes = SEEDS
        .into_iter()
        .zip([Kind::Distribution3, Kind::Crane].into_iter().cycle());
    let gone = join_all(lanes.map(|(seed, kind)| run_lane(kind, seed))).await;
    let gone: usize = gone.into_iter().sum();
    assert!(
        gone >= SEEDS.len() * KILLS / 2,
        "only {gone} tags were deleted"
    );
}
