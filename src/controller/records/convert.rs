// SPDX-License-Identifier: Apache-2.0

//! Records as the objects that people read, and back.

use std::collections::BTreeSet;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use kube::{Resource, ResourceExt};

use super::parts::ChangedPart;
use super::restored::Restored;
use crate::api::mirrored_repository::{
    DESTINATION_LABEL, DeletedTag, KeptManifest, MIRROR_UID_LABEL, PROTECTED_BY_LENGTH,
    PruneCandidate, RecordedTag, TagState, VerifiedBy, WaitingTag,
};
use crate::api::text::shorten;
use crate::api::time::whole_seconds;
use crate::api::{
    ImageMirror, MirroredRepository, MirroredRepositorySpec, MirroredRepositoryStatus, ObjectName,
};
use crate::oci::{Digest, Registry, Tag};
use crate::plan::Mirror;
use crate::plan::prune::Unwanted;
use crate::sync::ledger::{Form, Keepsake, Leaf, Looked, Page, Record, Sight, Tombstone, Verified};

/// Hexadecimal digits in the name of an object: nobody meets a second one with the same.
const NAME_DIGITS: usize = 40;

/// Who a mirror is, for its records.
#[derive(Clone, Debug)]
pub(super) struct Identity<'a> {
    name: ObjectName,
    uid: &'a str,
    mirror: &'a Mirror,
}

// === impl Identity ===

impl<'a> Identity<'a> {
    /// Who this mirror is; nobody where it is no object of a cluster.
    pub(super) fn of(mirror: &'a Mirror) -> Option<Self> {
        let (_, name) = mirror.name.split_once('/')?;
        Some(Self {
            name: name.parse().ok()?,
            uid: mirror.uid.as_deref()?,
            mirror,
        })
    }

    pub(super) fn owner(&self) -> OwnerReference {
        OwnerReference {
            api_version: ImageMirror::api_version(&()).into_owned(),
            kind: ImageMirror::kind(&()).into_owned(),
            name: self.name.to_string(),
            uid: self.uid.to_owned(),
            controller: Some(true),
            block_owner_deletion: None,
        }
    }
}

/// The one name that the object for a part of a repository has.
pub(super) fn object_name(
    uid: &str,
    destination: &str,
    repository: &str,
    part: i32,
) -> Option<String> {
    let key = format!("{uid}\n{destination}\n{repository}\n{part}");
    let digest = Digest::sha256(key.as_bytes());
    let digits = digest.encoded().get(..NAME_DIGITS)?;
    Some(format!("mr-{digits}"))
}

/// The object for a part of a repository. None where the mirror has no such destination any more.
pub(super) fn write(
    identity: &Identity<'_>,
    page: &Page,
    part: &ChangedPart,
    leaf: &Leaf,
) -> Option<MirroredRepository> {
    let Page {
        mirror: _,
        destination,
        repository,
    } = page;
    let ChangedPart {
        number: part,
        tags,
        manifests,
        is_new: _,
    } = part;
    let registry = &identity.mirror.destination(destination)?.registry;
    let repository = format!("{registry}/{repository}");
    let name = object_name(identity.uid, destination, &repository, *part)?;
    let manifests = manifests
        .iter()
        .filter_map(|digest| Some(write_keepsake(digest, leaf.keepsakes.get(digest)?)));
    let status = write_tags(registry, tags, leaf);
    Some(MirroredRepository {
        metadata: write_metadata(identity, name, destination),
        spec: MirroredRepositorySpec {
            mirror: identity.name.clone(),
            destination: destination.clone(),
            repository,
            part: *part,
        },
        status: Some(MirroredRepositoryStatus {
            manifests: manifests.collect(),
            ..status
        }),
    })
}

