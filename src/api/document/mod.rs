//! Reads resources from YAML or JSON text, strictly: what is not understood is an error with file, line
//! and field, never skipped.

mod deserializer;
mod error;
mod node;
#[cfg(test)]
mod tests;

use std::collections::HashMap;

use serde::de::IgnoredAny;
use serde::{Deserialize, de::DeserializeOwned};

use self::deserializer::{NodeDeserializer, Path};
pub(crate) use self::error::hint;
pub use self::error::{DocumentError, Problem};
pub use self::node::Position;
use self::node::{Node, Value};
use super::secret::WrittenSecret;
use super::{API_VERSION, ImageMirror, ImagePolicy, Metadata, Secret};

/// Largest file that is read, in bytes.
const FILE_SIZE: usize = 1024 * 1024;
/// Version of Kubernetes' own Secret and List.
const CORE_VERSION: &str = "v1";

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

/// A custom resource as it is written; `status` is the controller's and is not read.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Written<Spec> {
    #[serde(rename = "apiVersion")]
    _api_version: IgnoredAny,
    #[serde(rename = "kind")]
    _kind: IgnoredAny,
    metadata: Metadata,
    spec: Spec,
    #[serde(rename = "status")]
    _status: Option<IgnoredAny>,
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
    let nodes = node::parse(text).map_err(|error| DocumentError::from_syntax(file, error))?;
    let mut documents = Vec::new();
    for node in &nodes {
        refuse_duplicate_fields(node, &Path::Document, file)?;
        read(node, Path::Document, file, &mut documents)?;
    }
    Ok(documents)
}

