//! Reads resources from YAML or JSON text, strictly: what is not understood is an error with file, line
//! and field, never skipped.

mod deserializer;
mod error;
mod node;
mod position;
mod reader;
#[cfg(test)]
mod refusals;
#[cfg(test)]
mod tests;

use std::collections::HashMap;

use self::deserializer::Path;
pub use self::error::{DocumentError, Problem};
pub(crate) use self::error::{closest, hint};
use self::node::{Node, Value};
pub use self::position::Position;
use super::metadata::namespace;
use super::{ImageMirror, ImagePolicy, Secret};

/// Largest file that is read, in bytes.
const FILE_SIZE: usize = 1024 * 1024;

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
    /// Credentials, certificates or a proxy.
    Secret(Box<Secret>),
}

/// Reads all resources of a file. `file` is only its name for errors.
pub fn parse(text: &str, file: &str) -> Result<Vec<Document>, DocumentError> {
    let start = Position { line: 1, column: 1 };
    if text.len() > FILE_SIZE {
        let problem = Problem::TooLarge {
            found: text.len(),
            most: FILE_SIZE,
        };
        return Err(DocumentError::new(file, start, "", problem));
    }
    let nodes = node::parse(text)
        .map_err(|error| DocumentError::from_syntax(file, error.position, error.message))?;
    let mut documents = Vec::new();
    for node in &nodes {
        reader::refuse_duplicate_fields(node, &Path::Document, file)?;
        reader::read(node, Path::Document, file, &mut documents)?;
    }
    Ok(documents)
}

/// Refuses objects that are defined more than once among the documents of one run.
pub fn refuse_duplicate_objects(documents: &[Document]) -> Result<(), DocumentError> {
    let mut seen = HashMap::new();
    for document in documents {
        let kind = document.resource.kind();
        let (namespace, name) = document.resource.namespace_and_name();
        let key = (kind, namespace, name);
        if let Some(first) = seen.insert(key, &document.origin) {
            let Origin { file, position } = &document.origin;
            let problem = Problem::DuplicateObject {
                kind,
                name: format!("{namespace}/{name}"),
                first: format!("{}:{}", first.file, first.position),
            };
            return Err(DocumentError::new(
                file,
                *position,
                "metadata.name",
                problem,
            ));
        }
    }
    Ok(())
}

// === impl Document ===

impl Document {
    fn new(file: &str, node: &Node, resource: Resource) -> Self {
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
            Self::Secret(_) => "Secret",
        }
    }

    /// Namespace and name.
    pub fn namespace_and_name(&self) -> (&str, &str) {
        let metadata = match self {
            Self::ImageMirror(mirror) => &mirror.metadata,
            Self::ImagePolicy(policy) => &policy.metadata,
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
