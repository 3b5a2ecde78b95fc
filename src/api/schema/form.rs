// SPDX-License-Identifier: Apache-2.0

//! The form of Kubernetes' own schemas.

use schemars::Schema;
use schemars::transform::{Transform, transform_subschemas};
use serde_json::{Map, Value};

use super::rules::RULES;

/// Brings a schema to the form of Kubernetes' own: an optional field is absent, never null, and the values
/// of an enumeration are explained in its description.
pub(super) struct Plain;

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
                    match (schema.get_mut(&keyword), value) {
                        (Some(Value::Array(rules)), Value::Array(more)) if keyword == RULES => {
                            rules.splice(0..0, more);
                        }
                        (Some(_), _) => {}
                        (None, value) => {
                            schema.insert(keyword, value);
                        }
                    }
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
