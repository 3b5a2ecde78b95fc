// SPDX-License-Identifier: Apache-2.0

//! The records of mirrors that other members work on, looked at for a few repositories at a time.

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

    async fn look_at(&self, ledger: &Ledger, place: &RecordPlace) -> Result<(), kube::Error> {
        let (registry, repository) = place;
        let is_meant = |at: &Registry, of: &Repository| at.may_be(registry) && of == repository;
        let found = self.find(selectors(place), is_meant).await?;
        let found = found.into_iter().collect();
        let place = (Some(registry), repository);
        ledger.see_others(place, found, |mirror| self.is_other(mirror));
        Ok(())
    }

    async fn look_at_all(
        &self,
        ledger: &Ledger,
        repositories: &BTreeSet<Repository>,
    ) -> Result<(), kube::Error> {
        let selectors = self.registries.selectors(repositories);
        let is_meant = |_: &Registry, of: &Repository| repositories.contains(of);
        let found = self.find(selectors, is_meant).await?;
        for repository in repositories {
            let here = found
                .iter()
                .filter(|(page, _)| page.repository == *repository);
            let here = here.map(|(page, leaf)| (page.clone(), leaf.clone()));
            let place = (None, repository);
            ledger.see_others(place, here.collect(), |mirror| self.is_other(mirror));
        }
        Ok(())
    }

    /// What others have on record, of what `is_meant` picks among what the selectors do.
    async fn find(
        &self,
        selectors: BTreeSet<Selector>,
        is_meant: impl Fn(&Registry, &Repository) -> bool,
    ) -> Result<BTreeMap<Page, Leaf>, kube::Error> {
        let mut found: BTreeMap<Page, Leaf> = BTreeMap::new();
        let mut owners = MirrorUids::new(&self.client);
        for scope in &self.scopes {
            let objects = api(&self.client, scope.as_deref());
            for selector in &selectors {
                let parameters = selector.parameters();
                self.list(&objects, parameters, &is_meant, &mut owners, &mut found)
                    .await?;
            }
        }
        Ok(found)
    }

    async fn list(
        &self,
        objects: &Api<Guarded<MirroredRepository>>,
        parameters: ListParams,
        is_meant: &impl Fn(&Registry, &Repository) -> bool,
        owners: &mut MirrorUids<'_>,
        found: &mut BTreeMap<Page, Leaf>,
    ) -> Result<(), kube::Error> {
        let mut pages = ObjectPages::of(objects, parameters.limit(PAGE_SIZE));
        while let Some(listed) = pages.next().await? {
            for DeserializeGuard(object) in listed {
                let Ok(object) = object else { continue };
                let Some((page, mut leaf)) = convert::read(&object) else {
                    continue;
                };
                let (at, _) = object.spec.repository.split_once('/').unwrap_or_default();
                let is_meant = at.parse().is_ok_and(|at| is_meant(&at, &page.repository));
                if !is_meant || !self.is_other(&page.mirror) {
                    continue;
                }
                let uid = owners.uid(&page.mirror).await?;
                match Writer::of(&object, uid.as_deref()) {
                    Writer::Ourselves => {}
                    Writer::Edited => leaf.disclaim(),
                    // What protects the tags in it was read when this process began.
                    Writer::Stranger => continue,
                }
                let known = found.entry(page).or_default();
                known.records.extend(leaf.records);
                known.deleted.extend(leaf.deleted);
            }
        }
        Ok(())
    }
}

impl Neighbours for OtherShards {
    fn look<'a>(
        &'a self,
        ledger: &'a Ledger,
        places: &'a BTreeSet<RecordPlace>,
    ) -> BoxFuture<'a, Result<(), NeighboursError>> {
        async move {
            let _looking = self.change.read().await;
            for place in places {
                let looked = self.look_at(ledger, place).await;
                let of = || format!("{}/{}", place.0, place.1);
                looked.map_err(|error| unseen(&of(), &error))?;
            }
            Ok(())
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
            let looked = self.look_at_all(ledger, repositories).await;
            let names = repositories.iter().map(Repository::as_str);
            let of = || names.collect::<Vec<_>>().join(", ");
            looked.map_err(|error| unseen(&of(), &error))
        }
        .boxed()
    }

    fn is_other(&self, mirror: &str) -> bool {
        let shard = shard_of(&self.hands, mirror);
        shard.is_some_and(|shard| !self.hands.is_held(shard))
    }
}

fn unseen(of: &str, error: &kube::Error) -> NeighboursError {
    NeighboursError {
        reason: Reason::Unreachable,
        message: format!(
            "cannot read the MirroredRepositories of {of}: {}",
            explain(error)
        ),
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
