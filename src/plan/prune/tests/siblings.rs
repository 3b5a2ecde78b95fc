// SPDX-License-Identifier: Apache-2.0

//! What a tag on record that stays keeps besides itself.

use super::*;

/// Whether 1.0 of r.example.com, which is due and names a, is kept by another one of the same mirror.
/// If it is a candidate, too: what keeps it, and whether its grace is over.
fn is_kept(other: &str, as_candidate: Option<(Option<&str>, bool)>) -> bool {
    let mirror = mirror("", "", "");
    let texts = ["1.0=a, gone 30", other];
    let written: Vec<Written> = texts.iter().map(|text| self::written(text)).collect();
    let mut recorded: Vec<Recorded<'_>> = written.iter().map(Written::recorded).collect();
    recorded[1].target.destination = "us";
    let clock = Clock::Steady;
    let found = find_candidates(&mirror, &selection("2.0 -1.0"), &recorded, clock, now());
    let mut candidates = found.candidates;
    assert!(candidates[0].is_due(), "{other}");
    if let Some((held_by, is_over)) = as_candidate {
        let mut candidate = candidates[0].clone();
        "us".clone_into(&mut candidate.target.destination);
        candidate.target.registry = written[1].registry.clone().unwrap();
        candidate.unwanted.protected_by = held_by.map(str::to_owned);
        candidate.is_over = is_over;
        candidates.push(candidate);
    }
    keep_siblings(&mut candidates, &recorded);
    !candidates[0].is_due()
}

#[test]
fn what_may_be_the_same_tag_keeps_it() {
    let adopted = "it was there before: spec.prune.adopted is Keep";
    for (other, as_candidate, expected) in [
        ("1.0=b", None, true),
        ("1.0=b, at r.example.com:443", None, true),
        ("1.0=b, nowhere", None, true),
        ("1.1=a", None, false),
        // A host of another name may be the same one.
        ("1.0=a, at alias.example.com", None, true),
        ("1.0=b, at alias.example.com", None, false),
        ("1.1=a, at alias.example.com", None, false),
        // So may another port of the same host.
        ("1.0=a, at r.example.com:5001", None, true),
        ("1.0=b, at r.example.com:5001", None, false),
        ("1.0=b, at r.example.com:80", None, true),
        (
            "1.0=a, at alias.example.com",
            Some((Some("policy keep: keepNewest 2"), true)),
            true,
        ),
        (
            "1.0=a, at alias.example.com",
            Some((Some(adopted), true)),
            false,
        ),
        ("1.0=a", Some((Some(adopted), true)), true),
        // It was wanted a moment ago: its grace is the one that counts.
        ("1.0=a, at alias.example.com", Some((None, false)), true),
        (
            "1.0=a, at r.example.com:5001",
            Some((Some(adopted), false)),
            true,
        ),
        ("1.0=b, at alias.example.com", Some((None, false)), false),
        ("1.0=a, at alias.example.com", Some((None, true)), false),
    ] {
        let found = is_kept(other, as_candidate);
        assert_eq!(found, expected, "{other} {as_candidate:?}");
    }
}
