//! From the configuration of another mirror tool to documents of ours.
//!
//! ```text
//! fields    the file of the other tool, field by field: what nothing asked for is told
//! patterns  its patterns as ours
//! forms     a module for each tool -> rules
//! rule      one thing that is copied, in words of no tool
//! mirrors   rules -> mirrors and policies: what has source, destination and options in common is one mirror
//! yaml      documents in the shortest form, with comments
//! ```
//!
//! Nothing is left out in silence: what has no counterpart is a [`Gap`], and stands as a comment where it belongs.
//! Credentials never come along: a Secret with placeholders takes their place.

mod fields;
mod forms;
mod mirrors;
mod patterns;
mod rule;
mod yaml;

use std::fmt;
use std::str::FromStr;

use self::fields::Item;
use self::mirrors::Sheet;
use self::rule::Draft;
use crate::api::document::{self, DocumentError, Position};
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

/// Documents of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conversion {
    /// The documents, as YAML.
    pub yaml: String,
    /// What has no counterpart, in the order of the file.
    pub gaps: Vec<Gap>,
}

/// Something in the file that the documents do not say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gap {
    /// The place in the file.
    pub position: Position,
    /// The path of the field, such as `sync[0].hooks`.
    pub path: String,
    /// Why, and what to do.
    pub message: String,
}

/// Reads a configuration. `file` is only its name for errors.
pub fn convert(
    form: Form,
    text: &str,
    file: &str,
    surroundings: &Surroundings,
) -> Result<Conversion, DocumentError> {
    let documents = document::parse_tree(text, file)?;
    let mut draft = Draft::default();
    let roots: Vec<Item<'_>> = documents.iter().map(Item::root).collect();
    forms::read(form, &roots, surroundings, &mut draft).map_err(|fault| fault.in_file(file))?;
    let mut sheet = Sheet::default();
    sheet.add(draft);
    Ok(sheet.into_conversion())
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
    fn below(&self, repository: &str) -> String {
        match &self.path {
            Some(path) => format!("{path}/{repository}"),
            None => repository.to_owned(),
        }
    }
}

// === impl Gap ===

impl fmt::Display for Gap {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            position,
            path,
            message,
        } = self;
        if path.is_empty() {
            return write!(formatter, "line {}: {message}", position.line);
        }
        write!(formatter, "line {}: {path}: {message}", position.line)
    }
}
