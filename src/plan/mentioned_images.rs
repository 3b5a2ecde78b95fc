// SPDX-License-Identifier: Apache-2.0

//! Texts in the commands, arguments and environment of containers that read as images: operators make pods of them, so a
//! node may pull them. Whether one does is not known here.
//!
//! An image is meant by a registry with a dot or a port, a repository, and a tag or digest: `--reloader=quay.io/a/b:v1`.

use serde_json::Value;

use super::pod_images::CONTAINERS;
use crate::oci::Reference;

/// Deepest nesting that is looked at.
const DEPTH: usize = 64;
/// The most texts that are told of one object.
const MOST: usize = 100;
/// Longest text that is read, in bytes.
const LONGEST: usize = 1024;

/// A text that reads as an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MentionedImage {
    /// Such as `spec.template.spec.containers[0].args[1]`.
    pub field: String,
    /// What it reads as.
    pub image: Reference,
}

/// Finds them in an object.
pub fn mentioned_images(object: &Value) -> Vec<MentionedImage> {
    let mut found = Vec::new();
    walk(object, "", 0, &mut found);
    found.truncate(MOST);
    found
}

fn walk(value: &Value, path: &str, depth: usize, found: &mut Vec<MentionedImage>) {
    if depth > DEPTH || found.len() >= MOST {
        return;
    }
    match value {
        Value::Object(fields) => {
            for (key, value) in fields
                .iter()
                .filter(|(key, _)| *key != "metadata" || depth > 0)
            {
                let path = if path.is_empty() {
                    key.clone()
                } else {
                    format!("{path}.{key}")
                };
                if CONTAINERS.contains(&key.as_str()) {
                    let containers = value.as_array().into_iter().flatten();
                    for (index, container) in containers.enumerate() {
                        of_container(container, &format!("{path}[{index}]"), found);
                    }
                } else {
                    walk(value, &path, depth + 1, found);
                }
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                walk(item, &format!("{path}[{index}]"), depth + 1, found);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn of_container(container: &Value, path: &str, found: &mut Vec<MentionedImage>) {
    let list = |key: &str| container.get(key).and_then(Value::as_array);
    let mut look = |text: Option<&Value>, field: String| {
        if let Some(image) = text.and_then(Value::as_str).and_then(read) {
            found.push(MentionedImage { field, image });
        }
    };
    for key in ["command", "args"] {
        for (index, text) in list(key).into_iter().flatten().enumerate() {
            look(Some(text), format!("{path}.{key}[{index}]"));
        }
    }
    for (index, variable) in list("env").into_iter().flatten().enumerate() {
        look(variable.get("value"), format!("{path}.env[{index}].value"));
    }
}

/// The image that a text is, or that stands behind its first `=`.
fn read(text: &str) -> Option<Reference> {
    if text.len() > LONGEST {
        return None;
    }
    let text = text.split_once('=').map_or(text, |(_, value)| value);
    let text = text.trim().trim_matches(['"', '\'']);
    let (registry, _) = text.split_once('/')?;
    let is_registry = registry.contains(['.', ':']) && !registry.starts_with(['.', ':']);
    if !is_registry || text.contains("://") {
        return None;
    }
    let image: Reference = text.parse().ok()?;
    (!image.is_bare()).then_some(image)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn found(container: &Value) -> Vec<String> {
        let object = json!({"spec": {"template": {"spec": {"containers": [container]}}}});
        let found = mentioned_images(&object).into_iter();
        found
            .map(|found| format!("{} {}", found.field, found.image))
            .collect()
    }

    #[test]
    fn what_an_operator_is_told_to_run() {
        let container = json!({
            "image": "quay.io/acme/operator:v1",
            "command": ["/operator"],
            "args": ["--reloader=quay.io/acme/reloader:v0.75.0", "--zap-log-level=info", "localhost:5000/a/b:1"],
            "env": [
                {"name": "RELATED_IMAGE", "value": format!("registry.k8s.io/pause@sha256:{}", "0".repeat(64))},
                {"name": "FROM", "valueFrom": {}},
            ],
        });
        let place = "spec.template.spec.containers[0]";
        let pause = format!("registry.k8s.io/pause@sha256:{}", "0".repeat(64));
        assert_eq!(
            found(&container),
            [
                format!("{place}.args[0] quay.io/acme/reloader:v0.75.0"),
                format!("{place}.args[2] localhost:5000/a/b:1"),
                format!("{place}.env[0].value {pause}"),
            ]
        );
    }

    #[test]
    fn what_reads_otherwise() {
        let texts = [
            "https://quay.io/acme/app:1",
            "quay.io/acme/app",
            "acme/app:1",
            "/etc/config.d/app:1",
            "./a.b/c:1",
            "--address=example.com:8080",
            "--url=http://example.com/a:1",
            "time=12:30",
            "",
        ];
        assert_eq!(found(&json!({"args": texts})), [""; 0]);
    }

    #[test]
    fn as_much_as_an_object_holds() {
        let texts = vec!["quay.io/acme/app:1"; MOST + 5];
        assert_eq!(found(&json!({"args": texts})).len(), MOST);
        let mut deep = json!({"containers": [{"args": ["quay.io/acme/app:1"]}]});
        for _ in 0..=DEPTH {
            deep = json!({ "a": deep });
        }
        assert_eq!(mentioned_images(&deep), []);
    }
}
