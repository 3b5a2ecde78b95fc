// SPDX-License-Identifier: Apache-2.0

//! `ImageNotification`: where people, or their programs, are told of what becomes of the mirrors of a namespace.

mod status;

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use kube::CustomResource;
use schemars::generate::SchemaGenerator;
use schemars::{JsonSchema, Schema, json_schema};
use serde::{Deserialize, Serialize};
use serde_json::json;

pub use self::status::ImageNotificationStatus;
use super::metadata::{LocalObjectReference, ObjectName};
use super::schema::{labels, resource, rule_for, set};

/// Longest address.
const ADDRESS_LENGTH: usize = 2048;
/// Longest template, in characters.
const TEMPLATE_LENGTH: usize = 2048;
/// Most mirrors that are named.
const NAMES: usize = 64;

/// Where messages are sent.
#[derive(CustomResource, Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[expect(
    clippy::duplicated_attributes,
    reason = "columns have their types in common"
)]
#[kube(
    group = "transship.dev",
    version = "v1alpha1",
    kind = "ImageNotification",
    namespaced,
    status = "ImageNotificationStatus",
    derive = "PartialEq",
    schema = "manual",
    doc = "A notification: where people are told of what becomes of mirrors.",
    shortname = "inot",
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
    printcolumn(name = "Last", type_ = "date", json_path = ".status.lastMessageTime"),
    printcolumn(
        name = "Age",
        type_ = "date",
        json_path = ".metadata.creationTimestamp"
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
        ".address",
        "self.type != 'Slack' || !has(self.address)",
        "is a secret with type: Slack: put it into the key address of the Secret of secretRef"
    ),
    transform = rule_for(
        ".secretRef",
        "has(self.address) || has(self.secretRef)",
        "is needed where address is absent: its key address says where to send"
    ),
    transform = rule_for(
        ".address",
        "!has(self.address) || self.address.matches('^https?://[^/?#@]+([/?#].*)?$')",
        "is a URL such as https://events.example.com/transship, without user name and password"
    ),
    transform = rule_for(
        ".template",
        "!has(self.template) || self.type == 'Generic'",
        "is only used with type: Generic"
    )
)]
pub struct ImageNotificationSpec {
    /// How messages are written.
    #[serde(rename = "type")]
    pub form: NotificationType,
    /// The URL that messages are sent to. Where the URL itself is a secret, as that of Slack is, it stands in the Secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = ADDRESS_LENGTH))]
    pub address: Option<String>,
    /// Secret of this namespace. Its key `address` is the URL, unless `address` is written here; `token` is sent as a Bearer token; with `key` messages are signed in X-Signature.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret_ref: Option<LocalObjectReference>,
    /// Secret of this namespace with `ca.crt` to trust, and with `tls.crt` and `tls.key` to show.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cert_secret_ref: Option<LocalObjectReference>,
    /// Secret of this namespace with the `address`, `username` and `password` of a proxy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proxy_secret_ref: Option<LocalObjectReference>,
    /// JSON with parts such as {{json .summary}} in it, in place of all that there is to say. Only with type Generic.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = TEMPLATE_LENGTH))]
    pub template: Option<String>,
    /// Which mirrors of this namespace are told of; all of them where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mirrors: Option<MirrorSelection>,
    /// What is told; everything where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "kinds")]
    pub events: Option<BTreeSet<NewsKind>>,
    /// Tells nothing while true. What happens meanwhile is not told later.
    #[serde(default)]
    pub suspend: bool,
}

/// How messages are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum NotificationType {
    /// An event of CloudEvents 1.0 in JSON.
    CloudEvents,
    /// A text for an incoming webhook of Slack, or of what understands those.
    Slack,
    /// JSON: what there is to say, or what `template` makes of it.
    Generic,
}

/// What is told of a mirror.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
pub enum NewsKind {
    /// Images were copied under tags that were not there.
    New,
    /// Tags name other images than before.
    Moved,
    /// Policies keep out what they did not keep out before.
    Refused,
    /// A plan of tags to delete waits for approval.
    PruneWaits,
    /// The mirror is not ready, for another reason or with other failures than before.
    Failed,
    /// The mirror is ready after it was not.
    Recovered,
}

/// Some mirrors of a namespace: those that are named, and those with all of these labels.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MirrorSelection {
    /// Their names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = NAMES), transform = set)]
    pub names: Vec<ObjectName>,
    /// Labels that they all have.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "labels")]
    pub match_labels: BTreeMap<String, String>,
}

// === impl NotificationType ===

impl NotificationType {
    /// The text, as it is written.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::CloudEvents => "CloudEvents",
            Self::Slack => "Slack",
            Self::Generic => "Generic",
        }
    }
}

// === impl NewsKind ===

impl NewsKind {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::New,
        Self::Moved,
        Self::Refused,
        Self::PruneWaits,
        Self::Failed,
        Self::Recovered,
    ];
}

// === impl ImageNotification ===

impl JsonSchema for ImageNotification {
    fn schema_name() -> Cow<'static, str> {
        "ImageNotification".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let description = "Where people are told of what becomes of the mirrors of this namespace.";
        let fresh = json!({"observedGeneration": -1});
        resource::<ImageNotificationSpec, ImageNotificationStatus>(
            description,
            Some(fresh),
            generator,
        )
    }
}

/// What is told of mirrors, each once.
fn kinds(generator: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array",
        "minItems": 1,
        "maxItems": NewsKind::ALL.len(),
        "x-kubernetes-list-type": "set",
        "items": generator.subschema_for::<NewsKind>(),
    })
}
