// SPDX-License-Identifier: Apache-2.0

//! Whether the spec still asks for a tag on record.

use std::collections::{BTreeMap, HashMap};

use super::recorded::Recorded;
use super::unwanted::Cause;
use crate::oci::{Digest, Repository, Tag};
use crate::plan::conflicts::{Claim, SourceImage};
use crate::plan::mirror::Mirror;
use crate::plan::naming::Naming;
use crate::plan::select::NotSelected;

/// What a round found of the sources of a mirror.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    /// The repositories that were looked at.
    repositories: BTreeMap<Repository, Tags>,
}

#[derive(Clone, Debug, Default)]
struct Tags {
    /// The tags that are wanted, with the names that the entries give that want them.
    selected: BTreeMap<Tag, Vec<Naming>>,
    excluded: HashMap<Tag, Cause>,
    /// Whether the tags of the repository were listed.
    is_listed: bool,
}

/// Whether a tag on record is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// The spec asks for it.
    Yes,
    /// It does not.
    No(Cause),
    /// That cannot be said: it is kept.
    Unknown(&'static str),
}

// === impl Selection ===

impl Selection {
    /// Takes note of what an entry wants of a repository under its name, and why it does not want the rest.
    pub fn add<'a>(
        &mut self,
        repository: &Repository,
        naming: &Naming,
        is_listed: bool,
        selected: impl Iterator<Item = &'a Tag>,
        excluded: impl Iterator<Item = (&'a Tag, &'a NotSelected)>,
    ) {
        let tags = self.repositories.entry(repository.clone()).or_default();
        tags.is_listed |= is_listed;
        for tag in selected {
            let namings = tags.selected.entry(tag.clone()).or_default();
            if !namings.contains(naming) {
                namings.push(naming.clone());
            }
        }
        for (tag, reason) in excluded {
            let cause = match reason {
                NotSelected::NotNamed | NotSelected::Referrers | NotSelected::Absent => {
                    Cause::NotNamed
                }
                NotSelected::Policies(_) => Cause::NotSelected,
            };
            // A policy says more than the names of another entry.
            let known = tags.excluded.entry(tag.clone()).or_insert(cause);
            *known = cause.max(*known);
        }
    }

    /// The repositories that were looked at and of which nothing is wanted.
    pub fn empty_repositories(&self) -> impl Iterator<Item = &Repository> {
        let repositories = self.repositories.iter();
        repositories
            .filter(|(_, tags)| tags.selected.is_empty())
            .map(|(repository, _)| repository)
    }

    /// Whether the mirror wants a tag on record.
    pub fn judge(&self, mirror: &Mirror, recorded: &Recorded<'_>) -> Wanted {
        let Some(source) = &recorded.source else {
            return Wanted::Unknown("its source is not understood");
        };
        if source.registry != mirror.source.registry {
            return Wanted::No(Cause::RepositoryRemoved);
        }
        let Some(tags) = self.repositories.get(&source.repository) else {
            return if mirror.names(&source.repository) {
                Wanted::Unknown("its source repository is not listed")
            } else {
                Wanted::No(Cause::RepositoryRemoved)
            };
        };
        if let Some(namings) = tags.selected.get(&source.tag) {
            return if gives_name(mirror, namings, recorded) {
                Wanted::Yes
            } else {
                Wanted::No(Cause::Renamed)
            };
        }
        let unlisted = if tags.is_listed {
            Cause::SourceGone
        } else {
            Cause::NotNamed
        };
        let cause = tags.excluded.get(&source.tag).copied();
        Wanted::No(cause.unwrap_or(unlisted))
    }

    /// What the spec wants the image of a tag on record to be at its destination, if it has this digest at its source.
    pub(super) fn names(
        &self,
        mirror: &Mirror,
        recorded: &Recorded<'_>,
        digest: &Digest,
    ) -> Vec<Claim> {
        let source = recorded.source.as_ref();
        let namings = source.and_then(|source| {
            let tags = self.repositories.get(&source.repository)?;
            tags.selected.get(&source.tag)
        });
        claims(mirror, namings.map_or(&[], Vec::as_slice), recorded, digest)
    }
}

/// Whether the entries that want the image, and the templates, give it this name, with the digest that it had when it was written: a
/// version that `{digest12}` keeps stays wanted for as long as its tag is.
fn gives_name(mirror: &Mirror, namings: &[Naming], recorded: &Recorded<'_>) -> bool {
    let target = &recorded.target;
    let mut claims = claims(mirror, namings, recorded, recorded.source_digest).into_iter();
    claims.any(|claim| claim.is_about(target.repository, target.tag))
}

/// What the image of a tag on record is to be at its destination, if it has this digest at its source.
fn claims(
    mirror: &Mirror,
    namings: &[Naming],
    recorded: &Recorded<'_>,
    digest: &Digest,
) -> Vec<Claim> {
    let Some(SourceImage {
        registry: _,
        repository,
        tag,
    }) = &recorded.source
    else {
        return Vec::new();
    };
    let claims = namings
        .iter()
        .flat_map(|naming| mirror.claims(naming, repository, tag, Some(digest)));
    let here = claims.filter(|(destination, _)| destination.name == recorded.target.destination);
    here.filter_map(|(_, claim)| claim.ok()).collect()
}

// === impl Mirror ===

impl Mirror {
    /// Whether an entry names a source repository.
    pub fn names(&self, repository: &Repository) -> bool {
        let mut entries = self.images.iter();
        entries.any(|entry| entry.repository.covers(repository))
    }
}
