// SPDX-License-Identifier: Apache-2.0

//! Why a name is refused.

use std::fmt;

/// Why a name is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// The name is empty.
    #[error("the {0} is empty")]
    Empty(NameKind),
    /// The name is too long.
    #[error("{kind} {text:?} has {found} characters, at most {most} are allowed")]
    TooLong {
        /// What is named.
        kind: NameKind,
        /// The name.
        text: String,
        /// Its length in bytes.
        found: usize,
        /// The longest allowed.
        most: usize,
    },
    /// The name has a scheme.
    #[error("{kind} {text:?} starts with {scheme:?}: write the host without it")]
    HasScheme {
        /// What is named.
        kind: NameKind,
        /// The name.
        text: String,
        /// What to leave out.
        scheme: String,
    },
    /// The registry has a path.
    #[error(
        "registry {0:?} contains a path: name only the host and port, the rest belongs to the repository"
    )]
    RegistryHasPath(String),
    /// The host is not a host name or address.
    #[error("registry {0:?} is not a host name, an IPv4 address or an IPv6 address in brackets")]
    BadHost(String),
    /// The port is not one.
    #[error("registry {text:?} has the port {port:?}: expected a number from 1 to 65535")]
    BadPort {
        /// The registry.
        text: String,
        /// What stands behind the colon.
        port: String,
    },
    /// A repository has upper-case letters.
    #[error(
        "repository {text:?} contains {character:?}: repository names are lower case, write {:?}",
        .text.to_ascii_lowercase()
    )]
    UpperCase {
        /// The repository.
        text: String,
        /// The first upper-case letter.
        character: char,
    },
    /// A repository has a scheme.
    #[error(
        "repository {text:?} is a URL: write {repository:?}, the registry belongs in its own field"
    )]
    RepositoryIsUrl {
        /// The repository.
        text: String,
        /// What to write.
        repository: String,
    },
    /// A repository has a registry with a port.
    #[error(
        "repository {text:?} contains the registry {:?}: write {repository:?}, the registry belongs in its own field",
        before(.text, '/')
    )]
    RepositoryHasRegistry {
        /// The repository.
        text: String,
        /// What to write.
        repository: String,
    },
    /// A repository has a digest.
    #[error(
        "repository {text:?} contains a digest: write {repository:?}, which has all digests of its tags"
    )]
    RepositoryHasDigest {
        /// The repository.
        text: String,
        /// What to write.
        repository: String,
    },
    /// A repository has a tag.
    #[error("repository {text:?} contains a tag: write {:?}, and {tag:?} in tags", before(.text, ':'))]
    RepositoryHasTag {
        /// The repository.
        text: String,
        /// The tag.
        tag: String,
    },
    /// A path component is not allowed.
    #[error(
        "repository {text:?} has the component {component:?}: a component is lower-case letters and digits, \
         separated by '.', '_', '__' or dashes"
    )]
    BadComponent {
        /// The repository.
        text: String,
        /// The component.
        component: String,
    },
    /// A repository looks like an image id.
    #[error(
        "repository {0:?} is 64 hex digits, which reads as an image id: give the repository another name"
    )]
    LooksLikeImageId(String),
    /// A tag has a character that is not allowed, or not allowed first.
    #[error(
        "tag {text:?} contains {character:?} at position {position}: a tag is letters, digits, '_', '.' and '-', and starts with a letter, digit or '_'"
    )]
    BadTag {
        /// The tag.
        text: String,
        /// The first wrong character.
        character: char,
        /// Its place, counted in characters from 1.
        position: usize,
    },
}

/// What a name is the name of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NameKind {
    /// A registry.
    Registry,
    /// A repository.
    Repository,
    /// A tag.
    Tag,
}

/// What stands before a sign.
fn before(text: &str, sign: char) -> &str {
    text.split(sign).next().unwrap_or_default()
}

/// Refuses a text that starts like a URL.
pub(crate) fn refuse_scheme(kind: NameKind, text: &str) -> Result<(), NameError> {
    match text.find("://") {
        Some(end) => Err(NameError::HasScheme {
            kind,
            text: text.to_owned(),
            scheme: text.chars().take(end + 3).collect(),
        }),
        None => Ok(()),
    }
}

pub(super) fn check_length(kind: NameKind, text: &str, most: usize) -> Result<(), NameError> {
    match text.len() {
        0 => Err(NameError::Empty(kind)),
        found if found > most => Err(NameError::TooLong {
            kind,
            text: text.to_owned(),
            found,
            most,
        }),
        _ => Ok(()),
    }
}

impl fmt::Display for NameKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Registry => "registry",
            Self::Repository => "repository",
            Self::Tag => "tag",
        })
    }
}
