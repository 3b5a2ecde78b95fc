//! The tools, and what stands around their files.

use std::str::FromStr;

use crate::oci::names::NameError;
use crate::oci::{Registry, Repository};

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

// === impl Prefix ===

impl FromStr for Prefix {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
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
    /// A repository below it.
    pub(super) fn below(&self, repository: &str) -> String {
        match &self.path {
            Some(path) => format!("{path}/{repository}"),
            None => repository.to_owned(),
        }
    }
}
