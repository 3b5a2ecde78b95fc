// SPDX-License-Identifier: Apache-2.0

//! Of which tool a file is, by the fields that only its files have.

#[cfg(test)]
mod tests;

use super::form::Form;
use crate::api::document::{self, Entry, Node, Value};

/// What stands below a registry in the file of skopeo.
const SKOPEO: [&str; 4] = [
    "images",
    "images-by-semver",
    "images-by-tag-regex",
    "tls-verify",
];

/// The tool whose file this is, where it can be told.
pub fn guess(text: &str) -> Option<Form> {
    let documents = document::parse_tree(text, "").ok()?;
    documents.iter().find_map(of_document)
}

fn of_document(node: &Node) -> Option<Form> {
    if let Value::Sequence(policies) = &node.value {
        let is_harbor = |policy: &Node| policy.field("src_registry").is_some();
        return policies.iter().any(is_harbor).then_some(Form::Harbor);
    }
    let has = |field: &str| node.field(field).is_some();
    let text = |field: &str| node.field(field).and_then(Node::text).unwrap_or_default();
    let (version, kind) = (text("apiVersion"), text("kind"));
    if !version.is_empty() {
        let is_of = |group: &str| version.starts_with(group);
        return match kind {
            "ImageSetConfiguration" => Some(Form::OcMirror),
            "ImageRepository" | "ImagePolicy" if is_of("image.toolkit.fluxcd.io/") => {
                Some(Form::Flux)
            }
            "Config" if is_of("mirror.fluxcd.io/") => Some(Form::FluxMirror),
            _ => None,
        };
    }
    let is_zot = node
        .field("extensions")
        .is_some_and(|extensions| extensions.field("sync").is_some());
    match () {
        () if is_zot => Some(Form::Zot),
        () if has("src_registry") => Some(Form::Harbor),
        () if has("tasks") => Some(Form::Dregsy),
        () if has("mappings") => Some(Form::Ocync),
        () if has("sync") => Some(Form::Regsync),
        () if has("auth") && has("images") => Some(Form::ImageSyncer),
        () => of_names(node),
    }
}

/// Files whose fields are names of registries or images.
fn of_names(node: &Node) -> Option<Form> {
    let Value::Mapping(entries) = &node.value else {
        return None;
    };
    let is_registry = |entry: &Entry| {
        let mut known = SKOPEO.iter();
        is_host(&entry.key) && known.any(|field| entry.value.field(field).is_some())
    };
    if !entries.is_empty() && entries.iter().all(is_registry) {
        return Some(Form::Skopeo);
    }
    let is_image = |entry: &Entry| {
        let targets = if let Value::Sequence(targets) = &entry.value.value {
            targets.as_slice()
        } else {
            std::slice::from_ref(&entry.value)
        };
        let mut targets = targets.iter().filter_map(Node::text);
        entry.key.contains([':', '/']) && targets.any(is_at_registry)
    };
    entries.iter().any(is_image).then_some(Form::ImageSyncer)
}

fn is_at_registry(name: &str) -> bool {
    name.split_once('/')
        .is_some_and(|(first, _)| is_host(first))
}

fn is_host(name: &str) -> bool {
    let host = name.split(':').next().unwrap_or_default();
    host == "localhost" || host.contains('.')
}
