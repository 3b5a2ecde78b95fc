// SPDX-License-Identifier: Apache-2.0

//! One resource of a file, and where its fields stand.

use std::collections::HashMap;

use super::deserializer::Path;
use super::error::{DocumentError, Problem};
use super::node::{Node, Value};
use super::position::Position;
use crate::api::metadata::namespace;
use crate::api::{ImageMirror, ImagePolicy, MirroredRepository, Secret};

/// What a file holds.
#[derive(Debug, Default)]
pub struct Contents {
    /// The resources, in the order of the file.
    pub documents: Vec<Document>,
    /// What stands beside them and is not for Transship.
    pub others: Vec<Other>,
}

/// An object of another program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Other {
    /// Where it is defined.
    pub origin: Origin,
    /// Its group and version.
    pub api_version: String,
    /// Its kind.
    pub kind: String,
}

/// One resource of a file.
#[derive(Debug)]
pub struct Document {
    /// Where it is defined.
    pub origin: Origin,
    /// The resource.
    pub resource: Resource,
    positions: HashMap<String, Position>,
}

/// Where a resource is defined.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// Name of the file.
    pub file: String,
    /// Where the document begins.
    pub position: Position,
}

/// A resource that Transship reads.
#[derive(Debug)]
pub enum Resource {
    /// A mirror.
    ImageMirror(Box<ImageMirror>),
    /// A policy.
    ImagePolicy(Box<ImagePolicy>),
    /// What a controller has on record of a repository.
    MirroredRepository(Box<MirroredRepository>),
    /// Credentials, certificates or a proxy.
    Secret(Box<Secret>),
}

// === impl Document ===

impl Document {
    pub(super) fn new(file: &str, node: &Node, resource: Resource) -> Self {
        let mut positions = HashMap::new();
        collect_positions(node, &Path::Document, &mut positions);
        Self {
            origin: Origin {
                file: file.to_owned(),
                position: node.position,
            },
            resource,
            positions,
        }
    }

    /// Where the field of a path such as `spec.images[0].tags[1]` stands; where it is not written, where
    /// the nearest field around it stands.
    pub fn locate(&self, path: &str) -> Position {
        let mut rest = path;
        loop {
            if let Some(position) = self.positions.get(rest) {
                return *position;
            }
            match rest.rfind(['.', '[']).and_then(|end| rest.get(..end)) {
                Some(parent) => rest = parent,
                None => return self.origin.position,
            }
        }
    }

    /// An error about a field of this document, found by a later check.
    pub fn error_at(&self, path: &str, message: String) -> DocumentError {
        DocumentError::new(
            &self.origin.file,
            self.locate(path),
            path,
            Problem::Invalid(message),
        )
    }
}

// === impl Resource ===

impl Resource {
    /// The kind, as it is written.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::ImageMirror(_) => "ImageMirror",
            Self::ImagePolicy(_) => "ImagePolicy",
            Self::MirroredRepository(_) => "MirroredRepository",
            Self::Secret(_) => "Secret",
        }
    }

    /// Namespace and name.
    pub fn namespace_and_name(&self) -> (&str, &str) {
        let metadata = match self {
            Self::ImageMirror(mirror) => &mirror.metadata,
            Self::ImagePolicy(policy) => &policy.metadata,
            Self::MirroredRepository(record) => &record.metadata,
            Self::Secret(secret) => {
                return (&secret.metadata.namespace, secret.metadata.name.as_str());
            }
        };
        (
            namespace(metadata),
            metadata.name.as_deref().unwrap_or_default(),
        )
    }
}

// === positions ===

/// Remembers where each field stands, but no value: a document may be a Secret.
fn collect_positions(node: &Node, path: &Path<'_>, positions: &mut HashMap<String, Position>) {
    positions.insert(path.render(), node.position);
    match &node.value {
        Value::Null | Value::Boolean(..) | Value::Number(_) | Value::Text(_) => {}
        Value::Sequence(items) => {
            for (index, item) in items.iter().enumerate() {
                collect_positions(item, &Path::Item(path, index), positions);
            }
        }
        Value::Mapping(entries) => {
            for entry in entries {
                collect_positions(&entry.value, &Path::Field(path, &entry.key), positions);
            }
        }
    }
}
