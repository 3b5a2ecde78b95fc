// SPDX-License-Identifier: Apache-2.0

//! What is said of an image.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use crate::oci::Digest;

/// What is said of an image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ImageAnswer {
    /// The image as nodes read its name.
    pub image: String,
    /// What was typed, where it is no whole name: the image is what it was taken for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub typed: Option<String>,
    /// Whether a mirror has it wherever it should be.
    pub mirrored: bool,
    /// Whether no mirror has this image, and the answers are about those of the same name at other registries.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub elsewhere: bool,
    /// The images that may be meant, where several fit what was typed: the first ones by name.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub candidates: Vec<String>,
    /// How many more there are.
    #[serde(skip_serializing_if = "is_none")]
    pub more_candidates: usize,
    /// What may be about the image and is not known here, and whom to ask.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unseen: Vec<String>,
    /// What each mirror that may have it says, for each of its destinations.
    pub answers: Vec<MirrorAnswer>,
}

/// What a mirror says of an image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MirrorAnswer {
    /// Namespace and name of the mirror.
    pub mirror: String,
    /// Its destination; absent where it is the same for all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub destination: Option<String>,
    /// The image at the source.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// Whether the mirror is suspended.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub suspended: bool,
    /// What is on record of it of a registry that the spec named before, where it is not there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub former: Option<String>,
    /// What is known of it there.
    #[serde(flatten)]
    pub whereabouts: Whereabouts,
}

/// What is known of an image at a destination.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(tag = "state", rename_all_fields = "camelCase")]
pub enum Whereabouts {
    /// It is there.
    Mirrored {
        /// Its name there.
        target: String,
        /// What it names there.
        digest: Digest,
        /// When it was written. Absent where its copy was never seen to end.
        #[serde(skip_serializing_if = "Option::is_none")]
        since: Option<Timestamp>,
        /// The policy and authority that vouch for it.
        #[serde(skip_serializing_if = "Option::is_none")]
        verified_by: Option<String>,
        /// What else is to be known, such as that it will be pruned.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        notes: Vec<String>,
    },
    /// The tag is there and names another image.
    OtherImage {
        /// Its name there.
        target: String,
        /// What it names there.
        digest: Digest,
    },
    /// Its copy has begun, and its end was not seen.
    Copying {
        /// Its name there.
        target: String,
    },
    /// A policy lets it through later.
    Quarantined {
        /// When, as far as it is known.
        #[serde(skip_serializing_if = "Option::is_none")]
        until: Option<Timestamp>,
        /// Why.
        message: String,
    },
    /// A policy does not admit it.
    Refused {
        /// The policy.
        policy: String,
        /// Its rule.
        gate: String,
        /// Why, as one word.
        reason: String,
        /// Why, and what to do.
        message: String,
    },
    /// It could not be copied.
    Failed {
        /// Why, as one word.
        reason: String,
        /// Why, and what to do.
        message: String,
        /// When it is tried again.
        #[serde(skip_serializing_if = "Option::is_none")]
        next_attempt_time: Option<Timestamp>,
    },
    /// It was there, and was pruned.
    Pruned {
        /// Its name there.
        target: String,
        /// When it was deleted.
        deleted_at: Timestamp,
        /// Until when it can be restored; absent where it cannot.
        #[serde(skip_serializing_if = "Option::is_none")]
        restorable_until: Option<Timestamp>,
    },
    /// Another process has what is on record of the mirror.
    KnownElsewhere {
        /// Who, and what to do.
        message: String,
    },
    /// The mirror does not select it.
    NotSelected {
        /// The rule that leaves it out.
        message: String,
        /// The policies that have the rule, where it is not that of the entry.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        policies: Vec<String>,
    },
    /// It is selected, and not there yet.
    Awaited {
        /// Why, and what to do.
        message: String,
    },
    /// It is selected, and a person suspended the mirror.
    Suspended,
    /// The mirror cannot be used as it is.
    Unusable {
        /// Why, as one word.
        reason: String,
        /// Why, and what to do.
        message: String,
    },
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "so serde calls it")]
fn is_none(count: &usize) -> bool {
    *count == 0
}

// === impl ImageAnswer ===

impl ImageAnswer {
    /// Nothing is said of it.
    pub(super) fn unknown(image: String) -> Self {
        Self {
            image,
            typed: None,
            mirrored: false,
            elsewhere: false,
            candidates: Vec::new(),
            more_candidates: 0,
            unseen: Vec::new(),
            answers: Vec::new(),
        }
    }
}

// === impl MirrorAnswer ===

impl MirrorAnswer {
    /// Whether the image is there.
    pub fn is_mirrored(&self) -> bool {
        matches!(self.whereabouts, Whereabouts::Mirrored { .. })
    }
}
