// SPDX-License-Identifier: Apache-2.0

//! What images are like, found out once for each digest.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::OnceCell;

use crate::copy::{Engine, Error, Examined, Place};
use crate::oci::{Descriptor, Digest, Manifest, Repository};
use crate::plan::gates::ImageFacts;
use crate::sync::sighting::Image;

/// Bytes of facts that are remembered, about: those of many thousand images.
const CACHE_BYTES: usize = 16 * 1024 * 1024;
/// What the facts of one image take besides its labels, about.
const IMAGE_BYTES: usize = 512;

/// The facts that are known. A digest never means anything else, so they stay right.
#[derive(Default)]
pub(in crate::sync) struct Facts(Mutex<Cache>);

#[derive(Default)]
struct Cache {
    cells: HashMap<Key, Cell>,
    bytes: usize,
}

/// Which images of which digest, as one credential sees them.
type Key = (Place, Repository, Digest, String);

/// Facts that are found out by whoever asks first; the others wait for it.
type Cell = Arc<OnceCell<Arc<[ImageFacts]>>>;

// === impl Facts ===

impl Facts {
    /// The facts of what would be copied of an image.
    pub(super) async fn of(
        &self,
        engine: &Engine,
        image: &Image,
    ) -> Result<Arc<[ImageFacts]>, Error> {
        let Image {
            origin,
            digest,
            shape,
            ..
        } = image;
        let key = (
            origin.endpoint.place(),
            origin.repository.clone(),
            digest.clone(),
            shape.to_string(),
        );
        let cell = self.lock().cells.entry(key).or_default().clone();
        let find = || async {
            let examined = engine.examine(origin, digest, &shape.platforms).await?;
            let facts: Arc<[ImageFacts]> = examined.into_iter().map(facts_of).collect();
            self.lock().account(&facts);
            Ok(facts)
        };
        cell.get_or_try_init(find).await.cloned()
    }

    fn lock(&self) -> MutexGuard<'_, Cache> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Cache {
    fn account(&mut self, facts: &[ImageFacts]) {
        let bytes: usize = facts.iter().map(weigh).sum();
        self.bytes += bytes;
        if self.bytes > CACHE_BYTES {
            self.cells.clear();
            self.bytes = bytes;
        }
    }
}

fn facts_of(examined: Examined) -> ImageFacts {
    let Examined {
        platform,
        manifest,
        config,
    } = examined;
    ImageFacts {
        platform,
        size: size(&manifest),
        config,
    }
}

fn size(manifest: &Manifest) -> u64 {
    let blobs = manifest.blobs();
    blobs
        .into_iter()
        .map(|Descriptor { size, .. }| *size)
        .fold(0, u64::saturating_add)
}

fn weigh(facts: &ImageFacts) -> usize {
    let config = facts.config.iter();
    let texts = config.flat_map(|config| {
        let labels = config.labels.iter();
        let labels = labels.map(|(key, value)| key.len() + value.len() + size_of::<String>() * 2);
        labels.chain([config.user.len()])
    });
    IMAGE_BYTES + texts.sum::<usize>()
}
