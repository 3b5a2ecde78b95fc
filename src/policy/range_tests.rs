// SPDX-License-Identifier: Apache-2.0

use proptest::prelude::*;

use super::*;

#[test]
fn ranges_and_the_versions_in_them() {
    let cases: [(&str, &[&str], &[&str]); 22] = [
        (
            ">=1.20 <2",
            &["1.20", "1.20-rc1", "1.99.9-alpine", "v1.27"],
            &["1.19.9", "2.0", "2.0.0-rc1"],
        ),
        (">=1.20.0, <2", &["1.20"], &["1.20.0-rc1", "2.0"]),
        (">= 1.20 < 2", &["1.20"], &["2.0"]),
        ("1.x", &["1.0", "1.99"], &["0.9", "2.0"]),
        ("1", &["1.0", "1.99"], &["2.0"]),
        ("1.2.*", &["1.2", "1.2.9"], &["1.3"]),
        ("*", &["0.1", "99.0"], &[]),
        (
            "1.2.3",
            &["1.2.3", "v1.2.3-alpine"],
            &["1.2.3.1", "1.2.4", "1.2.3-rc1"],
        ),
        ("=1.2", &["1.2.3"], &["1.3"]),
        (">1.2", &["1.3"], &["1.2.9", "1.2"]),
        (">1.2.3", &["1.2.4", "1.2.3.1"], &["1.2.3"]),
        ("<=1.2", &["1.2.9", "0.1"], &["1.3", "1.3-rc1"]),
        ("<=1.2.3", &["1.2.3", "1.2.3-rc1"], &["1.2.4"]),
        ("^1.2.3", &["1.2.3", "1.9"], &["1.2.2", "2.0"]),
        ("^0.2.3", &["0.2.9"], &["0.3.0", "0.2.2"]),
        ("^0.0.3", &["0.0.3"], &["0.0.4"]),
        ("~1.2.3", &["1.2.9"], &["1.3", "1.2.2"]),
        ("~1", &["1.9"], &["2.0"]),
        ("1.2 - 1.5", &["1.2", "1.5.9"], &["1.1", "1.6"]),
        ("1.2.0 - 1.5.0", &["1.5.0"], &["1.5.1"]),
        ("^1.27 || ~2.1", &["1.28", "2.1.5"], &["2.0", "2.2"]),
        (
            ">=1.20.0-rc.1 <1.21",
            &["1.20.0-rc.2", "1.20.0"],
            &["1.20.0-beta", "1.21.0-rc1"],
        ),
    ];
    for (range, inside, outside) in cases {
        let range = Range::parse(range).unwrap();
        for tag in inside {
            assert!(
                range.contains(&Version::parse_text(tag).unwrap()),
                "{tag} in {range}"
            );
        }
        for tag in outside {
            assert!(
                !range.contains(&Version::parse_text(tag).unwrap()),
                "{tag} not in {range}"
            );
        }
    }
}

