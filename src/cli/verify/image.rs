// SPDX-License-Identifier: Apache-2.0

//! Whether everything is there that images lead to.

use std::collections::{BTreeMap, BTreeSet};

use futures::{StreamExt, stream};
use schemars::JsonSchema;
use serde::Serialize;

use crate::api::Reason;
use crate::cli::address::image_name;
use crate::cli::image::Source;
use crate::copy::endpoint::{self, Referrers};
use crate::oci::{Descriptor, Digest, Manifest, TagOrDigest, limits};
use crate::plan::report::Failure;

/// Blobs that are looked at together, and images. What a registry bears is decided by its own limits.
const LOOKS: usize = 8;

/// What an image is made of, and whether all of it is there.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Verified {
    pub(super) reference: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) digest: Option<Digest>,
    /// Whether nothing is missing or damaged.
    pub(super) complete: bool,
    /// Whether every byte was read.
    pub(super) deep: bool,
    pub(super) manifests: usize,
    pub(super) blobs: usize,
    /// Bytes of the blobs.
    pub(super) size: u64,
}

/// An image of a repository.
pub(super) struct Named {
    /// As people write it.
    pub(super) reference: String,
    pub(super) root: Root,
}

/// What an image begins with.
pub(super) enum Root {
    /// Its manifest or index, where it was read already.
    Read(Manifest),
    /// Its digest.
    Named(Digest),
}

/// Something that is missing or damaged.
pub(super) struct Fault {
    pub(super) subject: String,
    pub(super) reason: Reason,
    pub(super) message: String,
}

/// Everything that an image leads to.
#[derive(Default)]
struct Reachable {
    manifests: BTreeSet<Digest>,
    blobs: BTreeMap<Digest, Descriptor>,
    faults: Vec<Fault>,
}

/// Looks at everything that images of a repository lead to, at each blob once, with `deep` at each byte.
pub(super) async fn verify(
    source: &Source,
    images: Vec<Named>,
    deep: bool,
) -> (Vec<Verified>, Vec<Fault>) {
    let walks = stream::iter(images).map(|image| async move {
        let reachable = walk(source, &image.root).await;
        (image, reachable)
    });
    let walked: Vec<(Named, Reachable)> = walks.buffered(LOOKS).collect().await;
    let blobs = walked.iter().flat_map(|(_, reachable)| &reachable.blobs);
    let blobs: BTreeMap<&Digest, &Descriptor> = blobs
        .filter(|(_, blob)| !blob.media_type.is_foreign_layer())
        .collect();
    let checks = stream::iter(blobs).map(|(digest, blob)| async move {
        let fault = check(source, blob, deep).await;
        fault.map(|fault| (digest.clone(), fault))
    });
    let damaged: BTreeMap<Digest, Fault> = checks
        .buffer_unordered(LOOKS)
        .filter_map(async |fault| fault)
        .collect()
        .await;
    let mut verified = Vec::new();
    let mut faults = Vec::new();
    for (image, reachable) in walked {
        let is_damaged = |digest: &Digest| damaged.contains_key(digest);
        let complete = reachable.faults.is_empty() && !reachable.blobs.keys().any(is_damaged);
        verified.push(Verified {
            reference: image.reference,
            digest: Some(image.root.digest().clone()),
            complete,
            deep,
            manifests: reachable.manifests.len(),
            blobs: reachable.blobs.len(),
            size: reachable.blobs.values().map(|blob| blob.size).sum(),
        });
        faults.extend(reachable.faults);
    }
    faults.extend(damaged.into_values());
    faults.sort_by(|left, right| left.subject.cmp(&right.subject));
    // Images may have a manifest in common.
    faults.dedup_by(|left, right| left.subject == right.subject);
    (verified, faults)
}

// === impl Root ===

impl Root {
    fn digest(&self) -> &Digest {
        match self {
            Self::Read(manifest) => manifest.digest(),
            Self::Named(digest) => digest,
        }
    }
}