/// What is on record of a repository as people read it, in whatever objects it stands. None where the mirror has no such
/// destination any more.
pub(in crate::controller) fn show(
    mirror: &ImageMirror,
    page: &Page,
    leaf: &Leaf,
) -> Option<MirroredRepository> {
    let Page {
        mirror: _,
        destination,
        repository,
    } = page;
    let mut destinations = mirror.spec.destinations.iter();
    let endpoint = destinations.find(|endpoint| endpoint.name == *destination)?;
    let registry: Registry = endpoint.registry.parse().ok()?;
    let tags: BTreeSet<Tag> = leaf.tags().cloned().collect();
    Some(MirroredRepository {
        metadata: ObjectMeta {
            namespace: mirror.namespace(),
            ..ObjectMeta::default()
        },
        spec: MirroredRepositorySpec {
            mirror: mirror.name_any().parse().ok()?,
            destination: destination.clone(),
            repository: format!("{registry}/{repository}"),
            part: 0,
        },
        status: Some(write_tags(&registry, &tags, leaf)),
    })
}

/// These tags as they are on record.
fn write_tags(registry: &Registry, tags: &BTreeSet<Tag>, leaf: &Leaf) -> MirroredRepositoryStatus {
    let recorded: Vec<RecordedTag> = tags
        .iter()
        .filter_map(|tag| Some(write_tag(registry, tag, leaf.records.get(tag)?)))
        .collect();
    let candidates: Vec<PruneCandidate> = tags
        .iter()
        .filter_map(|tag| write_candidate(tag, leaf.records.get(tag)?))
        .collect();
    let deleted = tags
        .iter()
        .filter_map(|tag| write_deleted(registry, tag, leaf.deleted.get(tag)?));
    let waiting = tags
        .iter()
        .filter_map(|tag| Some(write_waiting(tag, leaf.waiting.get(tag)?)));
    MirroredRepositoryStatus {
        tag_count: i32::try_from(recorded.len()).unwrap_or(i32::MAX),
        candidate_count: i32::try_from(candidates.len()).unwrap_or(i32::MAX),
        tags: recorded,
        waiting: waiting.collect(),
        candidates,
        deleted: deleted.collect(),
        manifests: Vec::new(),
    }
}

fn write_metadata(identity: &Identity<'_>, name: String, destination: &str) -> ObjectMeta {
    let labels = [
        (MIRROR_UID_LABEL, identity.uid),
        (DESTINATION_LABEL, destination),
    ];
    let labels = labels.map(|(key, value)| (key.to_owned(), value.to_owned()));
    ObjectMeta {
        name: Some(name),
        namespace: Some(identity.mirror.namespace.clone()),
        labels: Some(labels.into()),
        owner_references: Some(vec![identity.owner()]),
        ..ObjectMeta::default()
    }
}

fn write_tag(registry: &Registry, tag: &Tag, record: &Record) -> RecordedTag {
    let Record {
        source,
        source_digest,
        digest,
        shape,
        first_seen,
        copied_at,
        adopted,
        refused,
        registry: written_to,
        unwanted: _,
        verified,
        referrers,
        checked_at,
        own_referrers,
    } = record;
    let elsewhere = written_to.as_ref().filter(|written| *written != registry);
    RecordedTag {
        tag: tag.clone(),
        source: source.clone(),
        source_digest: source_digest.clone(),
        digest: digest.clone(),
        shape: shape.clone(),
        first_seen: whole_seconds(*first_seen),
        copied_at: copied_at.map(whole_seconds),
        adopted: *adopted,
        registry: elsewhere.map(Registry::to_string),
        verified_by: verified.as_deref().map(write_verified),
        verified_at: verified.as_ref().map(|verified| whole_seconds(verified.at)),
        referrers_checked_at: referrers.map(|looked| whole_seconds(looked.at)),
        referrers_found: referrers.map(|looked| looked.seen.to_string()),
        checked_at: checked_at.map(whole_seconds),
        state: if *refused {
            Some(TagState::Refused)
        } else {
            record.is_pending().then_some(TagState::Pending)
        },
        own_referrers: own_referrers.clone(),
    }
}

