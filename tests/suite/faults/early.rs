// SPDX-License-Identifier: Apache-2.0

//! What leaves before something else is there: nothing waits for what it does not need.

use tokio::time::timeout;

use super::HANGING;
use super::lab::{Lab, assert_complete, process};
use crate::support::content::{Image, ImageBuilder};
use crate::support::http::script::{Action, Gate};

/// Two platforms, what refers to the root and to each of them, and a signature under a tag.
fn signed() -> Image {
    ImageBuilder::new(7)
        .platforms(&["linux/amd64", "linux/arm64"])
        .layers(&[1_000, 50_000])
        .referrer("application/vnd.example.signature")
        .child_referrer("application/spdx+json")
        .signature_tag()
        .build()
}

/// A request that is held at a gate, and another one that comes to a gate all the same.
struct Case {
    name: &'static str,
    held: fn(&Lab, Gate),
    comes: fn(&Lab, Gate),
}

/// The digest of the platform that does not have the largest layer.
fn other_platform(lab: &Lab) -> &str {
    let layer = lab.layer();
    let layer = layer.trim_start_matches("/blobs/");
    let mut children = lab.image.children.iter();
    let other = children.find(|child| !String::from_utf8_lossy(&child.bytes).contains(layer));
    &other.expect("a platform without that layer").digest
}

/// What refers to a manifest, as it stands in requests.
fn referrer_of(lab: &Lab, subject: &str) -> String {
    let mut referrers = lab.image.referrers.iter();
    let found = referrers.find(|one| one.subject == subject);
    format!("/manifests/{}", found.expect("a referrer").manifest.digest)
}

const CASES: &[Case] = &[
    Case {
        name: "the manifest of one platform while a layer of another is on its way",
        held: |lab, gate| lab.layer_read().does(Action::Hold(gate)),
        comes: |lab, gate| {
            let other = other_platform(lab);
            lab.at_destination("PUT", format!("/manifests/{other}"))
                .does(Action::HoldReply(gate));
        },
    },
    Case {
        name: "what refers to a platform while a layer of another is on its way",
        held: |lab, gate| lab.layer_read().does(Action::Hold(gate)),
        comes: |lab, gate| {
            let other = other_platform(lab);
            lab.at_destination("PUT", referrer_of(lab, other))
                .does(Action::HoldReply(gate));
        },
    },
    Case {
        name: "the look for what refers to the image while a platform is read",
        held: |lab, gate| lab.child_read().does(Action::Hold(gate)),
        comes: |lab, gate| {
            let root = lab.image.digest().to_owned();
            lab.at_source("GET", format!("/referrers/{root}"))
                .does(Action::HoldReply(gate));
        },
    },
    Case {
        name: "the look for what refers to a platform while that is read",
        held: |lab, gate| lab.child_read().does(Action::Hold(gate)),
        comes: |lab, gate| {
            let child = lab.image.children[0].digest.clone();
            lab.at_source("GET", format!("/referrers/{child}"))
                .does(Action::HoldReply(gate));
        },
    },
    Case {
        name: "what refers to the image while one looks whether that is there",
        held: |lab, gate| {
            lab.at_destination("HEAD", lab.root())
                .does(Action::HoldReply(gate));
        },
        comes: |lab, gate| {
            let root = lab.image.digest().to_owned();
            lab.at_destination("PUT", referrer_of(lab, &root))
                .does(Action::HoldReply(gate));
        },
    },
];

#[tokio::test(flavor = "multi_thread")]
async fn nothing_waits_for_what_it_does_not_need() {
    for Case { name, held, comes } in CASES {
        let lab = Lab::copying(signed());
        let (first, early) = (Gate::closed(), Gate::closed());
        held(&lab, first.clone());
        comes(&lab, early.clone());
        let (engine, pool) = process();
        let watch = async {
            let both = async { tokio::join!(first.reached(), early.reached()) };
            let both = timeout(HANGING, both).await;
            assert!(both.is_ok(), "{name}: it waits");
            let tags = lab.destination.tags("team/app");
            assert!(!tags.contains(&"1".to_owned()), "{name}: {tags:?}");
            early.open();
            first.open();
        };
        let job = lab.job(&pool);
        let (mut outcome, ()) = tokio::join!(engine.copy(&job), watch);
        assert!(outcome.remove(0).is_ok(), "{name}");
        assert_complete(&lab.destination, "team/app", &lab.image).await;
    }
}
