// SPDX-License-Identifier: Apache-2.0

//! The rules of a schema.

use kube::core::Rule;
use schemars::Schema;
use serde_json::{Value, json};

/// Where the rules of a schema stand.
pub(super) const RULES: &str = "x-kubernetes-validations";

/// A rule for the API server (CEL), and what it says where the rule does not hold.
pub(in crate::api) fn rule(rule: &'static str, message: &'static str) -> impl FnMut(&mut Schema) {
    move |schema| add_rule(schema, &Rule::new(rule).message(message))
}

/// A text has a form, and what to write where it has not: the API server alone would answer with the pattern.
pub(in crate::api) fn form(pattern: &str, message: &'static str) -> impl FnMut(&mut Schema) {
    let pattern = pattern.replace('\\', r"\\");
    move |schema| {
        let rule = Rule::new(format!("self.matches('{pattern}')"));
        add_rule(schema, &rule.message(message));
    }
}

/// The same for each item of a list.
pub(in crate::api) fn forms(pattern: &str, message: &'static str) -> impl FnMut(&mut Schema) {
    let mut form = form(pattern, message);
    move |schema| {
        if let Some(items) = schema.get_mut("items")
            && let Ok(items) = <&mut Schema>::try_from(items)
        {
            form(items);
        }
    }
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
        .entry(RULES)
        .or_insert_with(|| json!([]));
    if let Value::Array(rules) = rules {
        rules.push(json!(rule));
    }
}
