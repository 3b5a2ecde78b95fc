// SPDX-License-Identifier: Apache-2.0

//! The order in which one destination is given manifests: each as soon as all is there that it names.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use futures::FutureExt;
use futures::future::{BoxFuture, Shared, join_all};
use tokio::sync::Semaphore;

use super::arrivals::Arrivals;
use super::error::Error;
use super::links::Link;
use super::push::{Content, Push};
use super::telling::{self, Rank, Telling as _};
use crate::oci::{Descriptor, Digest, Manifest};

/// Manifests pushed at once to one repository.
const PUSHES: usize = 8;

/// What is to be stored in one pass over an image. Nothing is done before somebody waits for it.
pub(super) struct Order<'a> {
    push: &'a Push<'a>,
    arrivals: &'a Arrivals,
    turns: Arc<Semaphore>,
    /// The first refusal: nothing is pushed any more after it.
    refused: Arc<OnceLock<Error>>,
    stores: HashMap<&'a Digest, Store<'a>>,
}

/// A manifest that is stored by whoever waits first. Says whether the destination lists it among the referrers of its
/// subject.
type Store<'a> = Shared<BoxFuture<'a, Result<bool, Error>>>;

// === impl Order ===

impl<'a> Order<'a> {
    /// The order of the content of a push: what is deeper comes first, and a referrer after its subject.
    pub(super) fn of(push: &'a Push<'a>, arrivals: &'a Arrivals) -> Self {
        let Content {
            image,
            company,
            is_late,
            ..
        } = push.content;
        let mut order = Self {
            push,
            arrivals,
            turns: Arc::new(Semaphore::new(PUSHES)),
            refused: Arc::default(),
            stores: HashMap::new(),
        };
        if !is_late {
            image.manifests().for_each(|one| order.add(one, None));
        }
        for attached in &company.attached {
            let graph = &attached.graph;
            let below = graph.levels.iter().flatten();
            below.for_each(|one| order.add(one, None));
            if let Link::Subject(subject) = &attached.by {
                order.add(&graph.root, Some(subject));
            }
        }
        order
    }

    fn add(&mut self, manifest: &'a Arc<Manifest>, subject: Option<&Digest>) {
        if self.stores.contains_key(manifest.digest()) {
            return;
        }
        let Self {
            push,
            arrivals,
            turns,
            refused,
            ..
        } = self;
        let (push, arrivals, turns, refused) = (*push, *arrivals, turns.clone(), refused.clone());
        let needs = self.needs(manifest, subject);
        let store = async move {
            all_is_there(push, arrivals, needs, manifest).await?;
            // Nothing closes it.
            let _turn = turns.acquire().await;
            if let Some(error) = refused.get() {
                return Err(error.clone());
            }
            let stored = push.put_by_digest(manifest).await;
            if let Err(error) = &stored
                && error.rank() < Rank::Consequence
            {
                let _ = refused.set(error.clone());
            }
            stored
        };
        self.stores
            .insert(manifest.digest(), store.boxed().shared());
    }

    /// What is stored before a manifest.
    fn needs(&self, manifest: &Manifest, subject: Option<&Digest>) -> Vec<Store<'a>> {
        let entries = manifest
            .entries()
            .iter()
            .map(|Descriptor { digest, .. }| digest);
        let needs = entries.chain(subject);
        let needs = needs.filter_map(|digest| self.stores.get(digest));
        needs.cloned().collect()
    }

    /// Waits until a manifest is stored that is part of the content.
    pub(super) async fn stored(&self, manifest: &Manifest) -> Result<bool, Error> {
        match self.stores.get(manifest.digest()) {
            Some(store) => store.clone().await,
            None => self.push.put_by_digest(manifest).await,
        }
    }

    /// Waits until all is there that a manifest names.
    pub(super) async fn ready(&self, manifest: &Manifest) -> Result<(), Error> {
        let needs = self.needs(manifest, None);
        all_is_there(self.push, self.arrivals, needs, manifest).await
    }

    /// Does something when it is its turn to push.
    pub(super) async fn in_turn<T>(&self, job: impl Future<Output = T>) -> T {
        let _turn = self.turns.acquire().await;
        job.await
    }
}

/// Waits for what a manifest names: its blobs, and the manifests that are stored before it.
async fn all_is_there(
    push: &Push<'_>,
    arrivals: &Arrivals,
    needs: Vec<Store<'_>>,
    manifest: &Manifest,
) -> Result<(), Error> {
    let came = arrivals.of_manifest(manifest);
    let (came, needs) = tokio::join!(came, join_all(needs));
    came.map_err(|lost| push.lost(lost))?;
    telling::of(needs).map(drop)
}
