// SPDX-License-Identifier: Apache-2.0

//! What came to refer to an image after it was copied.
//!
//! A look costs the source one request for each manifest that something may refer to, and nothing where its
//! tag list tells everything. Nothing is read from it but what a destination turns out to lack.

mod siblings;

use std::sync::Arc;

use futures::future::join_all;
use serde::{Deserialize, Serialize};

pub use self::siblings::Siblings;
use super::endpoint;
use super::fallback::{self, Nature};
use super::graph::Graph;
use super::graph_error::GraphError;
use super::image::{Content, Push};
use super::lack::{Lack, Standing};
use super::lag::Lag;
use super::links::{AttachedTags, Detail, Links};
use super::manifests::Room;
use super::pipe::Origin;
use super::referrers::{Company, Wish};
use super::seen::{self, Seen, Trace};
use super::{Done, Engine, Error, Job, Target, closure};
use crate::api::{Attestations, IndexMode};
use crate::oci::subset::{Inside, Subset};
use crate::oci::{Content as Described, Descriptor, Digest, Manifest, Tag, TagOrDigest};
use crate::plan::Platforms;
use crate::runtime::memory;

/// What a tag that is named after a digest names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum BareTag {
    /// An image, which is a candidate as any.
    Image,
    /// A list of what refers to that digest, or nothing.
    List,
    /// Such a list, by the word of its entries: enough where both ends name the same, and nothing is deleted.
    LikelyList,
}

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

/// The first look at an image, which says of what its referrers are to be looked for.
#[derive(Clone, Debug)]
pub struct Outline {
    of_root: Vec<Links>,
    /// What the image is made of, as far as something may refer to it.
    parts: Vec<Digest>,
    /// Whether the image is an index, or may be.
    is_index: bool,
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

// === impl Engine ===

impl Engine {
    /// Whether the tag list of the source, where it was read, shows other tags of the image than were seen.
    pub fn shows_others(&self, origin: &Origin, image: &Digest, seen: &Seen) -> bool {
        let listed = self.finder.lists.known(origin);
        listed.is_some_and(|listed| seen::tags_of(&listed, image) != seen.tags)
    }

    /// Whether a tag that is named after a digest names an image, rather than a list of what refers to
    /// that digest. What it names is read at `mirror`, where that has it: a read there is no pull.
    ///
    /// Where both ends name the same, nothing is copied in either case. Then the entries of an index are believed
    /// if they tell and `is_likely_enough`: as long as no delete rests on it.
    pub async fn names_image(
        &self,
        origin: &Origin,
        mirror: Option<&Origin>,
        tag: &Tag,
        is_likely_enough: bool,
    ) -> Result<BareTag, endpoint::Error> {
        let Origin {
            endpoint,
            repository,
        } = origin;
        let target = TagOrDigest::Tag(tag.clone());
        let (found, there) = tokio::join!(
            endpoint.describe(repository, &target, None),
            self.read_copy(mirror, tag)
        );
        let Some(found) = found? else {
            return Ok(BareTag::List);
        };
        self.finder.named.learn(origin, tag, &found.digest);
        let attachment = tag.attachment();
        let is_image = found.media_type.is_some_and(|kind| kind.is_image());
        if is_image || attachment.is_some_and(|tag| tag.is_of(&found.digest)) {
            return Ok(BareTag::Image);
        }
        if let (Some(mirror), Some(there)) = (mirror, there) {
            let is_same = *there.digest() == found.digest;
            if is_likely_enough && is_same && fallback::lists_artifacts(&there) {
                return Ok(BareTag::LikelyList);
            }
            match self.nature_at(mirror, tag, &found.digest).await {
                Ok(Nature::List) => return Ok(BareTag::List),
                Ok(Nature::Other) => return Ok(BareTag::Image),
                // The source has the last word.
                Ok(Nature::Untold { .. }) | Err(_) => {}
            }
        }
        let manifest = self.manifests.fetch(origin, &found.digest).await?;
        let lists = fallback::lists(&self.manifests, origin, &manifest, tag).await?;
        Ok(if lists { BareTag::List } else { BareTag::Image })
    }

