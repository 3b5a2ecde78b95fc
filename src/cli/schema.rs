// SPDX-License-Identifier: Apache-2.0

//! The JSON schema of the files that are read with `-f`, for editors: the definitions of the custom resources in the
//! words of JSON Schema. What only their rules say stays for `plan` and the API server.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use serde_json::{Map, Value, json};

use super::args::SchemaArgs;
use super::crds::{is_named, write_whole_numbers};
use super::error::Error;
use super::exit::Exit;
use super::output::Output;
use crate::api;

/// What yaml-language-server understands best.
const DIALECT: &str = "http://json-schema.org/draft-07/schema#";
/// The kinds that people write, beside Secrets.
const KINDS: [&str; 4] = [
    "ImageMirror",
    "ImageNotification",
    "ImagePolicy",
    "ImageReceiver",
];

/// Prints the schema of all files, or that of a kind.
pub(super) fn run(args: &SchemaArgs, output: &Output) -> Result<Exit, Error> {
    let definitions = written();
    let schema = match &args.name {
        None => of_files(&definitions),
        Some(name) => {
            let is_meant = |(definition, _): &&(CustomResourceDefinition, Value)| {
                is_named(definition, name) || definition.spec.names.kind.eq_ignore_ascii_case(name)
            };
            let Some((_, schema)) = definitions.iter().find(is_meant) else {
                return Err(Error::Usage(format!(
                    "there is no schema of {name:?}: there are {}",
                    KINDS.join(", ")
                )));
            };
            let mut schema = schema.clone();
            schema["$schema"] = DIALECT.into();
            schema
        }
    };
    output.print(format!("{schema:#}\n"))?;
    Ok(Exit::Success)
}

/// The kinds that people write, each with the schema of its objects.
fn written() -> Vec<(CustomResourceDefinition, Value)> {
    let definitions = api::definitions().into_iter();
    let written =
        definitions.filter(|definition| KINDS.contains(&definition.spec.names.kind.as_str()));
    written
        .map(|definition| {
            let schema = of_object(&definition);
            (definition, schema)
        })
        .collect()
}

/// The schema of documents of any kind: what is of other programs is passed over, as it is when files are read.
fn of_files(definitions: &[(CustomResourceDefinition, Value)]) -> Value {
    let text = json!({"type": "string"});
    let texts = json!({"type": "object", "additionalProperties": text});
    let mut schemas = Map::new();
    let mut choices = Vec::new();
    let mut add = |kind: &str, version: Option<Value>, schema: Value| {
        let mut meant = json!({"kind": {"const": kind}});
        if let Some(version) = version {
            meant["apiVersion"] = version;
        }
        choices.push(json!({
            "if": {"properties": meant, "required": ["kind", "apiVersion"]},
            "then": {"$ref": format!("#/definitions/{kind}")},
        }));
        schemas.insert(kind.to_owned(), schema);
    };
    for (definition, schema) in definitions {
        let kind = definition.spec.names.kind.as_str();
        // Others have an ImagePolicy, too.
        let ours = json!({"pattern": r"^transship\.dev/"});
        let version = (kind != "ImageMirror").then_some(ours);
        add(kind, version, schema.clone());
    }
    let core = || Some(json!({"const": "v1"}));
    add(
        "Secret",
        core(),
        json!({
            "description": "Credentials, certificates or a proxy.",
            "type": "object",
            "required": ["apiVersion", "kind", "metadata"],
            "properties": {"metadata": metadata(), "type": text, "data": texts, "stringData": texts},
        }),
    );
    let items = json!({"type": "array", "items": {"$ref": "#"}});
    let list = json!({"type": "object", "required": ["items"], "properties": {"items": items}});
    add("List", core(), list);
    let kinds: Vec<&String> = schemas.keys().collect();
    let versions = [api::API_VERSION, "v1"];
    json!({
        "$schema": DIALECT,
        "title": "Files that transship reads",
        "type": "object",
        "required": ["apiVersion", "kind"],
        "properties": {
            "apiVersion": {"anyOf": [{"enum": versions}, text]},
            "kind": {"anyOf": [{"enum": kinds}, text]},
        },
        "allOf": choices,
        "definitions": schemas,
    })
}

/// The schema of the objects of a kind.
fn of_object(definition: &CustomResourceDefinition) -> Value {
    let version = definition.spec.versions.first();
    let schema = version.and_then(|version| version.schema.as_ref()?.open_api_v3_schema.as_ref());
    let schema = serde_json::to_value(schema).unwrap_or_default();
    let mut spec = schema
        .pointer("/properties/spec")
        .cloned()
        .unwrap_or_default();
    write_whole_numbers(&mut spec);
    strict(&mut spec);
    json!({
        "title": definition.spec.names.kind,
        "description": schema["description"],
        "type": "object",
        "required": ["apiVersion", "kind", "metadata", "spec"],
        "properties": {
            "apiVersion": {"const": api::API_VERSION},
            "kind": {"const": definition.spec.names.kind},
            "metadata": metadata(),
            "spec": spec,
            "status": {"description": "The controller's: it is not read."},
        },
        "additionalProperties": false,
    })
}

fn metadata() -> Value {
    let texts = json!({"type": "object", "additionalProperties": {"type": "string"}});
    json!({
        "type": "object",
        "required": ["name"],
        "properties": {
            "name": {"type": "string", "minLength": 1, "maxLength": 253, "description": "Unique for the kind in its namespace."},
            "namespace": {"type": "string", "description": "`default` where none is written."},
            "labels": texts,
            "annotations": texts,
        },
    })
}

/// Takes over the form of a text from its rule, with what editors say where it is another one.
fn tell_form(schema: &mut Map<String, Value>) {
    let rules = schema.get("x-kubernetes-validations");
    let mut rules = rules.and_then(Value::as_array).into_iter().flatten();
    let form = rules.find_map(|rule| {
        let form = rule["rule"].as_str()?.strip_prefix("self.matches('")?;
        let pattern = form.strip_suffix("')")?.replace(r"\\", r"\");
        // More than one call is no form.
        (!pattern.contains('\'')).then(|| (pattern, rule["message"].clone()))
    });
    if let Some((pattern, message)) = form {
        schema.insert("pattern".to_owned(), pattern.into());
        schema.insert("patternErrorMessage".to_owned(), message);
    }
}

/// Refuses fields that do not exist, as files are read, and leaves out what only Kubernetes understands.
fn strict(schema: &mut Value) {
    match schema {
        Value::Object(fields) => {
            tell_form(fields);
            fields.retain(|name, _| !name.starts_with("x-kubernetes-"));
            // The fields of an object may be called like keywords.
            if let Some(Value::Object(properties)) = fields.get_mut("properties") {
                properties.values_mut().for_each(strict);
                fields
                    .entry("additionalProperties")
                    .or_insert(Value::Bool(false));
            }
            for keyword in ["items", "additionalProperties"] {
                if let Some(inner) = fields.get_mut(keyword) {
                    strict(inner);
                }
            }
            for keyword in ["allOf", "anyOf", "oneOf"] {
                if let Some(Value::Array(choices)) = fields.get_mut(keyword) {
                    choices.iter_mut().for_each(strict);
                }
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {}
    }
}
