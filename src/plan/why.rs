// SPDX-License-Identifier: Apache-2.0

//! Whether an image is mirrored, and why not: from mirrors, policies and records as they stand in the API. No
//! registry is asked.

mod answer;
mod asked;
mod candidates;
mod destination;
mod digest_start;
mod evidence;
mod known;
mod origins;
#[cfg(test)]
mod tests;
mod told;
mod unseen;

pub use self::answer::{ImageAnswer, MirrorAnswer, Whereabouts};
pub use self::asked::{AskedImage, AskedImageError, AskedName};
pub use self::digest_start::DigestStart;
pub use self::evidence::{KnownRecords, RecordKeeper, RecordLookup, RecordQuery};
pub use self::known::KnownObjects;
pub use self::told::Told;

use std::borrow::Cow;
use std::collections::HashMap;

use self::candidates::Candidates;
use self::destination::Look;
use self::known::Known;
use self::unseen::Unseen;
use crate::api::conditions::{self, READY};
use crate::api::image_mirror::ImageMirrorStatus;
use crate::api::metadata::namespace;
use crate::api::{ImageMirror, MirroredRepository, Reason};
use crate::plan::{InvalidField, Mirror};

/// Most images that are named where several may be meant.
const CANDIDATES: usize = 20;

// === impl ImageAnswer ===

impl ImageAnswer {
    /// What the mirrors say of an image, by the records of `known`.
    pub fn of(asked: &AskedName, known: &KnownObjects<'_>) -> Self {
        let mut records: HashMap<(&str, &str), Vec<&MirroredRepository>> = HashMap::new();
        for record in &known.records {
            let key = (namespace(&record.metadata), record.spec.mirror.as_str());
            records.entry(key).or_default().push(record);
        }
        Self::looked_up(asked, known, &|object, _| {
            let name = object.metadata.name.as_deref().unwrap_or_default();
            let own = records.get(&(namespace(&object.metadata), name));
            let own = own.into_iter().flatten();
            KnownRecords::Here(own.map(|record| Cow::Borrowed(*record)).collect())
        })
    }

    /// The same where records are only gathered for the mirror that is looked at: those of `known` do not count. A name
    /// without a registry is taken as nodes take it; where no mirror has that, for a repository of any registry; and
    /// then for the end of one. What is no whole name is taken for the only image that fits.
    pub fn looked_up(
        asked: &AskedName,
        known: &KnownObjects<'_>,
        lookup: &RecordLookup<'_, '_>,
    ) -> Self {
        let known = Known::new(known, lookup);
        let mut unseen = Unseen::default();
        let candidates = match asked {
            AskedName::Image(image) => {
                let answer = named(image, &known);
                let Some(anywhere) = image.anywhere().filter(|_| answer.answers.is_empty()) else {
                    return answer;
                };
                let candidates = candidates::ending_in(&anywhere, &known, &mut unseen);
                if candidates.is_empty() {
                    return answer;
                }
                candidates
            }
            AskedName::Digest { start, within } => {
                candidates::with_digest(start, within.as_ref(), &known, &mut unseen)
            }
        };
        chosen(asked, candidates, &known, unseen)
    }
}

/// What is said of an image by its name.
fn named(asked: &AskedImage, known: &Known<'_, '_>) -> ImageAnswer {
    let mut unseen = Unseen::default();
    let mut answers = answers(asked, known, &mut unseen);
    let mut elsewhere = false;
    if answers.is_empty()
        && let Some(anywhere) = asked.anywhere()
    {
        answers = self::answers(&anywhere, known, &mut unseen);
        elsewhere = !answers.is_empty();
    }
    ImageAnswer {
        mirrored: is_mirrored(&answers),
        elsewhere,
        unseen: unseen.told(),
        answers,
        ..ImageAnswer::unknown(asked.image().to_string())
    }
}