    /// What the same tag names at the mirror, where that says so.
    async fn read_copy(&self, mirror: Option<&Origin>, tag: &Tag) -> Option<Arc<Manifest>> {
        let mirror = mirror?;
        let target = TagOrDigest::Tag(tag.clone());
        let read = mirror.endpoint.fetch_manifest(&mirror.repository, &target);
        let manifest = Arc::new(read.await.ok()?);
        self.manifests.learn(mirror, &manifest);
        self.finder.named.learn(mirror, tag, manifest.digest());
        Some(manifest)
    }

    async fn nature_at(
        &self,
        place: &Origin,
        tag: &Tag,
        digest: &Digest,
    ) -> Result<Nature, endpoint::Error> {
        let manifest = self.manifests.fetch(place, digest).await?;
        fallback::nature(&self.manifests, place, &manifest, tag).await
    }

    /// Finds out whether a source can list referrers at all, where nobody knows.
    pub async fn probe_referrers(&self, origin: &Origin) {
        let Origin {
            endpoint,
            repository,
        } = origin;
        endpoint.probe_referrers(repository).await;
    }

    /// Has the first look at an image.
    pub async fn outline(&self, visit: &Visit) -> Result<Outline, Error> {
        let Job { origin, digest, .. } = &visit.job;
        let (outline, _) = memory::with_room(|| self.find_outline(visit)).await;
        outline.map_err(|error| Error::source(origin, digest, error))
    }

    /// Looks what refers to an image by now, and what of it its targets lack. It is cheapest after the first
    /// looks at all images of the repository.
    pub async fn visit(&self, visit: &Visit, outline: Outline) -> Result<Late, Error> {
        let Job { origin, digest, .. } = &visit.job;
        let find = || self.find_late(visit, outline.clone());
        let (late, _) = memory::with_room(find).await;
        late.map_err(|error| Error::source(origin, digest, error))
    }

    async fn find_late(&self, visit: &Visit, outline: Outline) -> Result<Late, GraphError> {
        let Visit {
            job,
            expected,
            known,
            ..
        } = visit;
        let Job { origin, digest, .. } = job;
        let Outline {
            of_root,
            parts,
            is_index,
        } = outline;
        let mut subjects = parts.clone();
        if expected == digest {
            subjects.insert(0, digest.clone());
        }
        let listed = self.finder.lists.known(origin);
        let (links, standings) = tokio::join!(self.look(visit, of_root, &parts), async {
            match (known, &listed) {
                // Nothing new is expected.
                (Some(_), _) | (None, None) => vec![Standing::default(); job.targets.len()],
                (None, Some(listed)) => {
                    let sides = (job.targets.as_slice(), subjects.as_slice());
                    Standing::of_all(sides, listed, &self.finder.named).await
                }
            }
        });
        let mut links = links?;
        let seen = |links: &[Links]| {
            let mut trace = Trace::default();
            trace.add(links);
            let listed = self.finder.lists.known(origin);
            trace.sum_up(digest, is_index, listed.as_deref())
        };
        let mut found = seen(&links);
        if let Some(known) = known.filter(|known| known.is_like(&found)) {
            return Ok(Late {
                seen: Seen {
                    has_list: known.has_list,
                    ..found
                },
                lacks: vec![Ok(Lack::default()); job.targets.len()],
                subjects,
            });
        }
        self.read_lists(job, &mut links, &standings).await?;
        found.has_list = seen(&links).has_list;
        let lacks = self.lacks(job, &links, &standings).await?;
        Ok(Late {
            seen: found,
            lacks,
            subjects,
        })
    }

    /// Reads the lists under fallback tags that are not the same at all targets.
    async fn read_lists(
        &self,
        job: &Job,
        links: &mut [Links],
        standings: &[Standing],
    ) -> Result<(), GraphError> {
        for links in links {
            let subject = links.subject.clone();
            let Some(list) = links.unread().cloned() else {
                continue;
            };
            let Some(tag) = Tag::of_referrers(&subject, "") else {
                continue;
            };
            let targets = job.targets.iter().zip(standings);
            let same = targets.map(|(target, standing)| standing.names(target, &tag, &list));
            // A target that does not say is told of when it is compared.
            if join_all(same)
                .await
                .into_iter()
                .all(|same| same.is_ok_and(|same| same))
            {
                continue;
            }
            let list = fallback::read_named(&self.manifests, &job.origin, &subject, &list).await;
            links.take_list(list.map_err(GraphError::Referrers)?);
        }
        Ok(())
    }

