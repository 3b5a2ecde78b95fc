// SPDX-License-Identifier: Apache-2.0

//! What `init` asks for, as it is typed at a terminal or behind a flag.

use std::fmt;
use std::str::FromStr;

use clap::ValueEnum;

use crate::api::image_mirror::PruneMode;
use crate::api::metadata::{ObjectName, ObjectNameError};
use crate::cli::address::{Misread, refuse_misreading};
use crate::oci::names::NameError;
use crate::oci::reference::ReferenceError;
use crate::oci::{Reference, Registry, Repository, Tag};
use crate::policy::glob::GlobError;
use crate::policy::range::RangeError;
use crate::policy::{Range, TagGlob, Version};

/// What a range of versions begins with, and no tag and no glob does.
const COMPARATORS: [char; 5] = ['<', '>', '=', '^', '~'];

/// The repository that is mirrored, and the tag that was written behind it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceRepository {
    /// Its registry.
    pub registry: Registry,
    /// Its name there.
    pub repository: Repository,
    /// The tag, which is what is mirrored where nothing else is said.
    pub tag: Option<Tag>,
}

/// Why a text names no repository.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SourceRepositoryError {
    /// Nothing is written.
    #[error("name a repository, such as docker.io/library/alpine")]
    Empty,
    /// It is the name of something else than it would be taken for.
    #[error(transparent)]
    Misread(#[from] Misread),
    /// It is no reference.
    #[error(transparent)]
    Reference(#[from] ReferenceError),
    /// It names one image for ever.
    #[error("{0:?} names one image by its digest: leave out the digest")]
    Digest(String),
}

/// Which tags are mirrored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TagChoice {
    /// Those that these say.
    Patterns(Vec<TagPattern>),
    /// Those that are versions of a range.
    Versions(Range),
}

/// A tag, or a glob of tags.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TagPattern {
    /// One tag.
    Literal(Tag),
    /// All that are like it.
    Glob(TagGlob),
}

/// Why a text chooses no tags.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TagChoiceError {
    /// Nothing is written.
    #[error(
        "name tags and globs with commas between them, such as 3.20,3.21*, or a range of versions, such as >=1.26"
    )]
    Empty,
    /// The same stands there twice.
    #[error("{0:?} stands there twice")]
    Repeated(String),
    /// It is no tag.
    #[error(transparent)]
    Tag(#[from] NameError),
    /// It is no glob.
    #[error(transparent)]
    Glob(#[from] GlobError),
    /// It is no range.
    #[error(transparent)]
    Range(#[from] RangeError),
}

/// The Secret that may push, if it is not what this machine is logged in with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PushSecret(pub Option<ObjectName>);

/// What becomes of tags at the destination that are not wanted any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum UnwantedTags {
    /// They stay.
    Keep,
    /// It is said what would be deleted.
    Plan,
    /// They are deleted, within limits.
    Delete,
}

/// A text that is none of these.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("say keep, plan or delete")]
pub struct UnwantedTagsError;

// === impl SourceRepository ===

impl FromStr for SourceRepository {
    type Err = SourceRepositoryError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.is_empty() {
            return Err(SourceRepositoryError::Empty);
        }
        refuse_misreading(text)?;
        let reference: Reference = text.parse()?;
        if reference.digest.is_some() {
            return Err(SourceRepositoryError::Digest(text.to_owned()));
        }
        Ok(Self {
            registry: reference.registry,
            repository: reference.repository,
            tag: reference.tag,
        })
    }
}

impl fmt::Display for SourceRepository {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.registry, self.repository)
    }
}

// === impl TagChoice ===

impl TagChoice {
    /// Whether it may mean a tag.
    pub fn may_mean(&self, tag: &Tag) -> bool {
        match self {
            Self::Patterns(patterns) => patterns.iter().any(|pattern| match pattern {
                TagPattern::Literal(literal) => literal == tag,
                TagPattern::Glob(glob) => glob.matches(tag),
            }),
            Self::Versions(range) => {
                Version::parse(tag).is_some_and(|version| range.contains(&version))
            }
        }
    }
}

