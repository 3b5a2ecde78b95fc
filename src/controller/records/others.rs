// SPDX-License-Identifier: Apache-2.0

//! The records of mirrors that other members work on, looked at for the repositories that are to be written.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures::future::{BoxFuture, FutureExt};
use kube::api::ListParams;
use kube::core::DeserializeGuard;
use kube::{Api, Client, ResourceExt};
use tokio::sync::{RwLock, RwLockWriteGuard};

use super::convert;
use super::selectors::{KnownRegistries, Selector, selectors};
use super::writer::Writer;
use crate::api::{ImageMirror, MirroredRepository, Reason};
use crate::controller::objects::{Guarded, PAGE_SIZE, api};
use crate::oci::{Registry, Repository};
use crate::runtime::kubernetes::{ObjectPages, explain};
use crate::runtime::lease::shards::{Hands, Shard};
use crate::sync::Ledger;
use crate::sync::ledger::{Leaf, Page, RecordPlace};
use crate::sync::neighbours::{Neighbours, NeighboursError};

/// Looks at what other members have on record.
pub(in crate::controller) struct OtherShards {
    client: Client,
    /// The namespaces that are looked at; None means all of them together.
    scopes: Vec<Option<String>>,
    hands: Arc<Hands>,
    registries: KnownRegistries,
    /// Nobody looks while shards come into other hands.
    change: RwLock<()>,
}

impl OtherShards {
    pub(in crate::controller) fn new(
        client: Client,
        scopes: Vec<Option<String>>,
        hands: Arc<Hands>,
    ) -> Self {
        Self {
            client,
            scopes,
            hands,
            registries: KnownRegistries::default(),
            change: RwLock::default(),
        }
    }

    /// Waits until nobody looks, and lets nobody look.
    pub(in crate::controller) async fn pause(&self) -> RwLockWriteGuard<'_, ()> {
        self.change.write().await
    }

    /// Takes note of a registry that a mirror writes to, or did.
    pub(in crate::controller) fn note(&self, registry: &Registry) {
        self.registries.note(registry);
    }

    /// Looks through the records that the selectors pick for those of these places.
    async fn look_for(
        &self,
        ledger: &Ledger,
        selectors: BTreeSet<Selector>,
        places: impl Iterator<Item = Sought<'_>>,
    ) -> Result<(), kube::Error> {
        let mut finds = Finds::of(places);
        let mut owners = MirrorUids::new(&self.client);
        for scope in &self.scopes {
            let objects = api(&self.client, scope.as_deref());
            for selector in &selectors {
                self.list(&objects, selector, &mut owners, &mut finds)
                    .await?;
            }
        }
        for (place, found) in finds.into_places() {
            ledger.see_others(place, found, |mirror| self.is_other(mirror));
        }
        Ok(())
    }

    /// Goes through a list page by page, and keeps what it is looked through for.
    async fn list(
        &self,
        objects: &Api<Guarded<MirroredRepository>>,
        selector: &Selector,
        owners: &mut MirrorUids<'_>,
        finds: &mut Finds<'_>,
    ) -> Result<(), kube::Error> {
        let mut pages = ObjectPages::of(objects, selector.parameters().limit(PAGE_SIZE));
        while let Some(listed) = pages.next().await? {
            for DeserializeGuard(object) in listed {
                let Ok(object) = object else { continue };
                // Most of a list of everything is about other places: it is not read at all.
                let Some(place) = place_of(&object).filter(|place| finds.are_about(place)) else {
                    continue;
                };
                let Some((page, mut leaf)) = convert::read(&object) else {
                    continue;
                };
                if !self.is_other(&page.mirror) {
                    continue;
                }
                let uid = owners.uid(&page.mirror).await?;
                match Writer::of(&object, uid.as_deref()) {
                    Writer::Ourselves => {}
                    Writer::Edited => leaf.disclaim(),
                    // What protects the tags in it was read when this process began.
                    Writer::Stranger => continue,
                }
                finds.add(&place, &page, &leaf);
            }
        }
        Ok(())
    }
}

/// Where records are looked for: a repository at a registry, or at any.
type Sought<'a> = (Option<&'a Registry>, &'a Repository);

/// What is looked for in lists, and what of it was found.
struct Finds<'a>(BTreeMap<Sought<'a>, BTreeMap<Page, Leaf>>);

impl<'a> Finds<'a> {
    fn of(places: impl Iterator<Item = Sought<'a>>) -> Self {
        Self(places.map(|place| (place, BTreeMap::new())).collect())
    }

    /// Whether what is on record of a place may be about one of these.
    fn are_about(&self, place: &RecordPlace) -> bool {
        self.0.keys().any(|sought| may_be(sought, place))
    }

