// SPDX-License-Identifier: Apache-2.0

use proptest::prelude::*;

use super::*;

#[test]
fn repositories_that_globs_stand_for() {
    let cases: [(&str, &[&str], &[&str]); 9] = [
        (
            "library/*",
            &["library/nginx"],
            &["library", "library/a/b", "other/nginx"],
        ),
        (
            "library/**",
            &["library/nginx", "library/a/b"],
            &["library", "libraryx/a"],
        ),
        ("**", &["nginx", "a/b/c"], &[]),
        ("*", &["nginx"], &["a/b"]),
        (
            "**/nginx",
            &["nginx", "a/nginx", "a/b/nginx"],
            &["mynginx", "nginx/a"],
        ),
        ("a/**/z", &["a/z", "a/b/z", "a/b/c/z"], &["az", "a/b/zz"]),
        (
            "team-*/app-*",
            &["team-a/app-1"],
            &["team-a/web", "team-a/x/app-1"],
        ),
        ("a.b/*", &["a.b/c"], &["axb/c"]),
        ("team-**", &["team-a", "team-a/b/c"], &["xteam-a"]),
    ];
    for (glob, matching, others) in cases {
        let glob = RepositoryGlob::parse(glob).unwrap();
        for repository in matching {
            assert!(
                glob.matches(&repository.parse().unwrap()),
                "{glob} {repository}"
            );
        }
        for repository in others {
            assert!(
                !glob.matches(&repository.parse().unwrap()),
                "{glob} {repository}"
            );
        }
    }
}

#[test]
fn tags_that_globs_stand_for() {
    let cases: [(&str, &[&str], &[&str]); 9] = [
        ("3.21*", &["3.21", "3.21.0", "3.21-rc1"], &["3.2", "13.21"]),
        ("3.2?", &["3.20", "3.2x"], &["3.2", "3.200"]),
        ("v[0-9].*", &["v1.2"], &["v.2", "va.2"]),
        ("*-alpine", &["1.0-alpine", "-alpine"], &["1.0-alpine3"]),
        ("[a-c]x", &["ax", "cx"], &["dx", "-x"]),
        ("[a-]x", &["ax"], &["bx"]),
        ("[!0-9]*", &["latest"], &["1.0"]),
        ("1.0", &["1.0"], &["1x0"]),
        ("*", &["latest"], &[]),
    ];
    for (glob, matching, others) in cases {
        let glob = TagGlob::parse(glob).unwrap();
        for tag in matching.iter().filter_map(|tag| tag.parse().ok()) {
            assert!(glob.matches(&tag), "{glob} {tag}");
        }
        for tag in others.iter().filter_map(|tag| tag.parse().ok()) {
            assert!(!glob.matches(&tag), "{glob} {tag}");
        }
    }
}

#[test]
fn what_has_no_wildcard_is_literal() {
    assert!(TagGlob::is_literal("3.20") && RepositoryGlob::is_literal("library/alpine"));
    for glob in ["3.*", "3.2?", "[a]", "]"] {
        assert!(!TagGlob::is_literal(glob), "{glob}");
    }
    assert!(!RepositoryGlob::is_literal("library/*"));
}

#[test]
fn texts_that_are_not_globs() {
    let long = "a".repeat(129);
    let repositories = [
        ("", "the glob is empty"),
        (
            "Library/*",
            "glob \"Library/*\" contains 'L', which no repository name has: use lower-case letters, digits, '.', '_', '-', '/', * and **",
        ),
        (
            "a/[bc]",
            "glob \"a/[bc]\" contains '[', which no repository name has: use lower-case letters, digits, '.', '_', '-', '/', * and **",
        ),
        (
            "/a/*",
            "glob \"/a/*\" has an empty component: write single slashes, and none at the beginning or end",
        ),
        (
            "a//*",
            "glob \"a//*\" has an empty component: write single slashes, and none at the beginning or end",
        ),
    ];
    for (text, message) in repositories {
        assert_eq!(
            RepositoryGlob::parse(text).unwrap_err().to_string(),
            message
        );
    }
    let tags = [
        (
            "3.*:x",
            "glob \"3.*:x\" contains ':', which no tag has: use letters, digits, '_', '.', '-', *, ? and [...]",
        ),
        ("[a", "glob \"[a\" has a '[' without its ']'"),
        (
            "a]",
            "glob \"a]\" contains ']', which no tag has: use letters, digits, '_', '.', '-', *, ? and [...]",
        ),
        ("[]", "glob \"[]\" has an empty set []"),
        ("[!]", "glob \"[!]\" has an empty set []"),
        (
            "[z-a]",
            "glob \"[z-a]\" has the range z-a, which is backwards",
        ),
    ];
    for (text, message) in tags {
        assert_eq!(TagGlob::parse(text).unwrap_err().to_string(), message);
    }
    assert_eq!(
        TagGlob::parse(&long).unwrap_err().to_string(),
        format!("glob {long:?} has 129 characters, at most 128 are allowed")
    );
}

