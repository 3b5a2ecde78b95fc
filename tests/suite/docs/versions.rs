// SPDX-License-Identifier: Apache-2.0

//! Tags that are versions, and ranges of these.

use transship::oci::Tag;
use transship::policy::{Range, Version};

use super::{page, rows};

#[test]
fn tags_are_the_versions_that_the_table_says() {
    let rows = rows(
        &page("selection.md"),
        "| Tag | Version | Prerelease | Variant |",
    );
    assert!(rows.len() >= 30, "{}", rows.len());
    for row in rows {
        let [tag, version, prerelease, variant] = row.as_slice() else {
            panic!("{row:?}");
        };
        let parsed = Version::parse(&tag.parse::<Tag>().unwrap());
        if version == "no version" {
            assert_eq!(parsed, None, "{tag}");
            continue;
        }
        let parsed = parsed.expect(tag);
        assert_eq!(parsed.variant().unwrap_or_default(), variant, "{tag}");
        assert_eq!(parsed.is_prerelease(), !prerelease.is_empty(), "{tag}");
        let exactly = format!("={version}-{prerelease}");
        let exactly = Range::parse(exactly.trim_end_matches('-')).unwrap();
        assert!(exactly.contains(&parsed), "{tag} is not {exactly}");
    }
}

#[test]
fn ranges_take_the_versions_that_the_table_says() {
    let rows = rows(&page("selection.md"), "| Range | Takes | Does not take |");
    assert!(rows.len() >= 10, "{}", rows.len());
    for row in rows {
        let [range, taken, left] = row.as_slice() else {
            panic!("{row:?}");
        };
        let range = Range::parse(range).unwrap();
        for (tags, expected) in [(taken, true), (left, false)] {
            for tag in tags.split(", ").filter(|tag| !tag.is_empty()) {
                let version = Version::parse(&tag.parse::<Tag>().unwrap()).expect(tag);
                assert_eq!(range.contains(&version), expected, "{tag} in {range}");
            }
        }
    }
}
