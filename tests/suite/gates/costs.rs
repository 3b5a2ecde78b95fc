//! What judging asks of a source: each config once, and nothing while nothing changes.

use super::lab::{Lab, Reads, good};

const TAGS: usize = 500;

/// 500 tags of 250 digests, some of them refused.
fn fill(lab: &Lab) {
    for number in 0..TAGS / 2 {
        let user = if number % 10 == 0 { "root" } else { "1000" };
        let image = good(number as u64).user(user).label("team", "a").build();
        for tag in [format!("a{number}"), format!("b{number}")] {
            lab.source.load("team/app", &tag, &image);
        }
    }
}

#[tokio::test]
async fn configs_are_read_once_for_each_digest() {
    let lab = Lab::new();
    fill(&lab);
    let policies = [
        (
            "one",
            "require: {user: NonRoot, maxSize: 1G, denyTags: [latest]}",
        ),
        (
            "two",
            "minAge: 0s, require: {labels: {team: a}, maxAge: 99999h}",
        ),
    ];
    let mirror = lab.mirror("['*']", &policies, "referrers: Skip");
    lab.round(&mirror).await;
    let first = lab.reads();
    // The other blobs are layers and, of those that are admitted, the configs that are copied.
    let (digests, refused) = (TAGS / 2, TAGS / 20);
    assert_eq!((first.heads, first.manifests), (TAGS, digests));
    assert_eq!(first.blobs, digests + 2 * (digests - refused));

    for _ in 0..2 {
        lab.round(&mirror).await;
        let again = lab.reads();
        let expected = Reads {
            heads: TAGS,
            others: 1,
            ..Reads::default()
        };
        assert_eq!(again, expected, "the list and a HEAD for each tag");
    }
    let stricter = [("one", "require: {user: NonRoot, maxSize: 1k}")];
    let stricter = lab.mirror("['*']", &stricter, "referrers: Skip");
    let report = lab.round(&stricter).await;
    assert_eq!(report.policies.values().next().unwrap().require, TAGS);
    let reads = lab.reads();
    assert_eq!(
        (reads.manifests, reads.blobs),
        (0, 0),
        "the facts are known"
    );
}

#[tokio::test]
async fn images_without_gates_cost_nothing() {
    let lab = Lab::new();
    lab.source.load("team/app", "1", &good(1).build());
    lab.source.load("team/app", "latest", &good(2).build());
    let policies = [("names", "require: {denyTags: [latest]}")];
    for (mirror, tags) in [
        (lab.mirror("['*']", &policies, "referrers: Skip"), 1),
        (lab.mirror("['*']", &[], "referrers: Skip"), 2),
    ] {
        lab.round(&mirror).await;
        assert_eq!(lab.destination.tags("team/app").len(), tags);
    }
    let reads = lab.reads();
    // Each image is copied once: a manifest, a config and a layer.
    assert_eq!((reads.manifests, reads.blobs), (2, 4));
}