#[test]
fn the_largest_globs_compile() {
    for piece in ["?", "*", "[!a-z]"] {
        let text = piece.repeat(GLOB_LENGTH / piece.len());
        assert_eq!(TagGlob::parse(&text).map(|glob| glob.text), Ok(text));
    }
}

proptest! {
    #[test]
    fn anything_parses_or_is_refused_without_a_panic(text in ".{0,140}") {
        let _ = TagGlob::parse(&text);
        let _ = RepositoryGlob::parse(&text);
    }

    #[test]
    fn a_literal_stands_for_itself_only(tag in "[a-z0-9][a-z0-9._-]{0,20}", other in "[a-z0-9._]{1,5}") {
        let glob = TagGlob::parse(&tag).unwrap();
        prop_assert!(glob.matches(&tag.parse().unwrap()));
        let longer = tag + &other;
        prop_assert!(!glob.matches(&longer.parse().unwrap()));
    }

    #[test]
    fn a_repository_glob_matches_what_a_regular_expression_would(glob in "[ab/*]{1,8}", text in "[ab/]{0,9}") {
        let Ok(parsed) = RepositoryGlob::parse(&glob) else { return Ok(()) };
        let components: Vec<&str> = glob.split('/').collect();
        let last = components.len() - 1;
        let expression = components.iter().enumerate().map(|(index, component)| {
            if *component == "**" && index < last {
                return "(?:.+/)?".to_owned();
            }
            let expression = component.replace("**", "$").replace('*', "[^/]*").replace('$', ".*");
            if index < last { expression + "/" } else { expression }
        });
        let expression: String = expression.collect();
        let expected = regex::Regex::new(&format!("^(?:{expression})$")).unwrap().is_match(&text);
        prop_assert_eq!(parsed.is_match(&text), expected, "{} {}", glob, expression);
    }

    #[test]
    fn a_tag_glob_matches_what_a_regular_expression_would(
        glob in r"(a|B|\?|\*|\[!?[a-c]{1,2}(-[c-d])?\]){1,6}", tag in "[a-eA-C]{1,8}",
    ) {
        let Ok(parsed) = TagGlob::parse(&glob) else { return Ok(()) };
        let expression = glob.replace('?', ".").replace('*', ".*").replace("[!", "[^");
        for (is_folded, flag) in [(false, ""), (true, "(?i)")] {
            let expected = regex::Regex::new(&format!("{flag}^(?:{expression})$")).unwrap().is_match(&tag);
            let found = if is_folded { parsed.may_match(&tag) } else { parsed.matches(&tag.parse().unwrap()) };
            prop_assert_eq!(found, expected, "{} {}", glob, expression);
        }
    }

    #[test]
    fn sets_of_any_members_compile(members in "[a-zA-Z0-9_.-]{1,10}") {
        match TagGlob::parse(&format!("[{members}]")) {
            Ok(_) | Err(GlobError::BackwardRange { .. }) => {}
            Err(error) => prop_assert!(false, "{error}"),
        }
    }
}

#[test]
fn what_everything_begins_with_that_a_glob_matches() {
    let cases = [
        ("team/*", Some("team")),
        ("team/app-*", Some("team")),
        ("team/web/**", Some("team/web")),
        ("team/*/app", Some("team")),
        ("team/a*/b", Some("team")),
        ("*", None),
        ("app-*", None),
        ("**/app", None),
        ("*/app", None),
    ];
    for (text, expected) in cases {
        let namespace = RepositoryGlob::parse(text).unwrap().namespace();
        assert_eq!(namespace.as_deref(), expected, "{text}");
    }
}
