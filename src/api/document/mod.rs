// SPDX-License-Identifier: Apache-2.0

//! Reads resources from YAML or JSON text, strictly: what is not understood is an error with file, line
//! and field, never skipped.

mod deserializer;
mod error;
mod node;
mod position;
mod reader;
#[cfg(test)]
mod refusals;
mod resource;
#[cfg(test)]
mod tests;
mod variables;

use std::collections::HashMap;

use self::deserializer::Path;
pub use self::error::{DocumentError, Problem};
pub(crate) use self::error::{closest, hint};
pub(crate) use self::node::{Entry, Node, Value};
pub use self::position::Position;
pub use self::resource::{Contents, Document, Origin, Other, Resource};
use self::variables::Variables;
pub use self::variables::{Unset, VariableLookup};

/// Largest file that is read, in bytes.
const FILE_SIZE: usize = 1024 * 1024;

/// Reads a file. `file` is only its name for errors.
pub fn parse(text: &str, file: &str) -> Result<Contents, DocumentError> {
    read_all(&parse_tree(text, file)?, file)
}

/// Reads a file with variables, `${NAME}`, in what is for Transship.
pub fn parse_set(
    text: &str,
    file: &str,
    lookup: VariableLookup<'_>,
) -> Result<Contents, DocumentError> {
    let marked = variables::mark(text, file)?;
    let mut nodes = parse_tree(&marked, file)?;
    let mut variables = Variables {
        lookup,
        file,
        room: FILE_SIZE,
    };
    for node in &mut nodes {
        variables.set(node, &Path::Document, &reader::is_passed_over)?;
    }
    read_all(&nodes, file)
}

fn read_all(nodes: &[Node], file: &str) -> Result<Contents, DocumentError> {
    let mut contents = Contents::default();
    for (number, node) in (1..).zip(nodes) {
        let read = reader::refuse_duplicate_fields(node, &Path::Document, file)
            .and_then(|()| reader::read(node, Path::Document, file, &mut contents));
        read.map_err(|error| match nodes.len() {
            0 | 1 => error,
            _ => error.within(name_of(node, number)),
        })?;
    }
    Ok(contents)
}

/// What one of several documents is called: by what it is, or by its place among them.
fn name_of(node: &Node, number: usize) -> String {
    let kind = node.field("kind").and_then(Node::text);
    let name = node
        .field("metadata")
        .and_then(|metadata| metadata.field("name"));
    match (kind, name.and_then(Node::text)) {
        (Some(kind), Some(name)) => format!("{kind} {name:?}"),
        _ => format!("document {number}"),
    }
}

/// The number of the document that has a line, where there are several.
fn document_at(text: &str, line: u64) -> Option<usize> {
    let (mut number, mut count, mut is_begun) = (1, 1, false);
    for (at, written) in (1..).zip(text.lines()) {
        let is_separator = written.starts_with("---");
        if is_separator && is_begun {
            count += 1;
        }
        is_begun = (is_begun && !is_separator) || !is_blank(written);
        if at <= line {
            number = count;
        }
    }
    (count > 1).then_some(number)
}

/// Whether a line says nothing.
fn is_blank(line: &str) -> bool {
    let line = line.trim_start_matches("---").trim();
    line.is_empty() || line.starts_with('#')
}

/// Reads the documents of any file as trees, within the same bounds.
pub(crate) fn parse_tree(text: &str, file: &str) -> Result<Vec<Node>, DocumentError> {
    if text.len() > FILE_SIZE {
        let start = Position { line: 1, column: 1 };
        let problem = Problem::TooLarge {
            found: text.len(),
            most: FILE_SIZE,
        };
        return Err(DocumentError::new(file, start, "", problem));
    }
    node::parse(text).map_err(|error| {
        let refused = DocumentError::from_syntax(file, error.position, error.message);
        match document_at(text, error.position.line) {
            Some(number) => refused.within(format!("document {number}")),
            None => refused,
        }
    })
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
