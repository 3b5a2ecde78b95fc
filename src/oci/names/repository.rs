// SPDX-License-Identifier: Apache-2.0

//! Repositories: the path below a registry.

use std::str::FromStr;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::error::{NameError, NameKind, check_length};

/// Longest repository name.
const REPOSITORY_LENGTH: usize = 255;

/// A repository: the path below a registry.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, JsonSchema, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Repository(Arc<str>);

text_traits!(Repository);

// === impl Repository ===

impl Repository {
    /// The path.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Everything before the last slash, or nothing.
    pub fn namespace(&self) -> &str {
        self.0
            .rsplit_once('/')
            .map_or("", |(namespace, _)| namespace)
    }

    /// The last component.
    pub fn name(&self) -> &str {
        self.0.rsplit_once('/').map_or(&self.0, |(_, name)| name)
    }
}

impl FromStr for Repository {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        check_length(NameKind::Repository, text, REPOSITORY_LENGTH)?;
        check_alone(text)?;
        if let Some(character) = text.chars().find(char::is_ascii_uppercase) {
            return Err(NameError::UpperCase {
                text: text.to_owned(),
                character,
            });
        }
        if let Some(component) = text.split('/').find(|component| !is_component(component)) {
            return Err(NameError::BadComponent {
                text: text.to_owned(),
                component: component.to_owned(),
            });
        }
        if text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(NameError::LooksLikeImageId(text.to_owned()));
        }
        Ok(Self(text.into()))
    }
}

/// Refuses what is more than a repository, or a glob of some, as people copy it from elsewhere: a URL, a
/// registry with a port, a tag, a digest.
pub fn check_alone(text: &str) -> Result<(), NameError> {
    let owned = str::to_owned;
    if let Some((_, rest)) = text.split_once("://") {
        let path = rest.split_once('/').map_or(rest, |(_, path)| path);
        return Err(NameError::RepositoryIsUrl {
            text: owned(text),
            repository: owned(bare(path)),
        });
    }
    if let Some((registry, rest)) = text.split_once('/')
        && registry.contains(':')
        && !registry.contains('@')
    {
        return Err(NameError::RepositoryHasRegistry {
            text: owned(text),
            repository: owned(bare(rest)),
        });
    }
    if text.contains('@') {
        return Err(NameError::RepositoryHasDigest {
            text: owned(text),
            repository: owned(bare(text)),
        });
    }
    match text.split_once(':') {
        Some((_, tag)) => Err(NameError::RepositoryHasTag {
            text: owned(text),
            tag: owned(tag),
        }),
        None => Ok(()),
    }
}

/// What stands before a tag or digest, without slashes at the ends.
fn bare(text: &str) -> &str {
    let end = text.find([':', '@', '?', '#']).unwrap_or(text.len());
    text.get(..end).unwrap_or(text).trim_matches('/')
}

/// `[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*` of the distribution specification.
fn is_component(component: &str) -> bool {
    let is_word = |character: char| character.is_ascii_lowercase() || character.is_ascii_digit();
    let separators = component
        .split(is_word)
        .filter(|separator| !separator.is_empty());
    component.starts_with(is_word)
        && component.ends_with(is_word)
        && separators.into_iter().all(|separator| {
            matches!(separator, "." | "_" | "__") || separator.bytes().all(|byte| byte == b'-')
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_more_than_a_repository_says_what_to_write() {
        let digest = format!("sha256:{}", "0".repeat(64));
        let said = |text: &str| text.parse::<Repository>().unwrap_err().to_string();
        let field = "the registry belongs in its own field";
        let cases = [
            (
                "https://quay.io/a/b",
                format!("is a URL: write \"a/b\", {field}"),
            ),
            (
                "docker://quay.io/a/b:1",
                format!("is a URL: write \"a/b\", {field}"),
            ),
            (
                "host:5000/a/b",
                format!("contains the registry \"host:5000\": write \"a/b\", {field}"),
            ),
            (
                "host:5000/a/b:1@sha256:0",
                format!("contains the registry \"host:5000\": write \"a/b\", {field}"),
            ),
            (
                "[::1]:5000/a",
                format!("contains the registry \"[::1]:5000\": write \"a\", {field}"),
            ),
            (
                "a/b:1",
                "contains a tag: write \"a/b\", and \"1\" in tags".to_owned(),
            ),
            (
                &format!("a/b@{digest}"),
                "contains a digest: write \"a/b\", which has all digests of its tags".to_owned(),
            ),
            (
                &format!("a@{digest}"),
                "contains a digest: write \"a\", which has all digests of its tags".to_owned(),
            ),
            (
                "a/b:1@sha256:0",
                "contains a digest: write \"a/b\", which has all digests of its tags".to_owned(),
            ),
            (
                "Team/App",
                "contains 'T': repository names are lower case, write \"team/app\"".to_owned(),
            ),
        ];
        for (text, expected) in cases {
            assert_eq!(said(text), format!("repository {text:?} {expected}"));
        }
    }

    #[test]
    fn repositories_by_the_grammar_of_the_specification() {
        for good in ["a", "library/alpine", "a.b/c_d/e__f/g---h", "0/1", "a1.2"] {
            assert!(good.parse::<Repository>().is_ok(), "{good}");
        }
        for bad in [
            "",
            "A",
            "a//b",
            "/a",
            "a/",
            "a..b",
            "a___b",
            "a._b",
            "-a",
            "a-",
            "a b",
            "a:b",
            "é",
            "..",
            &"a".repeat(64),
            &"b/".repeat(130),
        ] {
            assert!(bad.parse::<Repository>().is_err(), "{bad}");
        }
    }
}
