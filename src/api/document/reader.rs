// SPDX-License-Identifier: Apache-2.0

//! From a document's tree to its resources: kind and version first, then the type of the kind.

use std::collections::HashMap;

use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};

use super::deserializer::{NodeDeserializer, Path};
use super::error::{DocumentError, KINDS, Problem, closest};
use super::node::{Node, Value};
use super::position::Position;
use super::resource::{Contents, Document, Origin, Other, Resource};
use crate::api::secret::WrittenSecret;
use crate::api::{
    API_VERSION, ImageMirror, ImagePolicy, Metadata, MirroredRepository, MirroredRepositorySpec,
    MirroredRepositoryStatus,
};

/// The group of ours.
const GROUP: &str = "transship.dev";
/// Version of Kubernetes' own Secret and List.
const CORE_VERSION: &str = "v1";

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

/// A record, whose status is what it is about.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Kept {
    #[serde(rename = "apiVersion")]
    _api_version: IgnoredAny,
    #[serde(rename = "kind")]
    _kind: IgnoredAny,
    metadata: Metadata,
    spec: MirroredRepositorySpec,
    status: Option<MirroredRepositoryStatus>,
}

/// The kinds that are read.
#[derive(Clone, Copy)]
enum Kind {
    ImageMirror,
    ImagePolicy,
    MirroredRepository,
    Secret,
    List,
}

impl Kind {
    fn parse(text: &str) -> Result<Self, Problem> {
        match text {
            "ImageMirror" => Ok(Self::ImageMirror),
            "ImagePolicy" => Ok(Self::ImagePolicy),
            "MirroredRepository" => Ok(Self::MirroredRepository),
            "Secret" => Ok(Self::Secret),
            "List" => Ok(Self::List),
            _ => Err(Problem::UnknownKind {
                kind: text.to_owned(),
            }),
        }
    }

    fn check_version(self, kind: &str, found: &str) -> Result<(), Problem> {
        let expected = match self {
            Self::ImageMirror | Self::ImagePolicy | Self::MirroredRepository => API_VERSION,
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

/// Whether an object belongs to another program, which stands in the same file: its group is not ours, and not
/// ours with a slip. A kind that only we have is never anybody else's.
fn is_of_others(kind: &str, version: &str) -> bool {
    // Events and messages need a cluster: receivers and notifications may stand beside their mirrors, and nothing is
    // done about them.
    if matches!(kind, "ImageReceiver" | "ImageNotification") && version == API_VERSION {
        return true;
    }
    match version.rsplit_once('/') {
        Some((group, _)) => closest(group, &[GROUP]).is_none() && kind != "ImageMirror",
        None => version == CORE_VERSION && closest(kind, KINDS).is_none(),
    }
}

/// Whether an object is of another program, as far as it says what it is.
pub(super) fn is_passed_over(node: &Node) -> bool {
    let text = |field| node.field(field).and_then(Node::text);
    let (kind, version) = (text("kind"), text("apiVersion"));
    kind.zip(version)
        .is_some_and(|(kind, version)| is_of_others(kind, version))
}

/// Reads one object, or all objects of a list, into `contents`.
pub(super) fn read(
    node: &Node,
    path: Path<'_>,
    file: &str,
    contents: &mut Contents,
) -> Result<(), DocumentError> {
    let (kind_text, kind_position) = required_text(node, path, "kind", file)?;
    let (version, version_position) = required_text(node, path, "apiVersion", file)?;
    let fail = |position, field: &str, problem| {
        DocumentError::new(file, position, Path::Field(&path, field).render(), problem)
    };
    if is_of_others(kind_text, version) {
        contents.others.push(Other {
            origin: Origin {
                file: file.to_owned(),
                position: node.position,
            },
            api_version: version.to_owned(),
            kind: kind_text.to_owned(),
        });
        return Ok(());
    }
    let kind = Kind::parse(kind_text).map_err(|problem| fail(kind_position, "kind", problem))?;
    kind.check_version(kind_text, version)
        .map_err(|problem| fail(version_position, "apiVersion", problem))?;
    let resource = match kind {
        Kind::ImageMirror => {
            let Written { metadata, spec, .. } = deserialize(node, path, file, false)?;
            Resource::ImageMirror(Box::new(ImageMirror {
                metadata: metadata.into(),
                spec,
                status: None,
            }))
        }
        Kind::ImagePolicy => {
            let Written { metadata, spec, .. } = deserialize(node, path, file, false)?;
            Resource::ImagePolicy(Box::new(ImagePolicy {
                metadata: metadata.into(),
                spec,
                status: None,
            }))
        }
        Kind::MirroredRepository => {
            let Kept {
                metadata,
                spec,
                status,
                ..
            } = deserialize(node, path, file, false)?;
            Resource::MirroredRepository(Box::new(MirroredRepository {
                metadata: metadata.into(),
                spec,
                status,
            }))
        }
        Kind::Secret => {
            let secret: WrittenSecret = deserialize(node, path, file, true)?;
            Resource::Secret(Box::new(secret.into()))
        }
        Kind::List => return read_list(node, path, file, contents),
    };
    contents.documents.push(Document::new(file, node, resource));
    Ok(())
}

/// Reads `kind: List`, which `kubectl get -o yaml` prints for several objects.
fn read_list(
    node: &Node,
    path: Path<'_>,
    file: &str,
    contents: &mut Contents,
) -> Result<(), DocumentError> {
    let items_path = Path::Field(&path, "items");
    let (position, path, problem) = match node.field("items") {
        Some(Node {
            value: Value::Sequence(items),
            ..
        }) => {
            return items.iter().enumerate().try_for_each(|(index, item)| {
                read(item, Path::Item(&items_path, index), file, contents)
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
pub(super) fn refuse_duplicate_fields(
    node: &Node,
    path: &Path<'_>,
    file: &str,
) -> Result<(), DocumentError> {
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
