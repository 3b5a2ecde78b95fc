//! What refers to an image: signatures, SBOMs, attestations, in both schemes.
//!
//! Registries with the referrers API list them; for the others there is a fallback tag
//! `sha256-<hex>` (distribution specification, referrers), and cosign's older tags with a suffix.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream};
use serde_json::{Value, json};
use tokio::sync::OnceCell;

use super::endpoint::{self, Endpoint, Place, Referrers};
use super::graph::Graph;
use super::graph_error::GraphError;
use super::manifests::{Manifests, Room};
use super::pipe::Origin;
use crate::oci::manifest::ManifestError;
use crate::oci::{
    Content, Descriptor, Digest, Manifest, Repository, Tag, TagOrDigest, limits, media_type,
};
use crate::plan::Platforms;

/// Lists of referrers read at once for one image.
const READS: usize = 8;

/// Something that comes along with an image.
#[derive(Clone, Debug)]
pub(super) struct Attached {
    pub(super) graph: Graph,
    pub(super) by: Link,
}

/// How it is found.
#[derive(Clone, Debug)]
pub(super) enum Link {
    /// It names its subject.
    Subject(Digest),
    /// A tag names the digest of the image.
    Tag(Tag),
}

/// Finds referrers, and remembers what each source turned out to offer.
#[derive(Default)]
pub(super) struct Finder {
    lists: Mutex<HashMap<(Place, Repository), List>>,
}

/// The referrers tags of a repository, read by whoever asks first; nothing where it lists no tags.
type List = Arc<OnceCell<Option<HashSet<Tag>>>>;

/// Serialises the updates of fallback tags: the distribution specification has no conditional PUT
/// that any registry supports.
#[derive(Default)]
pub(super) struct FallbackTags {
    turns: Mutex<HashMap<(Place, Repository, Digest), Turn>>,
}

/// Held while one fallback tag is read and written.
type Turn = Arc<tokio::sync::Mutex<()>>;

/// Why a fallback tag could not be brought up to date.
#[derive(Clone, Debug, thiserror::Error)]
pub enum FallbackError {
    /// The registry failed.
    #[error("{0}")]
    Registry(#[from] endpoint::Error),
    /// What stands there, or what would, is no index.
    #[error("the referrers tag {tag} does not name a list of referrers: {reason}")]
    NotAnIndex {
        /// The tag.
        tag: Tag,
        /// Why.
        reason: Arc<str>,
    },
}

// === impl Finder ===

impl Finder {
    /// Everything that refers to one of the `subjects`, and to those referrers again.
    pub(super) async fn find(
        &self,
        manifests: &Manifests,
        origin: &Origin,
        subjects: Vec<Digest>,
        room: &Room,
    ) -> Result<Vec<Attached>, GraphError> {
        let mut seen: HashSet<Digest> = HashSet::new();
        let mut found = Vec::new();
        let mut subjects = subjects;
        for _ in 0..limits::REFERRERS_DEPTH {
            subjects.retain(|subject| seen.insert(subject.clone()));
            let reads: Vec<_> = subjects
                .iter()
                .map(|subject| self.links(origin, subject))
                .collect();
            let links: Vec<Vec<(Link, Digest)>> = stream::iter(reads)
                .buffered(READS)
                .try_collect()
                .await
                .map_err(GraphError::Referrers)?;
            let attached: Vec<Attached> = stream::iter(links.into_iter().flatten())
                .map(|(by, digest)| async move {
                    let all = &Platforms::All;
                    let graph = Graph::read(manifests, origin, &digest, all, room).await;
                    let graph = graph.map_err(GraphError::of_referrer)?;
                    Ok::<_, GraphError>(Attached { graph, by })
                })
                .buffered(READS)
                .try_collect()
                .await?;
            subjects = attached
                .iter()
                .map(|attached| attached.graph.root.digest().clone())
                .collect();
            found.extend(attached);
        }
        Ok(found)
    }

