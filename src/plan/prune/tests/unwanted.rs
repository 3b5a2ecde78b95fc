// SPDX-License-Identifier: Apache-2.0

//! How long nobody has wanted a tag.

use super::*;

#[test]
#[expect(clippy::too_many_lines, reason = "it is a table")]
fn time_counts_that_was_seen() {
    use Clock::{Jumped, New, Steady};
    let year = 365 * 24;
    let behind = format!("1.0=a, gone {}, looked {}", 30 - year, 1 - year);
    let ahead = format!("1.0=a, gone {}, looked {year}", year + 2);
    let cases = [
        ("found for the first time", "1.0=a", "", Steady, "waits"),
        (
            "for the first time, without grace",
            "1.0=a",
            "grace: 0s",
            Steady,
            "waits",
        ),
        (
            "for the second time, without grace",
            "1.0=a, gone 0",
            "grace: 0s",
            Steady,
            "due",
        ),
        ("a minute too early", "1.0=a, gone 23", "", Steady, "waits"),
        (
            "at the end of the grace",
            "1.0=a, gone 24",
            "",
            Steady,
            "due",
        ),
        ("long after", "1.0=a, gone 99", "", Steady, "due"),
        ("by a new process", "1.0=a, gone 99", "", New, "due"),
        (
            "by one that did not run for a day",
            "1.0=a, gone 30, looked 29",
            "",
            New,
            "due",
        ),
        (
            "by one that did not run for a month",
            "1.0=a, gone 745, looked 744",
            "",
            New,
            "due",
        ),
        (
            "by one that did not run for longer",
            "1.0=a, gone 747, looked 746",
            "",
            New,
            "waits doubtful",
        ),
        (
            "the same, with a grace that is as long",
            "1.0=a, gone 747, looked 746",
            "grace: 746h",
            New,
            "due",
        ),
        (
            "the clock is a year ahead",
            ahead.as_str(),
            "",
            New,
            "waits doubtful",
        ),
        (
            "the same, and the process saw it",
            "1.0=a, gone 9000, looked 8999",
            "",
            Jumped,
            "waits doubtful",
        ),
        (
            "the clock is a year behind",
            behind.as_str(),
            "",
            New,
            "due doubtful",
        ),
        (
            "the same, before the grace had passed",
            "1.0=a, gone -8700, looked -8710",
            "",
            New,
            "waits doubtful",
        ),
        (
            "the same, and the process saw it",
            "1.0=a, gone -8700, looked -8710",
            "",
            Jumped,
            "waits doubtful",
        ),
        (
            "a clock that is behind, and said to be steady",
            "1.0=a, gone -10, looked -10",
            "",
            Steady,
            "waits doubtful",
        ),
    ];
    for (name, recorded, prune, clock, expected) in cases {
        let mirror = mirror(prune, "", "");
        let found = found(&mirror, "2.0", &[recorded], clock);
        let [candidate] = found.candidates.as_slice() else {
            panic!("{name}: {found:?}");
        };
        let is = if candidate.is_over { "due" } else { "waits" };
        let told = if found.is_clock_doubtful {
            format!("{is} doubtful")
        } else {
            is.to_owned()
        };
        assert_eq!(told, expected, "{name}");
        let Unwanted { since, seen, .. } = candidate.unwanted;
        assert!(since <= seen && seen <= now(), "{name}: {since} {seen}");
    }
}

#[test]
fn time_that_does_not_count_is_not_lost() {
    // Ten hours had passed when the clock went ahead by a year: fourteen are left.
    let mirror = mirror("", "", "");
    let found = found(
        &mirror,
        "2.0",
        &["1.0=a, gone 8770, looked 8760"],
        Clock::New,
    );
    let candidate = &found.candidates[0];
    assert_eq!(candidate.unwanted.since, ago(10));
    assert_eq!(candidate.unwanted.due(mirror.prune.grace), ago(-14));
}

#[test]
fn a_look_is_put_on_record_now_and_then() {
    let mirror = mirror("", "", "");
    let seen = |recorded: &str| {
        let found = found(&mirror, "2.0", &[recorded], Clock::Steady);
        found.candidates[0].unwanted.seen
    };
    assert_eq!(
        seen("1.0=a, gone 10, looked 5"),
        ago(5),
        "a quarter of the grace has not passed"
    );
    assert_eq!(seen("1.0=a, gone 10, looked 6"), now(), "a quarter of it");
    assert_eq!(
        seen("1.0=a, gone 25, looked 2"),
        now(),
        "all of it, for the first time"
    );
    assert_eq!(
        seen("1.0=a, gone 90, looked 60"),
        ago(60),
        "all of it, long ago"
    );
    assert_eq!(seen("1.0=a, gone 300, looked 200"), now(), "a week later");
}
