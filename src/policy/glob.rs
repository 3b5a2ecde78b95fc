// SPDX-License-Identifier: Apache-2.0

//! Globs for repositories and tags. A glob is no regular expression: a dot is a dot.

mod wildcards;

use std::fmt;

pub use self::wildcards::GLOB_LENGTH;
use self::wildcards::{Case, Wildcard, Wildcards};
use crate::oci::{Repository, Tag};

/// A glob for repositories: `*` stands for any characters of one component, `**` for any number of
/// components.
#[derive(Clone)]
pub struct RepositoryGlob {
    text: String,
    wildcards: Wildcards,
}

/// A glob for tags: `*` stands for any characters, `?` for one, `[a-z]` for one of a set and `[!a-z]`
/// for one outside of it.
#[derive(Clone)]
pub struct TagGlob {
    text: String,
    wildcards: Wildcards,
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
        let mut components = text.split('/').peekable();
        let mut wildcards = Vec::new();
        while let Some(component) = components.next() {
            let is_last = components.peek().is_none();
            if component == "**" && !is_last {
                // Also no component at all: **/nginx is nginx as well.
                wildcards.extend([Wildcard::Components, Wildcard::InComponents]);
                continue;
            }
            for (part, piece) in component.split("**").enumerate() {
                if part > 0 {
                    wildcards.push(Wildcard::Anything);
                }
                wildcards.extend(piece.chars().map(|character| match character {
                    '*' => Wildcard::WithinComponent,
                    literal => Wildcard::Literal(literal),
                }));
            }
            if !is_last {
                wildcards.push(Wildcard::Literal('/'));
            }
        }
        Ok(Self {
            text: text.to_owned(),
            wildcards: Wildcards(wildcards.into()),
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
        self.wildcards.match_whole(repository, Case::Told)
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
        let mut wildcards = Vec::new();
        let mut characters = text.chars();
        while let Some(character) = characters.next() {
            wildcards.push(match character {
                '*' => Wildcard::Anything,
                '?' => Wildcard::AnyOne,
                '[' => read_set(text, &mut characters)?,
                literal => {
                    refuse_outside_tag(text, literal)?;
                    Wildcard::Literal(literal)
                }
            });
        }
        Ok(Self {
            text: text.to_owned(),
            wildcards: Wildcards(wildcards.into()),
        })
    }

    /// Whether a text is one tag and no glob.
    pub fn is_literal(text: &str) -> bool {
        !text.contains(['*', '?', '[', ']'])
    }

    /// Whether the glob stands for this tag.
    pub fn matches(&self, tag: &Tag) -> bool {
        self.wildcards.match_whole(tag.as_str(), Case::Told)
    }

    /// Whether the glob may stand for a tag at a registry that does not tell upper and lower case apart.
    pub fn may_match(&self, tag: &str) -> bool {
        self.wildcards.match_whole(tag, Case::Folded)
    }

    /// The glob as it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

/// Reads a set behind its `[`.
fn read_set(text: &str, characters: &mut std::str::Chars<'_>) -> Result<Wildcard, GlobError> {
    let rest = characters.as_str();
    let end = rest
        .find(']')
        .ok_or_else(|| GlobError::OpenSet(text.to_owned()))?;
    let (inside, behind) = rest.split_at_checked(end).unwrap_or((rest, ""));
    *characters = behind.chars();
    characters.next();

    let (is_negated, inside) = match inside.strip_prefix('!') {
        Some(inside) => (true, inside),
        None => (false, inside),
    };
    if inside.is_empty() {
        return Err(GlobError::EmptySet(text.to_owned()));
    }
    let mut ranges = Vec::new();
    let mut members = inside.chars().peekable();
    while let Some(from) = members.next() {
        refuse_outside_tag(text, from)?;
        let mut ahead = members.clone();
        let to = (ahead.next() == Some('-')).then(|| ahead.next()).flatten();
        let Some(to) = to else {
            ranges.push((from, from));
            continue;
        };
        refuse_outside_tag(text, to)?;
        if to < from {
            return Err(GlobError::BackwardRange {
                text: text.to_owned(),
                from,
                to,
            });
        }
        ranges.push((from, to));
        members = ahead;
    }
    Ok(Wildcard::Set {
        ranges: ranges.into(),
        is_negated,
    })
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
