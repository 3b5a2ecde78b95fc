// SPDX-License-Identifier: Apache-2.0

//! Compares what the manifests of a bundle say with what its index says of them.

use std::collections::{HashMap, HashSet};

use super::index::{BundledEntry, BundledRepository};
use crate::layout::error::Error;
use crate::layout::store::Store;
use crate::oci::{Descriptor, Digest, Manifest, MediaType, Tag};

/// A repository as the index lists it.
struct Listed<'a> {
    store: &'a Store,
    repository: &'a BundledRepository,
    manifests: HashMap<&'a Digest, u64>,
    /// The tags that what refers to its manifests may begin with.
    subjects: HashSet<Tag>,
    blobs: HashMap<&'a Digest, u64>,
    left_out: HashSet<&'a Digest>,
}

/// What a repository names and does not have, or has otherwise than it says. What cannot be read was told already.
pub(super) fn find_faults(
    store: &Store,
    repository: &BundledRepository,
) -> Result<Vec<Error>, Error> {
    let manifests = repository.manifests.iter();
    let subjects = manifests
        .clone()
        .filter_map(|one| Tag::of_referrers(&one.digest, ""));
    let blobs = repository.blobs.iter();
    let listed = Listed {
        store,
        repository,
        manifests: manifests.map(|one| (&one.digest, one.size)).collect(),
        subjects: subjects.collect(),
        blobs: blobs.map(|one| (&one.digest, one.size)).collect(),
        left_out: repository.left_out.iter().collect(),
    };
    let mut faults = Vec::new();
    for entry in &repository.entries {
        listed.look_at_entry(entry, &mut faults)?;
    }
    for digest in listed.manifests.keys() {
        listed.look_below(digest, &mut faults)?;
    }
    Ok(faults)
}

// === impl Listed ===

impl Listed<'_> {
    /// Looks at an image, or at what refers to one.
    fn look_at_entry(&self, entry: &BundledEntry, faults: &mut Vec<Error>) -> Result<(), Error> {
        let descriptor = entry.descriptor();
        let Some(manifest) = self.look_at(&descriptor, faults)? else {
            return Ok(());
        };
        let digest = &entry.digest;
        if let Some(named) = &entry.artifact_type
            && manifest.artifact_type() != Some(named)
        {
            faults.push(self.contradicts(&format!("{digest} as an artifact of another type")));
        }
        let tag = entry.tag.as_ref().and_then(Tag::attachment);
        let subject = tag.and_then(|tag| tag.subject.parse::<Tag>().ok());
        let is_attached = subject.is_some_and(|subject| self.subjects.contains(&subject));
        let subject = manifest.subject();
        let refers = subject.is_some_and(|subject| self.manifests.contains_key(&subject.digest));
        if entry.origins.is_empty() && !is_attached && !refers {
            faults.push(self.contradicts(&format!(
                "{digest}, which is no image of a mirror and refers to none"
            )));
        }
        Ok(())
    }

    /// Looks at what a manifest names.
    fn look_below(&self, digest: &Digest, faults: &mut Vec<Error>) -> Result<(), Error> {
        let Some(manifest) = self.read(digest, None, faults)? else {
            return Ok(());
        };
        for child in manifest.entries() {
            if !self.left_out.contains(&child.digest) {
                self.look_at(child, faults)?;
            }
        }
        for blob in manifest.blobs() {
            match self.blobs.get(&blob.digest) {
                Some(size) => faults.extend(self.differs(blob, *size)),
                // Nobody gives them on.
                None if blob.media_type.is_foreign_layer() => {}
                None => faults.push(self.lacks(&blob.digest)),
            }
        }
        Ok(())
    }

    /// Looks at a manifest by what another one, or the index, says of it.
    fn look_at(
        &self,
        descriptor: &Descriptor,
        faults: &mut Vec<Error>,
    ) -> Result<Option<Manifest>, Error> {
        let Some(size) = self.manifests.get(&descriptor.digest) else {
            faults.push(self.lacks(&descriptor.digest));
            return Ok(None);
        };
        faults.extend(self.differs(descriptor, *size));
        self.read(&descriptor.digest, Some(&descriptor.media_type), faults)
    }

    fn read(
        &self,
        digest: &Digest,
        media_type: Option<&MediaType>,
        faults: &mut Vec<Error>,
    ) -> Result<Option<Manifest>, Error> {
        match self.store.read_manifest(digest, media_type) {
            Err(Error::DamagedBlob { .. } | Error::Damaged { .. }) => Ok(None),
            Err(error @ Error::BadManifest { .. }) => {
                faults.push(error);
                Ok(None)
            }
            read => read,
        }
    }

    fn differs(&self, named: &Descriptor, found: u64) -> Option<Error> {
        self.store.check_size(named, found).err()
    }

    fn lacks(&self, digest: &Digest) -> Error {
        self.contradicts(&format!("{digest}, which is not listed"))
    }

    fn contradicts(&self, what: &str) -> Error {
        let reason = format!("{} names {what}", self.repository.name);
        Error::bad_file(self.store.directory.clone(), reason)
    }
}
