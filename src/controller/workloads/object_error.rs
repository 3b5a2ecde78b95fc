// SPDX-License-Identifier: Apache-2.0

//! Why an object is not understood.

use serde_json::Value;

/// An object that is not understood. It may use anything.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{kind} {name} is not understood: {message}")]
pub struct ObjectError {
    kind: String,
    /// `namespace/name`.
    name: String,
    message: String,
}

// === impl ObjectError ===

impl ObjectError {
    /// What is wrong with an object of a kind.
    pub fn new(kind: &str, object: &Value, message: String) -> Self {
        let word = |key: &str| object.pointer(key).and_then(Value::as_str).unwrap_or("?");
        Self {
            kind: kind.to_owned(),
            name: format!("{}/{}", word("/metadata/namespace"), word("/metadata/name")),
            message,
        }
    }
}
