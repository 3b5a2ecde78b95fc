// SPDX-License-Identifier: Apache-2.0

//! What a repository of a layout has of the images that go into a bundle.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::index::{BundledBlob, BundledEntry, BundledManifest, BundledOrigin, BundledRepository};
use crate::layout::error::Error;
use crate::layout::index::Entry;
use crate::layout::store::Store;
use crate::layout::tree::Layout;
use crate::oci::{Descriptor, Digest, Registry, Repository, Tag, TagOrDigest};

/// Images that wait in a layout to be put into a bundle.
#[derive(Clone, Debug)]
pub struct StagedRepository {
    /// Where they wait.
    pub layout: Layout,
    /// The registry that they are for.
    pub registry: Registry,
    /// The repository there, and in the layout.
    pub repository: Repository,
    /// Which images: what else is in the layout stays out, but for what refers to them.
    pub images: BTreeMap<Tag, Vec<BundledOrigin>>,
}

/// Everything that is reached.
#[derive(Default)]
struct Reached {
    manifests: BTreeMap<Digest, u64>,
    blobs: BTreeMap<Digest, BundledBlob>,
    /// What an index lists and is not there.
    absent: BTreeSet<Digest>,
}

/// Everything that the images of a repository lead to, and what refers to that.
pub(super) fn gather(staged: &StagedRepository) -> Result<(Arc<Store>, BundledRepository), Error> {
    let store = staged.layout.store(&staged.repository)?;
    let index = store.read_index()?;
    let mut reached = Reached::default();
    let mut entries = Vec::new();
    for (tag, origins) in &staged.images {
        let found = index.tagged(tag).next();
        let entry = found.ok_or_else(|| Error::NoManifest {
            path: store.directory.clone(),
            target: TagOrDigest::Tag(tag.clone()),
        })?;
        reached.add(&store, &entry.descriptor)?;
        entries.push(bundled(entry, origins.clone()));
    }
    let is_image = |entry: &Entry| {
        let tag = entry.tag.as_ref();
        tag.is_some_and(|tag| staged.images.contains_key(tag))
    };
    let rest = index.entries().iter().filter(|entry| !is_image(entry));
    let mut rest: Vec<&Entry> = rest.collect();
    // What refers to an image may be referred to itself.
    loop {
        let before = rest.len();
        let mut later = Vec::new();
        for entry in rest {
            if reached.bears(&store, entry)? {
                reached.add(&store, &entry.descriptor)?;
                entries.push(bundled(entry, Vec::new()));
            } else {
                later.push(entry);
            }
        }
        rest = later;
        if rest.len() == before {
            break;
        }
    }
    let manifests = reached.manifests.into_iter();
    let manifests = manifests.map(|(digest, size)| BundledManifest { digest, size });
    let repository = BundledRepository {
        name: format!("{}/{}", staged.registry, staged.repository),
        entries,
        manifests: manifests.collect(),
        blobs: reached.blobs.into_values().collect(),
        left_out: reached.absent.into_iter().collect(),
    };
    Ok((store, repository))
}

fn bundled(entry: &Entry, origins: Vec<BundledOrigin>) -> BundledEntry {
    let Descriptor {
        media_type,
        artifact_type,
        digest,
        size,
        ..
    } = entry.descriptor.clone();
    BundledEntry {
        tag: entry.tag.clone(),
        media_type,
        artifact_type,
        digest,
        size,
        origins,
    }
}

// === impl Reached ===

impl Reached {
    /// Whether an entry refers to something that is reached.
    fn bears(&self, store: &Store, entry: &Entry) -> Result<bool, Error> {
        if let Some(tag) = &entry.tag {
            // A tag that is named after no image is that of another one.
            let Some(attachment) = tag.attachment() else {
                return Ok(false);
            };
            return Ok(self.manifests.keys().any(|known| attachment.is_of(known)));
        }
        let subject = store.subject_of(&entry.descriptor)?;
        Ok(subject.is_some_and(|subject| self.manifests.contains_key(&subject)))
    }

    /// Adds a manifest and all below it. Of an index those images may be missing that a mirror leaves out.
    fn add(&mut self, store: &Store, root: &Descriptor) -> Result<(), Error> {
        let mut pending = vec![root.clone()];
        while let Some(next) = pending.pop() {
            if self.manifests.contains_key(&next.digest) {
                continue;
            }
            let Some(manifest) = store.read_manifest(&next.digest, Some(&next.media_type))? else {
                if next.digest == root.digest {
                    return Err(store.lacks_blob(next.digest));
                }
                self.absent.insert(next.digest);
                continue;
            };
            self.manifests.insert(next.digest, manifest.size());
            for blob in manifest.blobs() {
                self.add_blob(store, blob)?;
            }
            pending.extend(manifest.entries().iter().cloned());
        }
        Ok(())
    }

    fn add_blob(&mut self, store: &Store, blob: &Descriptor) -> Result<(), Error> {
        if self.blobs.contains_key(&blob.digest) {
            return Ok(());
        }
        let elsewhere = match store.open_blob(&blob.digest)? {
            Some(opened) => {
                store.check_size(blob, opened.length)?;
                false
            }
            None if store.is_elsewhere(&blob.digest) => true,
            // Nobody gives them on.
            None if blob.media_type.is_foreign_layer() => return Ok(()),
            None => return Err(store.lacks_blob(blob.digest.clone())),
        };
        let bundled = BundledBlob {
            digest: blob.digest.clone(),
            size: blob.size,
            elsewhere,
        };
        self.blobs.insert(blob.digest.clone(), bundled);
        Ok(())
    }
}
