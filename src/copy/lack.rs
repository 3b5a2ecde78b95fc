// SPDX-License-Identifier: Apache-2.0

//! What a destination lacks of what refers to an image that it has.

use std::collections::{HashMap, HashSet};

use futures::future::join_all;
use futures::{StreamExt, stream};

use super::endpoint;
use super::graph_error::GraphError;
use super::links::{AttachedTags, Detail, Entry, Link, Links};
use super::lookup::Lookup;
use super::named::NamedTags;
use super::pipe::Origin;
use super::referrers::{Company, Wish};
use super::seen::Trace;
use super::telling;
use super::{Engine, Error, Job, Target};
use crate::oci::{Digest, Tag, TagOrDigest};

/// Tags that are looked at at once, and manifests of the source.
const LOOKS: usize = 8;
/// Most tags of one image that are looked at before it is known what they name at the source.
const TAGS: usize = 256;

/// What a target lacks of what refers to an image.
#[derive(Clone, Debug, Default)]
pub struct Lack(HashSet<(Link, Digest)>);

/// What tags of a target name that are named after an image, as far as that was asked already.
#[derive(Clone, Debug, Default)]
pub(super) struct Standing(HashMap<Tag, Result<Option<Digest>, endpoint::Error>>);

// === impl Lack ===

impl Lack {
    /// Whether nothing is missing.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Of what comes along with an image, what is missing.
    pub(super) fn of(&self, company: &Company) -> Company {
        let attached = company.attached.iter().filter(|attached| {
            let digest = attached.graph.root.digest().clone();
            self.0.contains(&(attached.by.clone(), digest))
        });
        Company {
            attached: attached.cloned().collect(),
            lists: company.lists.clone(),
            trace: Trace::default(),
        }
    }
}

// === impl Standing ===

impl Standing {
    /// Asks the targets for the tags that the source lists of these digests, while it is asked, too.
    pub(super) async fn of_all(
        (targets, subjects): (&[Target], &[Digest]),
        listed: &AttachedTags,
        named: &NamedTags,
    ) -> Vec<Self> {
        let tags = subjects.iter().flat_map(|subject| listed.of(subject));
        let tags: Vec<&Tag> = tags.take(TAGS).collect();
        let looks = targets.iter().map(|target| {
            let looks: Vec<_> = tags
                .iter()
                .map(|tag| async {
                    let found = match named.get(&target.origin(), tag) {
                        Some(digest) => Ok(Some(digest)),
                        None => resolve(target, tag).await,
                    };
                    ((*tag).clone(), found)
                })
                .collect();
            stream::iter(looks).buffer_unordered(LOOKS).collect()
        });
        let found: Vec<HashMap<_, _>> = join_all(looks).await;
        found.into_iter().map(Self).collect()
    }

    /// Whether a tag of the target names this digest.
    pub(super) async fn names(
        &self,
        target: &Target,
        tag: &Tag,
        digest: &Digest,
    ) -> Result<bool, endpoint::Error> {
        let found = match self.0.get(tag) {
            Some(found) => found.clone(),
            None => resolve(target, tag).await,
        };
        Ok(found?.as_ref() == Some(digest))
    }
}

/// What a tag of the target names. One that it hides is taken to be absent, as that of an image is: where the push
/// is refused as well, it was the credential.
async fn resolve(target: &Target, tag: &Tag) -> Result<Option<Digest>, endpoint::Error> {
    let name = TagOrDigest::Tag(tag.clone());
    let Target {
        endpoint,
        repository,
        ..
    } = target;
    Ok(match endpoint.look_up(repository, &name, None).await? {
        Lookup::Found(digest) => Some(digest),
        Lookup::Missing | Lookup::Untold(_) => None,
    })
}

// === impl Engine ===

impl Engine {
    /// What each of the targets lacks of what was found.
    pub(super) async fn lacks(
        &self,
        job: &Job,
        links: &[Links],
        standings: &[Standing],
    ) -> Result<Vec<Result<Lack, Error>>, GraphError> {
        let wanted = self.choose(job, links).await?;
        let targets = job.targets.iter().zip(standings);
        let lacks = targets.map(|(target, standing)| self.lack(target, standing, &wanted));
        let mut lacks = join_all(lacks).await;
        let gone = self.gone(&job.origin, &lacks).await;
        let gone = gone.map_err(GraphError::Referrers)?;
        for lack in lacks.iter_mut().flatten() {
            lack.0.retain(|(_, digest)| !gone.contains(digest));
        }
        Ok(lacks)
    }

    /// What comes along of what was found.
    async fn choose<'l>(
        &self,
        job: &Job,
        links: &'l [Links],
    ) -> Result<Vec<&'l Entry>, GraphError> {
        let wish = Wish::of(job);
        let mut chosen = Vec::new();
        for links in links {
            let entries = wish.choose(&self.manifests, &job.origin, links);
            chosen.extend(entries.await.map_err(GraphError::Referrers)?);
        }
        Ok(chosen)
    }

    /// What is missing, and is listed by the source that has it no more.
    async fn gone(
        &self,
        origin: &Origin,
        lacks: &[Result<Lack, Error>],
    ) -> Result<HashSet<Digest>, endpoint::Error> {
        let Origin {
            endpoint,
            repository,
        } = origin;
        let missing = lacks.iter().flatten().flat_map(|lack| &lack.0);
        let missing: HashSet<&Digest> = missing.map(|(_, digest)| digest).collect();
        let looks = missing.into_iter().map(|digest| async move {
            let target = TagOrDigest::Digest(digest.clone());
            let found = endpoint.resolve(repository, &target, None).await?;
            Ok::<_, endpoint::Error>(found.is_none().then(|| digest.clone()))
        });
        let looks: Vec<_> = looks.collect();
        let gone = telling::all(stream::iter(looks).buffered(LOOKS)).await?;
        Ok(gone.into_iter().flatten().collect())
    }

    /// What a target lacks of these.
    async fn lack(
        &self,
        target: &Target,
        standing: &Standing,
        wanted: &[&Entry],
    ) -> Result<Lack, Error> {
        let lack = self.find_lack(target, standing, wanted);
        lack.await.map_err(|(name, error)| Error::Destination {
            destination: target.name(),
            target: name,
            error,
        })
    }

    async fn find_lack(
        &self,
        target: &Target,
        standing: &Standing,
        wanted: &[&Entry],
    ) -> Result<Lack, (TagOrDigest, endpoint::Error)> {
        let there = target.origin();
        let mut lists: HashMap<Digest, HashSet<Digest>> = HashMap::new();
        let mut lack = Lack::default();
        for Entry { by, digest, .. } in wanted {
            let has = match by {
                Link::Tag(tag) => {
                    let names = standing.names(target, tag, digest).await;
                    names.map_err(|error| (tag.clone().into(), error))?
                }
                Link::Subject(subject) => {
                    if !lists.contains_key(subject) {
                        let listed = self
                            .finder
                            .listed(&self.manifests, &there, subject, Detail::Members)
                            .await
                            .map_err(|error| (subject.clone().into(), error))?;
                        let digests = listed.entries.into_iter().map(|entry| entry.digest);
                        lists.insert(subject.clone(), digests.collect());
                    }
                    lists.get(subject).is_some_and(|list| list.contains(digest))
                }
            };
            if !has {
                lack.0.insert((by.clone(), digest.clone()));
            }
        }
        Ok(lack)
    }
}
