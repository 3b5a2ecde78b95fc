// SPDX-License-Identifier: Apache-2.0

//! What refers to an image: signatures, SBOMs, attestations, in both schemes.
//!
//! Registries with the referrers API list them; for the others there is a fallback tag
//! `sha256-<hex>` (distribution specification, referrers), and tags with a suffix such as cosign's.

mod company;
mod lists;
mod wish;

use std::collections::HashSet;

use futures::{StreamExt, stream};

pub(super) use self::company::{Attached, Company};
use self::lists::AttachedLists;
pub(super) use self::wish::Wish;
use super::endpoint::{self, Place, Referrers};
use super::fallback;
use super::graph::Graph;
use super::graph_error::GraphError;
use super::links::{Detail, Entry, Link, Links, TagList, members};
use super::manifests::{Manifests, Room};
use super::named::NamedTags;
use super::pipe::Origin;
use super::telling;
use crate::oci::{Descriptor, Digest, Manifest, Repository, Tag, TagOrDigest, limits};
use crate::plan::Platforms;

/// Lists of referrers read at once for one image.
const READS: usize = 8;

/// What a place lists for one manifest.
pub(super) struct Listing {
    pub(super) entries: Vec<Descriptor>,
    /// What the fallback tag names, where nothing else lists anything.
    pub(super) list: Option<TagList>,
    pub(super) is_kept: bool,
}

/// Finds referrers, and remembers what each source turned out to offer.
#[derive(Default)]
pub(super) struct Finder {
    /// The tags that repositories list.
    pub(super) lists: AttachedLists,
    /// What tags turned out to name.
    pub(super) named: NamedTags,
}

// === impl Finder ===

impl Finder {
    /// Everything that refers to one of the `subjects`, and to those referrers again.
    pub(super) async fn find(
        &self,
        manifests: &Manifests,
        origin: &Origin,
        subjects: Vec<Digest>,
        wish: Wish<'_>,
        room: &Room,
    ) -> Result<Company, GraphError> {
        let mut seen: HashSet<Digest> = HashSet::new();
        let mut company = Company::default();
        let mut subjects = subjects;
        for _ in 0..limits::REFERRERS_DEPTH {
            subjects.retain(|subject| seen.insert(subject.clone()));
            let links = self
                .links_of_all(manifests, origin, &subjects, Detail::Members)
                .await?;
            company.trace.add(&links);
            let reads: Vec<_> = links
                .iter()
                .map(|links| read(manifests, origin, links, wish, room))
                .collect();
            let read: Vec<Vec<Attached>> =
                telling::all(stream::iter(reads).buffered(READS)).await?;
            for (links, attached) in links.iter().zip(&read) {
                company.keep_list(links, attached);
            }
            let attached = read.into_iter().flatten();
            let before = company.attached.len();
            company.attached.extend(attached);
            let new = company.attached.iter().skip(before);
            subjects = new.map(|one| one.graph.root.digest().clone()).collect();
        }
        subjects.retain(|subject| seen.insert(subject.clone()));
        self.tell_of_the_rest(manifests, origin, &subjects).await?;
        Ok(company)
    }

    /// Says how much is left out of what refers to the last step that is followed.
    async fn tell_of_the_rest(
        &self,
        manifests: &Manifests,
        origin: &Origin,
        last: &[Digest],
    ) -> Result<(), GraphError> {
        let beyond = self.links_of_all(manifests, origin, last, Detail::Members);
        let left_out: usize = beyond.await?.iter().map(|links| links.entries.len()).sum();
        if left_out > 0 {
            let repository = origin.name();
            tracing::warn!(
                repository,
                left_out,
                "referrers of referrers are copied up to {} steps: what refers to the last ones is left out",
                limits::REFERRERS_DEPTH
            );
        }
        Ok(())
    }

