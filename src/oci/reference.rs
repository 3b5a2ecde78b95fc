// SPDX-License-Identifier: Apache-2.0

//! Image references: `[registry/]repository[:tag][@digest]` with the defaults of Docker Hub.

use std::fmt;
use std::str::FromStr;

use super::digest::DigestError;
use super::names::{self, NameError, NameKind};
use super::{Digest, Registry, Repository, Tag};

/// An image somewhere: a repository of a registry, and which of its manifests.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Reference {
    /// The registry; `docker.io` where none was written.
    pub registry: Registry,
    /// The repository; `library/` was added where Docker Hub needs it.
    pub repository: Repository,
    /// The tag, where one was written.
    pub tag: Option<Tag>,
    /// The digest, where one was written. It decides what is fetched.
    pub digest: Option<Digest>,
}

/// What stands behind `/manifests/`: a tag or a digest.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum TagOrDigest {
    /// A tag.
    Tag(Tag),
    /// A digest.
    Digest(Digest),
}

/// Why a text is not an image reference.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReferenceError {
    /// A part is wrong.
    #[error("reference {text:?}: {source}")]
    Name {
        /// The whole text.
        text: String,
        /// What is wrong with which part.
        source: NameError,
    },
    /// The digest is wrong.
    #[error("reference {text:?}: {source}")]
    Digest {
        /// The whole text.
        text: String,
        /// What is wrong.
        source: DigestError,
    },
}

// === impl Reference ===

impl Reference {
    /// What to fetch: the digest, else the tag, else `latest`.
    pub fn target(&self) -> TagOrDigest {
        match (&self.digest, &self.tag) {
            (Some(digest), _) => TagOrDigest::Digest(digest.clone()),
            (None, Some(tag)) => TagOrDigest::Tag(tag.clone()),
            (None, None) => TagOrDigest::Tag(Tag::latest()),
        }
    }

    /// Whether neither tag nor digest was written.
    pub fn is_bare(&self) -> bool {
        self.tag.is_none() && self.digest.is_none()
    }
}

impl FromStr for Reference {
    type Err = ReferenceError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let in_name = |source| ReferenceError::Name {
            text: text.to_owned(),
            source,
        };
        names::refuse_scheme(NameKind::Registry, text).map_err(in_name)?;

        let (rest, digest) = match text.split_once('@') {
            Some((rest, digest)) => (rest, Some(digest)),
            None => (text, None),
        };
        let (name, tag) = match rest.rsplit_once(':') {
            Some((name, tag)) if !tag.contains('/') && !is_port(name, tag) => (name, Some(tag)),
            _ => (rest, None),
        };
        let (registry, repository) = split_registry(name).map_err(in_name)?;
        Ok(Self {
            registry,
            repository: repository.parse().map_err(in_name)?,
            tag: tag.map(str::parse).transpose().map_err(in_name)?,
            digest: digest.map(str::parse).transpose().map_err(|source| {
                ReferenceError::Digest {
                    text: text.to_owned(),
                    source,
                }
            })?,
        })
    }
}

/// Whether `name:tag` is in truth a host and port without a repository, such as `[::1]:5000`.
fn is_port(name: &str, tag: &str) -> bool {
    name.ends_with(']') && tag.bytes().all(|byte| byte.is_ascii_digit())
}

/// The first component is a registry iff it has a dot, a colon or an upper-case letter, or is `localhost`.
fn split_registry(name: &str) -> Result<(Registry, String), NameError> {
    match name.split_once('/') {
        Some((first, rest)) if is_registry(first) => {
            let registry: Registry = first.parse()?;
            let repository = if registry.is_docker_hub() {
                with_library(rest)
            } else {
                rest.to_owned()
            };
            Ok((registry, repository))
        }
        _ => Ok((Registry::docker_hub(), with_library(name))),
    }
}

fn is_registry(component: &str) -> bool {
    component == "localhost"
        || component.contains(['.', ':'])
        || component.bytes().any(|byte| byte.is_ascii_uppercase())
}

