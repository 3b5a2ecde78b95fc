// SPDX-License-Identifier: Apache-2.0

//! What registries of the made-up world store, and what they take along when a tag is deleted.

use super::known::{At, Image};
use super::takes::Takes;
use super::world::World;
use crate::oci::{Digest, Repository};

// === impl World ===

impl World {
    /// Somebody pushes an image, whole.
    pub(super) fn put(&mut self, at: &At, digest: &Digest) {
        let image = Image::of(digest);
        if image.digest == *digest {
            for part in image.parts() {
                self.store(at.0, &at.1.0, part);
            }
        } else {
            self.store(at.0, &at.1.0, digest);
        }
        self.put_tag(at, digest);
    }

    /// Somebody tags what is there.
    pub(super) fn put_tag(&mut self, at: &At, digest: &Digest) {
        self.notes.is_written(at);
        self.stale.remove(at);
        self.registry.insert(at.clone(), digest.clone());
    }

    pub(super) fn store(&mut self, registry: usize, repository: &Repository, manifest: &Digest) {
        let stored = (registry, repository.clone(), manifest.clone());
        self.manifests.insert(stored);
    }

    pub(super) fn has(&self, registry: usize, repository: &Repository, manifest: &Digest) -> bool {
        let stored = (registry, repository.clone(), manifest.clone());
        self.manifests.contains(&stored)
    }

    /// A tag is deleted. Gives the other tags that go along.
    pub(super) fn take(&mut self, at: &At) -> Vec<(At, Digest)> {
        let Some(digest) = self.registry.remove(at) else {
            return Vec::new();
        };
        let (registry, repository) = (at.0, &at.1.0);
        let others = match self.takes[registry] {
            Takes::Tag => return Vec::new(),
            Takes::Manifest if self.is_tagged(registry, repository, &digest) => return Vec::new(),
            Takes::Manifest => Vec::new(),
            Takes::OtherTags => {
                let is_other = |(number, (of, _)): &At, named: &Digest| {
                    *number == registry && of == repository && *named == digest
                };
                let tags = self.registry.iter();
                let others = tags.filter(|(at, named)| is_other(at, named));
                others
                    .map(|(at, digest)| (at.clone(), digest.clone()))
                    .collect()
            }
        };
        for (other, _) in &others {
            self.registry.remove(other);
        }
        let stored = (registry, repository.clone(), digest);
        self.manifests.remove(&stored);
        others
    }

    /// Registries take what no tag leads to.
    pub(super) fn collect_garbage(&mut self) {
        self.tell(|| "garbage is collected".to_owned());
        let mut led_to = std::collections::HashSet::new();
        for ((registry, (repository, _)), digest) in &self.registry {
            led_to.insert((*registry, repository, digest));
            let image = Image::of(digest);
            if image.digest == *digest {
                led_to.insert((*registry, repository, &image.closure[0]));
            }
        }
        self.manifests.retain(|(registry, repository, digest)| {
            led_to.contains(&(*registry, repository, digest))
        });
    }
}