    /// The same without reading any of it from the source: what was found first, and what refers to that
    /// again. Where lists may lead further, `mirror` is asked for them, which has most of them.
    pub(super) async fn glance(
        &self,
        manifests: &Manifests,
        origin: &Origin,
        mirror: Option<&Origin>,
        first: Vec<Links>,
    ) -> Result<Vec<Links>, GraphError> {
        let mut seen: HashSet<Digest> = HashSet::new();
        let mut found = Vec::new();
        let mut level = first;
        for depth in 0..limits::REFERRERS_DEPTH {
            seen.extend(level.iter().map(|links| links.subject.clone()));
            let entries = level.iter().flat_map(|links| &links.entries);
            let mut next: Vec<Digest> = entries.map(|entry| entry.digest.clone()).collect();
            // What a registry keeps itself no tag tells.
            let unread = level
                .iter()
                .filter(|links| mirror.is_some() || links.is_kept)
                .filter_map(Links::unread);
            let reads: Vec<_> = unread
                .map(|list| listed_by(manifests, origin, mirror, list))
                .collect();
            let read: Vec<Vec<Digest>> = telling::all(stream::iter(reads).buffered(READS))
                .await
                .map_err(GraphError::Referrers)?;
            next.extend(read.into_iter().flatten());
            found.append(&mut level);
            next.retain(|digest| seen.insert(digest.clone()));
            if next.is_empty() || depth + 1 == limits::REFERRERS_DEPTH {
                break;
            }
            if seen.len() > limits::GRAPH_NODES {
                return Err(GraphError::TooMany);
            }
            level = self
                .links_of_all(manifests, origin, &next, Detail::Digests)
                .await?;
        }
        Ok(found)
    }

    /// What refers to each of these.
    pub(super) async fn links_of_all(
        &self,
        manifests: &Manifests,
        origin: &Origin,
        subjects: &[Digest],
        detail: Detail,
    ) -> Result<Vec<Links>, GraphError> {
        let reads: Vec<_> = subjects
            .iter()
            .map(|subject| self.links(manifests, origin, subject, detail))
            .collect();
        let links = telling::all(stream::iter(reads).buffered(READS));
        links.await.map_err(GraphError::Referrers)
    }

    async fn links(
        &self,
        manifests: &Manifests,
        origin: &Origin,
        subject: &Digest,
        detail: Detail,
    ) -> Result<Links, endpoint::Error> {
        let listed = self.listed(manifests, origin, subject, detail);
        let tagged = self.tagged_entries(origin, subject);
        let (listing, tagged) = tokio::try_join!(listed, tagged)?;
        let Listing {
            entries,
            list,
            is_kept,
        } = listing;
        let mut links = Links {
            subject: subject.clone(),
            entries: Vec::new(),
            list,
            is_kept,
        };
        links.add(&entries);
        links.entries.extend(tagged);
        Ok(links)
    }

    /// What names `subject`, by the registry's own list or by the fallback tag. A registry that got lists of
    /// its own later knows nothing of what tags listed before (distribution specification, enabling the
    /// referrers API): where its list is empty, the tag still counts.
    pub(super) async fn listed(
        &self,
        manifests: &Manifests,
        origin: &Origin,
        subject: &Digest,
        detail: Detail,
    ) -> Result<Listing, endpoint::Error> {
        let Origin {
            endpoint,
            repository,
        } = origin;
        let (entries, is_kept) = match endpoint.referrers(repository, subject).await? {
            Referrers::Listed(entries) => (entries, true),
            Referrers::Unsupported => (Vec::new(), false),
        };
        let list = match Tag::of_referrers(subject, "") {
            Some(tag) if entries.is_empty() => match self.known(origin, &tag).await {
                Some(known) => {
                    let told = self.named.get(origin, &tag);
                    let known = (is_kept, known);
                    tag_list(manifests, origin, subject, known, (detail, told)).await?
                }
                None => None,
            },
            Some(_) | None => None,
        };
        let entries = match &list {
            Some(TagList::Read(list)) => members(list).to_vec(),
            Some(TagList::Named(_)) | None => entries,
        };
        Ok(Listing {
            entries,
            list,
            is_kept,
        })
    }

