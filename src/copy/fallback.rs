// SPDX-License-Identifier: Apache-2.0

//! Fallback tags: the lists of referrers at registries that keep none themselves (distribution
//! specification, referrers tag schema).

mod nature;

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use futures::{StreamExt, stream};
use serde_json::{Value, json};

pub(super) use self::nature::{Nature, lists, lists_artifacts, nature};
use super::endpoint::{self, Endpoint, Place};
use super::links::members;
use super::manifests::Manifests;
use super::pipe::Origin;
use super::telling;
use crate::oci::manifest::ManifestError;
use crate::oci::{Digest, Manifest, Repository, Tag, TagOrDigest, media_type};

/// Members of a list at a destination that are looked for at once.
const HEADS: usize = 8;

/// Serialises the updates of fallback tags: the distribution specification has no conditional PUT
/// that any registry supports.
#[derive(Default)]
pub(super) struct FallbackTags {
    turns: Mutex<HashMap<(Place, Repository, Digest), Turn>>,
}

/// Held while one fallback tag is read and written.
type Turn = Arc<tokio::sync::Mutex<()>>;

/// What stays in a list that is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Keep {
    /// Everything that others put there.
    All,
    /// What of that is still there.
    Present,
}

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

/// What is to be listed as referring to one manifest.
pub(super) struct Additions<'a> {
    pub(super) subject: &'a Digest,
    pub(super) referrers: &'a [Arc<Manifest>],
    /// The list at the source, where everything in it is at the destination.
    pub(super) list: Option<&'a Manifest>,
}

/// The list under the tag of a manifest, where the tag names one.
pub(super) async fn read(
    manifests: &Manifests,
    origin: &Origin,
    subject: &Digest,
) -> Result<Option<Arc<Manifest>>, endpoint::Error> {
    let Some(tag) = Tag::of_referrers(subject, "") else {
        return Ok(None);
    };
    let Origin {
        endpoint,
        repository,
    } = origin;
    let manifest = match endpoint
        .fetch_manifest(repository, &tag.clone().into())
        .await
    {
        Ok(manifest) => Arc::new(manifest),
        Err(error) if error.is_not_found() => return Ok(None),
        Err(error) => return Err(error),
    };
    let lists = lists(manifests, origin, &manifest, &tag).await?;
    Ok(lists.then_some(manifest))
}

/// The same where it is known what the tag names.
pub(super) async fn read_named(
    manifests: &Manifests,
    origin: &Origin,
    subject: &Digest,
    digest: &Digest,
) -> Result<Option<Arc<Manifest>>, endpoint::Error> {
    let Some(tag) = Tag::of_referrers(subject, "") else {
        return Ok(None);
    };
    let manifest = match manifests.fetch(origin, digest).await {
        Ok(manifest) => manifest,
        Err(error) if error.is_not_found() => return Ok(None),
        Err(error) => return Err(error),
    };
    let lists = lists(manifests, origin, &manifest, &tag).await?;
    Ok(lists.then_some(manifest))
}

/// Whether a manifest says that it refers to `subject`.
pub(super) fn refers_to(manifest: &Manifest, subject: &Digest) -> bool {
    let named = manifest.subject().map(|named| &named.digest);
    named == Some(subject)
}

// === impl FallbackTags ===

impl FallbackTags {
    /// Adds referrers to the fallback tag of their subject, keeping what others put there.
    pub(super) async fn add(
        &self,
        manifests: &Manifests,
        origin: &Origin,
        additions: Additions<'_>,
    ) -> Result<(), FallbackError> {
        let Some(tag) = Tag::of_referrers(additions.subject, "") else {
            return Ok(());
        };
        let lock = self.turn(&origin.endpoint, &origin.repository, additions.subject);
        let _turn = lock.lock().await;
        match write(manifests, origin, &additions, &tag, Keep::All).await {
            // distribution refuses a list with a member that was deleted.
            Err(FallbackError::Registry(error)) if error.missing().is_some() => {
                write(manifests, origin, &additions, &tag, Keep::Present).await
            }
            // distribution 2 says so of a list while it rewrites what it keeps of an entry: once more.
            Err(FallbackError::Registry(error)) if error.is_rejected() => {
                write(manifests, origin, &additions, &tag, Keep::All).await
            }
            written => written,
        }
    }