/// From the documentation and the rules of Masterminds/semver v3.5: what a range takes and what it does not
/// take where nothing is said of prereleases.
#[test]
fn prereleases_are_let_in_as_by_masterminds() {
    let cases = [
        ("!=4.1.0", "4.1.1 5.1.0", "4.1.0 5.1.0-alpha.1"),
        ("!=4.1", "5.1.0", "4.1.0 4.1.1 5.1.0-alpha.1"),
        ("!=4.x", "5.1.0", "4.1.0"),
        ("!=4.2.x", "4.1.9", "4.2.3"),
        ("=> 1.2", "1.2.0 1.3.0", "1.1.9"),
        ("=< 1.2", "1.2.9", "1.3.0"),
        ("=2.0", "2.0.0 2.0.1", "1.2.3 2.0.1-beta"),
        (">1.1", "4.1.0", "1.1.0 1.1.1"),
        (">0", "1.0.0", "0.0.1-alpha 0.0.0-alpha"),
        (">0.0.0-0", "0.0.0-alpha 1.0.0", ""),
        (
            ">1.2.3-alpha.1",
            "1.2.3-alpha.2 1.3.3-alpha.2",
            "1.2.3-alpha.0",
        ),
        (">=0-0", "0.0.1-alpha 0.0.0-alpha 1.0.0", ""),
        (">=0.0.0-0", "0.0.0-alpha 1.2.3 3.4.5-beta.1", ""),
        (">=1.1", "4.1.0", "4.1.0-beta 0.0.9"),
        ("<=1.1", "0.1.0 1.1.1", "0.1.0-alpha 1.2.3"),
        ("*", "4.5.6", "1.2.3-alpha.1"),
        ("*-0", "1.2.3-alpha.1 4.5.6", ""),
        ("2.1.*", "2.1.1", "2.2.1"),
        ("<1.x", "0.1.1", "1.1.1 2.0.0"),
        ("<=2.x", "2.9.9", "3.0.0"),
        (">=1.2.x", "1.2.0 3.0.0", "1.1.9"),
        (
            "~1.2.3-beta.2",
            "1.2.3-beta.4 1.2.4-beta.2",
            "1.3.4-beta.2 1.2.3-beta.1",
        ),
        ("~1.1-alpha", "1.1.1-beta", "1.2.0"),
        ("~1.1", "1.1.1", "1.1.1-alpha"),
        ("~1.1.1-beta", "1.1.1", "1.1.1-alpha"),
        ("~1.x", "1.3.5", "2.1.1"),
        ("^1.2.0", "1.8.9", "1.2.1-alpha.1 2.2.1"),
        ("^1.2.0-alpha.0", "1.2.1-alpha.1 1.2.1-alpha.0", "1.1.0"),
        ("^1.2.0-alpha.2", "1.2.0", "1.2.0-alpha.1"),
        ("^1.2.x", "1.2.0 1.9.0", "2.0.0"),
        ("^0.2", "0.2.5", "0.5.6"),
        ("^0.0", "0.0.3", "0.1.4 1.0.4"),
        ("^0", "0.2.3", "1.1.4"),
        (
            "^0.2.3-beta.2",
            "0.2.3-beta.4 0.2.4-beta.2 0.2.3-beta.2",
            "0.3.4-beta.2",
        ),
        ("^1.x", "1.1.1", "1.1.1-beta1 2.1.1"),
        ("^1.2.x-alpha", "1.2.0-beta1", "1.1.1-beta1"),
        ("1.5.0 - 4.5", "3.7.0 4.5.9", "1.4.9 4.6.0"),
        ("1.0.0 - 2.0.0, <=2.0.0", "1.5.0", "2.0.1"),
        (">=1.1, <2, !=1.2.3 || > 3", "4.1.2", "1.2.3 3.1.2 3.0.0"),
        (">= 1.1 <2 != 1.2.3 || >= 3", "3.0.0 1.2.4", "1.2.3"),
        (">= 1.0.0 <= 2.0.0-beta", "1.0.1-beta 1.0.1", "3.0.0"),
        (
            ">= 1.0.0 <= 2.0.0-beta || > 3",
            "1.0.1-beta 4.0.0",
            "4.0.1-beta",
        ),
        (
            ">= 1.0.0 <= 2.0.0-beta != 1.0.1-beta",
            "1.0.1",
            "1.0.1-beta",
        ),
        (">= 1.0.0-0 <= 2.0.0", "1.0.1-beta", "2.0.1"),
        ("v1.2", "1.2.9", "1.3.0"),
    ];
    for (range, inside, outside) in cases {
        let range = Range::parse(range).unwrap();
        let takes = |tag: &str| {
            let version = Version::parse_text(tag).unwrap();
            if version.is_prerelease() {
                range.lets_in(&version)
            } else {
                range.contains(&version)
            }
        };
        for tag in inside.split_whitespace() {
            assert!(takes(tag), "{tag} in {range}");
        }
        for tag in outside.split_whitespace() {
            assert!(!takes(tag), "{tag} not in {range}");
        }
    }
}

