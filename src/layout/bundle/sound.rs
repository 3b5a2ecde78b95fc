// SPDX-License-Identifier: Apache-2.0

//! What an index of a bundle must not say: two things of one, and names that are none.

use std::collections::{HashMap, HashSet};
use std::fmt::Display;
use std::hash::Hash;

use super::index::{BundleIndex, BundledEntry, BundledRepository};
use crate::oci::{Registry, Repository, Tag};

/// Each with the first thing that was said of it.
struct Said<K, V>(HashMap<K, V>);

// === impl BundleIndex ===

impl BundleIndex {
    /// Refuses an index that contradicts itself; says why.
    pub(super) fn require_sound(&self) -> Result<(), String> {
        self.require_sums()?;
        let mut sizes = Said(HashMap::new());
        let mut images = Said(HashMap::new());
        let mut places = HashSet::new();
        for repository in &self.repositories {
            if !places.insert(place(&repository.name)?) {
                return Err(format!("it has the repository {} twice", repository.name));
            }
            let manifests = repository.manifests.iter();
            let manifests = manifests.map(|manifest| (&manifest.digest, manifest.size));
            let blobs = repository.blobs.iter();
            let blobs = blobs.map(|blob| (&blob.digest, blob.size));
            let entries = repository.entries.iter();
            let entries = entries.map(|entry| (&entry.digest, entry.size));
            for (digest, size) in manifests.chain(blobs).chain(entries) {
                sizes.take(digest, size, || format!("the size of {digest}"))?;
            }
            for entry in &repository.entries {
                entry.require_tag(&repository.name)?;
                for origin in &entry.origins {
                    let (mirror, source) = (&origin.mirror, &origin.source);
                    let what = || format!("{source} for mirror {mirror}");
                    images.take((mirror, image(source)?), &entry.digest, what)?;
                }
            }
            repository.require_tags()?;
        }
        Ok(())
    }

    /// Whoever adds sizes up relies on it that all of them together are a number.
    fn require_sums(&self) -> Result<(), String> {
        let repositories = self.repositories.iter();
        let sizes = repositories.flat_map(|one| {
            let entries = one.entries.iter().map(|entry| entry.size);
            let manifests = one.manifests.iter().map(|manifest| manifest.size);
            let blobs = one.blobs.iter().map(|blob| blob.size);
            entries.chain(manifests).chain(blobs)
        });
        let sum = sizes.map(u128::from).sum::<u128>();
        if sum > u128::from(u64::MAX) {
            return Err(format!("its sizes make {sum} bytes, which no disk holds"));
        }
        Ok(())
    }
}

/// A repository by its name with a registry, however the registry is written.
fn place(name: &str) -> Result<(Registry, Repository), String> {
    let wrong = |cause: String| format!("it names {name:?}, which is no repository: {cause}");
    let (registry, repository) = name
        .split_once('/')
        .ok_or_else(|| wrong("it has no registry".to_owned()))?;
    let registry: Registry = registry
        .parse()
        .map_err(|cause| wrong(format!("{cause}")))?;
    let repository = repository
        .parse()
        .map_err(|cause| wrong(format!("{cause}")))?;
    Ok((registry.stand_in(), repository))
}

/// An image by its name with a registry and a tag.
fn image(source: &str) -> Result<(Registry, Repository, Tag), String> {
    let wrong = |cause: String| format!("it names {source:?}, which is no image: {cause}");
    let (name, tag) = source
        .rsplit_once(':')
        .ok_or_else(|| wrong("it has no tag".to_owned()))?;
    let (registry, repository) = place(name)?;
    let tag = tag.parse().map_err(|cause| wrong(format!("{cause}")))?;
    Ok((registry, repository, tag))
}

// === impl BundledEntry ===

impl BundledEntry {
    /// What has no tag is shown by nobody.
    fn require_tag(&self, name: &str) -> Result<(), String> {
        if self.tag.is_none() && !self.origins.is_empty() {
            let digest = &self.digest;
            return Err(format!("the image {name}@{digest} of a mirror has no tag"));
        }
        Ok(())
    }
}

// === impl BundledRepository ===

impl BundledRepository {
    fn require_tags(&self) -> Result<(), String> {
        let mut tags = Said(HashMap::new());
        for entry in &self.entries {
            if let Some(tag) = &entry.tag {
                tags.take(tag, &entry.digest, || format!("{}:{tag}", self.name))?;
            }
        }
        Ok(())
    }
}

// === impl Said ===

impl<K: Eq + Hash, V: PartialEq + Display + Copy> Said<K, V> {
    fn take(&mut self, key: K, value: V, what: impl FnOnce() -> String) -> Result<(), String> {
        let first = *self.0.entry(key).or_insert(value);
        if first == value {
            return Ok(());
        }
        let what = what();
        Err(format!("it names both {first} and {value} as {what}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_has_one_name_however_its_registry_is_written() {
        assert_eq!(
            image("index.docker.io/library/a:1"),
            image("docker.io/library/a:1")
        );
        for wrong in ["a", "a:1", "r.test/a", "r.test/a/../b:1", "r.test/a:?"] {
            assert!(image(wrong).is_err(), "{wrong}");
        }
    }
}
