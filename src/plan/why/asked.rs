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
const AROUND: [char; 6] = ['"', '\'', '`', ',', ';', ':'];

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

// === impl AskedImage ===

impl AskedImage {
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
    type Err = ReferenceError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim().trim_matches(AROUND);
        let mut schemes = SCHEMES.iter();
        let text = schemes
            .find_map(|scheme| text.strip_prefix(scheme))
            .unwrap_or(text);
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
}
