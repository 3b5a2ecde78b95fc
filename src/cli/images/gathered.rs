// SPDX-License-Identifier: Apache-2.0

//! The images of objects, and who names them.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use super::view::{ImageList, ImageRow, LeftOutRow, Mentioned, NamedBy};
use crate::cli::in_use::text::Reading;
use crate::controller::workloads::{Gather, ObjectError};
use crate::oci::Reference;
use crate::plan::in_use::InUse;
use crate::plan::mentioned_images::mentioned_images;
use crate::plan::pod_images::{PodImages, pod_images};

/// The images of objects.
#[derive(Clone, Debug)]
pub(super) struct GatheredImages {
    /// Further fields of custom resources that hold an image.
    more: Arc<[String]>,
    /// The file that is read, and which of its documents.
    place: Option<(Arc<str>, usize)>,
    /// How many objects there were.
    objects: usize,
    /// How many fields are kept.
    fields: usize,
    /// By the image as it is printed.
    images: BTreeMap<String, (Reference, Vec<NamedBy>)>,
    left_out: Vec<LeftOutRow>,
    /// Images that arguments and environment name, and what names each first.
    mentioned: BTreeMap<String, NamedBy>,
}

/// The most images that are told of arguments and environment.
const MENTIONED: usize = 1000;

// === impl GatheredImages ===

impl GatheredImages {
    pub(super) fn new(more: &[String]) -> Self {
        Self {
            more: more.into(),
            place: None,
            objects: 0,
            fields: 0,
            images: BTreeMap::new(),
            left_out: Vec::new(),
            mentioned: BTreeMap::new(),
        }
    }

    /// The same, where what comes stands in a file.
    pub(super) fn in_file(&self, file: &str) -> Self {
        Self {
            place: Some((file.into(), 0)),
            ..self.clone()
        }
    }

    /// The document that was begun last, from 1.
    pub(super) fn document(&self) -> usize {
        self.place.as_ref().map_or(0, |(_, document)| *document)
    }

    /// Whether there was neither an image nor a field that should hold one.
    pub(super) fn names_nothing(&self) -> bool {
        self.images.is_empty() && self.left_out.is_empty()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.objects == 0
    }

    /// What is shown.
    pub(super) fn into_list(self) -> ImageList {
        let is_unlisted = |(image, place): (String, NamedBy)| {
            (!self.images.contains_key(&image)).then_some(Mentioned { image, place })
        };
        let mentioned = self.mentioned.into_iter().filter_map(is_unlisted).collect();
        let images = self.images.into_values();
        ImageList {
            images: images
                .map(|(image, named_by)| ImageRow::new(&image, named_by))
                .collect(),
            left_out: self.left_out,
            mentioned,
        }
    }

    fn mention(&mut self, image: String, place: NamedBy) {
        if self.mentioned.len() < MENTIONED {
            self.mentioned.entry(image).or_insert(place);
        }
    }

    fn named_by(&self, kind: &str, object: &Value, field: String) -> NamedBy {
        let word = |key: &str| object.pointer(key).and_then(Value::as_str);
        let name = word("/metadata/name").or_else(|| word("/metadata/generateName"));
        let name = name.unwrap_or("?");
        let object = match word("/metadata/namespace") {
            Some(namespace) => format!("{kind} {namespace}/{name}"),
            None => format!("{kind} {name}"),
        };
        let place = self.place.as_ref();
        NamedBy {
            object,
            field,
            file: place.map(|(file, _)| file.to_string()),
            document: place.map(|(_, document)| *document),
        }
    }
}

impl Gather for GatheredImages {
    fn add(&mut self, api_version: &str, kind: &str, object: &Value) -> Result<(), ObjectError> {
        self.objects += 1;
        let more = self.more.clone();
        let found = pod_images(api_version, object, &more, self.place.is_some())
            .map_err(|error| ObjectError::new(kind, object, error.to_string()))?;
        let PodImages { images, left_out } = found;
        self.fields += images.len() + left_out.len();
        for found in images {
            let named_by = self.named_by(kind, object, found.field);
            let (_, all) = self
                .images
                .entry(found.image.to_string())
                .or_insert_with(|| (found.image, Vec::new()));
            all.push(named_by);
        }
        for found in left_out {
            self.left_out.push(LeftOutRow {
                place: self.named_by(kind, object, found.field),
                message: found.message,
            });
        }
        for found in mentioned_images(object) {
            let place = self.named_by(kind, object, found.field);
            self.mention(found.image.to_string(), place);
        }
        Ok(())
    }

    fn merge(&mut self, other: Self) {
        self.objects += other.objects;
        self.fields += other.fields;
        for (name, (image, named_by)) in other.images {
            let (_, all) = self
                .images
                .entry(name)
                .or_insert_with(|| (image, Vec::new()));
            all.extend(named_by);
        }
        self.left_out.extend(other.left_out);
        for (image, place) in other.mentioned {
            self.mention(image, place);
        }
    }

    fn is_too_much(&self) -> bool {
        self.fields > InUse::MOST
    }
}

impl Reading for GatheredImages {
    fn begin(&mut self, document: usize) {
        if let Some((_, current)) = &mut self.place {
            *current = document;
        }
    }

    /// A chart has Secrets, too.
    fn passes_over(&self, kind: &str) -> bool {
        kind == "Secret"
    }
}
