// SPDX-License-Identifier: Apache-2.0

//! How many may go, and which.

use super::*;

/// What is on record, each with its tag, and the tags that went lately.
fn brakes_of(mirror: &Mirror, recorded: &[&str], recent: &[&str]) -> Brakes {
    let written: Vec<Written> = recorded.iter().map(|text| written(text)).collect();
    let recorded: Vec<Recorded<'_>> = written.iter().map(Written::recorded).collect();
    let selection = selection("2.0");
    let found = find_candidates(mirror, &selection, &recorded, Clock::Steady, now());
    let recent: Vec<Target> = recent.iter().map(|tag| at_eu(tag)).collect();
    Brakes::of(mirror, &found.candidates, &recorded, &recent)
}

/// Due tags of this many on record.
fn brakes(due: usize, recorded: usize, recent: usize) -> Brakes {
    let due = (0..due).map(|number| format!("{number}=a, gone 30"));
    let kept = (0..recorded).map(|number| format!("kept{number}=a, claimed"));
    let texts: Vec<String> = due.chain(kept).take(recorded).collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let recent: Vec<String> = (0..recent).map(|number| format!("went{number}")).collect();
    let recent: Vec<&str> = recent.iter().map(String::as_str).collect();
    brakes_of(&mirror("", "", ""), &texts, &recent)
}

fn at_eu(tag: &str) -> Target {
    Target {
        destination: "eu".to_owned(),
        registry: "r.example.com".parse().unwrap(),
        repository: "library/app".parse().unwrap(),
        tag: tag.parse().unwrap(),
    }
}

/// What is on record, what went lately, and what that comes to: due, recent and deletable.
type Row = (
    &'static [&'static str],
    &'static [&'static str],
    (usize, usize, usize),
);

#[test]
fn what_may_have_gone_counts_once_whatever_became_of_it() {
    let kept = ["a=a, claimed", "b=b, claimed", "c=c, claimed"];
    // Besides these three.
    let cases: [Row; 6] = [
        (&["1.0=a, gone 30"], &[], (1, 0, 4)),
        (&["1.0=a, gone 30"], &["1.1"], (1, 1, 4)),
        // It went, and somebody pushed it again: it is due again.
        (&["1.0=a, gone 30"], &["1.0"], (1, 0, 4)),
        // The same, and something keeps it now, or it could not be deleted.
        (&["1.0=a, gone 30"], &["1.0", "b"], (1, 1, 3)),
        (&["1.0=a, gone 3"], &["1.0"], (0, 1, 3)),
        (&["1.0=a, gone 30, adopted"], &["1.0"], (0, 1, 3)),
    ];
    for (recorded, recent, expected) in cases {
        let recorded: Vec<&str> = recorded.iter().chain(&kept).copied().collect();
        let brakes = brakes_of(&mirror("", "", ""), &recorded, recent);
        let share = brakes.shares["eu"];
        let found = (share.due, share.recent, share.deletable);
        assert_eq!(found, expected, "{recorded:?} {recent:?}");
    }
}

#[test]
fn many_tags_need_approval() {
    // Due, on record, deleted lately.
    let cases = [
        ("nothing is due", "", (0, 100, 0), "free"),
        ("as many as may go", "maxDeletes: 3", (3, 100, 0), "free"),
        (
            "one more",
            "maxDeletes: 3",
            (4, 100, 0),
            "4 of 100 tags that could be deleted are due, more than spec.prune.maxDeletes, 3,",
        ),
        (
            "none may go",
            "maxDeletes: 0",
            (1, 100, 0),
            "1 of 100 tags that could be deleted are due, more than spec.prune.maxDeletes, 0,",
        ),
        (
            "as large a share as may go",
            "maxPercent: 20",
            (20, 100, 0),
            "free",
        ),
        (
            "a larger one",
            "maxPercent: 20",
            (21, 100, 0),
            "21 of 100 tags that could be deleted are due, more than spec.prune.maxPercent, 20,",
        ),
        (
            "a larger one of few",
            "maxPercent: 20",
            (1, 4, 0),
            "1 of 4 tags that could be deleted are due, more than spec.prune.maxPercent, 20,",
        ),
        (
            "no share",
            "maxPercent: 0",
            (1, 100, 0),
            "1 of 100 tags that could be deleted are due, more than spec.prune.maxPercent, 0,",
        ),
        ("all of them", "maxPercent: 100", (4, 4, 0), "free"),
        (
            "both bounds are exceeded",
            "maxDeletes: 1",
            (4, 4, 0),
            "4 of 4 tags that could be deleted are due, more than spec.prune.maxDeletes, 1,",
        ),
        (
            "as many as may go, and as many went before",
            "maxDeletes: 3, maxPercent: 100",
            (3, 100, 3),
            "3 of 103 tags that could be deleted are due and 3 went in the last 24 hours, more than \
             spec.prune.maxDeletes, 3,",
        ),
        (
            "a small share, and another one before",
            "maxPercent: 20",
            (1, 80, 20),
            "1 of 100 tags that could be deleted are due and 20 went in the last 24 hours, more than \
             spec.prune.maxPercent, 20,",
        ),
        (
            "two small shares are no large one",
            "maxPercent: 20",
            (1, 81, 19),
            "free",
        ),
        (
            "nothing is due after much",
            "maxPercent: 20",
            (0, 10, 90),
            "free",
        ),
    ];
    for (name, prune, (due, recorded, recent), expected) in cases {
        let pruning = mirror(prune, "", "").prune;
        match brakes(due, recorded, recent).judge(&pruning) {
            Passage::Free => assert_eq!(expected, "free", "{name}"),
            Passage::Approved => panic!("{name}: nobody approved"),
            Passage::Paused(message) => assert!(message.starts_with(expected), "{name}: {message}"),
        }
    }
}