/// Reads the manifests below a digest, and of what refers to each of them. Each is checked against its digest.
async fn walk(source: &Source, root: &Root) -> Reachable {
    let mut found = Reachable::default();
    let mut pending = vec![root.digest().clone()];
    found.manifests.insert(root.digest().clone());
    while let Some(digest) = pending.pop() {
        let name = image_name(&source.name, &digest.clone().into());
        let manifest = match root {
            Root::Read(manifest) if *manifest.digest() == digest => Ok(manifest.clone()),
            Root::Read(_) | Root::Named(_) => {
                let target = TagOrDigest::Digest(digest.clone());
                let read = source.endpoint.fetch_manifest(&source.repository, &target);
                read.await
            }
        };
        let manifest = match manifest {
            Ok(manifest) => manifest,
            Err(error) => {
                found.faults.push(Fault::of(&name, &error));
                continue;
            }
        };
        let mut below: Vec<Digest> = children(&manifest);
        match source.endpoint.referrers(&source.repository, &digest).await {
            Ok(Referrers::Listed(list)) => below.extend(list.into_iter().map(|entry| entry.digest)),
            Ok(Referrers::Unsupported) => {}
            Err(error) => found.faults.push(Fault::of(&name, &error)),
        }
        for blob in manifest.blobs() {
            found.blobs.insert(blob.digest.clone(), blob.clone());
        }
        for child in below {
            if found.manifests.len() >= limits::GRAPH_NODES {
                found.faults.push(Fault {
                    subject: name.clone(),
                    reason: Reason::CopyFailed,
                    message: format!("more than {} manifests belong to it", limits::GRAPH_NODES),
                });
                return found;
            }
            if found.manifests.insert(child.clone()) {
                pending.push(child);
            }
        }
    }
    found
}

fn children(manifest: &Manifest) -> Vec<Digest> {
    let entries = manifest.entries().iter();
    entries.map(|entry| entry.digest.clone()).collect()
}

/// What is wrong with a blob: that it is not there, or deep that its bytes are others.
async fn check(source: &Source, blob: &Descriptor, deep: bool) -> Option<Fault> {
    let name = image_name(&source.name, &blob.digest.clone().into());
    if !deep {
        return match source.endpoint.proves_blob(&source.repository, blob).await {
            Ok(true) => None,
            Ok(false) => Some(Fault {
                subject: name,
                reason: Reason::NotFound,
                message: "the blob is missing".to_owned(),
            }),
            Err(error) => Some(Fault::of(&name, &error)),
        };
    }
    match hash(source, blob).await {
        Ok(digest) if digest == blob.digest => None,
        Ok(digest) => Some(Fault {
            subject: name,
            reason: Reason::DigestMismatch,
            message: format!("the bytes of the blob are others: they have the digest {digest}"),
        }),
        Err(error) => Some(Fault::of(&name, &error)),
    }
}

/// The digest of what is there, as long as it is no longer than it should be.
async fn hash(source: &Source, blob: &Descriptor) -> Result<Digest, endpoint::Error> {
    let mut hasher = blob.digest.algorithm().hasher();
    let mut body = source
        .endpoint
        .fetch_blob(&source.repository, blob, 0)
        .await?;
    let mut read = 0;
    while let Some(frame) = body.next().await {
        let frame = frame?;
        hasher.update(&frame);
        read += frame.len() as u64;
        if read > blob.size {
            break;
        }
    }
    Ok(hasher.finish())
}

// === impl Verified ===

impl Verified {
    /// Of an image that cannot be looked at.
    pub(super) fn unknown(reference: String, deep: bool) -> Self {
        Self {
            reference,
            digest: None,
            complete: false,
            deep,
            manifests: 0,
            blobs: 0,
            size: 0,
        }
    }
}

// === impl Fault ===

impl Fault {
    pub(super) fn of(subject: &str, error: &endpoint::Error) -> Self {
        Self {
            subject: subject.to_owned(),
            reason: error.reason(),
            message: error.to_string(),
        }
    }

    pub(super) fn into_failure(self) -> Failure {
        let Self {
            subject,
            reason,
            message,
        } = self;
        Failure {
            subject,
            reason,
            message,
            next_attempt_time: None,
            is_of_tag: false,
        }
    }
}
