// SPDX-License-Identifier: Apache-2.0

//! What the registry in memory holds.

mod own;
mod protocol;

use std::collections::{BTreeMap, HashMap};

use bytes::{Bytes, BytesMut};

use super::super::content::{Blob, FoundBy, Image};

/// What a registry can do.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is there or not, whatever the others are"
)]
#[derive(Clone, Copy)]
pub(super) struct Abilities {
    pub(super) referrers: bool,
    pub(super) mounts: bool,
    pub(super) sparse: bool,
    pub(super) page_size: usize,
    pub(super) hides_the_absent: bool,
    pub(super) folds_case: bool,
    pub(super) takes_manifests_along: bool,
    pub(super) wants_repositories: bool,
    pub(super) deletes_nothing: bool,
}

/// The content of a registry.
#[derive(Clone)]
pub(super) struct Store {
    abilities: Abilities,
    repositories: BTreeMap<String, Repository>,
    uploads: HashMap<String, BytesMut>,
    sessions: usize,
}

#[derive(Clone, Default)]
struct Repository {
    blobs: HashMap<String, Bytes>,
    manifests: HashMap<String, Blob>,
    tags: BTreeMap<String, String>,
}

impl Default for Abilities {
    fn default() -> Self {
        Self {
            referrers: true,
            mounts: true,
            sparse: false,
            page_size: 1000,
            hides_the_absent: false,
            folds_case: false,
            takes_manifests_along: false,
            wants_repositories: false,
            deletes_nothing: false,
        }
    }
}

impl Store {
    pub(super) fn new(abilities: Abilities) -> Self {
        Self {
            abilities,
            repositories: BTreeMap::new(),
            uploads: HashMap::new(),
            sessions: 0,
        }
    }

    pub(super) fn load(&mut self, repository: &str, tag: &str, image: &Image) {
        for blob in image.all_blobs() {
            self.load_blob(repository, blob);
        }
        for child in &image.children {
            self.load_manifest(repository, &child.digest, child);
        }
        self.load_manifest(repository, tag, &image.root);
        for referrer in &image.referrers {
            let reference = match &referrer.found_by {
                FoundBy::Subject => &referrer.manifest.digest,
                FoundBy::Tag(tag) => tag,
            };
            self.load_manifest(repository, reference, &referrer.manifest);
        }
        if !self.abilities.referrers {
            for subject in image.subjects() {
                let (tag, index) = image.fallback_index(subject);
                self.load_manifest(repository, &tag, &index);
            }
        }
    }

    pub(super) fn load_blob(&mut self, repository: &str, blob: &Blob) {
        self.repository(repository)
            .blobs
            .insert(blob.digest.clone(), blob.bytes.clone());
    }

    pub(super) fn load_manifest(&mut self, repository: &str, reference: &str, manifest: &Blob) {
        let reference = self.tag_for(reference);
        let repository = self.repository(repository);
        repository
            .manifests
            .insert(manifest.digest.clone(), manifest.clone());
        if !reference.contains(':') {
            repository.tags.insert(reference, manifest.digest.clone());
        }
    }

    /// What the registry takes a tag for.
    fn tag_for(&self, reference: &str) -> String {
        if self.abilities.folds_case {
            return reference.to_ascii_lowercase();
        }
        reference.to_owned()
    }

    pub(super) fn manifest(&self, repository: &str, reference: &str) -> Option<Blob> {
        let repository = self.repositories.get(repository)?;
        let digest = repository
            .tags
            .get(&self.tag_for(reference))
            .map_or(reference, String::as_str);
        repository.manifests.get(digest).cloned()
    }

    pub(super) fn tags(&self, repository: &str) -> Vec<String> {
        self.repositories
            .get(repository)
            .map(|repository| repository.tags.keys().cloned().collect())
            .unwrap_or_default()
    }

    pub(super) fn blob(&self, repository: &str, digest: &str) -> Option<&Bytes> {
        self.repositories.get(repository)?.blobs.get(digest)
    }

    pub(super) fn lose_blob(&mut self, repository: &str, digest: &str) {
        self.repository(repository).blobs.remove(digest);
    }

    pub(super) fn lose_tag(&mut self, repository: &str, tag: &str) {
        let tag = self.tag_for(tag);
        self.repository(repository).tags.remove(&tag);
    }

    pub(super) fn lose_manifest(&mut self, repository: &str, digest: &str) {
        self.repository(repository).manifests.remove(digest);
    }

    pub(super) fn make_repository(&mut self, name: &str) -> bool {
        let is_new = !self.repositories.contains_key(name);
        self.repository(name);
        is_new
    }

    pub(super) fn lose_repository(&mut self, name: &str) {
        self.repositories.remove(name);
    }

    pub(super) fn names(&self) -> Vec<String> {
        self.repositories.keys().cloned().collect()
    }

    pub(super) fn open_uploads(&self) -> usize {
        self.uploads.len()
    }

    fn repository(&mut self, name: &str) -> &mut Repository {
        self.repositories.entry(name.to_owned()).or_default()
    }
}
