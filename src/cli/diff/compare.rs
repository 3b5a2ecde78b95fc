// SPDX-License-Identifier: Apache-2.0

//! Compares two images. Pure.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use crate::oci::Digest;

/// One of two images that are compared.
#[derive(Debug)]
pub(super) struct Side {
    /// As it was named.
    pub(super) name: String,
    pub(super) digest: Digest,
    /// Bytes of configs and layers of all platforms, where they were read.
    pub(super) size: Option<u64>,
    /// By platform.
    pub(super) images: BTreeMap<String, Image>,
}

/// What one platform runs.
#[derive(Clone, Debug)]
pub(super) struct Image {
    pub(super) digest: Digest,
    pub(super) size: u64,
    /// Digests and bytes, the lowest first.
    pub(super) layers: Vec<(Digest, u64)>,
    /// The config as it is written.
    pub(super) config: Option<Value>,
}

/// What tells two images apart.
#[derive(Debug, Serialize, JsonSchema)]
pub(in crate::cli) struct Difference {
    pub(super) left: SideView,
    pub(super) right: SideView,
    /// Platforms that are not the same on both sides.
    pub(super) platforms: Vec<PlatformDifference>,
    /// How many are.
    pub(super) same: usize,
}

#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct SideView {
    pub(super) reference: String,
    pub(super) digest: Digest,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) size: Option<u64>,
}

/// A platform that is not the same on both sides.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct PlatformDifference {
    pub(super) platform: String,
    /// The digests; none on a side that lacks the platform.
    pub(super) left: Option<Digest>,
    pub(super) right: Option<Digest>,
    /// Bytes that the right side has more, or less.
    pub(super) bytes: i64,
    /// Fields of the config.
    pub(super) config: Vec<FieldDifference>,
    /// Layers that both have, from the lowest on.
    pub(super) common_layers: usize,
    pub(super) removed: Vec<LayerView>,
    pub(super) added: Vec<LayerView>,
}

/// A field of the config that is not the same.
#[derive(Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub(super) struct FieldDifference {
    pub(super) field: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) left: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) right: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub(super) struct LayerView {
    pub(super) digest: Digest,
    pub(super) size: u64,
}

// === impl Difference ===

impl Difference {
    /// Whether nothing tells them apart: they are one manifest.
    pub(super) fn is_same(&self) -> bool {
        self.left.digest == self.right.digest || (self.platforms.is_empty() && self.same > 0)
    }
}

/// What tells the right side from the left one.
pub(super) fn compare(left: &Side, right: &Side) -> Difference {
    let platforms: BTreeSet<&String> = left.images.keys().chain(right.images.keys()).collect();
    let mut difference = Difference {
        left: view(left),
        right: view(right),
        platforms: Vec::new(),
        same: 0,
    };
    for platform in platforms {
        let sides = (left.images.get(platform), right.images.get(platform));
        match sides {
            (Some(left), Some(right)) if left.digest == right.digest => difference.same += 1,
            (left, right) => difference
                .platforms
                .push(compare_images(platform, left, right)),
        }
    }
    difference
}

fn view(side: &Side) -> SideView {
    SideView {
        reference: side.name.clone(),
        digest: side.digest.clone(),
        size: side.size,
    }
}

fn compare_images(
    platform: &str,
    left: Option<&Image>,
    right: Option<&Image>,
) -> PlatformDifference {
    let size = |image: Option<&Image>| {
        i64::try_from(image.map_or(0, |image| image.size)).unwrap_or(i64::MAX)
    };
    let mut difference = PlatformDifference {
        platform: platform.to_owned(),
        left: left.map(|image| image.digest.clone()),
        right: right.map(|image| image.digest.clone()),
        bytes: size(right).saturating_sub(size(left)),
        config: Vec::new(),
        common_layers: 0,
        removed: Vec::new(),
        added: Vec::new(),
    };
    let (Some(left), Some(right)) = (left, right) else {
        return difference;
    };
    let pairs = left.layers.iter().zip(&right.layers);
    let common = pairs.take_while(|(left, right)| left.0 == right.0).count();
    let rest = |image: &Image| {
        let layers = image.layers.iter().skip(common);
        layers
            .map(|(digest, size)| LayerView {
                digest: digest.clone(),
                size: *size,
            })
            .collect()
    };
    difference.common_layers = common;
    difference.removed = rest(left);
    difference.added = rest(right);
    difference.config = compare_configs(left.config.as_ref(), right.config.as_ref());
    difference
}

/// Fields that are not the same. Environment variables and labels are fields of their own; of the former only the names
/// are told, since values may be secrets. What names layers is told by the layers.
fn compare_configs(left: Option<&Value>, right: Option<&Value>) -> Vec<FieldDifference> {
    let (left, right) = (flatten(left), flatten(right));
    let fields: BTreeSet<&String> = left.keys().chain(right.keys()).collect();
    let mut found = Vec::new();
    for field in fields {
        let (before, after) = (left.get(field), right.get(field));
        if before == after {
            continue;
        }
        let is_secret = field.starts_with("Env ");
        let shown = |value: Option<&String>| match value {
            Some(_) if is_secret => Some("(set)".to_owned()),
            value => value.cloned(),
        };
        let (before, after) = (shown(before), shown(after));
        let after = if is_secret && before == after {
            Some("(changed)".to_owned())
        } else {
            after
        };
        found.push(FieldDifference {
            field: field.clone(),
            left: before,
            right: after,
        });
    }
    found
}

