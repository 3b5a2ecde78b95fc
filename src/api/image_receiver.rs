// SPDX-License-Identifier: Apache-2.0

//! `ImageReceiver`: where a registry tells of pushes, so that mirrors of its namespace look at once.

mod status;

use std::borrow::Cow;

use kube::CustomResource;
use schemars::generate::SchemaGenerator;
use schemars::{JsonSchema, Schema};
use serde::{Deserialize, Serialize};
use serde_json::json;

pub use self::status::ImageReceiverStatus;
use super::metadata::{LocalObjectReference, ObjectName};
use super::schema::{registry, resource, rule_for};

/// Longest JSON pointer.
const POINTER_LENGTH: usize = 255;
/// A JSON pointer (RFC 6901).
const POINTER: &str = "^(/[^/]*)*$";
/// Longest name of a header.
const HEADER_LENGTH: usize = 64;
/// Longest address of an account, and longest audience.
const EMAIL_LENGTH: usize = 254;
const AUDIENCE_LENGTH: usize = 2048;
/// Longest name of a queue.
const QUEUE_LENGTH: usize = 512;
/// The name of a header (RFC 9110), as far as senders let one choose it.
const HEADER: &str = "^[A-Za-z][A-Za-z0-9-]*$";

/// Where a registry tells of pushes.
#[derive(CustomResource, Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[expect(
    clippy::duplicated_attributes,
    reason = "columns have their types in common"
)]
#[kube(
    group = "transship.dev",
    version = "v1alpha1",
    kind = "ImageReceiver",
    namespaced,
    status = "ImageReceiverStatus",
    derive = "PartialEq",
    schema = "manual",
    doc = "A receiver: where a registry tells of pushes.",
    shortname = "irec",
    category = "transship",
    selectable = ".spec.suspend",
    printcolumn(name = "Type", type_ = "string", json_path = ".spec.type"),
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = r#".status.conditions[?(@.type=="Ready")].status"#
    ),
    printcolumn(
        name = "Reason",
        type_ = "string",
        json_path = r#".status.conditions[?(@.type=="Ready")].reason"#
    ),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    // Whoever knows the path can send events of the types that carry no proof.
    printcolumn(
        name = "Path",
        type_ = "string",
        json_path = ".status.path",
        priority = 1
    ),
    printcolumn(
        name = "Message",
        type_ = "string",
        json_path = r#".status.conditions[?(@.type=="Ready")].message"#,
        priority = 1
    )
)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(
    transform = rule_for(
        ".generic",
        "(self.type == 'Generic') == has(self.generic)",
        "is needed with type: Generic, and only there"
    ),
    transform = rule_for(
        ".registry",
        "!(self.type in ['Zot', 'Nexus', 'Artifactory']) || has(self.registry)",
        "is needed with this type: its events do not say which registry they are of"
    ),
    transform = rule_for(
        ".oidc",
        "!has(self.oidc) || self.type == 'GAR'",
        "is only used with type: GAR: others send no tokens of Google"
    ),
    transform = rule_for(
        ".secretRef",
        "has(self.secretRef) != has(self.pull)",
        "is needed, but with pull, where nothing is sent that a token could prove"
    ),
    transform = rule_for(
        ".pull",
        "!has(self.pull) || self.type in ['ECR', 'GAR']",
        "is only used with type: ECR or GAR: events of others wait in no queue"
    ),
    transform = rule_for(
        ".pull.from",
        "!has(self.pull) || (self.type == 'ECR') == self.pull.from.startsWith('https://')",
        "is the URL of a queue of SQS with type: ECR, and projects/PROJECT/subscriptions/NAME with type: GAR"
    ),
    transform = rule_for(
        ".oidc",
        "!(has(self.oidc) && has(self.pull))",
        "is not used with pull: nothing is pushed"
    ),
    transform = rule_for(
        ".registry",
        "self.type != 'Generic' || has(self.registry) || has(self.generic) && has(self.generic.registry)",
        "is needed where generic.registry does not say where it stands"
    )
)]
pub struct ImageReceiverSpec {
    /// Who sends the events, which decides how they are read and what has to prove them.
    #[serde(rename = "type")]
    pub sender: SenderType,
    /// Secret of this namespace whose key `token` makes the path, and is what senders prove themselves with: at least 16 characters. Needed, but with `pull`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret_ref: Option<LocalObjectReference>,
    /// A queue that events are taken from, so that nothing has to reach the cluster. With type ECR or GAR.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pull: Option<EventQueue>,
    /// Host and optional port of the registry as mirrors name it in their source. It stands in place of what events say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "registry")]
    pub registry: Option<String>,
    /// Where things stand in the JSON that is sent. Only with type Generic, and needed there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub generic: Option<GenericEvent>,
    /// What the token of Google in a push has to say. Only with type GAR; without it the path alone proves a push.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub oidc: Option<OidcProof>,
    /// Refuses all events while true, and takes none from a queue.
    #[serde(default)]
    pub suspend: bool,
}

