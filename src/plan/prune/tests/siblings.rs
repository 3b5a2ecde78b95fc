// SPDX-License-Identifier: Apache-2.0

//! What a tag on record that stays keeps besides itself.

use super::*;

/// Whether 1.0 of r.example.com, which is due and names a, is kept by another one of the same mirror.
fn is_kept(other: &str, held_by: Option<&str>) -> bool {
    let mirror = mirror("", "", "");
    let texts = ["1.0=a, gone 30", other];
    let written: Vec<Written> = texts.iter().map(|text| self::written(text)).collect();
    let mut recorded: Vec<Recorded<'_>> = written.iter().map(Written::recorded).collect();
    recorded[1].target.destination = "us";
    let clock = Clock::Steady;
    let found = find_candidates(&mirror, &selection("2.0 -1.0"), &recorded, clock, now());
    let mut candidates = found.candidates;
    assert!(candidates[0].is_due(), "{other}");
    if let Some(held_by) = held_by {
        let mut candidate = candidates[0].clone();
        "us".clone_into(&mut candidate.target.destination);
        candidate.target.registry = written[1].registry.clone().unwrap();
        candidate.unwanted.protected_by = Some(held_by.to_owned());
        candidates.push(candidate);
    }
    keep_siblings(&mut candidates, &recorded);
    !candidates[0].is_due()
}

#[test]
fn what_may_be_the_same_tag_keeps_it() {
    let adopted = "it was there before: spec.prune.adopted is Keep";
    for (other, held_by, expected) in [
        ("1.0=b", None, true),
        ("1.0=b, at r.example.com:443", None, true),
        ("1.0=b, nowhere", None, true),
        ("1.1=a", None, false),
        // A host of another name may be the same one.
        ("1.0=a, at alias.example.com", None, true),
        ("1.0=b, at alias.example.com", None, false),
        ("1.1=a, at alias.example.com", None, false),
        ("1.0=a, at r.example.com:5001", None, false),
        (
            "1.0=a, at alias.example.com",
            Some("policy keep: keepNewest 2"),
            true,
        ),
        ("1.0=a, at alias.example.com", Some(adopted), false),
        ("1.0=a", Some(adopted), true),
    ] {
        assert_eq!(is_kept(other, held_by), expected, "{other} {held_by:?}");
    }
}
