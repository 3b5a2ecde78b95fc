// SPDX-License-Identifier: Apache-2.0

//! The records of mirrors that other members work on, looked at for one repository at a time.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures::future::{BoxFuture, FutureExt};
use kube::api::ListParams;
use kube::core::DeserializeGuard;
use kube::{Api, Client, ResourceExt};
use tokio::sync::{RwLock, RwLockWriteGuard};

use super::convert;
use super::writer::Writer;
use crate::api::{ImageMirror, MirroredRepository, Reason};
use crate::controller::objects::{Guarded, PAGE_SIZE, api};
use crate::oci::{Registry, Repository};
use crate::runtime::kubernetes::{ObjectPages, explain};
use crate::runtime::lease::shards::{Hands, Shard};
use crate::sync::Ledger;
use crate::sync::ledger::{Leaf, Page, RecordPlace};
use crate::sync::neighbours::{Neighbours, NeighboursError};

/// The port of plain HTTP, which need not be another registry than none.
const HTTP: &str = ":80";

/// Looks at what other members have on record.
pub(in crate::controller) struct OtherShards {
    client: Client,
    /// The namespaces that are looked at; None means all of them together.
    scopes: Vec<Option<String>>,
    hands: Arc<Hands>,
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
            change: RwLock::default(),
        }
    }

    /// Waits until nobody looks, and lets nobody look.
    pub(in crate::controller) async fn pause(&self) -> RwLockWriteGuard<'_, ()> {
        self.change.write().await
    }

    async fn look_at(&self, ledger: &Ledger, place: &RecordPlace) -> Result<(), kube::Error> {
        let mut found: BTreeMap<Page, Leaf> = BTreeMap::new();
        let mut owners = MirrorUids::new(&self.client);
        for scope in &self.scopes {
            let objects = api(&self.client, scope.as_deref());
            for selector in selectors(place) {
                self.list(&objects, selector, place, &mut owners, &mut found)
                    .await?;
            }
        }
        let found = found.into_iter().collect();
        ledger.see_others(place, found, |mirror| self.is_other(mirror));
        Ok(())
    }

    async fn list(
        &self,
        objects: &Api<Guarded<MirroredRepository>>,
        selector: Option<String>,
        (registry, repository): &RecordPlace,
        owners: &mut MirrorUids<'_>,
        found: &mut BTreeMap<Page, Leaf>,
    ) -> Result<(), kube::Error> {
        let mut parameters = ListParams::default().limit(PAGE_SIZE);
        parameters.field_selector = selector;
        let mut pages = ObjectPages::of(objects, parameters);
        while let Some(listed) = pages.next().await? {
            for DeserializeGuard(object) in listed {
                let Ok(object) = object else { continue };
                let Some((page, mut leaf)) = convert::read(&object) else {
                    continue;
                };
                let (at, _) = object.spec.repository.split_once('/').unwrap_or_default();
                let is_here = at.parse().is_ok_and(|at: Registry| at.may_be(registry));
                if !is_here || page.repository != *repository || !self.is_other(&page.mirror) {
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
                looked.map_err(|error| NeighboursError {
                    reason: Reason::Unreachable,
                    message: format!(
                        "cannot read the MirroredRepositories of {}/{}: {}",
                        place.0,
                        place.1,
                        explain(&error)
                    ),
                })?;
            }
            Ok(())
        }
        .boxed()
    }

    fn is_other(&self, mirror: &str) -> bool {
        let shard = shard_of(&self.hands, mirror);
        shard.is_some_and(|shard| !self.hands.is_held(shard))
    }
}

/// The shard of a mirror, `namespace/name`; none of what stands on record under another name.
fn shard_of(hands: &Hands, mirror: &str) -> Option<Shard> {
    let (namespace, name) = mirror.split_once('/')?;
    let is_name = |part: char| part.is_ascii_alphanumeric() || part == '-' || part == '.';
    name.chars().all(is_name).then_some(())?;
    Some(hands.division().shard_of(namespace, name))
}

/// What picks the records of a repository, and maybe of others. A registry that is given by an address has more names
/// than can be told: all records are looked at.
fn selectors((registry, repository): &(Registry, Repository)) -> Vec<Option<String>> {
    let name = registry.to_string();
    let host = registry.host();
    let is_address = host.starts_with('[') || host.ends_with(|last: char| last.is_ascii_digit());
    if is_address || registry.is_loopback() {
        return vec![None];
    }
    let other = match name.strip_suffix(HTTP) {
        Some(bare) => Some(bare.to_owned()),
        None if registry.port().is_none() => Some(format!("{name}{HTTP}")),
        None => None,
    };
    let names = std::iter::once(name).chain(other);
    names
        .map(|name| Some(format!("spec.repository={name}/{repository}")))
        .collect()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_names_of_a_registry_are_looked_for() {
        let cases: [(&str, &[Option<&str>]); 5] = [
            (
                "registry.example.com",
                &[
                    Some("spec.repository=registry.example.com/a/b"),
                    Some("spec.repository=registry.example.com:80/a/b"),
                ],
            ),
            (
                "registry.example.com:80",
                &[
                    Some("spec.repository=registry.example.com:80/a/b"),
                    Some("spec.repository=registry.example.com/a/b"),
                ],
            ),
            (
                "registry.example.com:5000",
                &[Some("spec.repository=registry.example.com:5000/a/b")],
            ),
            ("127.0.0.1:5000", &[None]),
            ("localhost:5000", &[None]),
        ];
        for (registry, expected) in cases {
            let place = (registry.parse().unwrap(), "a/b".parse().unwrap());
            let found = selectors(&place);
            let found: Vec<Option<&str>> = found.iter().map(Option::as_deref).collect();
            assert_eq!(found, expected, "{registry}");
        }
    }
}