    /// Brings the targets what they lack. Tags that name the image stay as they are.
    pub async fn complete(&self, visit: &Visit, found: &Late) -> Vec<Result<Done, Error>> {
        memory::with_room(|| self.complete_once(visit, found))
            .await
            .0
    }

    async fn complete_once(&self, visit: &Visit, found: &Late) -> Vec<Result<Done, Error>> {
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
            image: Graph::alone(Arc::new(root)),
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

    async fn find_outline(&self, visit: &Visit) -> Result<Outline, GraphError> {
        let Visit {
            job,
            is_index,
            siblings,
            known,
            expected,
            ..
        } = visit;
        let Job { origin, digest, .. } = job;
        let of_root = async {
            let root = std::slice::from_ref(digest);
            self.finder
                .links_of_all(&self.manifests, origin, root, Detail::Digests)
                .await
        };
        let is_told = |listed: Option<Arc<AttachedTags>>| {
            listed.map(|listed| !siblings.has_strangers(&listed))
        };
        if job.is_unwrapped(expected) {
            let parts = vec![expected.clone()];
            siblings.learn(parts.iter().chain([digest]));
            return Ok(Outline {
                of_root: of_root.await?,
                parts,
                is_index: false,
            });
        }
        let may_be_index = is_index.or_else(|| known.map(|seen| seen.is_index));
        let (of_root, parts, is_index) = if may_be_index == Some(false) {
            (of_root.await?, Vec::new(), false)
        } else if is_told(self.finder.lists.known(origin)) == Some(false) {
            let (of_root, (parts, is_index)) = tokio::try_join!(of_root, self.parts(visit))?;
            (of_root, parts, is_index)
        } else {
            let of_root = of_root.await?;
            // A source that keeps no lists has nothing but tags, and it lists those.
            let is_told = is_told(self.finder.lists.known(origin)) == Some(true)
                && of_root.iter().all(|links| !links.is_kept);
            let (parts, is_index) = if is_told {
                (Vec::new(), true)
            } else {
                self.parts(visit).await?
            };
            (of_root, parts, is_index)
        };
        siblings.learn(parts.iter().chain([digest]));
        Ok(Outline {
            of_root,
            parts,
            is_index,
        })
    }

    /// What refers to the image, to what it is made of, and to that again.
    async fn look(
        &self,
        visit: &Visit,
        of_root: Vec<Links>,
        parts: &[Digest],
    ) -> Result<Vec<Links>, GraphError> {
        let Visit {
            job,
            expected,
            siblings,
            ..
        } = visit;
        let Job { origin, digest, .. } = job;
        let mut first = self
            .finder
            .links_of_all(&self.manifests, origin, parts, Detail::Digests)
            .await?;
        if expected == digest {
            first.splice(0..0, of_root);
        }
        let listed = self.finder.lists.known(origin);
        let mirror = job.targets.first().map(Target::origin);
        let mirror = mirror.filter(|_| siblings.leads_further(listed.as_deref()));
        self.finder
            .glance(&self.manifests, origin, mirror.as_ref(), first)
            .await
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
}

impl<'a> Wish<'a> {
    /// What a job asks for.
    pub(super) fn of(job: &'a Job) -> Self {
        Self {
            types: &job.referrers,
            evidence: &job.evidence,
            is_gated: job.is_gated,
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
            attestations,
            ..
        } if manifest.digest() == root => {
            // An entry that does not say its platform may have been left out: then nothing refers to it here.
            let subset = Subset::choose(
                manifest,
                &Inside::default(),
                platforms,
                *attestations == Attestations::Copy,
            );
            subset.map_or_else(|_| all(), |subset| subset.kept)
        }
        Platforms::All | Platforms::List { .. } => all(),
    };
    kept.into_iter().map(|entry| entry.digest).collect()
}
