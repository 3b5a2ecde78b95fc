// SPDX-License-Identifier: Apache-2.0

//! The image that a person asks for.

use std::str::FromStr;

use crate::api::ImageMirror;
use crate::oci::reference::ReferenceError;
use crate::oci::{Digest, Reference, Registry, Repository, Tag};

/// What runtimes put in front of an image's name.
const SCHEMES: [&str; 4] = [
    "docker-pullable://",
    "docker://",
    "docker-image://",
    "oci://",
];
/// What stands around a name in an error.
const AROUND: [char; 12] = ['"', '\'', '`', ',', ';', ':', '\\', '(', ')', '<', '>', '.'];

/// The image that a person asks for, by its name as it stands in a pod or in an error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AskedImage {
    /// What nodes would pull.
    image: Reference,
    /// Whether any registry may be meant.
    is_anywhere: bool,
    /// Whether no registry was written.
    is_short: bool,
}

/// A text that names no image.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AskedImageError {
    /// It is no name.
    #[error(transparent)]
    Reference(#[from] ReferenceError),
    /// It is a digest, which may be in any repository.
    #[error("a digest alone tells no repository: write REPOSITORY@{0}")]
    DigestAlone(Digest),
    /// It is a sentence without a name.
    #[error("no word of it is the name of an image with a tag, a digest or a repository")]
    NoName,
}

// === impl AskedImage ===

impl AskedImage {
    /// The first name in a sentence, such as an error: what is quoted, or a word that has parts as names have.
    fn in_sentence(text: &str) -> Result<Self, AskedImageError> {
        let quoted = text.split('"').skip(1).step_by(2);
        let quoted = quoted.filter(|part| !part.contains(char::is_whitespace));
        let words = text.split_whitespace();
        let words = words.filter(|word| word.trim_matches(AROUND).contains(['/', ':', '@']));
        let mut named = quoted.chain(words);
        named
            .find_map(|word| Self::of_word(word).ok())
            .ok_or(AskedImageError::NoName)
    }

    fn of_word(text: &str) -> Result<Self, AskedImageError> {
        let text = text.trim_matches(AROUND);
        let mut schemes = SCHEMES.iter();
        let text = schemes
            .find_map(|scheme| text.strip_prefix(scheme))
            .unwrap_or(text);
        if let Ok(digest) = text.parse() {
            return Err(AskedImageError::DigestAlone(digest));
        }
        let mut image: Reference = text.parse()?;
        let names_registry = text
            .split_once('/')
            .is_some_and(|(first, _)| first.contains(['.', ':']));
        let is_short = image.registry.is_docker_hub() && !names_registry;
        if image.is_bare() {
            image.tag = Some(Tag::latest());
        }
        Ok(Self {
            image,
            is_anywhere: false,
            is_short,
        })
    }

    /// What nodes would pull.
    pub fn image(&self) -> &Reference {
        &self.image
    }

    /// The same repository at whatever registry, where none was written.
    pub fn anywhere(&self) -> Option<Self> {
        self.is_short.then(|| Self {
            is_anywhere: true,
            ..self.clone()
        })
    }

    /// The tag; none where only the digest counts.
    pub fn tag(&self) -> Option<&Tag> {
        self.image.tag.as_ref()
    }

    /// The digest, where it was written.
    pub fn digest(&self) -> Option<&Digest> {
        self.image.digest.as_ref()
    }

    /// Whether it may be at a registry that the mirror names.
    pub fn may_concern(&self, mirror: &ImageMirror) -> bool {
        let destinations = mirror.spec.destinations.iter();
        let mut registries = destinations.map(|destination| destination.registry.as_str());
        self.may_be_at(&mirror.spec.source.registry)
            || registries.any(|registry| self.may_be_at(registry))
    }

    /// Whether a mirror whose spec cannot be used may mean it, too: as far as its images and registries are written.
    pub(super) fn may_be_meant_by(&self, mirror: &ImageMirror) -> bool {
        let asked = self.bare_repository();
        let mut images = mirror.spec.images.iter();
        let is_named = images.any(|image| {
            let named = image.repository.as_str();
            let is_open = named.contains(['*', '?', '[', '{']) || image.r#as.is_some();
            is_open || named.ends_with(asked) || asked.ends_with(named)
        });
        is_named && self.may_concern(mirror)
    }

    /// The name of the repository as it was written, without a registry.
    pub fn bare_repository(&self) -> &str {
        let repository = self.image.repository.as_str();
        repository.strip_prefix("library/").unwrap_or(repository)
    }

    /// Whether it may be at this registry.
    fn may_be_at(&self, registry: &str) -> bool {
        let registry: Result<Registry, _> = registry.parse();
        registry.is_ok_and(|registry| self.is_anywhere || self.image.registry.may_be(&registry))
    }

    /// Whether it is in this repository.
    pub(super) fn is_in(&self, registry: &Registry, repository: &Repository) -> bool {
        if self.is_anywhere {
            return self.bare_repository() == repository.as_str();
        }
        self.image.registry.may_be(registry) && self.image.repository == *repository
    }

    /// The repository as it was written, at the registry that is looked at.
    pub(super) fn repository_at(&self, registry: &Registry) -> Option<Repository> {
        if self.is_anywhere {
            return self.bare_repository().parse().ok();
        }
        let is_there = self.image.registry.may_be(registry);
        is_there.then(|| self.image.repository.clone())
    }
}

impl FromStr for AskedImage {
    type Err = AskedImageError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        if text.contains(char::is_whitespace) {
            return Self::in_sentence(text);
        }
        Self::of_word(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_as_they_stand_in_pods_and_errors() {
        let digest = format!("sha256:{}", "1".repeat(64));
        let pinned = format!("docker.io/library/nginx@{digest}");
        let pulled = format!("docker-pullable://{pinned}");
        for (text, expected) in [
            ("nginx", "docker.io/library/nginx:latest"),
            (" \"nginx:1.27\", ", "docker.io/library/nginx:1.27"),
            (&pulled, pinned.as_str()),
            (
                "Back-off pulling image \"nginx\"",
                "docker.io/library/nginx:latest",
            ),
            (
                "Failed to pull image \"quay.io/team/app:1\": rpc error: code = NotFound desc = failed to pull and unpack",
                "quay.io/team/app:1",
            ),
            (
                r#"msg="pull failed" image=\"quay.io/team/app:1\""#,
                "quay.io/team/app:1",
            ),
            (
                "manifest for team/app:9 not found: manifest unknown",
                "docker.io/team/app:9",
            ),
            (
                "image (registry.example.com:5000/app:1).",
                "registry.example.com:5000/app:1",
            ),
        ] {
            let asked: Result<AskedImage, _> = text.parse();
            let asked = asked.map(|asked| asked.image().to_string());
            assert_eq!(asked.as_deref(), Ok(expected), "{text}");
        }
        for (text, expected) in [
            (
                digest.clone(),
                format!("a digest alone tells no repository: write REPOSITORY@{digest}"),
            ),
            (
                "where is my image".to_owned(),
                "no word of it is the name of an image with a tag, a digest or a repository"
                    .to_owned(),
            ),
        ] {
            let asked: Result<AskedImage, _> = text.parse();
            assert_eq!(
                asked.map_err(|error| error.to_string()),
                Err(expected),
                "{text}"
            );
        }
    }
}
