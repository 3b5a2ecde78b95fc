// SPDX-License-Identifier: Apache-2.0

//! Who has a tag that two mirrors want, round by round.

use jiff::Timestamp;

use Ownership::{Right, Wanted, Written};

use super::*;
use crate::sync::ledger::keepsake_samples::mirror;

/// One turn of a mirror: its name, what is on record before, and what its round comes to.
type Turn = (&'static str, Ownership, Ownership);

/// What a mirror wants: an image of its own under the tag that all want, and one that nobody else wants.
fn wishes(name: &str, ownership: Ownership) -> Arc<Wishes> {
    let mut own = mirror(name);
    // The one that comes first by name is the older one.
    own.created = Some(Timestamp::from_second(i64::from(name.as_bytes()[0])).unwrap());
    let wish = |tag: &str, ownership| Wish {
        source: SourceImage {
            registry: "docker.io".parse().unwrap(),
            repository: format!("library/{name}").parse().unwrap(),
            tag: "1".parse().unwrap(),
        },
        claim: Claim {
            registry: "eu.example.com".parse().unwrap(),
            repository: "all".parse().unwrap(),
            tag: tag.parse().unwrap(),
            previous: None,
        },
        digest: Digest::sha256(name.as_bytes()),
        ownership,
    };
    Arc::new(Wishes {
        mirror: Arc::new(own),
        is_complete: true,
        tags: vec![
            wish("shared", ownership),
            wish(&format!("of-{name}"), Wanted),
        ],
    })
}

/// Who lacks a tag in each turn, and which.
fn play(turns: &[Turn]) -> Vec<String> {
    let mut claims = Claims::default();
    let turns = (0..).zip(turns);
    let turns = turns.map(|(run, (name, before, after))| {
        let wishes = wishes(name, *before);
        let all = std::slice::from_ref(&wishes);
        let conflicts = claims.settle(Run(run), &wishes, all);
        let lacking = conflicts.keys().map(|(_, claim)| claim.tag.to_string());
        let lacking: Vec<String> = lacking.collect();
        for wish in &wishes.tags {
            if !lacking.contains(&wish.claim.tag.to_string()) {
                claims.conclude(&wishes.mirror.name, &wish.claim, *after);
            }
        }
        if lacking.is_empty() {
            format!("{name} has all")
        } else {
            format!("{name} lacks {}", lacking.join(" "))
        }
    });
    turns.collect()
}

#[test]
fn who_has_a_tag_that_two_mirrors_want() {
    let cases: [(&str, &[Turn], &[&str]); 8] = [
        (
            "who wrote it first, though it is younger",
            &[("b", Wanted, Written), ("a", Wanted, Written)],
            &["b has all", "a lacks shared"],
        ),
        (
            "the older one, where it wrote it",
            &[("a", Wanted, Written), ("b", Wanted, Written)],
            &["a has all", "b lacks shared"],
        ),
        (
            "the older one may try, and its failure keeps nobody from it",
            &[
                ("a", Wanted, Wanted),
                ("b", Wanted, Written),
                ("a", Wanted, Wanted),
            ],
            &["a has all", "b has all", "a lacks shared"],
        ),
        (
            "it may try again as often as it likes, and holds nothing by that",
            &[
                ("a", Wanted, Wanted),
                ("a", Wanted, Wanted),
                ("b", Wanted, Written),
            ],
            &["a has all", "a has all", "b has all"],
        ),
        (
            "who wrote it before who found it right",
            &[
                ("a", Right, Right),
                ("b", Written, Written),
                ("a", Right, Right),
            ],
            &["a has all", "b has all", "a lacks shared"],
        ),
        (
            "who found it right before who wants it",
            &[("b", Right, Right), ("a", Wanted, Wanted)],
            &["b has all", "a lacks shared"],
        ),
        (
            "the older one of two that found it right",
            &[("a", Right, Right), ("b", Right, Right)],
            &["a has all", "b lacks shared"],
        ),
        (
            "the older one of two that wrote it at the same time",
            &[
                ("b", Written, Written),
                ("a", Written, Written),
                ("b", Written, Written),
            ],
            &["b has all", "a has all", "b lacks shared"],
        ),
    ];
    for (name, turns, expected) in cases {
        assert_eq!(play(turns), expected, "{name}");
    }
}

#[test]
fn what_is_gone_is_free_and_its_failures_are_forgotten() {
    let mut claims = Claims::default();
    let lacks = |name: &str, claims: &mut Claims, run| {
        let wishes = wishes(name, Wanted);
        let all = std::slice::from_ref(&wishes);
        !claims.settle(Run(run), &wishes, all).is_empty()
    };
    assert!(!lacks("a", &mut claims, 1));
    assert!(
        lacks("b", &mut claims, 2),
        "the first round of a may end yet"
    );
    claims.forget(&wishes("a", Wanted).mirror.name);
    assert!(!lacks("b", &mut claims, 3));
}
