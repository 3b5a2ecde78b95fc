// SPDX-License-Identifier: Apache-2.0

//! Whether an image is mirrored, and why not: from mirrors, policies and records as they stand in the API. No
//! registry is asked.

mod asked;
mod destination;
mod origins;
#[cfg(test)]
mod tests;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

pub use self::asked::AskedImage;

use self::destination::Look;
use crate::api::conditions::{self, READY};
use crate::api::image_mirror::ImageMirrorStatus;
use crate::api::metadata::namespace;
use crate::api::{ImageMirror, ImagePolicy, MirroredRepository, Reason};
use crate::oci::Digest;
use crate::plan::{Mirror, validate};

/// What is known without asking a registry.
#[derive(Clone, Copy, Debug)]
pub struct Known<'a> {
    /// The mirrors that are looked at.
    pub mirrors: &'a [ImageMirror],
    /// The policies of their namespaces.
    pub policies: &'a [ImagePolicy],
    /// Their records.
    pub records: &'a [MirroredRepository],
}

/// What is said of an image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ImageAnswer {
    /// The image as nodes read its name.
    pub image: String,
    /// Whether a mirror has it wherever it should be.
    pub mirrored: bool,
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
    },
    /// The mirror does not select it.
    NotSelected {
        /// The rule that leaves it out.
        message: String,
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

// === impl ImageAnswer ===

impl ImageAnswer {
    /// What the mirrors say of an image. A name without a registry is taken as nodes take it, and where no mirror
    /// has that, for a repository of any registry.
    pub fn of(asked: &AskedImage, known: Known<'_>) -> Self {
        let image = asked.image().to_string();
        let mut answers = answers(asked, known);
        if answers.is_empty()
            && let Some(anywhere) = asked.anywhere()
        {
            answers = self::answers(&anywhere, known);
        }
        Self {
            image,
            mirrored: is_mirrored(&answers),
            answers,
        }
    }
}

/// Whether one of the mirrors has it at each of its destinations.
fn is_mirrored(answers: &[MirrorAnswer]) -> bool {
    let mut by_mirror = answers.chunk_by(|left, right| left.mirror == right.mirror);
    by_mirror.any(|of_mirror| of_mirror.iter().all(MirrorAnswer::is_mirrored))
}

fn answers(asked: &AskedImage, known: Known<'_>) -> Vec<MirrorAnswer> {
    let policies: Vec<&ImagePolicy> = known.policies.iter().collect();
    let mirrors = known.mirrors.iter();
    mirrors
        .flat_map(|object| {
            let records = known.records.iter().filter(|record| is_of(record, object));
            let records: Vec<&MirroredRepository> = records.collect();
            match validate(object, &policies) {
                Ok(mirror) => of_mirror(asked, object, &mirror, &records),
                Err(invalid) => {
                    let wrong = invalid.iter().map(ToString::to_string);
                    let wrong = wrong.collect::<Vec<_>>().join("; ");
                    Vec::from_iter(unusable(asked, object, wrong))
                }
            }
        })
        .collect()
}

fn is_of(record: &MirroredRepository, mirror: &ImageMirror) -> bool {
    namespace(&record.metadata) == namespace(&mirror.metadata)
        && mirror.metadata.name.as_deref() == Some(record.spec.mirror.as_str())
}

fn of_mirror(
    asked: &AskedImage,
    object: &ImageMirror,
    mirror: &Mirror,
    records: &[&MirroredRepository],
) -> Vec<MirrorAnswer> {
    let none = ImageMirrorStatus::default();
    let status = object.status.as_ref().unwrap_or(&none);
    let destinations = mirror.destinations.iter();
    let mut answers: Vec<MirrorAnswer> = destinations
        .flat_map(|destination| {
            let look = Look {
                mirror,
                status,
                destination,
                records,
            };
            look.answers(asked)
        })
        .collect();
    unite(&mut answers);
    answers
}

/// What is the same for all destinations is said once.
fn unite(answers: &mut Vec<MirrorAnswer>) {
    let [first, others @ ..] = answers.as_slice() else {
        return;
    };
    let is_same = |other: &MirrorAnswer| {
        other.source == first.source && other.whereabouts == first.whereabouts
    };
    if !others.is_empty() && others.iter().all(is_same) {
        let one = MirrorAnswer {
            destination: None,
            ..first.clone()
        };
        *answers = vec![one];
    }
}

/// A mirror whose spec is wrong is told of where it would copy from, or to, the registry of the image.
fn unusable(asked: &AskedImage, object: &ImageMirror, wrong: String) -> Option<MirrorAnswer> {
    let destinations = object.spec.destinations.iter();
    let mut registries = destinations.map(|destination| destination.registry.as_str());
    let source = object.spec.source.registry.as_str();
    let concerns = asked.may_be_at(source) || registries.any(|registry| asked.may_be_at(registry));
    if !concerns {
        return None;
    }
    let conditions = object.status.as_ref().map(|status| &status.conditions);
    let ready = conditions.and_then(|conditions| conditions::find(conditions, READY));
    let reason = ready.map_or_else(
        || Reason::InvalidSpec.to_string(),
        |ready| ready.reason.clone(),
    );
    Some(MirrorAnswer {
        mirror: format!(
            "{}/{}",
            namespace(&object.metadata),
            object.metadata.name.as_deref().unwrap_or_default()
        ),
        destination: None,
        source: None,
        whereabouts: Whereabouts::Unusable {
            reason,
            message: wrong,
        },
    })
}

// === impl MirrorAnswer ===

impl MirrorAnswer {
    /// Whether the image is there.
    pub fn is_mirrored(&self) -> bool {
        matches!(self.whereabouts, Whereabouts::Mirrored { .. })
    }
}