    fn turn(&self, endpoint: &Endpoint, repository: &Repository, subject: &Digest) -> Turn {
        let key = (endpoint.place(), repository.clone(), subject.clone());
        let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
        turns.entry(key).or_default().clone()
    }
}

/// Reads a fallback tag, and writes it where something is to be added.
async fn write(
    manifests: &Manifests,
    origin: &Origin,
    additions: &Additions<'_>,
    tag: &Tag,
    keep: Keep,
) -> Result<(), FallbackError> {
    let Origin {
        endpoint,
        repository,
    } = origin;
    let target = TagOrDigest::Tag(tag.clone());
    let current = match endpoint.fetch_manifest(repository, &target).await {
        Ok(manifest) if manifest.digest() == additions.subject => {
            if is_tag(endpoint, repository, tag).await? {
                // Whoever pulls the image by this tag must go on getting it.
                tracing::warn!(%tag, "names the image itself: what refers to it is not listed there");
                return Ok(());
            }
            None
        }
        Ok(manifest) => Some(manifest),
        // Artifactory says 403 of a tag that is absent (go-containerregistry#1691); the image was read back.
        Err(error) if error.is_not_found() || error.is_access_denied() => None,
        Err(error) => return Err(error.into()),
    };
    let not_an_index = |reason: String| FallbackError::NotAnIndex {
        tag: tag.clone(),
        reason: reason.into(),
    };
    if let Some(current) = &current
        && !additions.knows_one_of(current)
        && !lists(manifests, origin, current, tag).await?
    {
        let reason = "what it names does not refer to the image".to_owned();
        return Err(not_an_index(reason));
    }
    let gone = match (&current, keep) {
        (Some(current), Keep::Present) => additions.find_gone(origin, current).await?,
        (Some(_), Keep::All) | (None, _) => HashSet::new(),
    };
    let wanted = additions.combine(current.as_ref(), &gone);
    let wanted = wanted.map_err(|error| not_an_index(error.to_string()))?;
    if current.is_none_or(|current| current.digest() != wanted.digest()) {
        endpoint.put_manifest(repository, &target, &wanted).await?;
    }
    Ok(())
}

/// Whether the repository lists the tag. One that lists none is believed to have what it resolves.
async fn is_tag(
    endpoint: &Endpoint,
    repository: &Repository,
    tag: &Tag,
) -> Result<bool, endpoint::Error> {
    match endpoint.list_tags(repository).await {
        Ok(tags) => Ok(tags.contains(tag)),
        Err(error) if error.is_transient() => Err(error),
        Err(_) => Ok(true),
    }
}

// === impl Additions ===

impl Additions<'_> {
    /// Whether an index lists something of which it is known that it refers to the subject.
    fn knows_one_of(&self, index: &Manifest) -> bool {
        let ours = self.referrers.iter().map(|referrer| referrer.digest());
        let theirs = self.list.map(members).unwrap_or_default();
        let theirs = theirs.iter().map(|entry| &entry.digest);
        let known: HashSet<&Digest> = ours.chain(theirs).collect();
        members(index)
            .iter()
            .any(|entry| known.contains(&entry.digest))
    }

    /// What an index lists that is not there any more, besides what is being added.
    async fn find_gone(
        &self,
        origin: &Origin,
        index: &Manifest,
    ) -> Result<HashSet<Digest>, endpoint::Error> {
        let Origin {
            endpoint,
            repository,
        } = origin;
        let ours: HashSet<&Digest> = self.referrers.iter().map(|one| one.digest()).collect();
        let others = members(index).iter().map(|member| &member.digest);
        let others: Vec<&Digest> = others.filter(|digest| !ours.contains(digest)).collect();
        let looks = others.into_iter().map(|digest| async move {
            let target = TagOrDigest::Digest(digest.clone());
            let found = endpoint.resolve(repository, &target, None).await?;
            Ok::<_, endpoint::Error>(found.is_none().then(|| digest.clone()))
        });
        let looks: Vec<_> = looks.collect();
        let looked = telling::all(stream::iter(looks).buffered(HEADS)).await?;
        Ok(looked.into_iter().flatten().collect())
    }

    /// The list as it is to be, without what is gone: byte for byte that of the source, unless somebody else
    /// has added to it.
    fn combine(
        &self,
        current: Option<&Manifest>,
        gone: &HashSet<Digest>,
    ) -> Result<Manifest, MergeError> {
        if let Some(list) = self.list {
            let known: HashSet<&Digest> = members(list).iter().map(|entry| &entry.digest).collect();
            let current = current.map(members).unwrap_or_default();
            let mut current = current.iter().map(|entry| &entry.digest);
            if current.all(|digest| known.contains(digest) || gone.contains(digest)) {
                return Ok(list.clone());
            }
        }
        merge(current, gone, self.referrers)
    }
}