    /// What tags with a suffix name that are named after `subject`.
    async fn tagged_entries(
        &self,
        origin: &Origin,
        subject: &Digest,
    ) -> Result<Vec<Entry>, endpoint::Error> {
        let (tags, known) = self.attached_tags(origin, subject).await;
        let looks = tags.into_iter().map(|tag| async move {
            let found = resolve(origin, &tag, known).await?;
            let entry = |digest| Entry {
                by: Link::Tag(tag),
                digest,
                artifact_type: None,
            };
            Ok::<_, endpoint::Error>(found.map(entry))
        });
        let looks: Vec<_> = looks.collect();
        let found = telling::all(stream::iter(looks).buffered(READS)).await?;
        Ok(found.into_iter().flatten().collect())
    }

    /// What one of cosign's tags names, where it is there.
    pub(super) async fn tagged(
        &self,
        origin: &Origin,
        tag: &Tag,
    ) -> Result<Option<Digest>, endpoint::Error> {
        match self.known(origin, tag).await {
            Some(known) => resolve(origin, tag, known).await,
            None => Ok(None),
        }
    }

    /// The tags with a suffix that may be named after `subject`: those that the repository lists, or
    /// cosign's where it lists none.
    async fn attached_tags(&self, origin: &Origin, subject: &Digest) -> (Vec<Tag>, Known) {
        if let Some(tags) = self.lists.read(origin).await {
            let tags = tags.of(subject).filter(|tag| !tag.is_bare());
            return (tags.cloned().collect(), Known::Listed);
        }
        let suffixes = Tag::COSIGN_SUFFIXES.into_iter();
        let tags = suffixes.filter_map(|suffix| Tag::of_referrers(subject, suffix));
        (tags.collect(), Known::Nowhere)
    }

    /// Where a tag is known from; nothing where the repository lists its tags and not this one.
    async fn known(&self, origin: &Origin, tag: &Tag) -> Option<Known> {
        match self.lists.read(origin).await {
            Some(tags) => tags.contains(tag).then_some(Known::Listed),
            None => Some(Known::Nowhere),
        }
    }

    /// Forgets the tag list of one repository, and what its tags name.
    pub(super) fn forget_in(&self, place: &Place, repository: &Repository) {
        self.lists.forget_in(place, repository);
        self.named.forget_in(place, repository);
    }

    /// Forgets the tag lists and what tags name: a new round looks again.
    pub(super) fn forget(&self) {
        self.lists.forget();
        self.named.forget();
    }
}

/// Where a tag is known from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Known {
    /// The repository lists it.
    Listed,
    /// It would have such a name.
    Nowhere,
}

// === impl Known ===

impl Known {
    /// Whether an error may say of a tag beside an image that it is absent: Artifactory says 403 (sigstore/cosign#2973,
    /// go-containerregistry#1691). Of one that nobody has listed it is believed, for the image itself can be read.
    fn may_be_absent(self, error: &endpoint::Error) -> bool {
        self == Self::Nowhere && error.is_access_denied()
    }
}

/// What a tag beside an image names.
async fn resolve(
    origin: &Origin,
    tag: &Tag,
    known: Known,
) -> Result<Option<Digest>, endpoint::Error> {
    let Origin {
        endpoint,
        repository,
    } = origin;
    let target = TagOrDigest::Tag(tag.clone());
    match endpoint.resolve(repository, &target, None).await {
        Err(error) if known.may_be_absent(&error) => Ok(None),
        found => found,
    }
}

