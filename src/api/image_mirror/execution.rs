// SPDX-License-Identifier: Apache-2.0

//! Who copies: the controller itself, or pods of a Job in the mirror's namespace.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use schemars::generate::SchemaGenerator;
use schemars::{JsonSchema, Schema, json_schema};
use serde::de::{self, Deserializer, Visitor};
use serde::{Deserialize, Serialize};

use crate::api::metadata::ObjectName;
use crate::api::schema::{atomic, rule_for};

/// Most pods that copy at the same time.
pub const PARALLELISM: i32 = 64;
/// Most labels, and most labels of nodes, that can be written.
pub const JOB_LABELS: usize = 32;
/// Most resources that can be asked for.
pub const JOB_RESOURCES: usize = 16;
/// Most taints that can be tolerated.
pub const JOB_TOLERATIONS: usize = 16;
/// Longest key of a label: a domain and a name.
const KEY_LENGTH: usize = 317;
/// Longest value of a label.
const VALUE_LENGTH: usize = 63;
/// Longest amount of a resource.
const AMOUNT_LENGTH: usize = 32;
/// An amount of a resource (`resource.Quantity`), where it is not negative.
const AMOUNT: &str =
    r"^[+]?([0-9]+|[0-9]+[.][0-9]*|[.][0-9]+)(([KMGTPE]i)|[numkMGTPE]|([eE][+-]?[0-9]+))?$";

/// Who copies. Whoever does, the controller alone looks at the source, decides, and prunes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(
    transform = rule_for(
        ".parallelism",
        "self.mode == 'Job' || !has(self.parallelism)",
        "is only used with mode: Job"
    ),
    transform = rule_for(
        ".template",
        "self.mode == 'Job' || !has(self.template)",
        "is only used with mode: Job"
    )
)]
pub struct Execution {
    /// The controller itself, or pods of a Job.
    #[serde(default)]
    pub mode: ExecutionMode,
    /// Pods that copy at the same time, each of them other repositories of the destinations, 1 to 64. One where it is not written. Only with mode Job.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = PARALLELISM))]
    pub parallelism: Option<i32>,
    /// What the Job and its pods are like. Only with mode Job.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub template: Option<JobTemplate>,
}

/// The controller itself, or pods of a Job.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ExecutionMode {
    /// The controller copies.
    #[default]
    InProcess,
    /// An Indexed Job in the namespace of the mirror copies, where the operator allows it.
    Job,
}

/// What a Job and its pods are like.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct JobTemplate {
    /// ServiceAccount of this namespace that the pods run as: it reads the mirror, its policies and its Secrets, and writes its records. The namespace's default one where absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service_account_name: Option<ObjectName>,
    /// What a pod asks for, and may use at most.
    pub resources: JobResources,
    /// Labels that a node must have, such as those of a zone near the registry.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "job_labels")]
    pub node_selector: BTreeMap<String, String>,
    /// Taints that the pods tolerate, 0 to 16.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = JOB_TOLERATIONS), transform = atomic)]
    pub tolerations: Vec<JobToleration>,
    /// Name of the priority class of the pods.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub priority_class_name: Option<ObjectName>,
    /// Labels of the Job and its pods besides their own. With kueue.x-k8s.io/queue-name the Job is queued by Kueue.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "job_labels")]
    pub labels: BTreeMap<String, String>,
}

/// What a pod asks for, and may use at most, by the names of resources.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct JobResources {
    /// What it asks for. 100m of cpu, 128Mi of memory and 16Mi of ephemeral-storage where absent.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "amounts")]
    pub requests: BTreeMap<String, Amount>,
    /// What it may use at most. 512Mi of memory and 64Mi of ephemeral-storage where absent.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "amounts")]
    pub limits: BTreeMap<String, Amount>,
}

/// An amount of a resource, such as 500m or 1Gi; a whole number is read as well.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Amount(pub String);

/// A taint that pods tolerate.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct JobToleration {
    /// The key of the taint; every key where absent, with operator Exists.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = KEY_LENGTH))]
    pub key: Option<String>,
    /// Equal compares the value, Exists does not.
    pub operator: TolerationOperator,
    /// The value of the taint, with operator Equal.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = VALUE_LENGTH))]
    pub value: Option<String>,
    /// The effect of the taint; every one where absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub effect: Option<TaintEffect>,
    /// How long the taint is tolerated, with effect `NoExecute`; for ever where absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 86_400))]
    pub toleration_seconds: Option<i64>,
}

/// How a taint is compared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum TolerationOperator {
    /// Key and value are the same.
    #[default]
    Equal,
    /// The key is there.
    Exists,
}

/// What a taint does to pods that do not tolerate it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum TaintEffect {
    /// They are not scheduled.
    NoSchedule,
    /// They are scheduled elsewhere where that is possible.
    PreferNoSchedule,
    /// They are evicted.
    NoExecute,
}

// === impl TolerationOperator ===

impl TolerationOperator {
    /// The name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Equal => "Equal",
            Self::Exists => "Exists",
        }
    }
}

// === impl TaintEffect ===

impl TaintEffect {
    /// The name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NoSchedule => "NoSchedule",
            Self::PreferNoSchedule => "PreferNoSchedule",
            Self::NoExecute => "NoExecute",
        }
    }
}

// === impl Amount ===

impl<'de> Deserialize<'de> for Amount {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;

        impl Visitor<'_> for Reader {
            type Value = Amount;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an amount such as 500m or 1Gi")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Amount, E> {
                Ok(Amount(text.to_owned()))
            }

            fn visit_u64<E: de::Error>(self, number: u64) -> Result<Amount, E> {
                Ok(Amount(number.to_string()))
            }

            fn visit_i64<E: de::Error>(self, number: i64) -> Result<Amount, E> {
                Ok(Amount(number.to_string()))
            }
        }

        deserializer.deserialize_any(Reader)
    }
}

impl JsonSchema for Amount {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Amount".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "x-kubernetes-int-or-string": true,
            "maxLength": AMOUNT_LENGTH,
            "pattern": AMOUNT,
        })
    }
}

fn amounts(generator: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "maxProperties": JOB_RESOURCES,
        "additionalProperties": Amount::json_schema(generator),
    })
}

fn job_labels(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "maxProperties": JOB_LABELS,
        "additionalProperties": {"type": "string", "maxLength": VALUE_LENGTH},
    })
}
