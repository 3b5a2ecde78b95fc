//! Globs for repositories and tags. A glob is no regular expression: a dot is a dot.

use std::fmt;

use regex::{Regex, RegexBuilder};

use super::pattern::SIZE_LIMIT;
use crate::oci::{Repository, Tag};

/// Longest glob, in bytes.
pub const GLOB_LENGTH: usize = 128;

/// A glob for repositories: `*` stands for any characters of one component, `**` for any number of
/// components.
#[derive(Clone)]
pub struct RepositoryGlob {
    text: String,
    regex: Regex,
}

/// A glob for tags: `*` stands for any characters, `?` for one, `[a-z]` for one of a set and `[!a-z]`
/// for one outside of it.
#[derive(Clone)]
pub struct TagGlob {
    text: String,
    regex: Regex,
}

/// Why a text is not a glob.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GlobError {
    /// The glob is empty.
    #[error("the glob is empty")]
    Empty,
    /// The glob is too long.
    #[error("glob {text:?} has {found} characters, at most {most} are allowed", most = GLOB_LENGTH)]
    TooLong {
        /// The glob.
        text: String,
        /// Its length in bytes.
        found: usize,
    },
    /// A character can be in no repository, so the glob would match nothing.
    #[error(
        "glob {text:?} contains {character:?}, which no repository name has: use lower-case letters, digits, '.', '_', '-', '/', * and **"
    )]
    NotInRepository {
        /// The glob.
        text: String,
        /// The first such character.
        character: char,
    },
    /// A component is empty.
    #[error(
        "glob {0:?} has an empty component: write single slashes, and none at the beginning or end"
    )]
    EmptyComponent(String),
    /// A character can be in no tag, so the glob would match nothing.
    #[error(
        "glob {text:?} contains {character:?}, which no tag has: use letters, digits, '_', '.', '-', *, ? and [...]"
    )]
    NotInTag {
        /// The glob.
        text: String,
        /// The first such character.
        character: char,
    },
    /// A set of characters is not closed.
    #[error("glob {0:?} has a '[' without its ']'")]
    OpenSet(String),
    /// A set of characters is empty.
    #[error("glob {0:?} has an empty set []")]
    EmptySet(String),
    /// A range of a set runs backwards.
    #[error("glob {text:?} has the range {from}-{to}, which is backwards")]
    BackwardRange {
        /// The glob.
        text: String,
        /// Where the range begins.
        from: char,
        /// Where it ends.
        to: char,
    },
    /// The compiled glob would be too large.
    #[error("glob {0:?} is too complex")]
    TooComplex(String),
}

// === impl RepositoryGlob ===

impl RepositoryGlob {
    /// Reads a glob.
    pub fn parse(text: &str) -> Result<Self, GlobError> {
        check_length(text)?;
        if let Some(character) = text.chars().find(|&character| !is_in_repository(character)) {
            return Err(GlobError::NotInRepository {
                text: text.to_owned(),
                character,
            });
        }
        if text.split('/').any(str::is_empty) {
            return Err(GlobError::EmptyComponent(text.to_owned()));
        }
        let components: Vec<&str> = text.split('/').collect();
        let mut expression = String::new();
        for (index, component) in components.iter().enumerate() {
            let is_last = index + 1 == components.len();
            if *component == "**" && !is_last {
                // Also no component at all: **/nginx is nginx as well.
                expression.push_str("(?:.+/)?");
                continue;
            }
            for (part, piece) in component.split("**").enumerate() {
                if part > 0 {
                    expression.push_str(".*");
                }
                let literals: Vec<String> = piece.split('*').map(regex::escape).collect();
                expression.push_str(&literals.join("[^/]*"));
            }
            if !is_last {
                expression.push('/');
            }
        }
        Ok(Self {
            text: text.to_owned(),
            regex: compile(text, &expression)?,
        })
    }

    /// Whether a text is the name of one repository and no glob.
    pub fn is_literal(text: &str) -> bool {
        !text.contains('*')
    }

    /// Whether the glob stands for this repository.
    pub fn matches(&self, repository: &Repository) -> bool {
        self.regex.is_match(repository.as_str())
    }

