// SPDX-License-Identifier: Apache-2.0

//! What an index of a bundle must not say: two things of one.

use std::collections::HashMap;
use std::fmt::Display;
use std::hash::Hash;

use super::index::{BundleIndex, BundledRepository};

/// Each with the first thing that was said of it.
struct Said<K, V>(HashMap<K, V>);

// === impl BundleIndex ===

impl BundleIndex {
    /// Refuses an index that contradicts itself; says why.
    pub(super) fn require_sound(&self) -> Result<(), String> {
        self.require_sums()?;
        let mut sizes = Said(HashMap::new());
        let mut images = Said(HashMap::new());
        for repository in &self.repositories {
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
                for origin in &entry.origins {
                    let (mirror, source) = (&origin.mirror, &origin.source);
                    let what = || format!("{source} for mirror {mirror}");
                    images.take((mirror, source), &entry.digest, what)?;
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
