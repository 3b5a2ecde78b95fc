//! What came to refer to an image after it was copied.
//!
//! A look costs the source one request for each manifest that something may refer to, and nothing where its
//! tag list tells everything. Nothing is read but what a destination turns out to lack.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, OnceLock};

use futures::future::join_all;

use super::endpoint::{self, Endpoint};
use super::fallback;
use super::graph::Graph;
use super::graph_error::GraphError;
use super::image::{Content, Push};
use super::lag::Lag;
use super::links::{AttachedTags, Entry, Link, Links};
use super::manifests::Room;
use super::pipe::Origin;
use super::referrers::{Company, Wish};
use super::seen::{self, Seen, Trace};
use super::{Done, Engine, Error, Job, Target, closure};
use crate::api::IndexMode;
use crate::oci::subset::{Inside, Subset};
use crate::oci::{
    Content as Described, Descriptor, Digest, Manifest, Repository, Tag, TagOrDigest,
};
use crate::plan::Platforms;

/// An image that its targets have as they should, to be looked at again.
#[derive(Clone, Debug)]
pub struct Visit {
    /// The image, and where it is. The tags of the targets are left alone.
    pub job: Job,
    /// The digest that the targets have: another one where an index was rewritten.
    pub expected: Digest,
    /// Whether it is an index, where the source has said so.
    pub is_index: Option<bool>,
    /// The other images of the repository.
    pub siblings: Arc<Siblings>,
    /// What was seen the last time. Where it is seen again, nothing is missing.
    pub known: Option<Seen>,
}

/// The images of a source repository that a round is about.
#[derive(Debug, Default)]
pub struct Siblings {
    digests: HashSet<Digest>,
    /// Whether tags are named after other digests.
    has_strangers: OnceLock<bool>,
}

/// What a look found.
#[derive(Clone, Debug)]
pub struct Late {
    /// What is to be remembered.
    pub seen: Seen,
    /// What each of the targets lacks, in their order.
    pub lacks: Vec<Result<Lack, Error>>,
    subjects: Vec<Digest>,
}

/// What a target lacks of what refers to an image.
#[derive(Clone, Debug, Default)]
pub struct Lack(HashSet<(Link, Digest)>);

/// What the source has.
struct Look {
    links: Vec<Links>,
    /// The image and what it is made of, as far as something may refer to it.
    subjects: Vec<Digest>,
    /// Whether the image is an index, or may be.
    is_index: bool,
}

// === impl Siblings ===

impl Siblings {
    /// These images.
    pub fn new(digests: HashSet<Digest>) -> Self {
        Self {
            digests,
            has_strangers: OnceLock::new(),
        }
    }

    fn has_strangers(&self, listed: &AttachedTags) -> bool {
        *self
            .has_strangers
            .get_or_init(|| listed.has_others(&self.digests))
    }
}

// === impl Lack ===

impl Lack {
    /// Whether nothing is missing.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

// === impl Engine ===

impl Engine {
    /// Whether the tag list of the source, where it was read, shows other tags of the image than were seen.
    pub fn shows_others(&self, origin: &Origin, image: &Digest, seen: &Seen) -> bool {
        let listed = self.finder.known_list(origin);
        listed.is_some_and(|listed| seen::tags_of(&listed, image) != seen.tags)
    }

    /// Whether a tag that is named after a digest names an image, rather than a list of what refers to
    /// that digest.
    pub async fn names_image(&self, origin: &Origin, tag: &Tag) -> Result<bool, endpoint::Error> {
        let Origin {
            endpoint,
            repository,
        } = origin;
        let target = TagOrDigest::Tag(tag.clone());
        let Some(found) = endpoint.describe(repository, &target, None).await? else {
            return Ok(false);
        };
        let attachment = tag.attachment();
        let is_image = found.media_type.is_some_and(|kind| kind.is_image());
        if is_image || attachment.is_some_and(|tag| tag.is_of(&found.digest)) {
            return Ok(true);
        }
        let manifest = self.manifests.fetch(origin, &found.digest).await?;
        let lists = fallback::lists(&self.manifests, origin, &manifest, tag).await?;
        Ok(!lists)
    }