fn flatten(config: Option<&Value>) -> BTreeMap<String, String> {
    let mut fields = BTreeMap::new();
    let Some(Value::Object(config)) = config else {
        return fields;
    };
    for (key, value) in config {
        match (key.as_str(), value) {
            ("history" | "rootfs", _) => {}
            ("config", Value::Object(run)) => {
                run.iter()
                    .for_each(|(key, value)| flatten_run(key, value, &mut fields));
            }
            (_, value) if !is_nothing(value) => {
                fields.insert(key.clone(), plain(value));
            }
            _ => {}
        }
    }
    fields
}

fn flatten_run(key: &str, value: &Value, fields: &mut BTreeMap<String, String>) {
    match (key, value) {
        ("Env", Value::Array(variables)) => {
            for variable in variables.iter().filter_map(Value::as_str) {
                let (name, value) = variable.split_once('=').unwrap_or((variable, ""));
                fields.insert(format!("Env {name}"), value.to_owned());
            }
        }
        ("Labels", Value::Object(labels)) => {
            for (name, value) in labels {
                fields.insert(format!("Label {name}"), plain(value));
            }
        }
        (key, value) if !is_nothing(value) => {
            fields.insert(key.to_owned(), plain(value));
        }
        _ => {}
    }
}

/// Builders write all of these for "none".
fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(map) => map.is_empty(),
        Value::Bool(true) | Value::Number(_) => false,
    }
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
            value.to_string()
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::render::text;
    use super::*;
    use crate::cli::look::Look;

    fn image(content: &str, layers: &[&str], config: Value) -> Image {
        let layers: Vec<(Digest, u64)> = layers
            .iter()
            .map(|layer| {
                (
                    Digest::sha256(layer.as_bytes()),
                    layer.len() as u64 * 1_000_000,
                )
            })
            .collect();
        Image {
            digest: Digest::sha256(content.as_bytes()),
            size: layers.iter().map(|(_, size)| size).sum(),
            layers,
            config: Some(config),
        }
    }

    fn side(name: &str, images: Vec<(&str, Image)>) -> Side {
        Side {
            name: name.to_owned(),
            digest: Digest::sha256(name.as_bytes()),
            size: Some(images.iter().map(|(_, image)| image.size).sum()),
            images: images
                .into_iter()
                .map(|(platform, image)| (platform.to_owned(), image))
                .collect(),
        }
    }

    fn sides() -> (Side, Side) {
        let before = json!({"created": "2026-01-01T00:00:00Z", "os": "linux", "rootfs": {"diff_ids": ["a"]}, "config": {
            "Env": ["PATH=/bin", "TOKEN=canary", "OLD=1"], "Cmd": ["sh"], "User": "", "Labels": {"a": "1", "b": "2"}}});
        let after = json!({"created": "2026-02-01T00:00:00Z", "os": "linux", "rootfs": {"diff_ids": ["b"]}, "config": {
            "Env": ["PATH=/bin", "TOKEN=canary2", "NEW=1"], "Cmd": ["sh", "-c"], "User": "1000", "Labels": {"a": "1", "b": "3"},
            "Volumes": {}}});
        let left = side(
            "a.test/app:1",
            vec![
                ("linux/amd64", image("1", &["base", "old"], before)),
                ("linux/arm64", image("same", &["x"], json!({}))),
                ("linux/386", image("gone", &["xx"], json!({}))),
            ],
        );
        let right = side(
            "a.test/app:2",
            vec![
                ("linux/amd64", image("2", &["base", "newer", "top"], after)),
                ("linux/arm64", image("same", &["x"], json!({}))),
                ("linux/s390x", image("new", &["xxx"], json!({}))),
            ],
        );
        (left, right)
    }

    #[test]
    fn what_tells_two_images_apart() {
        let (left, right) = sides();
        let difference = compare(&left, &right);
        assert!(!difference.is_same());
        for (width, name) in [(80, "at_80"), (100, "at_100"), (200, "at_200")] {
            let look = Look {
                is_wide: false,
                width: Some(width),
            };
            insta::assert_snapshot!(name, text(&difference, look));
        }
        insta::assert_snapshot!("wide", text(&difference, Look::everything()));
        let json = serde_json::to_string(&difference).unwrap();
        assert!(!json.contains("canary"), "{json}");
    }

    #[test]
    fn one_image_is_the_same_as_itself() {
        let (left, _) = sides();
        let difference = compare(&left, &left);
        assert!(difference.is_same());
        insta::assert_snapshot!(text(&difference, Look::default()));
    }
}
