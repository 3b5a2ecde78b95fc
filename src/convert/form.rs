// SPDX-License-Identifier: Apache-2.0

//! The tools, and what stands around their files.

use std::str::FromStr;

use crate::oci::names::{NameError, NameKind, refuse_scheme};
use crate::oci::{Reference, Registry, Repository};

/// The tools whose configurations are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// regsync of regclient: `regsync.yml`.
    Regsync,
    /// `skopeo sync --src yaml`.
    Skopeo,
    /// dregsy.
    Dregsy,
    /// image-syncer of Alibaba: `images.yaml`, or a configuration with `auth` and `images`.
    ImageSyncer,
    /// ocync.
    Ocync,
    /// `ImageSetConfiguration` of oc-mirror.
    OcMirror,
    /// `ImageRepository` and `ImagePolicy` of Flux.
    Flux,
    /// `Config` of flux-mirror.
    FluxMirror,
    /// Replication policies of Harbor, as its API writes them.
    Harbor,
    /// The `sync` extension of zot.
    Zot,
}

/// What is not written in the file of another tool, because it stands on its command line or is the tool itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Surroundings {
    /// Where to copy from, where the file does not say so.
    pub from: Option<Prefix>,
    /// Where to copy to, where the file does not say so.
    pub to: Option<Prefix>,
    /// Whether the name of the source registry is part of the repository at the destination, as with `--scoped` of skopeo.
    pub scoped: bool,
}

/// A registry, and the beginning of repositories in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prefix {
    /// The registry.
    pub registry: Registry,
    /// Components in front of every repository.
    pub path: Option<Repository>,
}

// === impl Form ===

impl Form {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::Regsync,
        Self::Skopeo,
        Self::Dregsy,
        Self::ImageSyncer,
        Self::Ocync,
        Self::OcMirror,
        Self::Flux,
        Self::FluxMirror,
        Self::Harbor,
        Self::Zot,
    ];

    /// The name of the tool.
    pub fn name(self) -> &'static str {
        match self {
            Self::Regsync => "regsync",
            Self::Skopeo => "skopeo",
            Self::Dregsy => "dregsy",
            Self::ImageSyncer => "image-syncer",
            Self::Ocync => "ocync",
            Self::OcMirror => "oc-mirror",
            Self::Flux => "flux",
            Self::FluxMirror => "flux-mirror",
            Self::Harbor => "harbor",
            Self::Zot => "zot",
        }
    }

    /// Which file of it is read, in words.
    pub fn file(self) -> &'static str {
        match self {
            Self::Regsync => "regsync.yml of regclient",
            Self::Skopeo => "The YAML of skopeo sync --src yaml",
            Self::Dregsy => "The configuration of dregsy",
            Self::ImageSyncer => "The images, or the whole configuration, of image-syncer",
            Self::Ocync => "The configuration of ocync",
            Self::OcMirror => "An ImageSetConfiguration of oc-mirror",
            Self::Flux => "ImageRepository and ImagePolicy of Flux",
            Self::FluxMirror => "The Config of flux-mirror",
            Self::Harbor => "Replication policies of Harbor, as its API writes them",
            Self::Zot => "The configuration of zot with its sync extension",
        }
    }
}

// === impl Prefix ===

impl FromStr for Prefix {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        refuse_scheme(NameKind::Registry, text)?;
        let text = text.trim_end_matches('/');
        let (registry, path) = match text.split_once('/') {
            Some((registry, path)) => (registry, Some(path)),
            None => (text, None),
        };
        Ok(Self {
            registry: registry.parse()?,
            path: path.map(str::parse).transpose()?,
        })
    }
}

impl Prefix {
    /// Whether an image is there.
    pub fn has(&self, image: &Reference) -> bool {
        let path = self.path.as_ref().map(|path| format!("{path}/"));
        let is_below = path.is_none_or(|path| image.repository.as_str().starts_with(&path));
        self.registry == image.registry && is_below
    }

    /// A repository below it.
    pub(super) fn below(&self, repository: &str) -> String {
        match &self.path {
            Some(path) => format!("{path}/{repository}"),
            None => repository.to_owned(),
        }
    }
}
