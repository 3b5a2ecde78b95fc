// SPDX-License-Identifier: Apache-2.0

//! Whether an image is mirrored, and why not: from mirrors, policies and records as they stand in the API. No
//! registry is asked.

mod answer;
mod asked;
mod destination;
mod origins;
#[cfg(test)]
mod tests;
mod told;

pub use self::answer::{ImageAnswer, MirrorAnswer, Whereabouts};
pub use self::asked::AskedImage;
pub use self::told::Told;

use std::borrow::Cow;
use std::collections::HashMap;

use self::destination::Look;
use crate::api::conditions::{self, READY};
use crate::api::image_mirror::ImageMirrorStatus;
use crate::api::metadata::namespace;
use crate::api::{ImageMirror, ImagePolicy, MirroredRepository, Reason};
use crate::plan::{Mirror, validate};

/// What is known without asking a registry.
#[derive(Clone, Debug, Default)]
pub struct KnownObjects<'a> {
    /// The mirrors that are looked at.
    pub mirrors: Vec<&'a ImageMirror>,
    /// The policies of their namespaces.
    pub policies: Vec<&'a ImagePolicy>,
    /// Their records.
    pub records: Vec<&'a MirroredRepository>,
}

// === impl KnownObjects ===

impl<'a> KnownObjects<'a> {
    /// All of these.
    pub fn of(
        mirrors: &'a [ImageMirror],
        policies: &'a [ImagePolicy],
        records: &'a [MirroredRepository],
    ) -> Self {
        Self {
            mirrors: mirrors.iter().collect(),
            policies: policies.iter().collect(),
            records: records.iter().collect(),
        }
    }
}

// === impl ImageAnswer ===

impl ImageAnswer {
    /// What the mirrors say of an image. A name without a registry is taken as nodes take it, and where no mirror
    /// has that, for a repository of any registry.
    pub fn of(asked: &AskedImage, known: &KnownObjects<'_>) -> Self {
        let mut records: HashMap<(&str, &str), Vec<&MirroredRepository>> = HashMap::new();
        for record in &known.records {
            let key = (namespace(&record.metadata), record.spec.mirror.as_str());
            records.entry(key).or_default().push(record);
        }
        Self::looked_up(asked, known, |_, object, _| {
            let name = object.metadata.name.as_deref().unwrap_or_default();
            let own = records.get(&(namespace(&object.metadata), name));
            let own = own.into_iter().flatten();
            own.map(|record| Cow::Borrowed(*record)).collect()
        })
    }

    /// The same where records are only gathered for the mirror that is looked at: those of `known` do not count.
    pub fn looked_up<'r>(
        asked: &AskedImage,
        known: &KnownObjects<'_>,
        records_of: impl Fn(&AskedImage, &ImageMirror, &Mirror) -> Vec<Cow<'r, MirroredRepository>>,
    ) -> Self {
        let image = asked.image().to_string();
        let mut answers = answers(asked, known, &records_of);
        let mut elsewhere = false;
        if answers.is_empty()
            && let Some(anywhere) = asked.anywhere()
        {
            answers = self::answers(&anywhere, known, &records_of);
            elsewhere = !answers.is_empty();
        }
        Self {
            image,
            mirrored: is_mirrored(&answers),
            elsewhere,
            answers,
        }
    }
}

/// Whether one of the mirrors has it at each of its destinations.
fn is_mirrored(answers: &[MirrorAnswer]) -> bool {
    let mut by_mirror = answers.chunk_by(|left, right| left.mirror == right.mirror);
    by_mirror.any(|of_mirror| of_mirror.iter().all(MirrorAnswer::is_mirrored))
}

fn answers<'r>(
    asked: &AskedImage,
    known: &KnownObjects<'_>,
    records_of: &impl Fn(&AskedImage, &ImageMirror, &Mirror) -> Vec<Cow<'r, MirroredRepository>>,
) -> Vec<MirrorAnswer> {
    let mirrors = known.mirrors.iter();
    mirrors
        .flat_map(|object| match validate(object, &known.policies) {
            Ok(mirror) => {
                let records = records_of(asked, object, &mirror);
                let records: Vec<&MirroredRepository> = records.iter().map(AsRef::as_ref).collect();
                of_mirror(asked, object, &mirror, &records)
            }
            Err(invalid) => {
                let wrong = invalid.iter().map(ToString::to_string);
                let wrong = wrong.collect::<Vec<_>>().join("; ");
                Vec::from_iter(unusable(asked, object, wrong))
            }
        })
        .collect()
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
                generation: object.metadata.generation.unwrap_or_default(),
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
        other.source == first.source
            && other.former == first.former
            && other.whereabouts == first.whereabouts
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
    if !asked.may_concern(object) {
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
        suspended: object.spec.suspend,
        former: None,
        whereabouts: Whereabouts::Unusable {
            reason,
            message: wrong,
        },
    })
}