/// What is said of the only image that may be meant, or which ones may be.
fn chosen(
    asked: &AskedName,
    candidates: Candidates,
    known: &Known<'_, '_>,
    unseen: Unseen,
) -> ImageAnswer {
    let typed = asked.to_string();
    let only = candidates.first().filter(|_| candidates.len() == 1);
    if let Some(image) = only.and_then(|image| AskedImage::read(image).ok()) {
        return ImageAnswer {
            typed: Some(typed),
            ..named(&image, known)
        };
    }
    ImageAnswer {
        more_candidates: candidates.len().saturating_sub(CANDIDATES),
        candidates: candidates.into_iter().take(CANDIDATES).collect(),
        unseen: unseen.told(),
        ..ImageAnswer::unknown(typed)
    }
}

/// Whether one of the mirrors has it at each of its destinations.
fn is_mirrored(answers: &[MirrorAnswer]) -> bool {
    let mut by_mirror = answers.chunk_by(|left, right| left.mirror == right.mirror);
    by_mirror.any(|of_mirror| of_mirror.iter().all(MirrorAnswer::is_mirrored))
}

fn answers(asked: &AskedImage, known: &Known<'_, '_>, unseen: &mut Unseen) -> Vec<MirrorAnswer> {
    let mut answers = Vec::new();
    for object in known.mirrors() {
        let records = known.records(object, RecordQuery::Image(asked));
        let is_meant = asked.may_be_meant_by(object);
        match records {
            // Reading what a spec means costs more than all else.
            KnownRecords::Here(records) if records.is_empty() && !is_meant => {}
            KnownRecords::Here(records) => {
                let records: Vec<&MirroredRepository> = records.iter().map(AsRef::as_ref).collect();
                match known.understood(object) {
                    Ok(mirror) => answers.extend(of_mirror(asked, object, &mirror, &records)),
                    Err(invalid) => answers.extend(unusable(asked, object, &invalid)),
                }
            }
            KnownRecords::With(keeper) => {
                let understood = is_meant.then(|| known.understood(object));
                let before = answers.len();
                match understood {
                    Some(Ok(mirror)) => answers.extend(of_other(asked, object, &mirror, &keeper)),
                    Some(Err(invalid)) => answers.extend(unusable(asked, object, &invalid)),
                    None => {}
                }
                if answers.len() == before && asked.may_concern(object) {
                    unseen.note(Some(keeper));
                }
            }
        }
    }
    answers
}

/// What can be told of a mirror of which somebody else has what is on record.
fn of_other(
    asked: &AskedImage,
    object: &ImageMirror,
    mirror: &Mirror,
    keeper: &RecordKeeper,
) -> Vec<MirrorAnswer> {
    at_destinations(object, mirror, &[], |look| look.with_other(asked, keeper))
}

fn of_mirror(
    asked: &AskedImage,
    object: &ImageMirror,
    mirror: &Mirror,
    records: &[&MirroredRepository],
) -> Vec<MirrorAnswer> {
    at_destinations(object, mirror, records, |look| look.answers(asked))
}

fn at_destinations(
    object: &ImageMirror,
    mirror: &Mirror,
    records: &[&MirroredRepository],
    answers: impl Fn(Look<'_>) -> Vec<MirrorAnswer>,
) -> Vec<MirrorAnswer> {
    let none = ImageMirrorStatus::default();
    let status = object.status.as_ref().unwrap_or(&none);
    let destinations = mirror.destinations.iter();
    let mut answers: Vec<MirrorAnswer> = destinations
        .flat_map(|destination| {
            answers(Look {
                mirror,
                status,
                generation: object.metadata.generation.unwrap_or_default(),
                destination,
                records,
            })
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

/// A mirror whose spec is wrong is told of where it may mean the image.
fn unusable(
    asked: &AskedImage,
    object: &ImageMirror,
    invalid: &[InvalidField],
) -> Option<MirrorAnswer> {
    if !asked.may_be_meant_by(object) {
        return None;
    }
    let wrong: Vec<String> = invalid.iter().map(ToString::to_string).collect();
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
            message: wrong.join("; "),
        },
    })
}
