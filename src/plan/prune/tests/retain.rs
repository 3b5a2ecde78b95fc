// SPDX-License-Identifier: Apache-2.0

//! What policies keep.

use super::*;

#[test]
#[expect(clippy::too_many_lines, reason = "it is a table")]
fn policies_retain() {
    let cases: [(&str, &str, &[&str], &str); 17] = [
        (
            "by name",
            "keepTags: ['stable-*']",
            &["stable-1=a, gone 30"],
            "stable-1 SourceGone kept: policy keep: keepTags stable-*",
        ),
        (
            "by the name at the source",
            "keepTags: ['stable-*']",
            &["x=a, from stable-1, gone 30"],
            "x SourceGone kept: policy keep: keepTags stable-*",
        ),
        (
            "by another name",
            "keepTags: ['stable-*']",
            &["edge=a, gone 30"],
            "edge SourceGone due",
        ),
        (
            "before it is due, too",
            "keepTags: ['*']",
            &["edge=a"],
            "edge SourceGone kept: policy keep: keepTags *",
        ),
        (
            "the young",
            "keepYoungerThan: 720h",
            &["1.0=a, gone 30, seen 719"],
            "1.0 SourceGone kept: policy keep: keepYoungerThan 720h",
        ),
        (
            "not the old",
            "keepYoungerThan: 720h",
            &["1.0=a, gone 30, seen 720"],
            "1.0 SourceGone due",
        ),
        (
            "what is of the future",
            "keepYoungerThan: 720h",
            &["1.0=a, gone 30, seen -8760"],
            "1.0 SourceGone kept: policy keep: keepYoungerThan 720h",
        ),
        (
            "the newest by version",
            "keepNewest: 2",
            &["1.9=a, gone 30", "1.10=b, gone 30", "1.2=c, gone 30"],
            "1.10 SourceGone kept: policy keep: keepNewest 2 | 1.2 SourceGone due | 1.9 SourceGone kept: policy keep: keepNewest 2",
        ),
        (
            "wanted ones count among the newest",
            "keepNewest: 1",
            &["2.0=a", "1.9=b, gone 30"],
            "1.9 SourceGone due",
        ),
        (
            "within each variant",
            "keepNewest: 1",
            &["1.9=a, gone 30", "1.8-alpine=b, gone 30"],
            "1.8-alpine SourceGone kept: policy keep: keepNewest 1 | 1.9 SourceGone kept: policy keep: keepNewest 1",
        ),
        (
            "of what is no version, by first sight",
            "keepNewest: 1",
            &["edge=a, gone 30, seen 500", "main=b, gone 30, seen 400"],
            "edge SourceGone due | main SourceGone kept: policy keep: keepNewest 1",
        ),
        (
            "of equal versions, by first sight",
            "keepNewest: 1",
            &["1.0=a, gone 30, seen 500", "v1.0=b, gone 30, seen 400"],
            "1.0 SourceGone due | v1.0 SourceGone kept: policy keep: keepNewest 1",
        ),
        (
            "none of the newest",
            "keepNewest: 0",
            &["1.0=a, gone 30"],
            "1.0 SourceGone due",
        ),
        (
            "by any of the rules",
            "keepTags: [a], keepYoungerThan: 10h",
            &["a=a, gone 30", "b=b, gone 30, seen 5", "c=c, gone 30"],
            "a SourceGone kept: policy keep: keepTags a | b SourceGone kept: policy keep: keepYoungerThan 10h | c SourceGone due",
        ),
        (
            "rules before the way it came",
            "keepTags: ['*']",
            &["1.0=a, gone 30, adopted"],
            "1.0 SourceGone kept: policy keep: keepTags *",
        ),
        (
            "in a repository that no entry names any more",
            "keepTags: ['*']",
            &["1.0=a, of library/other, gone 30"],
            "1.0 RepositoryRemoved kept: policy keep: keepTags *",
        ),
        (
            "a tag that shares its digest with one that is kept",
            "keepTags: [a]",
            &["a=a, gone 30", "b=a, gone 30"],
            "a SourceGone kept: policy keep: keepTags a | b SourceGone due",
        ),
    ];
    for (name, retain, recorded, expected) in cases {
        let mirror = mirror("", retain, "");
        let found = found(&mirror, "2.0", recorded, Clock::Steady);
        assert_eq!(tell(&found), expected, "{name}");
    }
}
