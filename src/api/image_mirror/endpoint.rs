// SPDX-License-Identifier: Apache-2.0

//! The registries of a mirror.

use schemars::{JsonSchema, Schema};
use serde::{Deserialize, Serialize};

use super::create_repository::CreateRepository;
use super::provider::Provider;
use crate::api::metadata::{LocalObjectReference, ObjectName};
use crate::api::schema::{LABEL, LABEL_LENGTH, registry, rule, rule_for, set};

/// Longest template.
const TEMPLATE_LENGTH: usize = 255;
/// A template of a tag.
const TAG_TEMPLATE: &str = "^[A-Za-z0-9._{}-]+$";

/// What a provider excludes, at both ends.
fn identity_rules(schema: &mut Schema) {
    for (field, holds, message) in [
        (
            ".secretRef",
            "!has(self.provider) || self.provider == 'Generic' || !has(self.secretRef)",
            "is only used with provider: Generic: remove one of them",
        ),
        (
            ".serviceAccountName",
            "!has(self.serviceAccountName) || has(self.provider) && self.provider != 'Generic'",
            "is only used with a provider: write provider: AWS, GCP, Azure or Quay",
        ),
        (
            ".insecure",
            "!has(self.provider) || self.provider == 'Generic' || !has(self.insecure) || !self.insecure",
            "is only used with provider: Generic: an identity is not sent in plain HTTP",
        ),
    ] {
        rule_for(field, holds, message)(schema);
    }
}

/// The registry that images are copied from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(transform = identity_rules)]
pub struct Source {
    /// Host and optional port, such as docker.io or registry.example.com:5000.
    #[schemars(schema_with = "registry")]
    pub registry: String,
    /// Generic: secretRef has the credentials. AWS, GCP, Azure or Quay: those of an identity there are used.
    #[serde(default)]
    pub provider: Provider,
    /// ServiceAccount of this namespace that is the identity. Without it the controller's own is, where the operator lets this namespace use it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service_account_name: Option<ObjectName>,
    /// Secret of type kubernetes.io/dockerconfigjson with the credentials. Anonymous where absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret_ref: Option<LocalObjectReference>,
    /// Secret with ca.crt to verify the registry, and tls.crt and tls.key for mutual TLS.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cert_secret_ref: Option<LocalObjectReference>,
    /// Secret with address, username and password of an HTTP proxy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proxy_secret_ref: Option<LocalObjectReference>,
    /// Uses plain HTTP. Only for hosts that the operator allows.
    #[serde(default)]
    pub insecure: bool,
}

/// A registry that images are copied to, and under which names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(
    transform = identity_rules,
    transform = rule_for(
        ".createRepository",
        "!has(self.createRepository) || has(self.provider) && self.provider == 'AWS'",
        "is only used with provider: AWS: other registries make repositories by themselves, or somebody has to"
    )
)]
pub struct Destination {
    /// Name of the destination, unique in the mirror.
    #[schemars(length(min = 1, max = LABEL_LENGTH), regex(pattern = LABEL))]
    pub name: String,
    /// Host and optional port.
    #[schemars(schema_with = "registry")]
    pub registry: String,
    /// Template of the repository: {repository}, {registry}, {namespace} and {name} stand for parts of the source.
    #[serde(default = "default_repository_template")]
    #[schemars(
        length(min = 1, max = TEMPLATE_LENGTH),
        regex(pattern = "^[a-z0-9._/{}-]+$")
    )]
    pub repository: String,
    /// Templates of the tags, 1 to 4: {tag} and {digest12} stand for parts of the source.
    #[serde(default = "default_tag_templates")]
    #[schemars(
        length(min = 1, max = 4),
        inner(length(min = 1, max = TEMPLATE_LENGTH), regex(pattern = TAG_TEMPLATE)),
        transform = set
    )]
    pub tags: Vec<String>,
    /// Template of a tag that keeps the previous image when a tag is about to move: {tag} is that tag.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(min = 1, max = TEMPLATE_LENGTH),
        regex(pattern = TAG_TEMPLATE),
        transform = rule(
            "self != '{tag}'",
            "that is the tag itself: write something like {tag}-previous"
        )
    )]
    pub previous_tag: Option<String>,
    /// Makes a repository that is missing at Amazon ECR, right before the first push to it. Write {} for one as AWS makes it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub create_repository: Option<CreateRepository>,
    /// Generic: secretRef has the credentials. AWS, GCP, Azure or Quay: those of an identity there are used.
    #[serde(default)]
    pub provider: Provider,
    /// ServiceAccount of this namespace that is the identity. Without it the controller's own is, where the operator lets this namespace use it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service_account_name: Option<ObjectName>,
    /// Secret of type kubernetes.io/dockerconfigjson with the credentials. Anonymous where absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret_ref: Option<LocalObjectReference>,
    /// Secret with ca.crt to verify the registry, and tls.crt and tls.key for mutual TLS.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cert_secret_ref: Option<LocalObjectReference>,
    /// Secret with address, username and password of an HTTP proxy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proxy_secret_ref: Option<LocalObjectReference>,
    /// Uses plain HTTP. Only for hosts that the operator allows.
    #[serde(default)]
    pub insecure: bool,
}

// === defaults ===

fn default_repository_template() -> String {
    "{repository}".to_owned()
}

fn default_tag_templates() -> Vec<String> {
    vec!["{tag}".to_owned()]
}
