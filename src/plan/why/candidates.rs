// SPDX-License-Identifier: Apache-2.0

//! The images that a name may mean which is not a whole one: the end of a repository, or how a digest begins.

use std::collections::BTreeSet;

use super::asked::AskedImage;
use super::digest_start::DigestStart;
use super::evidence::{KnownRecords, RecordQuery};
use super::known::Known;
use super::unseen::Unseen;
use crate::api::MirroredRepository;
use crate::oci::{Digest, Reference, Repository, Tag};
use crate::plan::{Mirror, RepositorySelector};

/// Images at sources, by their whole names.
pub(super) type Candidates = BTreeSet<String>;

/// A tag on record.
struct Recorded<'a> {
    tag: &'a Tag,
    source: &'a str,
    digests: [&'a Digest; 2],
}

/// The images in repositories whose last parts are the name that was asked for, by specs and by what is on record.
pub(super) fn ending_in(
    asked: &AskedImage,
    known: &Known<'_, '_>,
    unseen: &mut Unseen,
) -> Candidates {
    let mut found = Candidates::new();
    for object in known.mirrors() {
        let records = known.records(object, RecordQuery::Image(asked));
        let (records, keeper) = match records {
            KnownRecords::Here(records) => (records, None),
            KnownRecords::With(keeper) => (Vec::new(), Some(keeper)),
        };
        unseen.note(keeper);
        for record in &records {
            of_record(asked, record, &mut found);
        }
        if asked.may_be_meant_by(object)
            && let Ok(mirror) = known.understood(object)
        {
            of_spec(asked, &mirror, &mut found);
        }
    }
    found
}

/// The images on record with a digest that begins so, in the repository that was asked for, where one was.
pub(super) fn with_digest(
    start: &DigestStart,
    within: Option<&AskedImage>,
    known: &Known<'_, '_>,
    unseen: &mut Unseen,
) -> Candidates {
    let mut found = Candidates::new();
    for object in known.mirrors() {
        match known.records(object, RecordQuery::Digest(start)) {
            KnownRecords::Here(records) => {
                for record in &records {
                    found.extend(of_digest(start, within, record));
                }
            }
            KnownRecords::With(keeper) => unseen.note(Some(keeper)),
        }
    }
    found
}

fn of_digest(
    start: &DigestStart,
    within: Option<&AskedImage>,
    record: &MirroredRepository,
) -> Candidates {
    let at = location(record);
    let found = tags(record).filter_map(|recorded| {
        let mut digests = recorded.digests.into_iter();
        let digest = digests.find(|digest| start.begins(digest))?;
        let source: Reference = recorded.source.parse().ok()?;
        let is_within = within.is_none_or(|within| {
            let tags = [Some(recorded.tag), source.tag.as_ref()];
            let places = [Some(&source), at.as_ref()];
            let mut places = places.into_iter().flatten();
            (within.tag().is_none() || tags.contains(&within.tag()))
                && places.any(|place| within.may_be_in(place))
        });
        let name = format!("{}/{}@{digest}", source.registry, source.repository);
        is_within.then_some(name)
    });
    found.collect()
}

/// The repositories that are written in a spec.
fn of_spec(asked: &AskedImage, mirror: &Mirror, found: &mut Candidates) {
    let registry = &mirror.source.registry;
    for entry in &mirror.images {
        let RepositorySelector::Literal(repository) = &entry.repository else {
            continue;
        };
        let mut destinations = mirror.destinations.iter();
        let is_it = asked.ends(repository)
            || destinations.any(|destination| {
                let given = destination.repository_of(&entry.naming, registry, repository);
                given.is_ok_and(|given| asked.ends(&given))
            });
        if is_it {
            found.insert(asked.named_as(format!("{registry}/{repository}"), asked.tag()));
        }
    }
}

fn of_record(asked: &AskedImage, record: &MirroredRepository, found: &mut Candidates) {
    let is_at = location(record).is_some_and(|at| asked.ends(&at.repository));
    for Recorded {
        tag,
        source,
        digests,
    } in tags(record)
    {
        let is_asked = match asked.tag() {
            Some(asked) => {
                asked == tag
                    || source
                        .strip_suffix(asked.as_str())
                        .is_some_and(|rest| rest.ends_with(':'))
            }
            None => digests
                .into_iter()
                .any(|digest| asked.digest() == Some(digest)),
        };
        let source = Some(source).filter(|_| is_asked);
        let source = source.and_then(|source| source.parse::<Reference>().ok());
        let source = source.filter(|source| is_at || asked.ends(&source.repository));
        if let Some(source) = source {
            let repository = format!("{}/{}", source.registry, source.repository);
            let tag = asked.tag().and(source.tag.as_ref());
            found.insert(asked.named_as(repository, tag));
        }
    }
}

fn location(record: &MirroredRepository) -> Option<Reference> {
    record.spec.repository.parse().ok()
}

/// The tags that are on record, and those that were deleted.
fn tags(record: &MirroredRepository) -> impl Iterator<Item = Recorded<'_>> {
    let status = record.status.as_ref();
    let tags = status.into_iter().flat_map(|status| &status.tags);
    let tags = tags.map(|tag| Recorded {
        tag: &tag.tag,
        source: &tag.source,
        digests: [&tag.digest, &tag.source_digest],
    });
    let deleted = status.into_iter().flat_map(|status| &status.deleted);
    tags.chain(deleted.map(|tag| Recorded {
        tag: &tag.tag,
        source: &tag.source,
        digests: [&tag.digest, &tag.source_digest],
    }))
}

// === impl AskedImage ===

impl AskedImage {
    /// Whether it may be in this repository.
    fn may_be_in(&self, place: &Reference) -> bool {
        self.is_in(&place.registry, &place.repository)
            || self.is_short() && self.ends(&place.repository)
    }

    /// Whether the last parts of a repository are the name that was asked for.
    fn ends(&self, repository: &Repository) -> bool {
        let rest = repository.as_str().strip_suffix(self.bare_repository());
        rest.is_some_and(|rest| rest.is_empty() || rest.ends_with('/'))
    }

    /// A whole name, with the tag and the digest that were asked for.
    fn named_as(&self, mut name: String, tag: Option<&Tag>) -> String {
        if let Some(tag) = tag {
            name.push(':');
            name.push_str(tag.as_str());
        }
        if let Some(digest) = self.digest() {
            name.push('@');
            name.push_str(digest.as_str());
        }
        name
    }
}
