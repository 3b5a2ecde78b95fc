// SPDX-License-Identifier: Apache-2.0

//! Every string of an object that reads as an image.

use serde_json::{Map, Value};

use super::InUse;
use super::beside::parts_in;
use super::text::references_in;

/// Longest text of an image field that is no reference and counts by its parts, in bytes.
const TEXT_LENGTH: usize = 1024;
/// What names who wrote which fields, and the API of an object, and no image.
const OTHER_FIELDS: [&str; 2] = ["managedFields", "apiVersion"];
/// The fields of an API that hold one image, or what a node runs.
const IMAGE_FIELDS: [&str; 4] = ["image", "reference", "imageID", "imageRef"];
/// Fields beside each other that are one image: its tag or digest, and its name.
const TAG_FIELDS: [&str; 5] = ["tag", "newTag", "imageTag", "version", "digest"];
const NAME_FIELDS: [&str; 7] = [
    "repository",
    "image",
    "name",
    "newName",
    "imageName",
    "baseImage",
    "repo",
];

impl InUse {
    /// Takes note of whatever reads as an image in an object: any string, at any depth, also inside of longer
    /// ones. The depth is bounded by that of JSON.
    pub fn add_value(&mut self, user: &str, value: &Value) {
        self.add_field(user, "", value);
    }

    /// Takes note of whatever reads as an image in a text.
    pub fn add_text(&mut self, user: &str, text: &str, about_images: bool) {
        for reference in references_in(text, about_images) {
            self.add_image(user, reference);
        }
        for image in parts_in(text) {
            self.add_image(user, &image);
        }
    }

    fn add_field(&mut self, user: &str, key: &str, value: &Value) {
        match value {
            Value::String(text) => {
                if IMAGE_FIELDS.contains(&key) && text.len() <= TEXT_LENGTH {
                    self.add_image_id(user, text);
                }
                self.add_text(user, text, is_about_images(key));
            }
            Value::Array(items) => self.add_items(user, key, items),
            Value::Object(fields) => self.add_fields(user, fields),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    /// Behind `--image` stands an image.
    fn add_items(&mut self, user: &str, key: &str, items: &[Value]) {
        let mut before = key;
        for item in items {
            self.add_field(user, before, item);
            let flag = item.as_str().filter(|text| text.starts_with('-'));
            before = flag.map_or(key, |flag| flag.trim_start_matches('-'));
        }
    }

    fn add_fields(&mut self, user: &str, fields: &Map<String, Value>) {
        let named = fields.get("name").and_then(Value::as_str);
        for (key, value) in fields {
            if OTHER_FIELDS.contains(&key.as_str()) {
                continue;
            }
            if key.contains([':', '@']) {
                self.add_text(user, key, false);
            }
            // An environment variable, or a parameter.
            let key = match named {
                Some(name) if key == "value" || key == "default" => name,
                _ => key,
            };
            self.add_field(user, key, value);
        }
        self.add_parts(user, fields);
    }

    /// `{repository: eu.corp/app, tag: "1.2"}`, as values of Helm charts have it.
    fn add_parts(&mut self, user: &str, fields: &Map<String, Value>) {
        let mut tags = TAG_FIELDS.iter().filter_map(|key| {
            Some(match fields.get(*key)? {
                Value::String(tag) if tag.starts_with("sha") && tag.contains(':') => {
                    format!("@{tag}")
                }
                Value::String(tag) => format!(":{tag}"),
                Value::Number(tag) => format!(":{tag}"),
                Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => return None,
            })
        });
        let Some(first) = tags.next() else {
            return;
        };
        let tags: Vec<String> = std::iter::once(first).chain(tags).collect();
        let names = NAME_FIELDS.iter().filter_map(|key| fields.get(*key));
        for name in names.filter_map(Value::as_str) {
            for tag in &tags {
                self.add_text(user, &format!("{name}{tag}"), false);
            }
        }
    }
}

/// Whether a name says that its value is an image. How and by whom one is pulled is none.
fn is_about_images(key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    key.contains("image") && !key.contains("pull")
}

#[cfg(test)]
mod tests;
