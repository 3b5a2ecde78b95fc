// SPDX-License-Identifier: Apache-2.0

//! Names of objects, references to them, and the part of `metadata` that Transship reads.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use schemars::JsonSchema;
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};

/// The namespace of an object that names none.
pub const DEFAULT_NAMESPACE: &str = "default";
/// Longest name of a namespace.
const NAMESPACE_LENGTH: usize = 63;
/// Longest name of an object.
const NAME_LENGTH: usize = 253;

/// The name of a Kubernetes object: a DNS subdomain (RFC 1123) of at most 253 characters.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ObjectName(String);

/// A text that is not the name of an object.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "name {0:?} must be lower-case letters, digits, '-' and '.', begin and end with a letter or digit, and have at most 253 characters"
)]
pub struct ObjectNameError(String);

/// The name of a namespace: a DNS label (RFC 1123) of at most 63 characters.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NamespaceName(String);

/// A text that is not the name of a namespace.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "namespace {0:?} must be lower-case letters, digits and '-', begin and end with a letter or digit, and have at most 63 characters"
)]
pub struct NamespaceNameError(String);

/// Names an object of the same namespace.
#[derive(
    Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LocalObjectReference {
    /// Name of the object.
    pub name: ObjectName,
}

/// Names one key of a Secret of the same namespace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SecretKeyReference {
    /// Name of the Secret.
    pub name: ObjectName,
    /// Key inside the Secret's data.
    #[schemars(length(min = 1, max = 253), regex(pattern = "^[-._a-zA-Z0-9]+$"))]
    pub key: String,
}

/// What Transship reads of an object's `metadata`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(from = "WrittenMetadata")]
pub struct Metadata {
    /// Name, unique for the kind in its namespace.
    pub name: ObjectName,
    /// Namespace; `default` where none is written.
    pub namespace: String,
    /// Identity that the API server gave it; absent in files.
    pub uid: Option<String>,
    /// Counts the changes of `spec`; absent in files.
    pub generation: Option<i64>,
    /// Labels.
    pub labels: BTreeMap<String, String>,
    /// Annotations.
    pub annotations: BTreeMap<String, String>,
}

/// All fields of Kubernetes' `ObjectMeta`, so that the output of `kubectl get -o yaml` can be read back
/// while a misspelt field is still found.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct WrittenMetadata {
    name: ObjectName,
    namespace: Option<ObjectName>,
    uid: Option<String>,
    generation: Option<i64>,
    #[serde(default)]
    labels: BTreeMap<String, String>,
    #[serde(default)]
    annotations: BTreeMap<String, String>,
    #[serde(rename = "generateName")]
    _generate_name: Option<IgnoredAny>,
    #[serde(rename = "resourceVersion")]
    _resource_version: Option<IgnoredAny>,
    #[serde(rename = "creationTimestamp")]
    _creation_timestamp: Option<IgnoredAny>,
    #[serde(rename = "deletionTimestamp")]
    _deletion_timestamp: Option<IgnoredAny>,
    #[serde(rename = "deletionGracePeriodSeconds")]
    _deletion_grace_period_seconds: Option<IgnoredAny>,
    #[serde(rename = "ownerReferences")]
    _owner_references: Option<IgnoredAny>,
    #[serde(rename = "finalizers")]
    _finalizers: Option<IgnoredAny>,
    #[serde(rename = "managedFields")]
    _managed_fields: Option<IgnoredAny>,
    #[serde(rename = "selfLink")]
    _self_link: Option<IgnoredAny>,
}

/// The name of an object of the API.
pub fn object_name(metadata: &ObjectMeta) -> Result<ObjectName, ObjectNameError> {
    metadata.name.as_deref().unwrap_or_default().parse()
}

/// The namespace of an object of the API; `default` where none is written.
pub fn namespace(metadata: &ObjectMeta) -> &str {
    metadata.namespace.as_deref().unwrap_or(DEFAULT_NAMESPACE)
}

// === impl NamespaceName ===

impl FromStr for NamespaceName {
    type Err = NamespaceNameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_name = text.len() <= NAMESPACE_LENGTH && !text.contains('.');
        if is_name && text.parse::<ObjectName>().is_ok() {
            return Ok(Self(text.to_owned()));
        }
        Err(NamespaceNameError(text.to_owned()))
    }
}

impl fmt::Display for NamespaceName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

// === impl ObjectName ===

impl ObjectName {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ObjectName {
    type Err = ObjectNameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_word = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        let is_label = |label: &str| {
            label.bytes().all(|byte| is_word(byte) || byte == b'-')
                && label.bytes().next().is_some_and(is_word)
                && label.bytes().last().is_some_and(is_word)
        };
        if text.len() > NAME_LENGTH || !text.split('.').all(is_label) {
            return Err(ObjectNameError(text.to_owned()));
        }
        Ok(Self(text.to_owned()))
    }
}

impl TryFrom<String> for ObjectName {
    type Error = ObjectNameError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<ObjectName> for String {
    fn from(name: ObjectName) -> Self {
        name.0
    }
}

impl fmt::Display for ObjectName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(&self.0)
    }
}

// === impl Metadata ===

impl From<WrittenMetadata> for Metadata {
    fn from(written: WrittenMetadata) -> Self {
        Self {
            name: written.name,
            namespace: written
                .namespace
                .map_or_else(|| DEFAULT_NAMESPACE.to_owned(), String::from),
            uid: written.uid,
            generation: written.generation,
            labels: written.labels,
            annotations: written.annotations,
        }
    }
}

impl From<Metadata> for ObjectMeta {
    fn from(metadata: Metadata) -> Self {
        let Metadata {
            name,
            namespace,
            uid,
            generation,
            labels,
            annotations,
        } = metadata;
        Self {
            name: Some(name.into()),
            namespace: Some(namespace),
            uid,
            generation,
            labels: Some(labels),
            annotations: Some(annotations),
            ..Self::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_objects() {
        let longest = "a".repeat(NAME_LENGTH);
        for name in ["a", "base-images", "a.b-c.0", longest.as_str()] {
            assert_eq!(name.parse::<ObjectName>().unwrap().as_str(), name);
        }
        let too_long = "a".repeat(NAME_LENGTH + 1);
        for name in [
            "",
            "A",
            "a_b",
            "-a",
            "a-",
            "a..b",
            ".a",
            "a b",
            "ü",
            too_long.as_str(),
        ] {
            assert!(name.parse::<ObjectName>().is_err(), "{name:?}");
        }
    }
}