/// Who sends events.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
pub enum SenderType {
    /// The webhook of a repository on Docker Hub. Only the path proves it.
    DockerHub,
    /// A webhook of GitHub for packages, signed in X-Hub-Signature-256.
    #[serde(rename = "GHCR")]
    Ghcr,
    /// A webhook of a Harbor project, in either of its formats, with the token as its auth header.
    Harbor,
    /// A notification of a Quay repository. Only the path proves it.
    Quay,
    /// A webhook of Azure Container Registry, with the token in its header Authorization.
    #[serde(rename = "ACR")]
    Acr,
    /// A push subscription of Pub/Sub to Google's topic gcr. Only the path proves it, or the token of Google that `oidc` asks for.
    #[serde(rename = "GAR")]
    Gar,
    /// An API destination of EventBridge for Amazon ECR, with the token in its header Authorization.
    #[serde(rename = "ECR")]
    Ecr,
    /// A webhook of Gitea or Forgejo for packages, signed in X-Gitea-Signature.
    Gitea,
    /// Notifications of a distribution registry, such as GitLab's, with the token in their header Authorization.
    Distribution,
    /// Events of zot, with the token in their header Authorization.
    Zot,
    /// A webhook of a Nexus repository for components, signed in X-Nexus-Webhook-Signature.
    Nexus,
    /// A webhook of Artifactory for Docker, signed in X-JFrog-Event-Auth or with the token there.
    Artifactory,
    /// Any JSON: `generic` says where things stand in it.
    Generic,
}

/// A queue that events are taken from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EventQueue {
    /// With type ECR the URL of a queue of SQS, with type GAR the name of a subscription of Pub/Sub.
    #[schemars(length(min = 1, max = QUEUE_LENGTH))]
    pub from: String,
    /// ServiceAccount of this namespace that takes them, by the identity that it stands for. Without it the controller's own identity does, where the operator lets this namespace use it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service_account_name: Option<ObjectName>,
}

/// What a token (JWT) that Google signed has to say.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct OidcProof {
    /// The service account that the subscription pushes as: its --push-auth-service-account.
    #[schemars(length(min = 1, max = EMAIL_LENGTH))]
    pub email: String,
    /// Its --push-auth-token-audience; the whole URL of the endpoint where the subscription has none.
    #[schemars(length(min = 1, max = AUDIENCE_LENGTH))]
    pub audience: String,
}

/// Where things stand in JSON, as pointers (RFC 6901) such as /data/tag.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(transform = rule_for(
    ".signatureHeader",
    "!(has(self.signatureHeader) && has(self.tokenHeader))",
    "cannot be combined with tokenHeader: remove one of them"
))]
pub struct GenericEvent {
    /// The list of events. The whole document is one event where absent, and the other pointers begin at it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = POINTER_LENGTH), regex(pattern = POINTER))]
    pub items: Option<String>,
    /// The registry, as host and optional port.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = POINTER_LENGTH), regex(pattern = POINTER))]
    pub registry: Option<String>,
    /// The repository, with or without the registry in front and the tag behind.
    #[schemars(length(max = POINTER_LENGTH), regex(pattern = POINTER))]
    pub repository: String,
    /// The tag. Where absent, and none stands behind the repository, all selected tags of the repository are looked at.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = POINTER_LENGTH), regex(pattern = POINTER))]
    pub tag: Option<String>,
    /// When it was pushed, as RFC 3339 or seconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = POINTER_LENGTH), regex(pattern = POINTER))]
    pub time: Option<String>,
    /// Header with the HMAC-SHA256 of the body in hex, with or without sha256= in front; the token is the key.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = HEADER_LENGTH), regex(pattern = HEADER))]
    pub signature_header: Option<String>,
    /// Header with the token itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = HEADER_LENGTH), regex(pattern = HEADER))]
    pub token_header: Option<String>,
}

// === impl SenderType ===

impl SenderType {
    /// The text, as it is written.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::DockerHub => "DockerHub",
            Self::Ghcr => "GHCR",
            Self::Harbor => "Harbor",
            Self::Quay => "Quay",
            Self::Acr => "ACR",
            Self::Gar => "GAR",
            Self::Ecr => "ECR",
            Self::Gitea => "Gitea",
            Self::Distribution => "Distribution",
            Self::Zot => "Zot",
            Self::Nexus => "Nexus",
            Self::Artifactory => "Artifactory",
            Self::Generic => "Generic",
        }
    }
}

// === impl ImageReceiver ===

impl JsonSchema for ImageReceiver {
    fn schema_name() -> Cow<'static, str> {
        "ImageReceiver".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let description =
            "Where a registry tells of pushes, so that mirrors of this namespace look at once.";
        let fresh = json!({"observedGeneration": -1});
        resource::<ImageReceiverSpec, ImageReceiverStatus>(description, Some(fresh), generator)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_is_printed_as_it_is_serialised() {
        for sender in [
            SenderType::DockerHub,
            SenderType::Ghcr,
            SenderType::Acr,
            SenderType::Gar,
            SenderType::Ecr,
            SenderType::Generic,
        ] {
            assert_eq!(serde_json::to_value(sender).unwrap(), sender.as_str());
        }
    }
}
