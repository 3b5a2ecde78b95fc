// SPDX-License-Identifier: Apache-2.0

//! The JSON schema of what machines read, from the types that it is written from.

use schemars::JsonSchema;
use schemars::generate::{SchemaGenerator, SchemaSettings};
use serde_json::{Map, Value, json};

use super::output::{API_VERSION, Document};
use super::{
    bundle, copy, delete, df, diff, digest, history, images, inspect, kubectl, ls, prune, report,
    restore, search, verify,
};
use crate::plan::report::Failure;
use crate::plan::why::ImageAnswer;

/// The schema of every document that a command prints with `-o json` or `-o yaml` (JSON Schema 2020-12).
pub fn output_schema() -> Value {
    let mut generator = SchemaSettings::draft2020_12()
        .for_serialize()
        .into_generator();
    let kinds = [
        kind::<report::RoundDocument<'_>>,
        kind::<prune::Document<'_>>,
        kind::<restore::RestoreReport<'_>>,
        kind::<restore::RestorableList>,
        kind::<copy::CopyDocument<'_>>,
        kind::<bundle::BundleView>,
        kind::<bundle::BundleReport>,
        kind::<delete::DeleteReport>,
        kind::<ls::RepositoryList>,
        kind::<ls::NameList>,
        kind::<ls::TagList>,
        kind::<search::SearchResults>,
        kind::<digest::DigestView>,
        kind::<inspect::ImageView>,
        kind::<inspect::VerifiedView>,
        kind::<history::HistoryView>,
        kind::<diff::Difference>,
        kind::<verify::VerifyReport>,
        kind::<df::Document>,
        kind::<images::ImageList>,
        kind::<kubectl::MirrorList>,
        kind::<ImageAnswer>,
        kind::<kubectl::MirrorTree>,
        kind::<kubectl::RestorableTags>,
    ];
    let kinds: Vec<Value> = kinds.iter().map(|kind| kind(&mut generator)).collect();
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": format!("What transship prints with -o json, {API_VERSION}"),
        "anyOf": kinds,
        "$defs": generator.take_definitions(true),
    })
}

/// A document of a kind, or what is printed in its place where it could not be had.
fn kind<T: Document + JsonSchema>(generator: &mut SchemaGenerator) -> Value {
    let document = generator.subschema_for::<T>();
    let failure = generator.subschema_for::<Failure>();
    let mut begin = Map::new();
    begin.insert("apiVersion".to_owned(), json!({"const": API_VERSION}));
    begin.insert("kind".to_owned(), json!({"const": T::KIND}));
    json!({
        "title": T::KIND,
        "type": "object",
        "properties": begin,
        "required": ["apiVersion", "kind"],
        "anyOf": [
            document,
            {
                "type": "object",
                "properties": {"failures": {"type": "array", "items": failure, "minItems": 1, "maxItems": 1}},
                "required": ["failures"],
                "maxProperties": 3,
            },
        ],
    })
}
