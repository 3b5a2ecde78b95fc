// SPDX-License-Identifier: Apache-2.0

//! What is told of each unwanted tag.

use super::*;

#[test]
fn how_a_tag_came_to_be_there_counts() {
    let kept = "1.0 SourceGone kept: it was there before: spec.prune.adopted is Keep";
    let cases = [
        ("written", "", "1.0=a, gone 30", "1.0 SourceGone due"),
        ("adopted", "", "1.0=a, gone 30, adopted", kept),
        (
            "adopted, and included",
            "adopted: Include",
            "1.0=a, gone 30, adopted",
            "1.0 SourceGone due",
        ),
        (
            "a push that nobody saw end",
            "",
            "1.0=a, gone 99, pending",
            "",
        ),
        (
            "the same, adopted or not",
            "adopted: Include",
            "1.0=a, gone 99, pending",
            "",
        ),
    ];
    for (name, prune, recorded, expected) in cases {
        let mirror = mirror(prune, "", "");
        let found = found(&mirror, "2.0", &[recorded], Clock::Steady);
        assert_eq!(tell(&found), expected, "{name}");
    }
}

#[test]
fn tags_that_share_a_digest_are_named() {
    let mirror = mirror("", "", "");
    let recorded = ["1=a, gone 30", "2=a", "3=b", "4=a, gone 3"];
    let found = found(&mirror, "2", &recorded, Clock::Steady);
    let first: Vec<&str> = found.candidates[0]
        .shared_with
        .iter()
        .map(Tag::as_str)
        .collect();
    assert_eq!(first, ["2", "4"]);
}
