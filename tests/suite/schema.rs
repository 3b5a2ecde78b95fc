// SPDX-License-Identifier: Apache-2.0

//! The schema for editors: what it takes is what is read, as far as a schema can say.

use jsonschema::Validator;
use serde_json::Value;

use crate::convert::conversions;
use crate::docs::examples::examples;
use crate::support::program::Program;

async fn printed(arguments: &[&str]) -> Value {
    let words = [&["schema"], arguments].concat();
    let finished = Program::transship(&words).run().await;
    finished.assert_success();
    serde_json::from_str(&finished.stdout).unwrap()
}

async fn validator(arguments: &[&str]) -> Validator {
    let schema = printed(arguments).await;
    jsonschema::meta::validate(&schema).unwrap();
    jsonschema::validator_for(&schema).unwrap()
}

fn documents(text: &str) -> Vec<Value> {
    let documents: Vec<Value> = serde_saphyr::from_multiple(text).unwrap();
    documents
        .into_iter()
        .filter(|document| !document.is_null())
        .collect()
}

/// A mirror with these fields, which may replace others.
fn mirror(fields: &str) -> Value {
    let mut documents = documents(&format!(
        "apiVersion: transship.dev/v1alpha1\nkind: ImageMirror\nmetadata: {{name: m}}\nspec: {{source: {{registry: a.test}}, images: [{{repository: a, tags: [b]}}], destinations: [{{name: d, registry: d.test}}]}}\n---\n{fields}\n"
    ));
    let more = documents.pop().unwrap();
    let mut mirror = documents.pop().unwrap();
    for (name, value) in more.as_object().unwrap() {
        *mirror
            .pointer_mut(name.rsplit_once('/').unwrap().0)
            .unwrap()
            .as_object_mut()
            .unwrap()
            .entry(name.rsplit_once('/').unwrap().1)
            .or_insert(Value::Null) = value.clone();
    }
    mirror
}

#[tokio::test(flavor = "multi_thread")]
async fn every_example_and_every_converted_file_is_valid() {
    let validator = validator(&[]).await;
    let mut count = 0;
    for (name, text) in examples().into_iter().chain(conversions()) {
        for document in documents(&text) {
            let error = validator.iter_errors(&document).next();
            let error = error.map(|error| format!("{}: {error}", error.instance_path()));
            assert_eq!(error, None, "{name}: {document}");
            count += 1;
        }
    }
    assert!(count > 50, "{count}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_refused_is_marked() {
    let of_files = validator(&[]).await;
    let of_mirrors = validator(&["imir"]).await;
    for fields in [
        "/spec/images: [{repository: a, tgas: [b]}]",
        "/spec/images: [{repository: a, tags: [3.2]}]",
        "/spec/images: [{tags: [a]}]",
        "/spec/images: []",
        "/spec/images: [{repository: a, select: {newest: {count: 0}}}]",
        "/spec/images: [{repository: a, select: {newest: {count: 1, by: Size}}}]",
        "/spec/platforms: {mode: List, list: [amd64]}",
        "/spec/platforms: {index: Bare}",
        "/spec/intervall: 1h",
        "/metadata: {}",
        "/apiVersion: transship.dev/v2",
        "/interval: 1h",
    ] {
        let wrong = mirror(fields);
        assert!(!of_files.is_valid(&wrong), "{fields}");
        assert!(!of_mirrors.is_valid(&wrong), "{fields}");
    }
    let right = mirror("/spec/platforms: {mode: List, list: [linux/arm64], index: Unwrap}");
    assert!(of_files.is_valid(&right) && of_mirrors.is_valid(&right));
}

#[tokio::test(flavor = "multi_thread")]
async fn documents_of_other_programs_are_left_alone() {
    let validator = validator(&[]).await;
    let text = "apiVersion: apps/v1\nkind: Deployment\nspec: {any: thing}\n---\n\
         apiVersion: image.toolkit.fluxcd.io/v1\nkind: ImagePolicy\nspec: {policy: {semver: {range: '*'}}}\n---\n\
         apiVersion: v1\nkind: ConfigMap\ndata: {a: b}\n";
    for document in documents(text) {
        assert!(validator.is_valid(&document), "{document}");
    }
    let list = "apiVersion: v1\nkind: List\nitems: [{apiVersion: transship.dev/v1alpha1, kind: ImagePolicy, metadata: {name: p}, spec: {selekt: {}}}]";
    assert!(!validator.is_valid(&documents(list)[0]));
}

#[tokio::test(flavor = "multi_thread")]
async fn kinds_without_files_have_no_schema() {
    let finished = Program::transship(&["schema", "mrepo"]).run().await;
    assert_eq!(finished.code, Some(2));
    insta::assert_snapshot!(finished.stderr, @r#"error: there is no schema of "mrepo": there are ImageMirror, ImageNotification, ImagePolicy, ImageReceiver"#);
    assert_eq!(printed(&["ImagePolicy"]).await["title"], "ImagePolicy");
    let receivers = printed(&["imagereceivers"]).await;
    assert_eq!(receivers["title"], "ImageReceiver");
}
