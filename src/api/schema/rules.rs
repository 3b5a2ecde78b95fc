// SPDX-License-Identifier: Apache-2.0

//! The rules of a schema.

use kube::core::Rule;
use schemars::Schema;
use serde_json::{Value, json};

/// A rule for the API server (CEL), and what it says where the rule does not hold.
pub(in crate::api) fn rule(rule: &'static str, message: &'static str) -> impl FnMut(&mut Schema) {
    move |schema| add_rule(schema, &Rule::new(rule).message(message))
}

/// A rule that blames one of the fields below, such as `.schedule`.
pub(in crate::api) fn rule_for(
    field: &'static str,
    rule: &'static str,
    message: &'static str,
) -> impl FnMut(&mut Schema) {
    move |schema| add_rule(schema, &Rule::new(rule).message(message).field_path(field))
}

pub(super) fn add_rule(schema: &mut Schema, rule: &Rule) {
    let rules = schema
        .ensure_object()
        .entry("x-kubernetes-validations")
        .or_insert_with(|| json!([]));
    if let Value::Array(rules) = rules {
        rules.push(json!(rule));
    }
}