/// What stands among the candidates holds since when a tag is not wanted.
fn write_candidate(tag: &Tag, record: &Record) -> Option<PruneCandidate> {
    let Unwanted {
        cause,
        since,
        seen,
        protected_by,
    } = record.unwanted.as_deref()?;
    Some(PruneCandidate {
        tag: tag.clone(),
        digest: record.digest.clone(),
        reason: cause.to_string(),
        since: whole_seconds(*since),
        seen: Some(whole_seconds(*seen)),
        protected_by: protected_by
            .as_ref()
            .map(|text| shorten(text, PROTECTED_BY_LENGTH)),
    })
}

/// None where the candidate is not understood: the tag is found unwanted anew.
fn read_candidate(candidate: &PruneCandidate) -> Option<(&Tag, Unwanted)> {
    let PruneCandidate {
        tag,
        digest: _,
        reason,
        since,
        seen,
        protected_by,
    } = candidate;
    let unwanted = Unwanted {
        cause: reason.parse().ok()?,
        since: since.0,
        seen: seen.as_ref()?.0,
        protected_by: protected_by.clone(),
    };
    Some((tag, unwanted))
}

/// What was deleted at a registry that is no destination any more cannot be restored.
fn write_deleted(registry: &Registry, tag: &Tag, tombstone: &Tombstone) -> Option<DeletedTag> {
    let Tombstone {
        source,
        source_digest,
        digest,
        shape,
        registry: written_to,
        deleted_at,
        approved,
        cleared,
        referrers,
        shared_with,
        took,
    } = tombstone;
    (written_to == registry).then(|| DeletedTag {
        tag: tag.clone(),
        source: source.clone(),
        source_digest: source_digest.clone(),
        digest: digest.clone(),
        shape: shape.clone(),
        deleted_at: whole_seconds(*deleted_at),
        approved: *approved,
        cleared: *cleared,
        referrers: referrers.clone(),
        shared_with: shared_with.clone(),
        took: *took,
    })
}

fn read_deleted(registry: &Registry, deleted: &DeletedTag) -> (Tag, Tombstone) {
    let DeletedTag {
        tag,
        source,
        source_digest,
        digest,
        shape,
        deleted_at,
        approved,
        cleared,
        referrers,
        shared_with,
        took,
    } = deleted;
    let tombstone = Tombstone {
        source: source.clone(),
        source_digest: source_digest.clone(),
        digest: digest.clone(),
        shape: shape.clone(),
        registry: registry.clone(),
        deleted_at: deleted_at.0,
        approved: *approved,
        cleared: *cleared,
        referrers: referrers.clone(),
        shared_with: shared_with.clone(),
        took: *took,
    };
    (tag.clone(), tombstone)
}

fn write_keepsake(digest: &Digest, keepsake: &Keepsake) -> KeptManifest {
    let Form { media_type, data } = keepsake.clone().into();
    KeptManifest {
        digest: digest.clone(),
        media_type,
        data,
    }
}

fn read_keepsake(kept: &KeptManifest) -> (Digest, Keepsake) {
    let KeptManifest {
        digest,
        media_type,
        data,
    } = kept;
    let form = Form {
        media_type: media_type.clone(),
        data: data.clone(),
    };
    (digest.clone(), form.into())
}

fn write_verified(verified: &Verified) -> VerifiedBy {
    let Verified {
        policy,
        authority,
        evidence,
        at: _,
    } = verified;
    VerifiedBy {
        policy: policy.clone(),
        authority: authority.clone(),
        evidence: evidence.clone(),
    }
}

fn read_verified(by: &VerifiedBy, at: Timestamp) -> Verified {
    let VerifiedBy {
        policy,
        authority,
        evidence,
    } = by;
    Verified {
        policy: policy.clone(),
        authority: authority.clone(),
        evidence: evidence.clone(),
        at,
    }
}

/// None where what was found is not understood: it is looked again.
fn read_looked(at: Timestamp, found: &str) -> Option<Looked> {
    let seen = found.parse().ok()?;
    Some(Looked { at, seen })
}

fn write_waiting(tag: &Tag, sight: &Sight) -> WaitingTag {
    let Sight {
        source_digest,
        first_seen,
    } = sight;
    WaitingTag {
        tag: tag.clone(),
        source_digest: source_digest.clone(),
        first_seen: whole_seconds(*first_seen),
    }
}