/// What stands behind the numbers is read as in tags.
#[test]
fn suffixes_are_read_alike_in_ranges_and_tags() {
    let cases = [
        (
            "2.1.0-alpine",
            "2.1.0-alpine v2.1.0-alpine",
            "2.1.0 2.1.0-slim 2.1.1-alpine",
        ),
        ("1.27-alpine", "1.27.3-alpine", "1.27.3 1.28.0-alpine"),
        (
            ">=1.26-alpine",
            "1.26.1-alpine 2.0-alpine",
            "1.26.1 1.26.1-alpine-slim",
        ),
        (
            "!=2.1.0-alpine",
            "2.1.0 2.0.0-alpine 2.1.0-slim",
            "2.1.0-alpine",
        ),
        ("=v1.30.2-k3s2", "v1.30.2-k3s2", "v1.30.2-k3s1 v1.30.2"),
        (
            ">v1.30.2-k3s2",
            "v1.30.2-k3s3 v1.30.3-k3s1",
            "v1.30.2-k3s2 v1.30.3",
        ),
        ("<v1.30.2-k3s2", "v1.30.2-k3s1 v1.29.9-k3s9", "v1.30.2-k3s2"),
        (
            ">=21.0.4_7",
            "21.0.4_7-jre 21.0.4_11-jdk 21.0.5_1",
            "21.0.4_6-jre",
        ),
        ("1.2.3+7", "1.2.3_7", "1.2.3_8 1.2.3"),
        (
            ">=25_36-jdk",
            "25_36-jdk 25.0.1_8-jdk",
            "25_35-jdk 26_1-jre",
        ),
        (
            ">=26.1.2.Final",
            "26.1.2.Final 26.1.2 26.1.3.Final-jdk17",
            "26.1.1.Final",
        ),
        (">1.0.0.SP1", "1.0.0.SP2 1.0.1", "1.0.0.GA 1.0.0.SP1"),
        (">=2.4.7-p2", "2.4.7-p2 2.4.7-p10 2.4.8", "2.4.7 2.4.7-p1"),
        (
            ">=1.0.0-M2",
            "1.0.0-M2 1.0.0-CR1 1.0.0.Final",
            "1.0.0-beta9",
        ),
    ];
    for (range, inside, outside) in cases {
        let range = Range::parse(range).unwrap();
        let takes = |tag: &str| range.contains(&Version::parse_text(tag).unwrap());
        for tag in inside.split_whitespace() {
            assert!(takes(tag), "{tag} in {range}");
        }
        for tag in outside.split_whitespace() {
            assert!(!takes(tag), "{tag} not in {range}");
        }
    }
}

#[test]
fn texts_that_are_not_ranges() {
    let cases = [
        ("", "range \"\" has an empty part: write * for any version"),
        (
            "1 ||",
            "range \"1 ||\" has an empty part: write * for any version",
        ),
        (">=", "range \">=\" has nothing behind \">=\""),
        (
            "<>1",
            "range \"<>1\" has the operator \"<>\": use =, !=, >, >=, <, <=, ~ or ^",
        ),
        (
            "!1.2",
            "range \"!1.2\" has the operator \"!\": use =, !=, >, >=, <, <=, ~ or ^",
        ),
        (
            "latest",
            "range \"latest\" has \"latest\" where a version such as 1.20, 1.20.3 or 1.x must stand",
        ),
        (
            "1.x.3",
            "range \"1.x.3\" has \"1.x.3\" where a version such as 1.20, 1.20.3 or 1.x must stand",
        ),
        (
            ">=1.20<2",
            "range \">=1.20<2\" has \"1.20<2\" where a version such as 1.20, 1.20.3 or 1.x must stand",
        ),
        (
            "1.2.3foo",
            "range \"1.2.3foo\" has \"1.2.3foo\" where a version such as 1.20, 1.20.3 or 1.x must stand",
        ),
        (
            "- 1.5",
            "range \"- 1.5\" has a hyphen that does not stand alone between two versions, as in 1.2 - 1.5",
        ),
        (
            &"1".repeat(257),
            "the range has 257 characters, at most 256 are allowed",
        ),
    ];
    for (text, message) in cases {
        assert_eq!(Range::parse(text).unwrap_err().to_string(), message);
    }
}

proptest! {
    #[test]
    fn anything_parses_or_is_refused_without_a_panic(text in ".{0,40}") {
        let _ = Range::parse(&text);
    }

    /// The semver crate is the judge where it knows the words: releases of three numbers, and "and".
    #[test]
    fn releases_are_judged_as_cargo_does(
        sign in "(=|>|>=|<|<=|~|\\^)",
        operand in "[0-3](\\.[0-3]){0,2}",
        other in "(>=|<)[0-3]\\.[0-3]",
        version in "[0-3]\\.[0-3]\\.[0-3]",
    ) {
        let text = format!("{sign}{operand}, {other}");
        let expected = semver::VersionReq::parse(&text)
            .unwrap()
            .matches(&semver::Version::parse(&version).unwrap());
        let found = Range::parse(&text)
            .unwrap()
            .contains(&Version::parse_text(&version).unwrap());
        prop_assert_eq!(found, expected, "{} in {}", version, text);
    }
}