    /// Looks what refers to an image by now, and what of it its targets lack.
    pub async fn visit(&self, visit: &Visit) -> Result<Late, Error> {
        let Visit { job, known, .. } = visit;
        let failed = |error| Error::source(&job.origin, &job.digest, error);
        let Look {
            links,
            subjects,
            is_index,
        } = self.look(visit).await.map_err(failed)?;
        let mut trace = Trace::default();
        trace.add(&links);
        let listed = self.finder.known_list(&job.origin);
        let seen = trace.sum_up(&job.digest, is_index, listed.as_deref());
        let lacks = if known.is_some_and(|known| known.is_like(&seen)) {
            vec![Ok(Lack::default()); job.targets.len()]
        } else {
            let wanted = self.choose(job, &links).await.map_err(failed)?;
            join_all(job.targets.iter().map(|target| self.lack(target, &wanted))).await
        };
        Ok(Late {
            seen,
            lacks,
            subjects,
        })
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

    /// Brings the targets what they lack. Tags that name the image stay as they are.
    pub async fn complete(&self, visit: &Visit, found: &Late) -> Vec<Result<Done, Error>> {
        let job = &visit.job;
        let room = Room::new();
        let subjects = found.subjects.clone();
        let company =
            self.finder
                .find(&self.manifests, &job.origin, subjects, Wish::of(job), &room);
        let company = match company.await {
            Ok(company) => company,
            Err(error) => {
                let error = Error::source(&job.origin, &job.digest, error);
                return vec![Err(error); job.targets.len()];
            }
        };
        let bring = job.targets.iter().zip(&found.lacks);
        let bring = bring.map(|(target, lack)| async {
            let company = lack.as_ref().map_err(Clone::clone)?.of(&company);
            self.bring(visit, target, company, found.seen).await
        });
        join_all(bring).await
    }

    async fn bring(
        &self,
        visit: &Visit,
        target: &Target,
        company: Company,
        seen: Seen,
    ) -> Result<Done, Error> {
        let Target {
            endpoint,
            repository,
            ..
        } = target;
        let name = TagOrDigest::Digest(visit.expected.clone());
        let root = endpoint.fetch_manifest(repository, &name).await;
        let root = root.map_err(|error| Error::Destination {
            destination: target.name(),
            target: name,
            error,
        })?;
        let content = Content {
            origin: visit.job.origin.clone(),
            image: Graph::alone(root),
            company,
            seen: Some(seen),
            is_late: true,
        };
        let push = Push {
            shared: &self.shared,
            manifests: &self.manifests,
            content: &content,
            target,
            lag: Lag::default(),
        };
        push.run_late().await
    }

    /// What refers to the image, to what it is made of, and to that again; and whether it is an index.
    async fn look(&self, visit: &Visit) -> Result<Look, GraphError> {
        let Visit {
            job,
            expected,
            is_index,
            siblings,
            known,
        } = visit;
        let Job { origin, digest, .. } = job;
        let of_root = self
            .finder
            .links_of_all(&self.manifests, origin, std::slice::from_ref(digest))
            .await?;
        let listed = self.finder.known_list(origin);
        // A source that keeps no lists has nothing but tags, and it lists those.
        let is_told = listed.is_some_and(|listed| !siblings.has_strangers(&listed))
            && of_root.iter().all(|links| !links.is_kept);
        let may_be_index = is_index.or_else(|| known.map(|seen| seen.is_index));
        let (parts, is_index) = match may_be_index.unwrap_or(true) {
            false => (Vec::new(), false),
            true if is_told => (Vec::new(), true),
            true => self.parts(visit).await?,
        };
        let mut first = self
            .finder
            .links_of_all(&self.manifests, origin, &parts)
            .await?;
        if expected == digest {
            first.splice(0..0, of_root);
        }
        let subjects = first.iter().map(|links| links.subject.clone());
        let subjects = subjects.collect();
        let links = self.finder.glance(&self.manifests, origin, first).await?;
        Ok(Look {
            links,
            subjects,
            is_index,
        })
    }

    /// The manifests that the image lists, without what was left out of it, and whether it is an index. The
    /// first target is asked: a pull there counts for nobody.
    async fn parts(&self, visit: &Visit) -> Result<(Vec<Digest>, bool), GraphError> {
        let Visit { job, expected, .. } = visit;
        let Some(Target {
            endpoint,
            repository,
            ..
        }) = job.targets.first()
        else {
            return Ok((Vec::new(), false));
        };
        let nests = |entry: &Descriptor| entry.media_type.is_index();
        let manifests = closure::walk(endpoint, repository, expected, nests).await?;
        let is_index = manifests.first().is_some_and(is_index);
        let mut parts = Vec::new();
        for manifest in &manifests {
            parts.extend(kept(manifest, expected, &job.platforms));
        }
        Ok((parts, is_index))
    }

    /// What a target lacks of these.
    async fn lack(&self, target: &Target, wanted: &[&Entry]) -> Result<Lack, Error> {
        let lack = self.find_lack(&target.endpoint, &target.repository, wanted);
        lack.await.map_err(|(name, error)| Error::Destination {
            destination: target.name(),
            target: name,
            error,
        })
    }

    async fn find_lack(
        &self,
        endpoint: &Endpoint,
        repository: &Repository,
        wanted: &[&Entry],
    ) -> Result<Lack, (TagOrDigest, endpoint::Error)> {
        let there = Origin {
            endpoint: endpoint.clone(),
            repository: repository.clone(),
        };
        let mut lists: HashMap<Digest, HashSet<Digest>> = HashMap::new();
        let mut lack = Lack::default();
        for Entry { by, digest, .. } in wanted {
            let has = match by {
                Link::Tag(tag) => {
                    let name = TagOrDigest::Tag(tag.clone());
                    let found = endpoint.resolve(repository, &name, None).await;
                    found.map_err(|error| (name, error))?.as_ref() == Some(digest)
                }
                Link::Subject(subject) => {
                    if !lists.contains_key(subject) {
                        let listed = self.finder.listed(&self.manifests, &there, subject).await;
                        let listed = listed.map_err(|error| (subject.clone().into(), error))?;
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

// === impl Lack ===

impl Lack {
    fn of(&self, company: &Company) -> Company {
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

impl<'a> Wish<'a> {
    /// What a job asks for.
    pub(super) fn of(job: &'a Job) -> Self {
        Self {
            types: &job.referrers,
            evidence: &job.evidence,
        }
    }
}

fn is_index(manifest: &Manifest) -> bool {
    matches!(manifest.content(), Described::Index(_))
}

/// What an index lists, without what was left out of the original one.
fn kept(manifest: &Manifest, root: &Digest, platforms: &Platforms) -> Vec<Digest> {
    let Described::Index(index) = manifest.content() else {
        return Vec::new();
    };
    let all = || index.manifests.clone();
    let kept = match platforms {
        Platforms::List {
            platforms,
            index: IndexMode::Preserve,
            ..
        } if manifest.digest() == root => {
            // An entry that does not say its platform may have been left out: then nothing refers to it here.
            let subset = Subset::choose(manifest, &Inside::default(), platforms);
            subset.map_or_else(|_| all(), |subset| subset.kept)
        }
        Platforms::All | Platforms::List { .. } => all(),
    };
    kept.into_iter().map(|entry| entry.digest).collect()
}