impl FromStr for TagChoice {
    type Err = TagChoiceError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.starts_with(COMPARATORS) {
            return Ok(Self::Versions(Range::parse(text)?));
        }
        let words = text.split(',').map(str::trim);
        let words: Vec<&str> = words.filter(|word| !word.is_empty()).collect();
        if words.is_empty() {
            return Err(TagChoiceError::Empty);
        }
        for (place, word) in words.iter().enumerate() {
            if words.iter().take(place).any(|earlier| earlier == word) {
                return Err(TagChoiceError::Repeated((*word).to_owned()));
            }
        }
        let patterns: Result<Vec<TagPattern>, TagChoiceError> =
            words.into_iter().map(str::parse).collect();
        patterns.map(Self::Patterns)
    }
}

impl fmt::Display for TagChoice {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Patterns(patterns) => {
                let words: Vec<&str> = patterns.iter().map(TagPattern::as_str).collect();
                formatter.write_str(&words.join(","))
            }
            Self::Versions(range) => range.fmt(formatter),
        }
    }
}

// === impl TagPattern ===

impl TagPattern {
    /// As it is written in a mirror.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Literal(tag) => tag.as_str(),
            Self::Glob(glob) => glob.as_str(),
        }
    }
}

impl FromStr for TagPattern {
    type Err = TagChoiceError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if TagGlob::is_literal(text) {
            return Ok(Self::Literal(text.parse()?));
        }
        Ok(Self::Glob(TagGlob::parse(text)?))
    }
}

// === impl PushSecret ===

impl FromStr for PushSecret {
    type Err = ObjectNameError;

    /// Nothing written is no Secret.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.is_empty() {
            return Ok(Self(None));
        }
        Ok(Self(Some(text.parse()?)))
    }
}

// === impl UnwantedTags ===

impl UnwantedTags {
    /// As a mirror says it.
    pub fn mode(self) -> PruneMode {
        match self {
            Self::Keep => PruneMode::Retain,
            Self::Plan => PruneMode::Plan,
            Self::Delete => PruneMode::Delete,
        }
    }
}

impl FromStr for UnwantedTags {
    type Err = UnwantedTagsError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        <Self as ValueEnum>::from_str(text, true).map_err(|_| UnwantedTagsError)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read<T: FromStr<Err: fmt::Display>>(text: &str, show: impl Fn(T) -> String) -> String {
        match text.parse() {
            Ok(value) => show(value),
            Err(error) => format!("no: {error}"),
        }
    }

    #[test]
    fn answers_as_people_type_them() {
        let source = |text: &str| {
            read(text, |source: SourceRepository| {
                let tag = source.tag.as_ref().map_or("-", Tag::as_str);
                format!("{source} {tag}")
            })
        };
        let tags = |text: &str| {
            read(text, |tags: TagChoice| match tags {
                TagChoice::Patterns(_) => format!("tags {tags}"),
                TagChoice::Versions(_) => format!("versions {tags}"),
            })
        };
        let secret = |text: &str| {
            read(text, |PushSecret(name)| {
                name.map_or_else(|| "none".to_owned(), |name| name.to_string())
            })
        };
        let unwanted = |text: &str| read(text, |unwanted: UnwantedTags| format!("{unwanted:?}"));
        let digest = format!("alpine@sha256:{}", "1".repeat(64));
        let told = [
            source("alpine"),
            source("ghcr.io/acme/app:1.2"),
            source(""),
            source("registry.example.com"),
            source("https://quay.io/acme/app"),
            source("ghcr.io/Acme/app"),
            source(&digest),
            tags("3.20, 3.21*,"),
            tags(">=1.26, <2"),
            tags("~1.26"),
            tags(" , "),
            tags("1,2,1"),
            tags("a b"),
            tags("1[*"),
            tags(">=one"),
            secret(""),
            secret("registry-push"),
            secret("Registry Push"),
            unwanted("Keep"),
            unwanted("delete"),
            unwanted("yes"),
        ];
        insta::assert_snapshot!(told.join("\n"));
    }

    #[test]
    fn tags_that_may_be_meant() {
        for (choice, tag, expected) in [
            ("3.20,3.21*", "3.20", true),
            ("3.20,3.21*", "3.21.4", true),
            ("3.20,3.21*", "3.2", false),
            (">=1.26", "1.27.3", true),
            (">=1.26", "1.25.3", false),
            (">=1.26", "latest", false),
        ] {
            let choice: TagChoice = choice.parse().unwrap();
            let tag: Tag = tag.parse().unwrap();
            assert_eq!(choice.may_mean(&tag), expected, "{choice} {tag}");
        }
    }
}
