// SPDX-License-Identifier: Apache-2.0

//! What is at hand before a tag is deleted: the manifests that bring it back, and the other tags of its digest
//! where it is not known whether the registry takes them along.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use futures::{StreamExt, TryStreamExt, stream};

use super::protect::Protection;
use super::run::PruneRun;
use super::survey::LOOKS;
use super::{FAILURES, set, slot};
use crate::api::mirrored_repository::{MEDIA_TYPE_LENGTH, OBJECT_BYTES, OBJECT_MANIFESTS, SHARERS};
use crate::copy::Endpoint;
use crate::copy::endpoint::Error;
use crate::oci::{Content, Digest, Registry, Repository, Tag, TagOrDigest, limits};
use crate::plan::prune::{Candidate, Doubt, PruneReport, Rule, Stop, Target};
use crate::plan::report::Failure;
use crate::sync::Connect;
use crate::sync::ledger::{Keepsake, Keepsakes};

/// What is at hand for one tag.
#[derive(Debug, Default)]
pub(super) struct Safeguard {
    /// The manifests that bring it back.
    pub(super) keepsakes: Keepsakes,
    /// What refers to its image and was copied with it.
    pub(super) referrers: Vec<Digest>,
    /// The other tags of its digest, where that matters.
    pub(super) shared_with: Vec<Tag>,
}

/// What is at hand, by the places of the candidates in the plan.
pub(super) type Safeguards = HashMap<usize, Safeguard>;

/// Why a tag is not deleted in this round.
enum Refusal {
    /// It waits.
    Waits(Doubt),
    /// It could not be read.
    Failed(Failure),
    /// Its registry takes more than a tag.
    Stopped(Stop),
}

/// What came of reading the manifests of a tag.
enum Gathered {
    All(Keepsakes),
    /// They are too large, or too many, ever to be kept.
    TooLarge,
    /// There is no room for them beside what is kept already.
    NoRoom,
    /// The registry does not have the manifest itself.
    Missing,
}

/// The tags of repositories, by what they name.
type Listed = BTreeMap<(Registry, Repository), BTreeMap<Digest, Vec<Tag>>>;

