// SPDX-License-Identifier: Apache-2.0

//! Which images are admitted, and what becomes of those that are not.

use serde_json::json;

use super::lab::{Lab, config, good, index};
use crate::support::content::{Format, Image, ImageBuilder};

const SMALL: &str =
    "require: {user: NonRoot, maxSize: 100k, labels: {team: 'a*'}, denyTags: ['*-debug']}";

fn labelled(seed: u64) -> ImageBuilder {
    good(seed).label("team", "alpha")
}

#[tokio::test]
async fn every_rule_admits_and_refuses() {
    let lab = Lab::new();
    let both = ["linux/amd64", "linux/arm64"];
    let images = [
        ("good", labelled(1).build()),
        (
            "good-index",
            labelled(2).platforms(&both).attestations().build(),
        ),
        ("good-nested", labelled(3).platforms(&both).nested().build()),
        ("good-docker", labelled(4).format(Format::Docker).build()),
        ("root", labelled(5).user("root").build()),
        ("root-index", labelled(6).user("0").platforms(&both).build()),
        (
            "root-nested",
            labelled(7).user("").platforms(&both).nested().build(),
        ),
        ("large", labelled(8).layers(&[200_000]).build()),
        ("unlabelled", good(9).build()),
        ("other-team", good(10).label("team", "beta").build()),
        ("good-debug", labelled(11).build()),
    ];
    for (tag, image) in &images {
        lab.source.load("team/app", tag, image);
    }
    let mirror = lab.mirror("['*']", &[("strict", SMALL)], "");
    insta::assert_snapshot!(lab.outcomes(&mirror).await.join("\n"), @r"
    good-debug: Refused strict require.denyTags
    good-docker: Copied
    good-index: Copied
    good-nested: Copied
    good: Copied
    large: Refused strict require.maxSize
    other-team: Refused strict require.labels
    root-index: Refused strict require.user
    root-nested: Refused strict require.user
    root: Refused strict require.user
    unlabelled: Refused strict require.labels
    ");
    let there = lab.destination.tags("team/app");
    assert_eq!(there, ["good", "good-docker", "good-index", "good-nested"]);
}

#[tokio::test]
async fn times_and_platforms_are_judged_too() {
    let lab = Lab::new();
    let arm = ["linux/arm64"];
    for (tag, image) in [
        ("old", good(1).created("2001-01-01T00:00:00Z").build()),
        ("timeless", good(2).created("once upon a time").build()),
        (
            "arm",
            good(3)
                .created("2001-01-01T00:00:00Z")
                .platforms(&arm)
                .build(),
        ),
    ] {
        lab.source.load("team/app", tag, &image);
    }
    let policies = [
        ("young", "require: {maxAge: 1000h}"),
        ("intel", "require: {platforms: [linux/amd64]}"),
    ];
    let outcomes = |policy: usize| {
        let mirror = lab.mirror("['*']", &policies[policy..=policy], "");
        let lab = &lab;
        async move { lab.outcomes(&mirror).await }
    };
    assert_eq!(
        outcomes(0).await,
        [
            "arm: Refused young require.maxAge",
            "old: Refused young require.maxAge",
            "timeless: Refused young require.maxAge",
        ]
    );
    assert_eq!(
        outcomes(1).await,
        [
            "arm: Refused intel require.platforms",
            "old: Copied",
            "timeless: Copied"
        ]
    );
}

/// An index whose image for arm64 runs as root.
fn half_good() -> (Image, Image) {
    let amd = good(1).platform("linux/amd64").build();
    let arm = good(2).platform("linux/arm64").user("root").build();
    (
        index(&[
            ("linux/amd64", &amd, json!({})),
            ("linux/arm64", &arm, json!({})),
        ]),
        amd,
    )
}

#[tokio::test]
async fn a_subset_of_the_platforms_is_judged_by_what_is_copied() {
    let lab = Lab::new();
    lab.source.load("team/app", "1", &half_good().0);
    let policies = [("strict", "require: {user: NonRoot}")];
    for (platforms, expected) in [
        ("{mode: All}", "1: Refused strict require.user"),
        (
            "{mode: List, list: [linux/arm64]}",
            "1: Refused strict require.user",
        ),
        ("{mode: List, list: [linux/amd64]}", "1: Copied"),
    ] {
        let mirror = lab.mirror("['1']", &policies, &format!("platforms: {platforms}"));
        assert_eq!(lab.outcomes(&mirror).await, [expected], "{platforms}");
    }
    let policies = [("both", "require: {platforms: [linux/amd64, linux/arm64]}")];
    let mirror = lab.mirror(
        "['1']",
        &policies,
        "platforms: {mode: List, list: [linux/amd64]}",
    );
    assert_eq!(
        lab.outcomes(&mirror).await,
        ["1: Refused both require.platforms"]
    );
}

#[tokio::test]
async fn an_image_cannot_pass_for_an_attestation() {
    let lab = Lab::new();
    let (amd, arm) = (good(1).build(), good(2).user("root").build());
    let disguise = json!({
        "vnd.docker.reference.type": "attestation-manifest",
        "vnd.docker.reference.digest": amd.root.digest,
    });
    let image = index(&[
        ("linux/amd64", &amd, json!({})),
        ("linux/arm64", &arm, disguise),
    ]);
    lab.source.load("team/app", "1", &image);
    let mirror = lab.mirror("['1']", &[("strict", "require: {user: NonRoot}")], "");
    assert_eq!(
        lab.outcomes(&mirror).await,
        ["1: Refused strict require.user"]
    );
}

#[tokio::test]
async fn all_policies_of_a_mirror_and_of_its_entries_must_admit() {
    let lab = Lab::new();
    lab.source.load("team/app", "1", &good(1).build());
    let policies = [
        ("nonroot", "require: {user: NonRoot}"),
        ("tiny", "require: {maxSize: 1k}"),
        ("labelled", "require: {labels: {team: '*'}}"),
    ];
    let cases = [
        (
            "{name: nonroot}",
            "[{repository: team/app, tags: ['1']}]",
            "1: Copied",
        ),
        (
            "{name: nonroot}, {name: labelled}",
            "[{repository: team/app, tags: ['1']}]",
            "1: Refused labelled require.labels",
        ),
        (
            "{name: nonroot}",
            "[{repository: team/app, tags: ['1'], policyRefs: [{name: labelled}]}]",
            "1: Refused labelled require.labels",
        ),
        (
            // A glob cannot be a way around the policy of a more exact entry.
            "",
            "[{repository: 'team/*', tags: ['1']}, {repository: team/app, tags: ['1'], policyRefs: [{name: labelled}]}]",
            "1: Refused labelled require.labels",
        ),
    ];
    for (references, images, expected) in cases {
        let mirror = lab.mirror_of(images, references, &policies, "");
        assert_eq!(
            lab.outcomes(&mirror).await,
            [expected],
            "{references} {images}"
        );
    }
}

#[tokio::test]
async fn an_audit_copies_and_reports() {
    let lab = Lab::new();
    lab.source
        .load("team/app", "1", &good(1).user("root").build());
    lab.source.load("team/app", "2", &good(2).build());
    let policies = [(
        "audit",
        "mode: Audit, minAge: 72h, require: {user: NonRoot}",
    )];
    let mirror = lab.mirror("['*']", &policies, "");
    for outcome in ["Copied", "Unchanged"] {
        let report = lab.round(&mirror).await;
        let expected = [format!("1: {outcome}"), format!("2: {outcome}")];
        assert_eq!(super::lab::outcomes(&report), expected);
        let audited: Vec<String> = report
            .audited
            .iter()
            .map(|audited| format!("{} {}", audited.refusal.policy, audited.refusal.gate))
            .collect();
        assert_eq!(audited, ["audit require.user", "audit minAge"]);
        let tally = report.policies.values().next().unwrap();
        assert_eq!((tally.require, tally.min_age), (1, 1));
    }
}

#[tokio::test]
async fn a_tag_that_moves_to_a_refused_image_stays_at_the_destination() {
    let lab = Lab::new();
    let (first, second) = (good(1).build(), good(2).user("root").build());
    let policies = [("strict", "require: {user: NonRoot}")];
    let mirror = lab.mirror("['1']", &policies, "");
    lab.source.load("team/app", "1", &first);
    assert_eq!(lab.outcomes(&mirror).await, ["1: Copied"]);

    lab.source.load("team/app", "1", &second);
    assert_eq!(
        lab.outcomes(&mirror).await,
        ["1: Refused strict require.user"]
    );
    let kept = lab.destination.manifest("team/app", "1").unwrap();
    assert_eq!(kept.digest, first.root.digest);

    lab.source.load("team/app", "1", &first);
    assert_eq!(lab.outcomes(&mirror).await, ["1: Unchanged"]);
    let lenient = lab.mirror("['1']", &[("strict", "require: {maxSize: 1G}")], "");
    lab.source.load("team/app", "1", &second);
    assert_eq!(lab.outcomes(&lenient).await, ["1: Copied"]);
}

#[tokio::test]
async fn an_image_is_refused_at_a_destination_that_has_it() {
    let lab = Lab::new();
    let image = good(1).user("root").build();
    for registry in [&lab.source, &lab.destination] {
        registry.load("team/app", "1", &image);
    }
    let mirror = lab.mirror("['1']", &[("strict", "require: {user: NonRoot}")], "");
    assert_eq!(
        lab.outcomes(&mirror).await,
        ["1: Refused strict require.user"]
    );
    assert!(lab.source.has_blob("team/app", &config(&image).digest));
}