/// Which repository an object is about. None where it is about none.
pub(super) fn page(object: &MirroredRepository) -> Option<Page> {
    let MirroredRepositorySpec {
        mirror,
        destination,
        repository,
        part: _,
    } = &object.spec;
    Some(Page {
        mirror: format!("{}/{mirror}", object.namespace()?),
        destination: destination.clone(),
        repository: split(repository)?.1.parse().ok()?,
    })
}

/// What an object has on record. None where it is about no repository.
pub fn read(object: &MirroredRepository) -> Option<(Page, Leaf)> {
    let page = page(object)?;
    let registry: Registry = split(&object.spec.repository)?.0.parse().ok()?;
    let status = || object.status.iter();
    let tags = status().flat_map(|status| &status.tags);
    let waiting = status().flat_map(|status| &status.waiting);
    let deleted = status().flat_map(|status| &status.deleted);
    let manifests = status().flat_map(|status| &status.manifests);
    let mut leaf = Leaf {
        records: tags.map(|tag| read_tag(&registry, tag)).collect(),
        waiting: waiting.map(read_waiting).collect(),
        deleted: deleted
            .map(|deleted| read_deleted(&registry, deleted))
            .collect(),
        keepsakes: manifests.map(read_keepsake).collect(),
    };
    let candidates = status().flat_map(|status| &status.candidates);
    for (tag, unwanted) in candidates.filter_map(read_candidate) {
        if let Some(record) = leaf.records.get_mut(tag) {
            record.unwanted = Some(Box::new(unwanted));
        }
    }
    Some((page, leaf))
}

fn read_waiting(waiting: &WaitingTag) -> (Tag, Sight) {
    let WaitingTag {
        tag,
        source_digest,
        first_seen,
    } = waiting;
    let sight = Sight {
        source_digest: source_digest.clone(),
        first_seen: first_seen.0,
    };
    (tag.clone(), sight)
}

fn read_tag(registry: &Registry, recorded: &RecordedTag) -> (Tag, Record) {
    let RecordedTag {
        tag,
        source,
        source_digest,
        digest,
        shape,
        first_seen,
        copied_at,
        adopted,
        registry: elsewhere,
        verified_by,
        verified_at,
        referrers_checked_at,
        referrers_found,
        checked_at,
        state,
        own_referrers,
    } = recorded;
    let elsewhere = elsewhere.as_ref().map(|registry| registry.parse().ok());
    // Two words for one thing are held once.
    let digest = if digest == source_digest {
        source_digest
    } else {
        digest
    };
    let verified = verified_by.as_ref().zip(verified_at.as_ref());
    let referrers = referrers_checked_at.as_ref().zip(referrers_found.as_ref());
    let record = Record {
        source: source.clone(),
        source_digest: source_digest.clone(),
        digest: digest.clone(),
        shape: shape.clone(),
        first_seen: first_seen.0,
        copied_at: copied_at.as_ref().map(|time| time.0),
        adopted: *adopted,
        refused: *state == Some(TagState::Refused),
        registry: elsewhere.unwrap_or_else(|| Some(registry.clone())),
        unwanted: None,
        verified: verified.map(|(by, at)| Box::new(read_verified(by, at.0))),
        referrers: referrers.and_then(|(at, found)| read_looked(at.0, found)),
        checked_at: checked_at.as_ref().map(|time| time.0),
        own_referrers: own_referrers.clone(),
    };
    (tag.clone(), record)
}

/// What the records say of the time before.
pub(super) fn restored(object: &MirroredRepository, page: &Page, leaf: &Leaf) -> Restored {
    let registry = split(&object.spec.repository).and_then(|(registry, _)| registry.parse().ok());
    Restored {
        claims: leaf.held(&page.repository, registry.as_ref()),
        has_pending: leaf.records.values().any(Record::is_pending),
    }
}

fn split(location: &str) -> Option<(&str, &str)> {
    location.split_once('/')
}