#[test]
fn exactly_one_plan_is_approved() {
    let brakes = brakes(4, 4, 0);
    let mut pruning = mirror("", "", "").prune;
    pruning.approved.clone_from(&brakes.plan);
    assert_eq!(brakes.judge(&pruning), Passage::Approved);

    pruning.approved = self::brakes(3, 4, 0).plan;
    let Passage::Paused(message) = brakes.judge(&pruning) else {
        panic!("another plan was approved");
    };
    let plan = brakes.plan.unwrap();
    assert!(
        message.contains("the annotation approves another plan"),
        "{message}"
    );
    assert!(
        message.ends_with(&format!("transship.dev/approve-prune is {plan}")),
        "{message}"
    );
}

#[test]
fn a_plan_names_tags_with_their_digests() {
    let mirror = mirror("", "keepTags: [kept]", "");
    let plan = |recorded: &[&str]| brakes_of(&mirror, recorded, &[]).plan;
    let first = plan(&["1=a, gone 30", "2=b, gone 30"]);
    let same = [
        ("another order", plan(&["2=b, gone 30", "1=a, gone 30"])),
        (
            "another look",
            plan(&["1=a, gone 30, looked 2", "2=b, gone 30"]),
        ),
        (
            "one more that waits",
            plan(&["1=a, gone 30", "2=b, gone 30", "3=c, gone 1"]),
        ),
        (
            "one more that is kept",
            plan(&["1=a, gone 30", "2=b, gone 30", "kept=c, gone 30"]),
        ),
    ];
    for (name, plan) in same {
        assert_eq!(plan, first, "{name}");
    }
    let others = [
        ("gone again", plan(&["1=a, gone 30", "2=b, gone 40"])),
        ("another digest", plan(&["1=a, gone 30", "2=c, gone 30"])),
        ("another tag", plan(&["1=a, gone 30", "3=b, gone 30"])),
        (
            "one more",
            plan(&["1=a, gone 30", "2=b, gone 30", "3=c, gone 30"]),
        ),
        ("one less", plan(&["1=a, gone 30"])),
        ("none", plan(&[])),
    ];
    for (name, plan) in others {
        assert_ne!(plan, first, "{name}");
    }
}

#[test]
fn a_share_is_one_of_what_could_be_deleted_at_its_destination() {
    let mirror = mirror("maxPercent: 50", "", "");
    let cases: [(&[&str], Share); 5] = [
        (&["1=a, gone 30", "2.0=a, claimed"], share(1, 2)),
        (&["1=a, gone 30", "2.0=a, claimed, adopted"], share(1, 1)),
        (&["1=a, gone 30", "2.0=a, claimed, pending"], share(1, 1)),
        (&["1=a, gone 30", "2.0=a, claimed, nowhere"], share(1, 1)),
        (
            &["1=a, gone 30", "2.0=a, claimed, at gone.example.com"],
            share(1, 1),
        ),
    ];
    for (recorded, expected) in cases {
        let brakes = brakes_of(&mirror, recorded, &[]);
        assert_eq!(brakes.shares["eu"], expected, "{recorded:?}");
        let is_free = brakes.judge(&mirror.prune) == Passage::Free;
        assert_eq!(is_free, expected.deletable == 2, "{recorded:?}");
    }
}

fn share(due: usize, deletable: usize) -> Share {
    Share {
        due,
        recent: 0,
        deletable,
    }
}
