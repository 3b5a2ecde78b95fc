//! How many may go, and which.

use super::*;

/// Due tags of this many on record.
fn brakes(due: usize, recorded: usize) -> Brakes {
    let mirror = mirror("", "", "");
    let texts: Vec<String> = (0..due)
        .map(|number| format!("{number}=a, gone 30"))
        .collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let found = found(&mirror, "2.0", &texts, Clock::Steady);
    Brakes::of(&found.candidates, recorded)
}

#[test]
fn many_tags_need_approval() {
    let cases = [
        ("nothing is due", "", 0, 100, "free"),
        ("as many as may go", "maxDeletes: 3", 3, 100, "free"),
        (
            "one more",
            "maxDeletes: 3",
            4,
            100,
            "4 of 100 tags are due, more than spec.prune.maxDeletes, 3,",
        ),
        (
            "none may go",
            "maxDeletes: 0",
            1,
            100,
            "1 of 100 tags are due, more than spec.prune.maxDeletes, 0,",
        ),
        (
            "as large a share as may go",
            "maxPercent: 20",
            20,
            100,
            "free",
        ),
        (
            "a larger one",
            "maxPercent: 20",
            21,
            100,
            "21 of 100 tags are due, more than spec.prune.maxPercent, 20,",
        ),
        (
            "a larger one of few",
            "maxPercent: 20",
            1,
            4,
            "1 of 4 tags are due, more than spec.prune.maxPercent, 20,",
        ),
        (
            "no share",
            "maxPercent: 0",
            1,
            100,
            "1 of 100 tags are due, more than spec.prune.maxPercent, 0,",
        ),
        ("all of them", "maxPercent: 100", 4, 4, "free"),
        (
            "both bounds are exceeded",
            "maxDeletes: 1",
            4,
            4,
            "4 of 4 tags are due, more than spec.prune.maxDeletes, 1,",
        ),
    ];
    for (name, prune, due, recorded, expected) in cases {
        let pruning = mirror(prune, "", "").prune;
        match brakes(due, recorded).judge(&pruning) {
            Passage::Free => assert_eq!(expected, "free", "{name}"),
            Passage::Approved => panic!("{name}: nobody approved"),
            Passage::Paused(message) => assert!(message.starts_with(expected), "{name}: {message}"),
        }
    }
}

#[test]
fn exactly_one_plan_is_approved() {
    let brakes = brakes(4, 4);
    let mut pruning = mirror("", "", "").prune;
    pruning.approved.clone_from(&brakes.plan);
    assert_eq!(brakes.judge(&pruning), Passage::Approved);

    pruning.approved = self::brakes(3, 4).plan;
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
    let plan = |recorded: &[&str]| {
        let found = found(&mirror, "2.0", recorded, Clock::Steady);
        Brakes::of(&found.candidates, 10).plan
    };
    let first = plan(&["1=a, gone 30", "2=b, gone 30"]);
    let same = [
        ("another order", plan(&["2=b, gone 30", "1=a, gone 30"])),
        ("another age", plan(&["1=a, gone 60", "2=b, gone 90"])),
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
