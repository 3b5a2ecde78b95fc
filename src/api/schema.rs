//! How the schemas of the custom resources are made: the bounds of texts, the kinds of lists, the rules,
//! and the form that the API server wants.
//!
//! The schema is the first check. `plan` checks everything again, also for files.

use std::borrow::Cow;

use schemars::generate::SchemaGenerator;
use schemars::transform::{Transform, transform_subschemas};
use schemars::{JsonSchema, Schema, json_schema};
use serde_json::{Map, Value, json};

use super::metadata::ObjectName;
use crate::oci::{Digest, Tag};
use crate::policy::Duration;

/// Longest name of a registry, with its port.
pub(super) const REGISTRY_LENGTH: usize = 259;
/// Longest repository.
pub(super) const REPOSITORY_LENGTH: usize = 255;
/// Longest tag or glob for tags.
pub(super) const TAG_LENGTH: usize = 128;
/// Longest `registry/repository`.
pub(super) const LOCATION_LENGTH: usize = REGISTRY_LENGTH + 1 + REPOSITORY_LENGTH;
/// Longest `registry/repository:tag`.
pub(super) const IMAGE_LENGTH: usize = LOCATION_LENGTH + 1 + TAG_LENGTH;
/// Longest name that becomes the value of a label.
pub(super) const LABEL_LENGTH: usize = 63;
/// Longest reason.
pub(super) const REASON_LENGTH: usize = 64;
/// Longest `os/architecture/variant`.
pub(super) const PLATFORM_LENGTH: usize = 64;

/// A DNS label (RFC 1123).
pub(super) const LABEL: &str = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$";
/// A glob for tags.
pub(super) const TAG_GLOB: &str = r"^[A-Za-z0-9_.*?\[\]!-]+$";
/// `os/architecture` or `os/architecture/variant`.
pub(super) const PLATFORM: &str = "^[a-z0-9_.-]+/[a-z0-9_.-]+(/[a-z0-9_.-]+)?$";
/// One word with a capital, as reasons are.
pub(super) const REASON: &str = "^[A-Z][A-Za-z]*$";

// === the whole resource ===

/// The schema of a resource with a spec, and with a status that a fresh object begins with.
pub(super) fn resource<Spec: JsonSchema, Status: JsonSchema>(
    description: &str,
    fresh_status: Option<Value>,
    generator: &mut SchemaGenerator,
) -> Schema {
    let mut status = generator.subschema_for::<Status>();
    if let Some(fresh) = fresh_status {
        status.insert("default".to_owned(), fresh);
    }
    let mut schema = json_schema!({
        "type": "object",
        "description": description,
        "required": ["spec"],
        "properties": {
            "spec": generator.subschema_for::<Spec>(),
            "status": status,
        },
    });
    Plain.transform(&mut schema);
    schema
}

/// Brings a schema to the form of Kubernetes' own: an optional field is absent, never null, and the values
/// of an enumeration are explained in its description.
struct Plain;

impl Transform for Plain {
    fn transform(&mut self, schema: &mut Schema) {
        if let Some(schema) = schema.as_object_mut() {
            forbid_null(schema);
            list_values(schema);
        }
        transform_subschemas(self, schema);
    }
}

/// An `Option` is a choice of its type and null.
fn forbid_null(schema: &mut Map<String, Value>) {
    if let Some(Value::Array(types)) = schema.get_mut("type") {
        types.retain(|name| name != "null");
        if let [name] = types.as_mut_slice() {
            let name = name.take();
            schema.insert("type".to_owned(), name);
        }
    }
    if let Some(Value::Array(mut choices)) = schema.remove("anyOf") {
        choices.retain(|choice| choice["type"] != "null");
        for choice in choices {
            // What is written at the field stands above what is written at its type.
            if let Value::Object(choice) = choice {
                for (keyword, value) in choice {
                    schema.entry(keyword).or_insert(value);
                }
            }
        }
    }
}

/// An enumeration whose values are described is a choice of constants.
fn list_values(schema: &mut Map<String, Value>) {
    let Some(Value::Array(choices)) = schema.remove("oneOf") else {
        return;
    };
    let mut lines = vec!["Possible values:".to_owned()];
    if let Some(Value::String(description)) = schema.get("description") {
        lines.insert(0, format!("{description}\n"));
    }
    lines.extend(choices.iter().map(|choice| {
        let name = choice["const"].as_str().unwrap_or_default();
        let meaning = choice["description"].as_str().unwrap_or_default();
        format!(" - {name}: {meaning}")
    }));
    let values = choices.iter().map(|choice| choice["const"].clone());
    schema.insert("enum".to_owned(), values.collect());
    schema.insert("type".to_owned(), "string".into());
    schema.insert("description".to_owned(), lines.join("\n").into());
}