/// The list under the fallback tag of a manifest. A registry that keeps lists is not expected to have one. What it
/// was told to name in this round is not asked again, unless that has gone.
async fn tag_list(
    manifests: &Manifests,
    origin: &Origin,
    subject: &Digest,
    (is_kept, known): (bool, Known),
    (detail, told): (Detail, Option<Digest>),
) -> Result<Option<TagList>, endpoint::Error> {
    if let Some(told) = told.filter(|told| told != subject) {
        if detail == Detail::Digests {
            return Ok(Some(TagList::Named(told)));
        }
        match manifests.fetch(origin, &told).await {
            Ok(_) => {
                let list = fallback::read_named(manifests, origin, subject, &told).await?;
                return Ok(list.map(TagList::Read));
            }
            Err(error) if error.is_not_found() => {}
            Err(error) => return Err(error),
        }
    }
    if !is_kept && detail == Detail::Members {
        return match fallback::read(manifests, origin, subject).await {
            Err(error) if known.may_be_absent(&error) => Ok(None),
            list => Ok(list?.map(TagList::Read)),
        };
    }
    let Some(named) = named(origin, subject, is_kept, known).await? else {
        return Ok(None);
    };
    match detail {
        Detail::Digests => Ok(Some(TagList::Named(named))),
        Detail::Members => {
            let list = fallback::read_named(manifests, origin, subject, &named).await?;
            Ok(list.map(TagList::Read))
        }
    }
}

/// What the fallback tag of a manifest names, where that is not the manifest itself (GitLab,
/// oras-project/oras-go#1396). A registry with lists of its own that will not say has none.
async fn named(
    origin: &Origin,
    subject: &Digest,
    is_kept: bool,
    known: Known,
) -> Result<Option<Digest>, endpoint::Error> {
    let Some(tag) = Tag::of_referrers(subject, "") else {
        return Ok(None);
    };
    match resolve(origin, &tag, known).await {
        Ok(found) => Ok(found.filter(|found| found != subject)),
        Err(error) if is_kept && error.is_access_denied() => Ok(None),
        Err(error) => Err(error),
    }
}

/// What a list names, as the mirror has it, or else the source.
async fn listed_by(
    manifests: &Manifests,
    origin: &Origin,
    mirror: Option<&Origin>,
    list: &Digest,
) -> Result<Vec<Digest>, endpoint::Error> {
    if let Some(mirror) = mirror
        && let Ok(list) = manifests.fetch(mirror, list).await
    {
        return Ok(digests(&list));
    }
    match manifests.fetch(origin, list).await {
        Ok(list) => Ok(digests(&list)),
        Err(error) if error.is_not_found() => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

fn digests(list: &Manifest) -> Vec<Digest> {
    let members = members(list).iter();
    members.map(|member| member.digest.clone()).collect()
}

/// Reads what refers to one manifest, as far as it is wanted. A member of a fallback list that does not
/// name the subject is something else.
async fn read(
    manifests: &Manifests,
    origin: &Origin,
    links: &Links,
    wish: Wish<'_>,
    room: &Room,
) -> Result<Vec<Attached>, GraphError> {
    let wanted = links.entries.iter().filter(|entry| wish.may_admit(entry));
    let reads: Vec<_> = wanted
        .map(|entry| async move {
            let graph = read_one(manifests, origin, &entry.digest, room).await?;
            let attached = graph.map(|graph| Attached {
                graph,
                by: entry.by.clone(),
            });
            Ok::<_, GraphError>(attached.filter(|attached| {
                let manifest = &attached.graph.root;
                let is_foreign =
                    links.is_member(entry) && !fallback::refers_to(manifest, &links.subject);
                !is_foreign && wish.admits(manifest) && !wish.bars(origin, &attached.graph)
            }))
        })
        .collect();
    let read = telling::all(stream::iter(reads).buffered(READS)).await?;
    Ok(read.into_iter().flatten().collect())
}

/// Reads one thing that refers to a manifest; nothing where the source lists it and has it no more, or not
/// all of it, as in the middle of a garbage collection.
async fn read_one(
    manifests: &Manifests,
    origin: &Origin,
    digest: &Digest,
    room: &Room,
) -> Result<Option<Graph>, GraphError> {
    match Graph::read(manifests, origin, digest, &Platforms::All, room).await {
        Ok(graph) => Ok(Some(graph)),
        Err(GraphError::Read(error)) if error.is_not_found() => {
            let repository = origin.name();
            tracing::warn!(repository, %digest, "is listed as referring to an image and is gone: it is left out");
            Ok(None)
        }
        Err(error) => Err(error.of_referrer()),
    }
}
