// SPDX-License-Identifier: Apache-2.0

//! Which image at the source of a mirror a name means: it may be its name there, or its name at a destination.

use std::cell::RefCell;

use super::asked::AskedImage;
use crate::api::MirroredRepository;
use crate::oci::{Reference, Repository, Tag};
use crate::plan::{Destination, ImageEntry, Mirror, RepositorySelector, TagTemplate};

/// An image at the source, as far as the name tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SoughtImage {
    /// Its repository at the source.
    pub(super) repository: Repository,
    /// Its tag at the source; none where only a digest was asked for.
    pub(super) tag: Option<Tag>,
    /// Its tag at the destination, where that is what was asked for.
    pub(super) target: Option<Tag>,
}

/// What a name may mean for a mirror, at one of its destinations.
pub(super) fn origins(
    asked: &AskedImage,
    mirror: &Mirror,
    destination: &Destination,
    records: &[&MirroredRepository],
) -> Vec<SoughtImage> {
    let mut found = Vec::from_iter(by_source(asked, mirror));
    let of_target = by_records(asked, mirror, destination, records);
    found.extend(if of_target.is_empty() {
        by_templates(asked, mirror, destination)
    } else {
        of_target
    });
    found.dedup();
    found
}

/// The name is that at the source.
fn by_source(asked: &AskedImage, mirror: &Mirror) -> Option<SoughtImage> {
    let repository = asked.repository_at(&mirror.source.registry)?;
    let mut entries = mirror.images.iter();
    let is_covered = entries.any(|entry| entry.repository.covers(&repository));
    is_covered.then(|| SoughtImage {
        repository,
        tag: asked.tag().cloned(),
        target: None,
    })
}

/// The name is that of a tag on record at the destination, of the source that the mirror has.
fn by_records(
    asked: &AskedImage,
    mirror: &Mirror,
    destination: &Destination,
    records: &[&MirroredRepository],
) -> Vec<SoughtImage> {
    let mut found = Vec::new();
    for record in records {
        let location: Option<Reference> = record.spec.repository.parse().ok();
        let is_it = record.spec.destination == destination.name
            && location.is_some_and(|at| asked.is_in(&at.registry, &at.repository));
        let status = record.status.as_ref().filter(|_| is_it);
        let Some(status) = status else { continue };
        let is_asked = |tag: &Tag, digests: [_; 2]| match asked.tag() {
            Some(asked) => asked == tag,
            None => digests
                .into_iter()
                .any(|digest| asked.digest() == Some(digest)),
        };
        let tags = status.tags.iter();
        let tags = tags.map(|tag| (&tag.tag, &tag.source, [&tag.digest, &tag.source_digest]));
        let deleted = status.deleted.iter();
        let deleted = deleted.map(|tag| (&tag.tag, &tag.source, [&tag.digest, &tag.source_digest]));
        for (tag, source, digests) in tags.chain(deleted) {
            let source = Some(source).filter(|_| is_asked(tag, digests));
            let source = source.and_then(|source| source.parse::<Reference>().ok());
            if let Some(source) = source.filter(|at| at.registry.may_be(&mirror.source.registry)) {
                found.push(SoughtImage {
                    repository: source.repository,
                    tag: source.tag,
                    target: Some(tag.clone()),
                });
            }
        }
    }
    found
}

/// The name is one that the templates of the destination may give.
fn by_templates(
    asked: &AskedImage,
    mirror: &Mirror,
    destination: &Destination,
) -> Vec<SoughtImage> {
    let Some(name) = asked.repository_at(&destination.registry) else {
        return Vec::new();
    };
    let entries = mirror.images.iter();
    let found = entries.filter_map(|entry| {
        let repository = repository_behind(&name, entry, mirror, destination)?;
        let tag = match asked.tag() {
            Some(target) => Some(tag_behind(target, entry, &destination.tags)?),
            None => None,
        };
        Some(SoughtImage {
            repository,
            tag,
            target: asked.tag().cloned(),
        })
    });
    found.collect()
}

/// The repository of an entry that has this name at the destination; none where it cannot be told.
fn repository_behind(
    name: &Repository,
    entry: &ImageEntry,
    mirror: &Mirror,
    destination: &Destination,
) -> Option<Repository> {
    let registry = &mirror.source.registry;
    match &entry.repository {
        RepositorySelector::Literal(repository) => {
            let given = destination.repository_of(&entry.naming, registry, repository);
            (given.ok()? == *name).then(|| repository.clone())
        }
        RepositorySelector::Glob(_) if entry.naming.renames() => None,
        RepositorySelector::Glob(glob) => {
            let behind: RefCell<Option<Repository>> = RefCell::new(None);
            destination.repository.may_give(registry, name, |text| {
                let repository = text.parse().ok();
                *behind.borrow_mut() = repository.filter(|repository| glob.matches(repository));
                true
            });
            behind.into_inner()
        }
    }
}

/// The tag of an entry that has this name at the destination.
fn tag_behind(target: &Tag, entry: &ImageEntry, templates: &[TagTemplate]) -> Option<Tag> {
    let is_given = |tag: &Tag| {
        let named = entry.naming.tag(tag);
        let mut templates = templates.iter();
        templates.any(|template| template.may_give(named, target.as_str()))
    };
    if is_given(target) {
        return Some(target.clone());
    }
    let literals = entry.tags.iter().filter_map(|tag| tag.literal());
    let mut literals = literals.filter(|tag| is_given(tag));
    literals.next().cloned()
}