fn with_library(repository: &str) -> String {
    if repository.is_empty() || repository.contains('/') {
        repository.to_owned()
    } else {
        format!("library/{repository}")
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            registry,
            repository,
            tag,
            digest,
        } = self;
        if is_registry(registry.as_str()) {
            write!(formatter, "{registry}")?;
        } else {
            // In lower case it would read as a part of a repository at Docker Hub.
            write!(formatter, "{}", registry.as_str().to_ascii_uppercase())?;
        }
        write!(formatter, "/{repository}")?;
        if let Some(tag) = tag {
            write!(formatter, ":{tag}")?;
        }
        if let Some(digest) = digest {
            write!(formatter, "@{digest}")?;
        }
        Ok(())
    }
}

// === impl TagOrDigest ===

impl TagOrDigest {
    /// The text that goes into the URL.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Tag(tag) => tag.as_str(),
            Self::Digest(digest) => digest.as_str(),
        }
    }

    /// The digest, where it is one.
    pub fn digest(&self) -> Option<&Digest> {
        match self {
            Self::Tag(_) => None,
            Self::Digest(digest) => Some(digest),
        }
    }
}

impl fmt::Display for TagOrDigest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.as_str())
    }
}

impl From<Tag> for TagOrDigest {
    fn from(tag: Tag) -> Self {
        Self::Tag(tag)
    }
}

impl From<Digest> for TagOrDigest {
    fn from(digest: Digest) -> Self {
        Self::Digest(digest)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn references_and_what_they_mean() {
        let hex = "0123456789abcdef".repeat(4);
        let cases = [
            ("alpine", "docker.io/library/alpine".to_owned()),
            ("alpine:3.20", "docker.io/library/alpine:3.20".to_owned()),
            ("grafana/grafana", "docker.io/grafana/grafana".to_owned()),
            ("docker.io/alpine", "docker.io/library/alpine".to_owned()),
            (
                "index.docker.io/library/alpine",
                "docker.io/library/alpine".to_owned(),
            ),
            ("localhost/alpine", "localhost/alpine".to_owned()),
            ("localhost:5000/a/b:c", "localhost:5000/a/b:c".to_owned()),
            ("Registry/a", "REGISTRY/a".to_owned()),
            ("quay.io/a/b/c", "quay.io/a/b/c".to_owned()),
            ("[::1]:5000/a:b", "[::1]:5000/a:b".to_owned()),
            (
                &format!("ghcr.io/a/b:c@sha256:{hex}"),
                format!("ghcr.io/a/b:c@sha256:{hex}"),
            ),
            (
                &format!("a@sha256:{hex}"),
                format!("docker.io/library/a@sha256:{hex}"),
            ),
        ];
        for (text, expected) in cases {
            assert_eq!(
                text.parse::<Reference>()
                    .map(|reference| reference.to_string()),
                Ok(expected),
                "{text}"
            );
        }
    }

    #[test]
    fn the_digest_decides_and_latest_is_only_a_last_resort() {
        let digest = Digest::sha256(b"");
        let target = |text: &str| text.parse::<Reference>().unwrap().target().to_string();
        assert_eq!(target("alpine"), "latest");
        assert_eq!(target("alpine:3"), "3");
        assert_eq!(target(&format!("alpine:3@{digest}")), digest.to_string());
    }

    proptest! {
        #[test]
        fn anything_parses_or_is_refused_without_a_panic(text in ".{0,80}") {
            let _ = text.parse::<Reference>();
        }

        #[test]
        fn what_is_printed_parses_to_the_same(
            registry in "((localhost|[a-z]{1,8}\\.[a-z]{2,4})(:[1-9][0-9]{0,3})?|[A-Z]{1,8})",
            repository in "[a-z0-9]{1,6}([._-][a-z0-9]{1,4})?(/[a-z0-9]{1,6}(__[a-z]{1,3})?){0,3}",
            tag in proptest::option::of("[A-Za-z0-9_][A-Za-z0-9._-]{0,20}"),
            digested in any::<bool>(),
        ) {
            // The port of HTTPS is not printed.
            prop_assume!(!registry.ends_with(":443"));
            let mut text = format!("{registry}/{repository}");
            if let Some(tag) = tag { text.push(':'); text.push_str(&tag); }
            if digested { text.push('@'); text.push_str(Digest::sha256(b"x").as_str()); }
            let reference: Reference = text.parse().unwrap();
            prop_assert_eq!(reference.to_string(), text);
            prop_assert_eq!(reference.to_string().parse::<Reference>().unwrap(), reference);
        }
    }
}