impl<C: Connect> PruneRun<'_, C> {
    /// Brings to hand what undoes the deletion of these tags. Those for which that cannot be done are kept, and
    /// say so. None: nothing more is deleted in this round.
    pub(super) async fn safeguard(
        &self,
        batch: &[(usize, &Candidate)],
        protection: &Protection<'_, C>,
        report: &mut PruneReport,
    ) -> Option<Safeguards> {
        let mut safeguards = Safeguards::new();
        let mut failed_in_a_row = 0;
        let mut listed = Listed::new();
        let mut room = self.state.ledger.room(&self.mirror.name);
        for (index, candidate) in batch {
            let found = self
                .safeguard_one(candidate, protection, &mut listed, room)
                .await;
            match found {
                Ok(safeguard) => {
                    failed_in_a_row = 0;
                    let kept = safeguard.keepsakes.values();
                    room = room.saturating_sub(kept.map(Keepsake::size).sum());
                    safeguards.insert(*index, safeguard);
                }
                Err(Refusal::Waits(doubt)) => {
                    set(report, *index, self.hold(candidate, doubt));
                }
                Err(Refusal::Failed(failure)) => {
                    failed_in_a_row += 1;
                    let message = format!("it cannot be read: {}", failure.message);
                    let doubt = Doubt::new(Rule::Undoable, message);
                    set(report, *index, self.hold(candidate, doubt));
                    report.failures.push(failure);
                    if failed_in_a_row >= FAILURES {
                        return None;
                    }
                }
                Err(Refusal::Stopped(stop)) => {
                    report.stop = Some(stop);
                    return None;
                }
            }
        }
        Some(safeguards)
    }

    async fn safeguard_one(
        &self,
        candidate: &Candidate,
        protection: &Protection<'_, C>,
        listed: &mut Listed,
        room: usize,
    ) -> Result<Safeguard, Refusal> {
        if let Some(doubt) = self.find_other_grave(candidate) {
            return Err(Refusal::Waits(doubt));
        }
        let endpoint = protection.endpoint(&candidate.target).await;
        let endpoint = endpoint.map_err(Refusal::Failed)?;
        let record = self.state.ledger.read(&slot(&self.mirror.name, candidate));
        let referrers = record.map(|record| record.own_referrers);
        let referrers = referrers.unwrap_or_default();
        Ok(Safeguard {
            shared_with: self.find_sharers(candidate, &endpoint, listed).await?,
            keepsakes: find_keepsakes(candidate, &endpoint, &referrers, room).await?,
            referrers,
        })
    }

    /// The other tags of its digest, where it is not known that the registry leaves them alone.
    async fn find_sharers(
        &self,
        candidate: &Candidate,
        endpoint: &Endpoint,
        listed: &mut Listed,
    ) -> Result<Vec<Tag>, Refusal> {
        let Candidate { target, digest, .. } = candidate;
        let Target {
            registry,
            repository,
            ..
        } = target;
        let found = match self.spares(endpoint, registry, repository) {
            Some(true) => Vec::new(),
            Some(false) => {
                let stop = Stop::takes_along(&registry.to_string(), &[]);
                return Err(Refusal::Stopped(stop));
            }
            None => {
                let found = sharers(endpoint, target, digest, listed).await;
                found.map_err(|error| Refusal::failed(target, &error))?
            }
        };
        if found.len() > SHARERS {
            return Err(Refusal::waits(if endpoint.deletes_together() {
                format!(
                    "more than {SHARERS} other tags name its digest, and {registry} deletes all of them at once or none"
                )
            } else {
                format!(
                    "more than {SHARERS} other tags name its digest, and it is not known yet whether {registry} leaves \
                     them alone: it waits until another tag of {repository} has shown that"
                )
            }));
        }
        Ok(found)
    }

    /// Whether a registry leaves manifests alone when it deletes tags; None where that is not known.
    pub(super) fn spares(
        &self,
        endpoint: &Endpoint,
        registry: &Registry,
        repository: &Repository,
    ) -> Option<bool> {
        match endpoint {
            Endpoint::Layout(_) => Some(true),
            Endpoint::Registry(_) => self.is_known_to_spare(registry, repository),
        }
    }

    pub(super) fn is_known_to_spare(
        &self,
        registry: &Registry,
        repository: &Repository,
    ) -> Option<bool> {
        if self.state.pruner.takes_along(registry) {
            return Some(false);
        }
        self.state.ledger.spares(registry, repository)
    }
}

// === impl Refusal ===

impl Refusal {
    fn waits(message: String) -> Self {
        Self::Waits(Doubt::new(Rule::Undoable, message))
    }

    fn failed(target: &Target, error: &Error) -> Self {
        Self::Failed(Failure::requesting(&target.to_string(), error))
    }
}

/// The manifests that bring a tag back.
async fn find_keepsakes(
    candidate: &Candidate,
    endpoint: &Endpoint,
    referrers: &[Digest],
    room: usize,
) -> Result<Keepsakes, Refusal> {
    let Candidate { target, digest, .. } = candidate;
    let Target {
        repository, tag, ..
    } = target;
    let failed = |error| Refusal::failed(target, &error);
    let gathered = gather(endpoint, repository, digest, referrers, room).await;
    let message = match gathered.map_err(failed)? {
        Gathered::All(keepsakes) => return Ok(keepsakes),
        Gathered::TooLarge => format!(
            "what restores it is too large to be kept: more than {OBJECT_MANIFESTS} manifests, or one of more than \
             {} KiB",
            OBJECT_BYTES / 1024
        ),
        Gathered::NoRoom => {
            "its manifests do not fit beside those that restore other deleted tags: it waits until \
                             some of these can be restored no more"
                .to_owned()
        }
        Gathered::Missing => {
            let named = TagOrDigest::Tag(tag.clone());
            let found = endpoint.resolve(repository, &named, None).await;
            if found.map_err(failed)?.as_ref() != Some(digest) {
                // It is gone already, or names something else.
                return Ok(Keepsakes::new());
            }
            "the registry does not have its manifest, which could not be brought back".to_owned()
        }
    };
    Err(Refusal::waits(message))
}