/// Refuses objects that are defined more than once among the documents of one run.
pub fn refuse_duplicate_objects(documents: &[Document]) -> Result<(), DocumentError> {
    let mut seen = HashMap::new();
    for document in documents {
        let metadata = document.resource.metadata();
        let key = (
            document.resource.kind(),
            &metadata.namespace,
            &metadata.name,
        );
        if let Some(first) = seen.insert(key, &document.origin) {
            let Origin { file, position } = &document.origin;
            let problem = Problem::DuplicateObject {
                kind: document.resource.kind(),
                name: format!("{}/{}", metadata.namespace, metadata.name),
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

    /// Name and namespace.
    pub fn metadata(&self) -> &Metadata {
        match self {
            Self::ImageMirror(mirror) => &mirror.metadata,
            Self::ImagePolicy(policy) => &policy.metadata,
            Self::Secret(secret) => &secret.metadata,
        }
    }
}

// === reading ===

/// The kinds that are read.
#[derive(Clone, Copy)]
enum Kind {
    ImageMirror,
    ImagePolicy,
    Secret,
    List,
}

impl Kind {
    fn parse(text: &str) -> Result<Self, Problem> {
        match text {
            "ImageMirror" => Ok(Self::ImageMirror),
            "ImagePolicy" => Ok(Self::ImagePolicy),
            "Secret" => Ok(Self::Secret),
            "List" => Ok(Self::List),
            _ => Err(Problem::UnknownKind {
                kind: text.to_owned(),
            }),
        }
    }

    fn check_version(self, kind: &str, found: &str) -> Result<(), Problem> {
        let expected = match self {
            Self::ImageMirror | Self::ImagePolicy => API_VERSION,
            Self::Secret | Self::List => CORE_VERSION,
        };
        if found == expected {
            return Ok(());
        }
        Err(Problem::WrongApiVersion {
            kind: kind.to_owned(),
            found: found.to_owned(),
            expected,
        })
    }
}

/// Reads one object, or all objects of a list, into `documents`.
fn read(
    node: &Node,
    path: Path<'_>,
    file: &str,
    documents: &mut Vec<Document>,
) -> Result<(), DocumentError> {
    let (kind_text, kind_position) = required_text(node, path, "kind", file)?;
    let (version, version_position) = required_text(node, path, "apiVersion", file)?;
    let fail = |position, field: &str, problem| {
        DocumentError::new(file, position, Path::Field(&path, field).render(), problem)
    };
    let kind = Kind::parse(kind_text).map_err(|problem| fail(kind_position, "kind", problem))?;
    kind.check_version(kind_text, version)
        .map_err(|problem| fail(version_position, "apiVersion", problem))?;
    let resource = match kind {
        Kind::ImageMirror => {
            let Written { metadata, spec, .. } = deserialize(node, path, file, false)?;
            Resource::ImageMirror(Box::new(ImageMirror { metadata, spec }))
        }
        Kind::ImagePolicy => {
            let Written { metadata, spec, .. } = deserialize(node, path, file, false)?;
            Resource::ImagePolicy(Box::new(ImagePolicy { metadata, spec }))
        }
        Kind::Secret => {
            let secret: WrittenSecret = deserialize(node, path, file, true)?;
            Resource::Secret(Box::new(secret.into()))
        }
        Kind::List => return read_list(node, path, file, documents),
    };
    documents.push(Document::new(file, node, resource));
    Ok(())
}

/// Reads `kind: List`, which `kubectl get -o yaml` prints for several objects.
fn read_list(
    node: &Node,
    path: Path<'_>,
    file: &str,
    documents: &mut Vec<Document>,
) -> Result<(), DocumentError> {
    let items_path = Path::Field(&path, "items");
    let (position, path, problem) = match node.field("items") {
        Some(Node {
            value: Value::Sequence(items),
            ..
        }) => {
            return items.iter().enumerate().try_for_each(|(index, item)| {
                read(item, Path::Item(&items_path, index), file, documents)
            });
        }
        Some(items) => (items.position, items_path, items.wrong_type("a list")),
        None => (
            node.position,
            path,
            Problem::MissingField("items".to_owned()),
        ),
    };
    Err(DocumentError::new(file, position, path.render(), problem))
}

fn required_text<'a>(
    node: &'a Node,
    path: Path<'_>,
    field: &str,
    file: &str,
) -> Result<(&'a str, Position), DocumentError> {
    let field_path = Path::Field(&path, field);
    let (position, path, problem) = match (&node.value, node.field(field)) {
        (Value::Mapping(_), Some(value)) => match value.text() {
            Some(text) => return Ok((text, value.position)),
            None => (value.position, field_path, value.wrong_type("a string")),
        },
        (Value::Mapping(_), None) => (node.position, path, Problem::MissingField(field.to_owned())),
        _ => (node.position, path, node.wrong_type("a mapping")),
    };
    Err(DocumentError::new(file, position, path.render(), problem))
}

fn deserialize<T: DeserializeOwned>(
    node: &Node,
    path: Path<'_>,
    file: &str,
    secret: bool,
) -> Result<T, DocumentError> {
    T::deserialize(NodeDeserializer::new(node, path, secret)).map_err(|error| {
        let (position, path) = error.place.unwrap_or((node.position, path.render()));
        DocumentError::new(file, position, path, error.problem)
    })
}

/// A repeated field is a mistake that YAML readers disagree about; none of them is asked.
fn refuse_duplicate_fields(node: &Node, path: &Path<'_>, file: &str) -> Result<(), DocumentError> {
    match &node.value {
        Value::Null | Value::Boolean(..) | Value::Number(_) | Value::Text(_) => Ok(()),
        Value::Sequence(items) => items.iter().enumerate().try_for_each(|(index, item)| {
            refuse_duplicate_fields(item, &Path::Item(path, index), file)
        }),
        Value::Mapping(entries) => {
            let mut seen = HashMap::new();
            for entry in entries {
                if let Some(first) = seen.insert(&entry.key, entry.position) {
                    let problem = Problem::DuplicateField {
                        field: entry.key.clone(),
                        first: first.line,
                    };
                    return Err(DocumentError::new(
                        file,
                        entry.position,
                        path.render(),
                        problem,
                    ));
                }
                refuse_duplicate_fields(&entry.value, &Path::Field(path, &entry.key), file)?;
            }
            Ok(())
        }
    }
}

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