    async fn links(
        &self,
        origin: &Origin,
        subject: &Digest,
    ) -> Result<Vec<(Link, Digest)>, endpoint::Error> {
        let listed = self.listed(origin, subject).await?;
        let mut links: Vec<_> = listed
            .into_iter()
            .map(|entry| (Link::Subject(subject.clone()), entry.digest))
            .collect();
        for suffix in Tag::COSIGN_SUFFIXES {
            let Some(tag) = Tag::of_referrers(subject, suffix) else {
                continue;
            };
            if let Some(found) = self.tagged(origin, &tag).await? {
                links.push((Link::Tag(tag), found));
            }
        }
        Ok(links)
    }

    /// What names `subject`, by the registry's own list or by the fallback tag.
    pub(super) async fn listed(
        &self,
        origin: &Origin,
        subject: &Digest,
    ) -> Result<Vec<Descriptor>, endpoint::Error> {
        let Origin {
            endpoint,
            repository,
        } = origin;
        match endpoint.referrers(repository, subject).await? {
            Referrers::Listed(list) => Ok(list),
            Referrers::Unsupported => self.fallback(origin, subject).await,
        }
    }

    /// What one of cosign's tags names, where it is there.
    pub(super) async fn tagged(
        &self,
        origin: &Origin,
        tag: &Tag,
    ) -> Result<Option<Digest>, endpoint::Error> {
        let Origin {
            endpoint,
            repository,
        } = origin;
        if !self.may_exist(origin, tag).await {
            return Ok(None);
        }
        let target = TagOrDigest::Tag(tag.clone());
        endpoint.resolve(repository, &target, None).await
    }

    async fn fallback(
        &self,
        origin: &Origin,
        subject: &Digest,
    ) -> Result<Vec<Descriptor>, endpoint::Error> {
        let Some(tag) = Tag::of_referrers(subject, "") else {
            return Ok(Vec::new());
        };
        if !self.may_exist(origin, &tag).await {
            return Ok(Vec::new());
        }
        match origin
            .endpoint
            .fetch_manifest(&origin.repository, &TagOrDigest::Tag(tag))
            .await
        {
            Ok(manifest) => Ok(match manifest.content() {
                Content::Index(index) => index.manifests.clone(),
                Content::Image(_) => Vec::new(),
            }),
            Err(error) if error.is_not_found() => Ok(Vec::new()),
            Err(error) => Err(error),
        }
    }

    /// Whether the repository lists the tag. Where it does not list its tags, it must be asked.
    async fn may_exist(&self, origin: &Origin, tag: &Tag) -> bool {
        let Origin {
            endpoint,
            repository,
        } = origin;
        let cell = self.list(origin);
        let list = cell
            .get_or_init(|| async {
                let tags = endpoint.list_tags_matching(repository, Tag::is_referrers_tag);
                Some(tags.await.ok()?.into_iter().collect())
            })
            .await;
        list.as_ref().is_none_or(|tags| tags.contains(tag))
    }

    /// Takes over a tag list that was read for another reason.
    pub(super) fn learn_tags(&self, origin: &Origin, tags: &[Tag]) {
        let tags = tags
            .iter()
            .filter(|tag| tag.is_referrers_tag())
            .cloned()
            .collect();
        // An error says that the list is known already.
        let _ = self.list(origin).set(Some(tags));
    }

    fn list(&self, origin: &Origin) -> List {
        let key = (origin.endpoint.place(), origin.repository.clone());
        let mut lists = self.lists.lock().unwrap_or_else(PoisonError::into_inner);
        lists.entry(key).or_default().clone()
    }

