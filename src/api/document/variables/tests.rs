// SPDX-License-Identifier: Apache-2.0

//! Files with variables.

use secrecy::ExposeSecret as _;

use super::super::{FILE_SIZE, Resource, parse_set};
use super::*;

fn lookup(name: &str) -> Result<String, Unset> {
    match name {
        "REGISTRY" => Ok("quay.io".to_owned()),
        "TAG" => Ok("3.20".to_owned()),
        "COUNT" => Ok("2".to_owned()),
        "YES" => Ok("true".to_owned()),
        "EMPTY" => Ok(String::new()),
        "PASSWORD" => Ok("a\"b: '#\\n{".to_owned()),
        "BYTES" => Err(Unset::NotText),
        "HUGE" => Ok("x".repeat(FILE_SIZE / 2 + 1)),
        _ => Err(Unset::Missing),
    }
}

fn mirror(fields: &str) -> String {
    format!(
        "apiVersion: transship.dev/v1alpha1\nkind: ImageMirror\nmetadata: {{name: m}}\nspec:\n  source: {{registry: ${{REGISTRY}}}} # ${{UNSET}}\n  \
         images: [{{repository: a, {fields}}}]\n  destinations: [{{name: d, registry: d.test}}]\n"
    )
}

fn image(fields: &str) -> Result<serde_json::Value, String> {
    let contents = parse_set(&mirror(fields), "f.yaml", &lookup);
    let contents = contents.map_err(|error| error.to_string())?;
    let Resource::ImageMirror(mirror) = &contents.documents[0].resource else {
        return Err("no mirror".to_owned());
    };
    assert_eq!(mirror.spec.source.registry.as_str(), "quay.io");
    Ok(serde_json::to_value(&mirror.spec.images[0]).unwrap())
}

#[test]
fn variables_are_set_as_they_are() {
    for (fields, path, expected) in [
        ("tags: [${TAG}]", "/tags/0", "3.20"),
        ("tags: ['${TAG}']", "/tags/0", "3.20"),
        ("tags: [\"v${TAG}-${COUNT}\"]", "/tags/0", "v3.20-2"),
        ("tags: [${NONE:-latest}]", "/tags/0", "latest"),
        ("tags: [${NONE:=latest}]", "/tags/0", "latest"),
        ("tags: [${EMPTY:-latest}]", "/tags/0", "latest"),
        ("tags: [x${EMPTY}y]", "/tags/0", "xy"),
        ("tags: [a], as: '$${NAME}'", "/as", "${NAME}"),
        ("tags: [a], as: $${NAME}-${TAG}", "/as", "${NAME}-3.20"),
        ("tags: [a], as: 'a$b$$c$'", "/as", "a$b$$c$"),
        ("tags: ['1'], retag: {\"1\": ${TAG}}", "/retag/1", "3.20"),
        ("tags: ['3.20'], retag: {${TAG}: x}", "/retag/3.20", "x"),
    ] {
        let image = image(fields).unwrap();
        let found = image.pointer(path).and_then(serde_json::Value::as_str);
        assert_eq!(found, Some(expected), "{fields}: {image}");
    }
    let image = image("select: {newest: {count: ${COUNT}}}").unwrap();
    assert_eq!(image.pointer("/select/newest/count"), Some(&2.into()));
}

#[test]
fn variables_that_cannot_be_set() {
    for (fields, expected) in [
        (
            "tags: [${NONE}]",
            "f.yaml:6:35: spec.images[0].tags[0]: variable NONE is not set: set it, write ${NONE:-default}, or $${ for ${ itself",
        ),
        (
            "tags: [${BYTES}]",
            "f.yaml:6:35: spec.images[0].tags[0]: variable BYTES is not UTF-8",
        ),
        (
            "tags: ['${1A}']",
            "f.yaml:6:35: spec.images[0].tags[0]: variable \"1A\" is not understood: write ${NAME} or ${NAME:-default}, or $${ for ${ itself",
        ),
        (
            "tags: ['${A:+b}']",
            "f.yaml:6:35: spec.images[0].tags[0]: variable \"A:+b\" is not understood: write ${NAME} or ${NAME:-default}, or $${ for ${ itself",
        ),
        (
            "tags: ['${A'\n    ]",
            "f.yaml:6:35: spec.images[0].tags[0]: a variable is not closed: write ${NAME}, or $${ for ${ itself",
        ),
        (
            "tags: [${HUGE}, ${HUGE}]",
            "f.yaml:6:44: spec.images[0].tags[1]: with the value of variable HUGE the file is too large",
        ),
        (
            "tags: [a], select: {newest: {count: ${TAG}}}",
            "f.yaml:6:64: spec.images[0].select.newest.count: expected a whole number, found 3.20",
        ),
        (
            "tags: ['\u{e001}']",
            "f.yaml:6:36: a character of a private use area cannot stand beside variables",
        ),
    ] {
        assert_eq!(image(fields).unwrap_err(), expected, "{fields}");
    }
}

#[test]
fn only_what_is_ours_is_asked_for_and_values_are_no_yaml() {
    let text = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: ${UNSET}}\n---\n\
         apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: ConfigMap, data: {a: '${UNSET}'}}\n\
         - apiVersion: v1\n  kind: Secret\n  metadata: {name: s}\n  stringData:\n    password: ${PASSWORD}\n    username: |\n      a ${COUNT}\n";
    let contents = parse_set(text, "f.yaml", &lookup).unwrap();
    assert_eq!(contents.others.len(), 2);
    let Resource::Secret(secret) = &contents.documents[0].resource else {
        panic!("no Secret");
    };
    let text = |key: &str| secret.text(key).unwrap().unwrap();
    assert_eq!(text("password").expose_secret(), "a\"b: '#\\n{");
    assert_eq!(text("username").expose_secret(), "a 2\n");
}

#[test]
fn booleans_may_be_set() {
    let text = mirror("tags: [a]").replace("d.test}", "d.test, insecure: ${YES}}");
    let contents = parse_set(&text, "f.yaml", &lookup).unwrap();
    let Resource::ImageMirror(mirror) = &contents.documents[0].resource else {
        panic!("no mirror");
    };
    assert!(mirror.spec.destinations[0].insecure);
}
