// SPDX-License-Identifier: Apache-2.0

//! Images as they are shown.

use std::fmt;

use schemars::JsonSchema;
use serde::Serialize;

use crate::cli::look::Look;
use crate::cli::table::Table;
use crate::oci::{Digest, Reference, Registry, Repository, Tag};

/// Images, and the fields that name them.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::cli) struct ImageList {
    /// Each image once, by name.
    pub(super) images: Vec<ImageRow>,
    /// Fields for images that name none.
    pub(super) left_out: Vec<LeftOutRow>,
    /// Images that only arguments and environment name.
    #[serde(skip)]
    pub(super) mentioned: Vec<Mentioned>,
}

/// An image that an argument or a variable of a container reads as.
#[derive(Debug)]
pub(super) struct Mentioned {
    pub(super) image: String,
    pub(super) place: NamedBy,
}

/// One image.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct ImageRow {
    /// The whole name.
    image: String,
    registry: Registry,
    repository: Repository,
    #[serde(skip_serializing_if = "Option::is_none")]
    tag: Option<Tag>,
    #[serde(skip_serializing_if = "Option::is_none")]
    digest: Option<Digest>,
    /// The fields that name it.
    named_by: Vec<NamedBy>,
    #[serde(skip)]
    reference: Reference,
}

/// A field of an object.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(super) struct NamedBy {
    /// Kind, namespace and name, such as `Deployment shop/web`.
    pub(super) object: String,
    /// Such as `spec.template.spec.containers[0].image`.
    pub(super) field: String,
    /// The file, where it was read from one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) file: Option<String>,
    /// Which document of the file, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) document: Option<usize>,
}

/// A field that names no image.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(super) struct LeftOutRow {
    #[serde(flatten)]
    pub(super) place: NamedBy,
    /// Why.
    pub(super) message: String,
}

// === impl ImageList ===

impl ImageList {
    pub(super) fn references(&self) -> impl Iterator<Item = &Reference> {
        self.images.iter().map(|row| &row.reference)
    }

    /// Only the images, one a line.
    pub(super) fn names(&self) -> String {
        self.images
            .iter()
            .map(|row| row.image.clone() + "\n")
            .collect()
    }
}

// === impl ImageRow ===

impl ImageRow {
    pub(super) fn new(reference: &Reference, named_by: Vec<NamedBy>) -> Self {
        let Reference {
            registry,
            repository,
            tag,
            digest,
        } = reference.clone();
        Self {
            image: reference.to_string(),
            registry,
            repository,
            tag,
            digest,
            named_by,
            reference: reference.clone(),
        }
    }
}

impl fmt::Display for NamedBy {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            object,
            field,
            file,
            document,
        } = self;
        if let (Some(file), Some(document)) = (file, document) {
            write!(formatter, "{file}: document {document}: ")?;
        }
        write!(formatter, "{object}: {field}")
    }
}

impl fmt::Display for LeftOutRow {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.place, self.message)
    }
}

impl fmt::Display for Mentioned {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { image, place } = self;
        write!(formatter, "{place}: {image}")
    }
}

/// A line for each image, or for each field that names one.
pub(super) fn render(list: &ImageList, look: Look) -> String {
    if list.images.is_empty() {
        return String::new();
    }
    if look.is_wide {
        return fields(list);
    }
    let mut table = Table::new(["IMAGE", "NAMED BY"]);
    for row in &list.images {
        let mut objects: Vec<&str> = row.named_by.iter().map(|by| by.object.as_str()).collect();
        objects.sort_unstable();
        objects.dedup();
        let named_by = match objects.as_slice() {
            [] => String::new(),
            [only] => (*only).to_owned(),
            [first, rest @ ..] => format!("{first} and {} more", rest.len()),
        };
        table.row([row.image.clone(), named_by]);
    }
    table.fit(look.width)
}

fn fields(list: &ImageList) -> String {
    let mut table = Table::new(["IMAGE", "OBJECT", "FIELD", "FILE"]);
    for row in &list.images {
        for by in &row.named_by {
            let place = by.file.as_ref().zip(by.document);
            let place = place.map(|(file, document)| format!("{file}, document {document}"));
            table.row([
                row.image.clone(),
                by.object.clone(),
                by.field.clone(),
                place.unwrap_or_default(),
            ]);
        }
    }
    table.fit(None)
}