    /// Forgets the tag lists: a new round looks again.
    pub(super) fn forget(&self) {
        self.lists
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clear();
    }
}

// === impl FallbackTags ===

impl FallbackTags {
    /// Adds referrers to the fallback tag of their subject, keeping what others put there.
    pub(super) async fn add(
        &self,
        endpoint: &Endpoint,
        repository: &Repository,
        subject: &Digest,
        referrers: &[Arc<Manifest>],
    ) -> Result<(), FallbackError> {
        let Some(tag) = Tag::of_referrers(subject, "") else {
            return Ok(());
        };
        let key = (endpoint.place(), repository.clone(), subject.clone());
        let lock = self
            .turns
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .entry(key)
            .or_default()
            .clone();
        let _turn = lock.lock().await;

        let target = TagOrDigest::Tag(tag.clone());
        let current = match endpoint.fetch_manifest(repository, &target).await {
            Ok(manifest) => Some(manifest),
            // Artifactory says 403 of a tag that is absent (go-containerregistry#1691); the image was read back.
            Err(error) if error.is_not_found() || error.is_access_denied() => None,
            Err(error) => return Err(error.into()),
        };
        let not_an_index = |reason: String| FallbackError::NotAnIndex {
            tag,
            reason: reason.into(),
        };
        let merged =
            merge(current.as_ref(), referrers).map_err(|error| not_an_index(error.to_string()))?;
        if current.is_none_or(|current| current.digest() != merged.digest()) {
            endpoint.put_manifest(repository, &target, &merged).await?;
        }
        Ok(())
    }
}

/// The index with an entry for each of the referrers.
fn merge(current: Option<&Manifest>, referrers: &[Arc<Manifest>]) -> Result<Manifest, MergeError> {
    let mut document = match current {
        Some(manifest) => serde_json::from_slice(manifest.bytes())?,
        None => json!({"schemaVersion": 2, "mediaType": media_type::OCI_INDEX, "manifests": []}),
    };
    let entries = document
        .get_mut("manifests")
        .and_then(Value::as_array_mut)
        .ok_or(MergeError::NoEntries)?;
    for referrer in referrers {
        let digest = referrer.digest().as_str();
        let is_it = |entry: &Value| entry.get("digest").and_then(Value::as_str) == Some(digest);
        if !entries.iter().any(is_it) {
            entries.push(entry(referrer));
        }
    }
    let media_type = current.map_or_else(
        || media_type::OCI_INDEX.into(),
        |manifest| manifest.media_type().clone(),
    );
    let bytes = Bytes::from(serde_json::to_vec(&document)?);
    Ok(Manifest::parse(bytes, Some(&media_type), None)?)
}

#[derive(Debug, thiserror::Error)]
enum MergeError {
    #[error("{0}")]
    Json(#[from] serde_json::Error),
    #[error("it has no entries")]
    NoEntries,
    #[error("{0}")]
    Manifest(#[from] ManifestError),
}

/// The descriptor under which the referrers API would list a manifest.
fn entry(referrer: &Manifest) -> Value {
    let mut entry = json!({
        "mediaType": referrer.media_type().as_str(),
        "digest": referrer.digest().as_str(),
        "size": referrer.size(),
    });
    if let Some(artifact_type) = referrer.artifact_type() {
        entry["artifactType"] = json!(artifact_type);
    }
    if !referrer.annotations().is_empty() {
        entry["annotations"] = json!(referrer.annotations());
    }
    entry
}

#[cfg(test)]
mod tests {
    use super::*;

    fn referrer(name: &str) -> Arc<Manifest> {
        let document = json!({
            "schemaVersion": 2,
            "mediaType": media_type::OCI_MANIFEST,
            "artifactType": "application/x-signature",
            "config": {"mediaType": "application/vnd.oci.empty.v1+json", "digest": Digest::sha256(b"{}").as_str(), "size": 2},
            "layers": [],
            "annotations": {"name": name},
        });
        Arc::new(Manifest::parse(Bytes::from(document.to_string()), None, None).unwrap())
    }

    fn names(index: &Manifest) -> Vec<String> {
        let Content::Index(index) = index.content() else {
            panic!("an index")
        };
        index
            .manifests
            .iter()
            .map(|entry| entry.annotations["name"].clone())
            .collect()
    }

    #[test]
    fn a_referrer_is_added_beside_those_of_others_and_only_once() {
        let first = merge(None, &[referrer("mine")]).unwrap();
        let second = merge(Some(&first), &[referrer("theirs"), referrer("mine")]).unwrap();
        let third = merge(Some(&second), &[referrer("mine")]).unwrap();
        assert_eq!(names(&second), ["mine", "theirs"]);
        assert_eq!(third.digest(), second.digest());
    }
}
