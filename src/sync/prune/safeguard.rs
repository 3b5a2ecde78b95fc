//! What is at hand before a tag is deleted: the manifests that bring it back, and the other tags of its digest
//! where it is not known whether the registry takes them along.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use futures::{StreamExt, TryStreamExt, stream};

use super::protect::Protection;
use super::{FAILURES, LOOKS, set, slot};
use crate::api::mirrored_repository::{MEDIA_TYPE_LENGTH, OBJECT_BYTES, OBJECT_MANIFESTS, SHARERS};
use crate::copy::Endpoint;
use crate::copy::endpoint::Error;
use crate::oci::{Content, Digest, Registry, Repository, Tag, TagOrDigest, limits};
use crate::plan::Mirror;
use crate::plan::prune::{Candidate, Doubt, PruneReport, Rule, Stop, Target};
use crate::plan::report::Failure;
use crate::sync::ledger::{Keepsake, Keepsakes};
use crate::sync::{Connect, Syncer};

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
    Waits(String),
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

impl<C: Connect> Syncer<C> {
    /// Brings to hand what undoes the deletion of these tags. Those for which that cannot be done are kept, and
    /// say so. None: nothing more is deleted in this round.
    pub(super) async fn safeguard(
        &self,
        mirror: &Mirror,
        batch: &[(usize, &Candidate)],
        protection: &Protection<'_, C>,
        report: &mut PruneReport,
    ) -> Option<Safeguards> {
        let mut safeguards = Safeguards::new();
        let mut failed_in_a_row = 0;
        let mut listed = Listed::new();
        let mut room = self.ledger.room(&mirror.name);
        for (index, candidate) in batch {
            let found = self
                .safeguard_one(mirror, candidate, protection, &mut listed, room)
                .await;
            match found {
                Ok(safeguard) => {
                    failed_in_a_row = 0;
                    let kept = safeguard.keepsakes.values();
                    room = room.saturating_sub(kept.map(Keepsake::size).sum());
                    safeguards.insert(*index, safeguard);
                }
                Err(Refusal::Waits(message)) => {
                    let doubt = Doubt::new(Rule::Undoable, message);
                    set(report, *index, self.hold(mirror, candidate, doubt));
                }
                Err(Refusal::Failed(failure)) => {
                    failed_in_a_row += 1;
                    let message = format!("it cannot be read: {}", failure.message);
                    let doubt = Doubt::new(Rule::Undoable, message);
                    set(report, *index, self.hold(mirror, candidate, doubt));
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
        mirror: &Mirror,
        candidate: &Candidate,
        protection: &Protection<'_, C>,
        listed: &mut Listed,
        room: usize,
    ) -> Result<Safeguard, Refusal> {
        let Candidate { target, digest, .. } = candidate;
        let Target {
            registry,
            repository,
            tag,
            ..
        } = target;
        let subject = target.to_string();
        let failed = |error: &Error| Refusal::Failed(Failure::requesting(&subject, error));
        let endpoint = protection.endpoint(target).await.map_err(Refusal::Failed)?;
        let record = self.ledger.read(&slot(&mirror.name, candidate));
        let referrers = record
            .map(|record| record.own_referrers)
            .unwrap_or_default();
        let shared_with = match self.spares(&endpoint, registry, repository) {
            Some(true) => Vec::new(),
            Some(false) => {
                let stop = Stop::takes_along(&registry.to_string(), &[]);
                return Err(Refusal::Stopped(stop));
            }
            None => {
                let found = sharers(&endpoint, target, digest, listed).await;
                found.map_err(|error| failed(&error))?
            }
        };
        if shared_with.len() > SHARERS {
            return Err(Refusal::Waits(format!(
                "more than {SHARERS} other tags name its digest, and it is not known yet whether {registry} leaves \
                 them alone: it waits until another tag of {repository} has shown that"
            )));
        }
        let gathered = gather(&endpoint, repository, digest, &referrers, room).await;
        let keepsakes = match gathered.map_err(|error| failed(&error))? {
            Gathered::All(keepsakes) => keepsakes,
            Gathered::TooLarge => {
                return Err(Refusal::Waits(format!(
                    "what restores it is too large to be kept: more than {OBJECT_MANIFESTS} manifests, or one of more \
                     than {} KiB",
                    OBJECT_BYTES / 1024
                )));
            }
            Gathered::NoRoom => {
                return Err(Refusal::Waits(
                    "its manifests do not fit beside those that restore other deleted tags: it waits until some of \
                     these can be restored no more"
                        .to_owned(),
                ));
            }
            Gathered::Missing => {
                let named = TagOrDigest::Tag(tag.clone());
                let found = endpoint.resolve(repository, &named, None).await;
                if found.map_err(|error| failed(&error))?.as_ref() == Some(digest) {
                    return Err(Refusal::Waits(
                        "the registry does not have its manifest, which could not be brought back"
                            .to_owned(),
                    ));
                }
                // It is gone already, or names something else.
                Keepsakes::new()
            }
        };
        Ok(Safeguard {
            keepsakes,
            referrers,
            shared_with,
        })
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
            Endpoint::Registry(_) if self.pruner.takes_along(registry) => Some(false),
            Endpoint::Registry(_) => self.ledger.spares(registry, repository),
        }
    }
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
    tags.values_mut().for_each(|tags| tags.sort_unstable());
    Ok(tags)
}

/// Reads a manifest, what refers to it, and what is below these, as far as it is there.
async fn gather(
    endpoint: &Endpoint,
    repository: &Repository,
    root: &Digest,
    referrers: &[Digest],
    room: usize,
) -> Result<Gathered, Error> {
    let mut keepsakes = Keepsakes::new();
    let mut size = 0;
    let mut seen: BTreeSet<Digest> = BTreeSet::new();
    let mut level: Vec<Digest> = std::iter::once(root).chain(referrers).cloned().collect();
    for _ in 0..=limits::INDEX_DEPTH {
        let mut below = Vec::new();
        for digest in level {
            if !seen.insert(digest.clone()) {
                continue;
            }
            let target = TagOrDigest::Digest(digest.clone());
            let manifest = match endpoint.fetch_manifest(repository, &target).await {
                Ok(manifest) => manifest,
                Err(error) if error.is_not_found() && digest == *root => {
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
