// SPDX-License-Identifier: Apache-2.0

//! By what metrics are told apart. Labels come from closed sets, or are bounded; never an image, tag or digest.

use std::sync::Arc;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::family::MetricConstructor;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};

use crate::api::image_mirror::TagCounts;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct Object {
    pub(super) kind: &'static str,
    pub(super) namespace: String,
    pub(super) name: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct ShardLabel {
    pub(super) shard: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct TagState {
    pub(super) namespace: String,
    pub(super) name: String,
    pub(super) state: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct Round {
    pub(super) result: &'static str,
    pub(super) reason: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct Result {
    pub(super) result: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct Request {
    pub(super) registry: Arc<str>,
    pub(super) class: &'static str,
    pub(super) code: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct Host {
    pub(super) registry: Arc<str>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct Direction {
    pub(super) direction: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct How {
    pub(super) how: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct EventResult {
    pub(super) r#type: &'static str,
    pub(super) result: &'static str,
}

/// From a tenth of a second to about an hour and a half.
#[derive(Clone)]
pub(super) struct Durations;

impl MetricConstructor<Histogram> for Durations {
    fn new_metric(&self) -> Histogram {
        Histogram::new(exponential_buckets(0.1, 3.0, 11))
    }
}

pub(super) fn object(kind: &'static str, namespace: &str, name: &str) -> Object {
    Object {
        kind,
        namespace: namespace.to_owned(),
        name: name.to_owned(),
    }
}

pub(super) fn tag_state(namespace: &str, name: &str, state: &'static str) -> TagState {
    TagState {
        namespace: namespace.to_owned(),
        name: name.to_owned(),
        state,
    }
}

pub(super) fn states(counts: TagCounts) -> [(&'static str, i32); 6] {
    let TagCounts {
        selected: _,
        synced,
        pending,
        failed,
        refused,
        quarantined,
        frozen,
    } = counts;
    [
        ("synced", synced),
        ("pending", pending),
        ("failed", failed),
        ("refused", refused),
        ("quarantined", quarantined),
        ("frozen", frozen),
    ]
}