    /// Takes what an object has on record of a place, as far as others need it.
    fn add(&mut self, place: &RecordPlace, page: &Page, leaf: &Leaf) {
        let places = self.0.iter_mut();
        for (_, found) in places.filter(|(sought, _)| may_be(sought, place)) {
            let known = found.entry(page.clone()).or_default();
            known.records.extend(leaf.records.clone());
            known.deleted.extend(leaf.deleted.clone());
        }
    }

    fn into_places(self) -> impl Iterator<Item = (Sought<'a>, Vec<(Page, Leaf)>)> {
        let places = self.0.into_iter();
        places.map(|(place, found)| (place, found.into_iter().collect()))
    }
}

/// Which place an object is about. None where it is about none.
fn place_of(object: &MirroredRepository) -> Option<RecordPlace> {
    let (registry, repository) = object.spec.repository.split_once('/')?;
    Some((registry.parse().ok()?, repository.parse().ok()?))
}

/// Whether a place may be the one that is looked for.
fn may_be((registry, repository): &Sought<'_>, (at, name): &RecordPlace) -> bool {
    registry.is_none_or(|registry| at.may_be(registry)) && name == *repository
}

impl Neighbours for OtherShards {
    fn look<'a>(
        &'a self,
        ledger: &'a Ledger,
        places: &'a BTreeSet<RecordPlace>,
    ) -> BoxFuture<'a, Result<(), NeighboursError>> {
        async move {
            let _looking = self.change.read().await;
            let sought = places.iter().map(|(at, of)| (Some(at), of));
            let looked = self.look_for(ledger, selectors(places), sought).await;
            let names = places.iter().map(|(at, of)| format!("{at}/{of}"));
            looked.map_err(|error| unseen(names, &error))
        }
        .boxed()
    }

    fn look_everywhere<'a>(
        &'a self,
        ledger: &'a Ledger,
        repositories: &'a BTreeSet<Repository>,
    ) -> BoxFuture<'a, Result<(), NeighboursError>> {
        async move {
            if repositories.is_empty() {
                return Ok(());
            }
            let _looking = self.change.read().await;
            let selectors = self.registries.selectors(repositories);
            let sought = repositories.iter().map(|of| (None, of));
            let looked = self.look_for(ledger, selectors, sought).await;
            let names = repositories.iter().map(Repository::to_string);
            looked.map_err(|error| unseen(names, &error))
        }
        .boxed()
    }

    fn is_other(&self, mirror: &str) -> bool {
        let shard = shard_of(&self.hands, mirror);
        shard.is_some_and(|shard| !self.hands.is_held(shard))
    }
}

fn unseen(of: impl Iterator<Item = String>, error: &kube::Error) -> NeighboursError {
    NeighboursError {
        reason: Reason::Unreachable,
        message: format!(
            "cannot read the MirroredRepositories of {}: {}",
            in_few_words(of),
            explain(error)
        ),
    }
}

/// The first of several names, and how many there are besides.
fn in_few_words(mut names: impl Iterator<Item = String>) -> String {
    let first = names.next().unwrap_or_default();
    match names.count() {
        0 => first,
        others => format!("{first} and {others} more repositories"),
    }
}

/// The shard of a mirror, `namespace/name`; none of what stands on record under another name.
fn shard_of(hands: &Hands, mirror: &str) -> Option<Shard> {
    let (namespace, name) = mirror.split_once('/')?;
    let is_name = |part: char| part.is_ascii_alphanumeric() || part == '-' || part == '.';
    name.chars().all(is_name).then_some(())?;
    Some(hands.division().shard_of(namespace, name))
}

/// The UIDs of mirrors, each asked for once.
struct MirrorUids<'a> {
    client: &'a Client,
    known: BTreeMap<String, Option<String>>,
}

impl<'a> MirrorUids<'a> {
    fn new(client: &'a Client) -> Self {
        Self {
            client,
            known: BTreeMap::new(),
        }
    }

    /// That of a mirror; none where there is no such mirror.
    async fn uid(&mut self, mirror: &str) -> Result<Option<String>, kube::Error> {
        if let Some(known) = self.known.get(mirror) {
            return Ok(known.clone());
        }
        let (namespace, name) = mirror.split_once('/').unwrap_or_default();
        let mirrors = api::<ImageMirror>(self.client, Some(namespace));
        // Nobody may get one that may list all.
        let only = ListParams::default().fields(&format!("metadata.name={name}"));
        let found = mirrors.list_metadata(&only).await?;
        let uid = found.items.first().and_then(ResourceExt::uid);
        self.known.insert(mirror.to_owned(), uid.clone());
        Ok(uid)
    }
}
