// SPDX-License-Identifier: Apache-2.0

//! The image that a person asks for.

use std::fmt;
use std::str::FromStr;

use super::digest_start::DigestStart;
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

/// What a person asks for, as it stands in a pod or in an error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AskedName {
    /// An image by its name.
    Image(AskedImage),
    /// Images by how their digests begin.
    Digest {
        /// How.
        start: DigestStart,
        /// Where they are, where that was written.
        within: Option<AskedImage>,
    },
}

/// The image that a person asks for by its name.
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
    /// It is a digest of another algorithm than nearly all, which may be in any repository.
    #[error("a digest alone tells no repository: write REPOSITORY@{0}")]
    DigestAlone(Digest),
    /// It begins as a digest does.
    #[error(
        "{0:?} is no digest, nor the beginning of one: write sha256: and at least seven digits of it"
    )]
    NoDigest(String),
    /// It is a sentence without a name.
    #[error("no word of it is the name of an image with a tag, a digest or a repository")]
    NoName,
}

// === impl AskedName ===

impl AskedName {
    /// The first name in a sentence, such as an error: what is quoted, or a word that has parts as names have. Digests
    /// alone come last: errors have those of layers, too.
    fn in_sentence(text: &str) -> Result<Self, AskedImageError> {
        let quoted = text.split('"').skip(1).step_by(2);
        let quoted = quoted.filter(|part| !part.contains(char::is_whitespace));
        let words = text.split_whitespace();
        let words = words.filter(|word| word.trim_matches(AROUND).contains(['/', ':', '@']));
        let named = quoted.chain(words);
        let named = named.filter_map(|word| Self::of_word(word).ok());
        let named: Vec<Self> = named.collect();
        let is_placed = |name: &&Self| !matches!(name, Self::Digest { within: None, .. });
        let first = named.iter().find(is_placed).or(named.first());
        first.cloned().ok_or(AskedImageError::NoName)
    }

    fn of_word(text: &str) -> Result<Self, AskedImageError> {
        let text = text.trim_matches(AROUND);
        let mut schemes = SCHEMES.iter();
        let text = schemes
            .find_map(|scheme| text.strip_prefix(scheme))
            .unwrap_or(text);
        if let Some(start) = DigestStart::read(text) {
            let within = None;
            return Ok(Self::Digest { start, within });
        }
        if text.starts_with("sha256:") {
            return Err(AskedImageError::NoDigest(text.to_owned()));
        }
        let parts = text.split_once('@');
        if let Some((name, digest)) = parts.filter(|(_, digest)| digest.parse::<Digest>().is_err())
            && let Some(start) = DigestStart::read(digest)
        {
            let within = Some(AskedImage::written(name)?);
            return Ok(Self::Digest { start, within });
        }
        AskedImage::read(text).map(Self::Image)
    }
}

impl fmt::Display for AskedName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Image(asked) => write!(formatter, "{}", asked.image()),
            Self::Digest {
                start,
                within: None,
            } => write!(formatter, "{start}"),
            Self::Digest {
                start,
                within: Some(within),
            } => write!(formatter, "{}@{start}", within.image()),
        }
    }
}

// === impl AskedImage ===

impl AskedImage {
    /// The image of a whole name; the tag `latest` where neither tag nor digest is written.
    pub(super) fn read(text: &str) -> Result<Self, AskedImageError> {
        if let Ok(digest) = text.parse() {
            return Err(AskedImageError::DigestAlone(digest));
        }
        let mut asked = Self::written(text)?;
        if asked.image.is_bare() {
            asked.image.tag = Some(Tag::latest());
        }
        Ok(asked)
    }

    /// The image as it is written.
    fn written(text: &str) -> Result<Self, AskedImageError> {
        let image: Reference = text.parse()?;
        let names_registry = text
            .split_once('/')
            .is_some_and(|(first, _)| first.contains(['.', ':']));
        let is_short = image.registry.is_docker_hub() && !names_registry;
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

    /// Whether no registry was written.
    pub(super) fn is_short(&self) -> bool {
        self.is_short
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

    /// Whether a mirror may mean it, as far as its images and registries are written: what is certain is that it does
    /// not where this is false.
    pub(super) fn may_be_meant_by(&self, mirror: &ImageMirror) -> bool {
        let asked = self.bare_repository();
        let mut images = mirror.spec.images.iter();
        let is_named = images.any(|image| {
            let named = image.repository.as_str();
            let is_open = named.contains(['*', '?', '[', '{']) || image.r#as.is_some();
            is_open || !image.replace.is_empty() || named.ends_with(asked) || asked.ends_with(named)
        });
        is_named && self.may_concern(mirror) || self.may_be_renamed_by(mirror)
    }

    /// Whether a destination of the mirror gives names that do not end as those at the source.
    fn may_be_renamed_by(&self, mirror: &ImageMirror) -> bool {
        let mut destinations = mirror.spec.destinations.iter();
        destinations.any(|destination| {
            !destination.repository.ends_with("{repository}")
                && self.may_be_at(&destination.registry)
        })
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

impl FromStr for AskedName {
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
            let asked: Result<AskedName, _> = text.parse();
            let asked = asked.map(|asked| asked.to_string());
            assert_eq!(asked.as_deref(), Ok(expected), "{text}");
        }
        let other = format!("sha512:{}", "1".repeat(128));
        for (text, expected) in [
            (
                other.clone(),
                format!("a digest alone tells no repository: write REPOSITORY@{other}"),
            ),
            (
                "where is my image".to_owned(),
                "no word of it is the name of an image with a tag, a digest or a repository"
                    .to_owned(),
            ),
        ] {
            let asked: Result<AskedName, _> = text.parse();
            assert_eq!(
                asked.map_err(|error| error.to_string()),
                Err(expected),
                "{text}"
            );
        }
    }
}