// === rules and lists ===

/// A rule for the API server (CEL), and what it says where the rule does not hold.
pub(super) fn rule(rule: &'static str, message: &'static str) -> impl FnMut(&mut Schema) {
    move |schema| {
        let rules = schema
            .ensure_object()
            .entry("x-kubernetes-validations")
            .or_insert_with(|| json!([]));
        if let Value::Array(rules) = rules {
            rules.push(json!({"rule": rule, "message": message}));
        }
    }
}

/// The items of a list are found by one of their fields, which is different in each of them.
pub(super) fn keyed_by(field: &'static str) -> impl FnMut(&mut Schema) {
    move |schema| {
        schema.insert("x-kubernetes-list-type".to_owned(), "map".into());
        schema.insert("x-kubernetes-list-map-keys".to_owned(), json!([field]));
    }
}

/// Every item of a list is different.
pub(super) fn set(schema: &mut Schema) {
    schema.insert("x-kubernetes-list-type".to_owned(), "set".into());
}

/// A list is written as a whole.
pub(super) fn atomic(schema: &mut Schema) {
    schema.insert("x-kubernetes-list-type".to_owned(), "atomic".into());
}

// === texts ===

/// A registry.
pub(super) fn registry(_: &mut SchemaGenerator) -> Schema {
    let mut schema = text(REGISTRY_LENGTH, None);
    rule(
        r"self.matches('^[A-Za-z0-9.:\\[\\]-]+$')",
        "write the host and, where it is needed, the port, such as registry.example.com:5000: no scheme and no path",
    )(&mut schema);
    schema
}

/// Labels of an image and their values.
pub(super) fn labels(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "maxProperties": 32,
        "additionalProperties": {"type": "string", "maxLength": 256},
    })
}

/// The conditions of a resource, with the bounds of Kubernetes' own.
pub(super) fn conditions(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array",
        "maxItems": 8,
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["type"],
        "items": {
            "type": "object",
            "description": "One aspect of the state.",
            "required": ["type", "status", "reason", "message", "lastTransitionTime"],
            "properties": {
                "type": {
                    "type": "string",
                    "description": "Ready, Reconciling or Stalled.",
                    "maxLength": 316,
                    "pattern": "^[A-Z][A-Za-z]*$",
                },
                "status": {
                    "type": "string",
                    "description": "Whether the condition holds.",
                    "enum": ["True", "False", "Unknown"],
                },
                "reason": {
                    "type": "string",
                    "description": "Why, as one word.",
                    "minLength": 1,
                    "maxLength": 1024,
                    "pattern": "^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$",
                },
                "message": {
                    "type": "string",
                    "description": "Why, for people.",
                    "maxLength": 32768,
                },
                "lastTransitionTime": {
                    "type": "string",
                    "description": "When the status last became another one.",
                    "format": "date-time",
                },
                "observedGeneration": {
                    "type": "integer",
                    "description": "Generation of the spec that the condition is about.",
                    "format": "int64",
                    "minimum": 0,
                },
            },
        },
    })
}

fn text(most: usize, pattern: Option<&str>) -> Schema {
    let mut schema = json_schema!({"type": "string", "minLength": 1, "maxLength": most});
    if let Some(pattern) = pattern {
        schema.insert("pattern".to_owned(), pattern.into());
    }
    schema
}

/// Types that are parsed from a text of this length and pattern.
macro_rules! parsed_texts {
    ($($type:ident: $most:expr, $pattern:literal;)*) => {$(
        impl JsonSchema for $type {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> Cow<'static, str> {
                stringify!($type).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                text($most, Some($pattern))
            }
        }
    )*};
}

parsed_texts! {
    ObjectName: 253, r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$";
    Duration: 24, "^([0-9]{1,5}(h|m|s|ms)){1,4}$";
    Tag: TAG_LENGTH, "^[A-Za-z0-9_][A-Za-z0-9._-]*$";
    Digest: 135, "^(sha256:[a-f0-9]{64}|sha512:[a-f0-9]{128})$";
}