    /// The glob as it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

fn is_in_repository(character: char) -> bool {
    character.is_ascii_lowercase()
        || character.is_ascii_digit()
        || matches!(character, '.' | '_' | '-' | '/' | '*')
}

// === impl TagGlob ===

impl TagGlob {
    /// Reads a glob.
    pub fn parse(text: &str) -> Result<Self, GlobError> {
        check_length(text)?;
        let mut expression = String::new();
        let mut characters = text.chars();
        while let Some(character) = characters.next() {
            match character {
                '*' => expression.push_str(".*"),
                '?' => expression.push('.'),
                '[' => expression.push_str(&read_set(text, &mut characters)?),
                _ => {
                    refuse_outside_tag(text, character)?;
                    expression.push_str(&regex::escape(character.encode_utf8(&mut [0; 4])));
                }
            }
        }
        Ok(Self {
            text: text.to_owned(),
            regex: compile(text, &expression)?,
        })
    }

    /// Whether a text is one tag and no glob.
    pub fn is_literal(text: &str) -> bool {
        !text.contains(['*', '?', '[', ']'])
    }

    /// Whether the glob stands for this tag.
    pub fn matches(&self, tag: &Tag) -> bool {
        self.regex.is_match(tag.as_str())
    }

    /// The glob as it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

/// Reads a set behind its `[` and gives the same set for a regular expression.
fn read_set(text: &str, characters: &mut std::str::Chars<'_>) -> Result<String, GlobError> {
    let rest = characters.as_str();
    let end = rest
        .find(']')
        .ok_or_else(|| GlobError::OpenSet(text.to_owned()))?;
    let (inside, behind) = rest.split_at_checked(end).unwrap_or((rest, ""));
    *characters = behind.chars();
    characters.next();

    let (negated, inside) = match inside.strip_prefix('!') {
        Some(inside) => (true, inside),
        None => (false, inside),
    };
    if inside.is_empty() {
        return Err(GlobError::EmptySet(text.to_owned()));
    }
    let mut set = String::from(if negated { "[^" } else { "[" });
    let mut members = inside.chars().peekable();
    while let Some(from) = members.next() {
        refuse_outside_tag(text, from)?;
        set.push_str(&escape_member(from));
        let mut ahead = members.clone();
        if ahead.next() != Some('-') {
            continue;
        }
        let Some(to) = ahead.next() else { continue };
        refuse_outside_tag(text, to)?;
        if to < from {
            return Err(GlobError::BackwardRange {
                text: text.to_owned(),
                from,
                to,
            });
        }
        set.push('-');
        set.push_str(&escape_member(to));
        members = ahead;
    }
    set.push(']');
    Ok(set)
}

/// Inside a set only `-` has a meaning among the characters of a tag.
fn escape_member(character: char) -> String {
    match character {
        '-' => r"\-".to_owned(),
        other => other.to_string(),
    }
}

fn refuse_outside_tag(text: &str, character: char) -> Result<(), GlobError> {
    if character.is_ascii_alphanumeric() || matches!(character, '_' | '.' | '-') {
        return Ok(());
    }
    Err(GlobError::NotInTag {
        text: text.to_owned(),
        character,
    })
}

// === shared ===

fn check_length(text: &str) -> Result<(), GlobError> {
    match text.len() {
        0 => Err(GlobError::Empty),
        1..=GLOB_LENGTH => Ok(()),
        found => Err(GlobError::TooLong {
            text: text.to_owned(),
            found,
        }),
    }
}

fn compile(text: &str, expression: &str) -> Result<Regex, GlobError> {
    RegexBuilder::new(&format!("^(?:{expression})$"))
        .size_limit(SIZE_LIMIT)
        .build()
        .map_err(|_| GlobError::TooComplex(text.to_owned()))
}

macro_rules! written_as_text {
    ($($glob:ident),*) => {$(
        impl PartialEq for $glob {
            fn eq(&self, other: &Self) -> bool {
                self.text == other.text
            }
        }

        impl Eq for $glob {}

        impl fmt::Display for $glob {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.pad(&self.text)
            }
        }

        impl fmt::Debug for $glob {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(formatter, concat!(stringify!($glob), "({})"), self.text)
            }
        }
    )*};
}

written_as_text!(RepositoryGlob, TagGlob);

#[cfg(test)]
mod tests {
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
        fn sets_of_any_members_compile(members in "[a-zA-Z0-9_.-]{1,10}") {
            match TagGlob::parse(&format!("[{members}]")) {
                Ok(_) | Err(GlobError::BackwardRange { .. }) => {}
                Err(error) => prop_assert!(false, "{error}"),
            }
        }
    }
}
