// SPDX-License-Identifier: Apache-2.0

//! How the schemas of the custom resources are made: the bounds of texts, the kinds of lists, the rules,
//! and the form that the API server wants.
//!
//! The schema is the first check. `plan` checks everything again, also for files.

mod fields;
mod form;
mod rules;
#[cfg(test)]
mod tests;

use kube::core::Rule;
use schemars::generate::SchemaGenerator;
use schemars::transform::Transform;
use schemars::{JsonSchema, Schema, json_schema};
use serde_json::{Value, json};

use self::fields::DURATION;
pub(super) use self::fields::{
    DIGEST, DIGEST_LENGTH, IMAGE_LENGTH, LABEL, LABEL_LENGTH, LOCATION_LENGTH, MEDIA_TYPE,
    MEDIA_TYPE_LENGTH, PLATFORM, PLATFORM_FORM, PLATFORM_LENGTH, REASON, REASON_LENGTH,
    REPOSITORY_LENGTH, REPOSITORY_PART, TAG_GLOB, TAG_LENGTH, TAG_SELECTOR, TAG_SELECTOR_LENGTH,
    conditions, labels, registry, tag_names,
};
use self::form::Plain;
use self::rules::add_rule;
pub(super) use self::rules::{form, forms, rule, rule_for};

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

/// A duration is not shorter than this. What is no duration has been refused for that.
pub(super) fn at_least(shortest: &'static str) -> impl FnMut(&mut Schema) {
    move |schema| {
        let rule =
            format!("!self.matches('{DURATION}') || duration(self) >= duration('{shortest}')");
        let message = format!("the shortest is {shortest}");
        add_rule(schema, &Rule::new(rule).message(message.as_str()));
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
