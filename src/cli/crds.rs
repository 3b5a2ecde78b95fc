// SPDX-License-Identifier: Apache-2.0

//! Prints the definitions of the custom resources.

use std::io;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use serde_json::Value;

use super::args::CrdsArgs;
use super::error::Error;
use super::exit::Exit;
use super::output::{Output, yaml};
use crate::api;

/// Prints all definitions, or the one of a kind, as YAML documents.
pub(super) fn run(args: &CrdsArgs, output: &Output) -> Result<Exit, Error> {
    let mut definitions: Vec<CustomResourceDefinition> = api::definitions().into();
    if let Some(name) = &args.name {
        let known: Vec<String> = definitions.iter().map(plural).collect();
        definitions.retain(|definition| is_named(definition, name));
        if definitions.is_empty() {
            return Err(Error::Usage(format!(
                "there is no custom resource {name:?}: there are {}",
                known.join(", ")
            )));
        }
    }
    let documents: Result<Vec<String>, _> = definitions.iter().map(render).collect();
    output.print(documents?.join("---\n"))?;
    Ok(Exit::Success)
}

fn plural(definition: &CustomResourceDefinition) -> String {
    definition.spec.names.plural.clone()
}

/// By every name that kubectl takes.
pub(super) fn is_named(definition: &CustomResourceDefinition, name: &str) -> bool {
    let names = &definition.spec.names;
    let name = name.to_lowercase();
    names.plural == name
        || names.singular.as_ref() == Some(&name)
        || names
            .short_names
            .iter()
            .flatten()
            .any(|short| *short == name)
}

fn render(definition: &CustomResourceDefinition) -> Result<String, Error> {
    let definition = serde_json::to_value(definition).map_err(io::Error::other);
    let mut definition = definition.map_err(Error::Output)?;
    write_whole_numbers(&mut definition);
    yaml(&definition)
}

/// Bounds are floating-point numbers in the type; people expect `maximum: 100`.
pub(super) fn write_whole_numbers(value: &mut Value) {
    match value {
        Value::Null | Value::Bool(_) | Value::String(_) => {}
        Value::Number(number) => {
            let text = number.to_string();
            let whole = text.strip_suffix(".0").map(str::parse::<i64>);
            if let Some(Ok(whole)) = whole {
                *value = whole.into();
            }
        }
        Value::Array(items) => items.iter_mut().for_each(write_whole_numbers),
        Value::Object(fields) => fields.values_mut().for_each(write_whole_numbers),
    }
}