/// The other tags that name the digest of one. The tags of a repository are looked up once for a batch.
async fn sharers(
    endpoint: &Endpoint,
    target: &Target,
    digest: &Digest,
    listed: &mut Listed,
) -> Result<Vec<Tag>, Error> {
    let Target {
        registry,
        repository,
        tag,
        ..
    } = target;
    let key = (registry.clone(), repository.clone());
    if !listed.contains_key(&key) {
        let found = look_up(endpoint, repository).await?;
        listed.insert(key.clone(), found);
    }
    let tags = listed.get(&key).and_then(|tags| tags.get(digest));
    let others = tags.into_iter().flatten().filter(|other| *other != tag);
    Ok(others.cloned().collect())
}

/// What each tag of a repository names.
async fn look_up(
    endpoint: &Endpoint,
    repository: &Repository,
) -> Result<BTreeMap<Digest, Vec<Tag>>, Error> {
    let tags = match endpoint.list_tags(repository).await {
        Ok(tags) => tags,
        Err(error) if error.is_not_found() => Vec::new(),
        Err(error) => return Err(error),
    };
    let lookups: Vec<_> = tags
        .into_iter()
        .map(|tag| async move {
            let target = TagOrDigest::Tag(tag.clone());
            let digest = endpoint.resolve(repository, &target, None).await?;
            Ok::<_, Error>(digest.map(|digest| (digest, tag)))
        })
        .collect();
    let found: Vec<Option<(Digest, Tag)>> = stream::iter(lookups)
        .buffer_unordered(LOOKS)
        .try_collect()
        .await?;
    let mut tags: BTreeMap<Digest, Vec<Tag>> = BTreeMap::new();
    for (digest, tag) in found.into_iter().flatten() {
        tags.entry(digest).or_default().push(tag);
    }
    // They come as they are answered.
    for tags in tags.values_mut() {
        tags.sort_unstable();
    }
    Ok(tags)
}

/// Reads a manifest, what refers to it, and what is below these, as far as it is there.
async fn gather(
    endpoint: &Endpoint,
    repository: &Repository,
    image: &Digest,
    referrers: &[Digest],
    room: usize,
) -> Result<Gathered, Error> {
    let mut keepsakes = Keepsakes::new();
    let mut size = 0;
    let mut seen: BTreeSet<Digest> = BTreeSet::new();
    let mut level: Vec<Digest> = std::iter::once(image).chain(referrers).cloned().collect();
    for _ in 0..=limits::INDEX_DEPTH {
        let mut below = Vec::new();
        for digest in level {
            if !seen.insert(digest.clone()) {
                continue;
            }
            let target = TagOrDigest::Digest(digest.clone());
            let manifest = match endpoint.fetch_manifest(repository, &target).await {
                Ok(manifest) => manifest,
                Err(error) if error.is_not_found() && digest == *image => {
                    return Ok(Gathered::Missing);
                }
                Err(error) if error.is_not_found() => continue,
                Err(error) => return Err(error),
            };
            let bytes = manifest.bytes().len();
            size += bytes;
            let is_too_large = bytes > OBJECT_BYTES
                || manifest.media_type().as_str().len() > MEDIA_TYPE_LENGTH
                || keepsakes.len() >= OBJECT_MANIFESTS;
            if is_too_large {
                return Ok(Gathered::TooLarge);
            }
            if size > room {
                return Ok(Gathered::NoRoom);
            }
            if let Content::Index(index) = manifest.content() {
                below.extend(index.manifests.iter().map(|child| child.digest.clone()));
            }
            keepsakes.insert(digest, Keepsake::new(&manifest));
        }
        level = below;
    }
    Ok(Gathered::All(keepsakes))
}
