// SPDX-License-Identifier: Apache-2.0

//! Who has a tag that two mirrors want, round by round.

use End::{Fails, Has, Waits};
use Ownership::{Right, Wanted, Written};

use jiff::Timestamp;

use super::*;
use crate::api::document::{self, Resource};
use crate::oci::Digest;
use crate::plan;
use crate::sync::ledger::keepsake_samples::mirror;

/// What a round comes to.
#[derive(Clone, Copy)]
enum End {
    /// The tags are there.
    Has(Ownership),
    /// They could not be written.
    Fails,
    /// A policy holds them back.
    Waits,
}

/// One turn of a mirror: its name, what the tag and its record say before, and what its round comes to.
type Turn = (&'static str, Ownership, End);

fn source(name: &str) -> SourceImage {
    SourceImage {
        registry: "docker.io".parse().unwrap(),
        repository: format!("library/{name}").parse().unwrap(),
        tag: "1".parse().unwrap(),
    }
}

fn claim(tag: &str) -> Claim {
    Claim {
        registry: "eu.example.com".parse().unwrap(),
        repository: "all".parse().unwrap(),
        tag: tag.parse().unwrap(),
        previous: None,
    }
}

/// The one that comes first by name is the older one.
fn aged(name: &str) -> Arc<Mirror> {
    let mut aged = mirror(name);
    aged.created = Some(Timestamp::from_second(i64::from(name.as_bytes()[0])).unwrap());
    Arc::new(aged)
}

/// What a mirror wants: an image of its own under the tag that all want, and under one that nobody else wants.
fn wishes(name: &str, ownership: Ownership) -> Arc<Wishes> {
    let wish = |tag: &str, ownership| Wish {
        source: source(name),
        claim: claim(tag),
        digest: Digest::sha256(name.as_bytes()),
        ownership,
    };
    Arc::new(Wishes {
        mirror: aged(name),
        is_complete: true,
        tags: vec![
            wish("shared", ownership),
            wish(&format!("of-{name}"), Wanted),
        ],
    })
}

/// The tags that a mirror lacks after its round.
fn turn(claims: &mut Claims, run: u64, (name, before, end): Turn) -> Vec<String> {
    let held = claims.held(&aged(name).name, &source(name), &claim("shared"));
    let wishes = wishes(name, before.max(held));
    let all = std::slice::from_ref(&wishes);
    let conflicts = claims.settle(Run(run), &wishes, all, |_| true);
    let lacking = conflicts.keys().map(|(_, claim)| claim.tag.to_string());
    let lacking: Vec<String> = lacking.collect();
    for wish in &wishes.tags {
        let is_tried = !lacking.contains(&wish.claim.tag.to_string());
        match end {
            Has(ownership) if is_tried => {
                let wish = Wish {
                    ownership,
                    ..wish.clone()
                };
                claims.conclude(Run(run), &wishes.mirror, &wish);
            }
            Fails if is_tried => claims.fail(&wishes.mirror.name, &wish.claim),
            Has(_) | Fails | Waits => {}
        }
    }
    lacking
}

#[test]
fn who_has_a_tag_that_two_mirrors_want() {
    let cases: [(&str, &[Turn], &[&str]); 10] = [
        (
            "who wrote it first, though it is younger",
            &[("b", Wanted, Has(Written)), ("a", Wanted, Has(Written))],
            &["b has all", "a lacks shared"],
        ),
        (
            "the older one, where it wrote it",
            &[("a", Wanted, Has(Written)), ("b", Wanted, Has(Written))],
            &["a has all", "b lacks shared"],
        ),
        (
            "the older one may try, and its failure keeps nobody from it",
            &[
                ("a", Wanted, Fails),
                ("b", Wanted, Has(Written)),
                ("a", Wanted, Fails),
            ],
            &["a has all", "b has all", "a lacks shared"],
        ),
        (
            "it may try as often as it likes, and has what it comes to write",
            &[
                ("a", Wanted, Fails),
                ("a", Wanted, Fails),
                ("a", Wanted, Has(Written)),
                ("b", Wanted, Has(Written)),
            ],
            &["a has all", "a has all", "a has all", "b lacks shared"],
        ),
        (
            "who wrote it, also while newer images cannot be written",
            &[
                ("a", Wanted, Has(Written)),
                ("a", Written, Fails),
                ("a", Wanted, Fails),
                ("b", Wanted, Has(Written)),
            ],
            &["a has all", "a has all", "a has all", "b lacks shared"],
        ),
        (
            "who waits for its policies",
            &[("a", Wanted, Waits), ("b", Wanted, Has(Written))],
            &["a has all", "b lacks shared"],
        ),
        (
            "who wrote it before who found it right",
            &[
                ("a", Wanted, Has(Right)),
                ("b", Written, Has(Written)),
                ("a", Right, Has(Right)),
            ],
            &["a has all", "b has all", "a lacks shared"],
        ),
        (
            "who found it right before who wants it",
            &[("b", Wanted, Has(Right)), ("a", Wanted, Fails)],
            &["b has all", "a lacks shared"],
        ),
        (
            "the older one of two that found it right",
            &[("a", Wanted, Has(Right)), ("b", Right, Has(Right))],
            &["a has all", "b lacks shared"],
        ),
        (
            "the older one of two that wrote it at the same time",
            &[
                ("b", Written, Has(Written)),
                ("a", Written, Has(Written)),
                ("b", Written, Has(Written)),
            ],
            &["b has all", "a has all", "b lacks shared"],
        ),
    ];
    for (name, turns, expected) in cases {
        let mut claims = Claims::default();
        let told: Vec<String> = (0..)
            .zip(turns)
            .map(|(run, one)| match turn(&mut claims, run, *one).as_slice() {
                [] => format!("{} has all", one.0),
                lacking => format!("{} lacks {}", one.0, lacking.join(" ")),
            })
            .collect();
        assert_eq!(told, expected, "{name}");
    }
}

#[test]
fn what_is_gone_is_free_and_what_nobody_finished_is_not() {
    let mut claims = Claims::default();
    assert_eq!(turn(&mut claims, 1, ("a", Wanted, Waits)), [""; 0]);
    assert_eq!(turn(&mut claims, 2, ("b", Wanted, Waits)), ["shared"]);
    claims.forget(&aged("a").name);
    assert_eq!(turn(&mut claims, 3, ("b", Wanted, Waits)), [""; 0]);
}

/// One image of a mirror has the tag; the source of the other one is asked in a round that cannot ask for the first.
#[test]
fn what_could_not_be_looked_at_keeps_its_tag_from_other_images_of_its_mirror() {
    for (is_complete, expected) in [(false, 1), (true, 0)] {
        let mut claims = Claims::default();
        turn(&mut claims, 1, ("a", Wanted, Has(Written)));
        let wishes = Arc::new(Wishes {
            mirror: aged("a"),
            is_complete,
            tags: vec![Wish {
                source: source("other"),
                claim: claim("shared"),
                digest: Digest::sha256(b"other"),
                ownership: Wanted,
            }],
        });
        let all = std::slice::from_ref(&wishes);
        assert_eq!(
            claims.settle(Run(2), &wishes, all, |_| true).len(),
            expected
        );
    }
}

/// In whatever order records are read.
#[test]
fn the_next_process_finds_who_had_a_tag() {
    let records = [("a", Wanted), ("b", Written), ("c", Right)];
    for order in [[0, 1, 2], [2, 1, 0], [1, 0, 2], [1, 2, 0]] {
        let mut claims = Claims::default();
        for (name, ownership) in order.map(|index: usize| records[index]) {
            let held = vec![(source(name), claim("shared"), ownership)];
            claims.restore(aged(name).seniority(), held);
        }
        let lacking = turn(&mut claims, 1, ("a", Wanted, Fails));
        assert_eq!(lacking, ["shared"], "{order:?}");
        let lacking = turn(&mut claims, 2, ("b", Written, Has(Written)));
        assert_eq!(lacking, [""; 0], "{order:?}");
    }
}

/// A mirror of files that wants the tags of a repository as `images` says, the one that stands at `order` there.
fn written(name: &str, order: usize, images: &str) -> Arc<Mirror> {
    let text = format!(
        "apiVersion: transship.dev/v1alpha1\nkind: ImageMirror\nmetadata: {{name: {name}}}\nspec:\n  \
         source: {{registry: docker.io}}\n  images: [{{{images}}}]\n  \
         destinations: [{{name: eu, registry: eu.example.com, repository: all}}]\n"
    );
    let documents = document::parse(&text, "mirror.yaml").unwrap().documents;
    let Resource::ImageMirror(mirror) = &documents[0].resource else {
        panic!("a mirror");
    };
    let mirror = plan::validate(mirror, &[]).unwrap();
    Arc::new(Mirror { order, ..mirror })
}

/// What a mirror wants under the tag that all want.
fn wish_of(mirror: &Arc<Mirror>, ownership: Ownership) -> Arc<Wishes> {
    Arc::new(Wishes {
        mirror: mirror.clone(),
        is_complete: true,
        tags: vec![Wish {
            source: source(&mirror.name.replace('/', "-")),
            claim: claim("shared"),
            digest: Digest::sha256(mirror.name.as_bytes()),
            ownership,
        }],
    })
}

/// How it comes to be known of a mirror.
type Note = fn(&mut Claims, Arc<Mirror>);

/// What keeps a mirror from the tag in a round by itself.
fn obstacle(
    claims: &mut Claims,
    run: u64,
    wishes: &Arc<Wishes>,
    is_here: impl Fn(&str) -> bool,
) -> String {
    let all = std::slice::from_ref(wishes);
    let conflicts = claims.settle(Run(run), wishes, all, is_here);
    match conflicts.values().next() {
        None => "nothing".to_owned(),
        Some(Hindrance::Conflict(_)) => "a conflict".to_owned(),
        Some(Hindrance::Undecided(by)) => format!("undecided by {by}"),
    }
}

#[test]
fn what_an_older_mirror_is_about_to_say_is_waited_for_once() {
    const ANY: &str = "repository: library/x, tags: ['*']";
    // What is known of the other one, its place in the files, what it selects, and what that comes to.
    let cases: [(&str, Note, usize, &str, Ownership, &str); 7] = [
        (
            "about to run",
            Claims::expect,
            0,
            ANY,
            Wanted,
            "undecided by default/other",
        ),
        ("it is younger", Claims::expect, 2, ANY, Wanted, "nothing"),
        (
            "it is suspended, or left out",
            Claims::wait_for,
            0,
            ANY,
            Wanted,
            "nothing",
        ),
        (
            "its spec cannot mean the tag",
            Claims::expect,
            0,
            "repository: library/x, tags: ['1']",
            Wanted,
            "nothing",
        ),
        (
            "its spec names no repository",
            Claims::expect,
            0,
            "repository: 'library/*', tags: [shared]",
            Wanted,
            "undecided by default/other",
        ),
        (
            "it was written before",
            Claims::expect,
            0,
            ANY,
            Written,
            "nothing",
        ),
        (
            "it is gone",
            |claims, other| {
                claims.expect(other.clone());
                claims.forget(&other.name);
            },
            0,
            ANY,
            Wanted,
            "nothing",
        ),
    ];
    for (name, note, order, images, ownership, expected) in cases {
        let mut claims = Claims::default();
        note(&mut claims, written("other", order, images));
        let own = wish_of(&written("own", 1, ANY), ownership);
        let first = obstacle(&mut claims, 1, &own, |_| true);
        assert_eq!(first, expected, "{name}");
        assert_eq!(
            obstacle(&mut claims, 2, &own, |_| true),
            "nothing",
            "{name}"
        );
    }
}

#[test]
fn what_is_worked_on_elsewhere_or_was_said_already_is_not_waited_for() {
    const ANY: &str = "repository: library/x, tags: ['*']";
    let (other, own) = (written("other", 0, ANY), written("own", 1, ANY));
    let wishes = wish_of(&own, Wanted);
    let mut claims = Claims::default();
    claims.expect(other.clone());
    assert_eq!(
        obstacle(&mut claims, 1, &wishes, |name| name != other.name),
        "nothing"
    );

    // Of its run it is known what it wants.
    let mut claims = Claims::default();
    claims.expect(other.clone());
    let all = [wish_of(&other, Wanted), wishes.clone()];
    let conflicts = claims.settle(Run(1), &wishes, &all, |_| true);
    assert!(matches!(
        conflicts.values().next(),
        Some(Hindrance::Conflict(_))
    ));

    // Its round fails: it has had its turn.
    let mut claims = Claims::default();
    claims.expect(other.clone());
    let failing = Arc::new(Wishes {
        mirror: other,
        is_complete: false,
        tags: Vec::new(),
    });
    assert_eq!(obstacle(&mut claims, 1, &failing, |_| true), "nothing");
    assert_eq!(obstacle(&mut claims, 2, &wishes, |_| true), "nothing");
}

/// A source that hangs, or a Job that never begins, must not keep a tag from whoever is older.
#[test]
fn what_a_younger_mirror_is_about_to_write_keeps_no_older_one_from_it() {
    let (older, younger) = (wishes("a", Wanted), wishes("b", Wanted));
    let settle = |claims: &mut Claims, run, wishes: &Arc<Wishes>| {
        let all = std::slice::from_ref(wishes);
        claims.settle(Run(run), wishes, all, |_| true).len()
    };
    let mut claims = Claims::default();
    assert_eq!(settle(&mut claims, 1, &younger), 0);
    assert_eq!(settle(&mut claims, 2, &older), 0);
    assert_eq!(settle(&mut claims, 3, &younger), 1);
}

#[test]
fn what_a_spec_cannot_mean_any_more_is_not_held_after_a_restart() {
    const ANY: &str = "repository: library/x, tags: ['*']";
    let own = wish_of(&written("own", 0, ANY), Wanted);
    for (images, registry, expected) in [
        (ANY, "eu.example.com", "a conflict"),
        (ANY, "us.example.com", "nothing"),
        (
            "repository: library/x, tags: ['1']",
            "eu.example.com",
            "nothing",
        ),
    ] {
        let mut other = (*written("other", 1, images)).clone();
        other.destinations[0].registry = registry.parse().unwrap();
        let seniority = other.seniority();
        let mut claims = Claims::default();
        claims.wait_for(Arc::new(other));
        let held = vec![(source("other"), claim("shared"), Written)];
        claims.restore(seniority, held);
        assert_eq!(
            obstacle(&mut claims, 1, &own, |_| true),
            expected,
            "{images}"
        );
    }
}

#[test]
fn what_was_on_record_and_the_spec_does_not_ask_for_bars_nobody() {
    let mut claims = Claims::default();
    let older = aged("a");
    claims.wait_for(older.clone());
    let restored = ["shared", "unasked"].map(|tag| (source("a"), claim(tag), Written));
    claims.restore(older.seniority(), restored.into());
    let holds = |claims: &Claims, tag: &str| claims.held("default/a", &source("a"), &claim(tag));
    // Its spec names another repository.
    assert_eq!(holds(&claims, "shared"), Wanted);
    // Nobody prunes it all the same.
    let repository = claim("shared").repository;
    assert_eq!(claims.besides("default/b", &repository).count(), 2);

    // Of one whose spec is not understood it is not known what it wants.
    let mut claims = Claims::default();
    let restored = vec![(source("a"), claim("shared"), Written)];
    claims.restore(older.seniority(), restored);
    assert_eq!(holds(&claims, "shared"), Written);
}

#[test]
fn what_a_spec_does_not_ask_for_any_more_is_free_and_not_pruned() {
    let mut claims = Claims::default();
    assert_eq!(turn(&mut claims, 1, ("a", Wanted, Has(Written))), [""; 0]);
    assert_eq!(turn(&mut claims, 2, ("b", Wanted, Has(Right))), ["shared"]);
    // The spec of these tests names another repository.
    claims.stand_by(aged("a"));
    assert_eq!(turn(&mut claims, 3, ("b", Wanted, Has(Written))), [""; 0]);
    let repository = claim("shared").repository;
    let theirs = claims.besides("default/b", &repository);
    assert!(
        theirs
            .into_iter()
            .any(|held| held.tag == claim("shared").tag)
    );
}
