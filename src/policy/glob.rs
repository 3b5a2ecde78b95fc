// SPDX-License-Identifier: Apache-2.0

//! Globs for repositories and tags. A glob is no regular expression: a dot is a dot.

use std::fmt;
use std::sync::OnceLock;

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
    /// The same for what does not tell upper and lower case apart; None where that would be too large.
    folded: OnceLock<Option<Regex>>,
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
    /// The components that everything begins with that it matches, such as `team` of `team/*`.
    pub fn namespace(&self) -> Option<String> {
        let (above, _) = self.text.rsplit_once('/')?;
        let components = above.split('/');
        let literal: Vec<&str> = components
            .take_while(|component| !component.contains('*'))
            .collect();
        (!literal.is_empty()).then(|| literal.join("/"))
    }

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
        self.is_match(repository.as_str())
    }

    /// The same for a text that may be a repository.
    pub fn is_match(&self, repository: &str) -> bool {
        self.regex.is_match(repository)
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
            folded: OnceLock::new(),
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

    /// Whether the glob may stand for a tag at a registry that does not tell upper and lower case apart.
    pub fn may_match(&self, tag: &str) -> bool {
        let folded = self.folded.get_or_init(|| {
            let mut builder = RegexBuilder::new(self.regex.as_str());
            let builder = builder.size_limit(SIZE_LIMIT).case_insensitive(true);
            builder.build().ok()
        });
        folded.as_ref().is_none_or(|folded| folded.is_match(tag))
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
#[path = "glob_tests.rs"]
mod tests;