/// The index without what is gone, and with an entry for each of the referrers.
fn merge(
    current: Option<&Manifest>,
    gone: &HashSet<Digest>,
    referrers: &[Arc<Manifest>],
) -> Result<Manifest, MergeError> {
    let mut document = match current {
        Some(manifest) => serde_json::from_slice(manifest.bytes())?,
        None => json!({"schemaVersion": 2, "mediaType": media_type::OCI_INDEX, "manifests": []}),
    };
    let entries = document
        .get_mut("manifests")
        .and_then(Value::as_array_mut)
        .ok_or(MergeError::NoEntries)?;
    let digest = |entry: &Value| entry.get("digest")?.as_str()?.parse().ok();
    entries.retain(|entry| digest(entry).is_none_or(|digest: Digest| !gone.contains(&digest)));
    for referrer in referrers {
        let is_it = |entry: &Value| digest(entry).as_ref() == Some(referrer.digest());
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
        members(index)
            .iter()
            .map(|entry| entry.annotations["name"].clone())
            .collect()
    }

    /// A list of these, as another program writes it.
    fn list(names: &[&str]) -> Manifest {
        let entries: Vec<Value> = names.iter().map(|name| entry(&referrer(name))).collect();
        let document = json!({"manifests": entries, "mediaType": media_type::OCI_INDEX, "schemaVersion": 2, "annotations": {"by": "another"}});
        let bytes = serde_json::to_vec_pretty(&document).unwrap();
        Manifest::parse(bytes.into(), None, None).unwrap()
    }

    #[test]
    fn a_referrer_is_added_beside_those_of_others_and_only_once() {
        let none = HashSet::new();
        let first = merge(None, &none, &[referrer("mine")]).unwrap();
        let second = merge(Some(&first), &none, &[referrer("theirs"), referrer("mine")]).unwrap();
        let third = merge(Some(&second), &none, &[referrer("mine")]).unwrap();
        assert_eq!(names(&second), ["mine", "theirs"]);
        assert_eq!(third.digest(), second.digest());
    }

    #[test]
    fn what_is_gone_leaves_a_list_and_everything_else_stays() {
        let referrers = [referrer("ours")];
        let current = list(&["lost", "kept"]);
        let gone = HashSet::from([referrer("lost").digest().clone()]);
        let merged = merge(Some(&current), &gone, &referrers).unwrap();
        assert_eq!(names(&merged), ["kept", "ours"]);
        let source = list(&["ours", "kept"]);
        let additions = Additions {
            subject: &Digest::sha256(b"image"),
            referrers: &referrers,
            list: Some(&source),
        };
        let combined = additions.combine(Some(&current), &gone).unwrap();
        assert_eq!(combined.digest(), source.digest());
    }

    #[test]
    fn the_list_stays_as_it_is_at_the_source_where_nothing_is_merged() {
        let source = list(&["a", "b"]);
        let cases: [(&str, Option<&[&str]>, bool); 5] = [
            ("a fresh destination", None, true),
            ("an empty list", Some(&[]), true),
            ("what the source had before", Some(&["a"]), true),
            ("something of somebody else", Some(&["a", "mine"]), false),
            ("only somebody else's", Some(&["mine"]), false),
        ];
        let referrers = [referrer("a"), referrer("b")];
        for (case, current, is_source) in cases {
            let current = current.map(list);
            let additions = Additions {
                subject: &Digest::sha256(b"image"),
                referrers: &referrers,
                list: Some(&source),
            };
            let combined = additions
                .combine(current.as_ref(), &HashSet::new())
                .unwrap();
            assert_eq!(combined.digest() == source.digest(), is_source, "{case}");
            let names = names(&combined);
            for name in ["a", "b"] {
                assert!(names.contains(&name.to_owned()), "{case}: {names:?}");
            }
            let additions = Additions {
                list: None,
                ..additions
            };
            let merged = additions
                .combine(current.as_ref(), &HashSet::new())
                .unwrap();
            assert_ne!(merged.digest(), source.digest(), "{case}");
        }
    }
}
