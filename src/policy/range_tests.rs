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
            "=>1",
            "range \"=>1\" has the operator \"=>\": use =, >, >=, <, <=, ~ or ^",
        ),
        (
            "!=1.2",
            "range \"!=1.2\" has the operator \"!=\": use =, >, >=, <, <=, ~ or ^",
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
            "1.2.3+build",
            "range \"1.2.3+build\" has \"1.2.3+build\" where a version such as 1.20, 1.20.3 or 1.x must stand",
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
