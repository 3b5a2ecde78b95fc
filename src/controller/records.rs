// SPDX-License-Identifier: Apache-2.0

//! The records of all mirrors, as `MirroredRepository` objects: one for each repository at a
//! destination, in parts of a bounded number of tags.

mod common;
mod convert;
mod copied;
mod others;
mod parts;
mod pod;
mod restored;
mod selectors;
mod told;
mod writer;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::future::{BoxFuture, FutureExt, ready};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::api::ListParams;
use kube::runtime::reflector::ObjectRef;
use kube::{Api, ResourceExt};

use self::common::{is_missing, keep_each, list_some};
use self::convert::Identity;
pub use self::convert::read as read_record;
pub(super) use self::convert::show as show_record;
pub(super) use self::others::OtherShards;
use self::parts::Parts;
pub(super) use self::pod::PodRecords;
use self::restored::Restored;
pub(super) use self::told::{HeardObjects, ToldPushes, hear, take_away};
use self::writer::Writer;
use super::cluster::{Cluster, WriteError};
use super::objects::Guarded;
use crate::api::MirroredRepository;
use crate::plan::Mirror;
use crate::sync::Ledger;
use crate::sync::ledger::{Keep, KeepError, Leaf, Memory, Page};

/// A mirror as the owner of objects; nothing where it is no object of a cluster.
pub(super) fn owner(mirror: &Mirror) -> Option<OwnerReference> {
    Identity::of(mirror).map(|identity| identity.owner())
}

/// The records of all mirrors in the cluster.
#[derive(Clone)]
pub(super) struct Records {
    cluster: Cluster,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    /// Which objects hold the records of a repository.
    parts: HashMap<Page, Parts>,
    /// The repositories, by the names of their objects.
    objects: HashMap<String, Page>,
    /// Objects that are no records of ours, and under which name the ledger has what stands in each.
    strange: HashMap<ObjectRef<MirroredRepository>, String>,
}

// === impl Records ===

impl Records {
    /// Records that are written to this cluster.
    pub(super) fn new(cluster: Cluster) -> Self {
        Self {
            cluster,
            state: Arc::default(),
        }
    }

    /// Reads the objects of the namespace that `api` is for, page by page, and gives each to `take`. What
    /// cannot be understood is written anew.
    pub(super) async fn list(
        api: &Api<Guarded<MirroredRepository>>,
        take: impl FnMut(MirroredRepository),
    ) -> Result<(), kube::Error> {
        list_some(api, ListParams::default(), take).await
    }

    /// Takes over an object of an earlier process, where the mirror that it names has this UID. None where it
    /// is about no repository, or no record of that mirror: then it only protects what stands in it.
    pub(super) fn restore(
        &self,
        object: &MirroredRepository,
        uid: Option<&str>,
        ledger: &Ledger,
    ) -> Option<Restored> {
        let name = object.name_any();
        let (page, mut leaf) = read_record(object)?;
        match Writer::of(object, uid) {
            Writer::Ourselves => {}
            Writer::Edited => {
                tracing::warn!(
                    namespace = object.namespace(),
                    name,
                    "somebody else wrote into this record: its tags count as adopted"
                );
                leaf.disclaim();
            }
            Writer::Stranger => {
                self.keep_strange(object, page, leaf, ledger);
                return None;
            }
        }
        let mut state = self.lock();
        let parts = state.parts.entry(page.clone()).or_default();
        parts.restore(object.spec.part, &name, &leaf);
        state.objects.insert(name, page.clone());
        drop(state);
        let restored = convert::restored(object, &page, &leaf);
        ledger.restore(&page, leaf);
        Some(restored)
    }

    /// Whether an object is no record of the mirror that it names, where that has this UID.
    pub(super) fn is_strange(object: &MirroredRepository, uid: Option<&str>) -> bool {
        Writer::of(object, uid) == Writer::Stranger
    }

    /// What stands in an object that is no record of ours may be somebody's, who wants it.
    fn keep_strange(&self, object: &MirroredRepository, page: Page, leaf: Leaf, ledger: &Ledger) {
        let (name, mirror) = (object.name_any(), &page.mirror);
        tracing::warn!(
            namespace = object.namespace(),
            name,
            mirror,
            "this is no record of that mirror: nothing in it is deleted"
        );
        let holder = format!("{mirror} by the MirroredRepository {name}, which is not its own");
        let page = Page {
            mirror: holder.clone(),
            ..page
        };
        let mut leaf = Leaf {
            records: leaf.records,
            ..Leaf::default()
        };
        leaf.disclaim();
        ledger.restore(&page, leaf);
        let object = ObjectRef::from_obj(object);
        self.lock().strange.insert(object, holder);
    }

    /// The names under which the ledger has what stood in objects that are no records of ours, and of which
    /// `is_gone` says that they are gone.
    pub(super) fn take_strange(
        &self,
        is_gone: impl Fn(&ObjectRef<MirroredRepository>) -> bool,
    ) -> Vec<String> {
        let mut state = self.lock();
        let gone = state.strange.extract_if(|object, _| is_gone(object));
        gone.map(|(_, holder)| holder).collect()
    }

    /// Forgets a mirror that is no more. Its objects go with it.
    pub(super) fn forget(&self, mirror: &str) {
        let mut state = self.lock();
        state.parts.retain(|page, _| page.mirror != mirror);
        state.objects.retain(|_, page| page.mirror != mirror);
    }

    /// Takes note that an object is gone, and says whose records are missing now.
    pub(super) fn lose(&self, object: &str) -> Option<Page> {
        let mut state = self.lock();
        let page = state.objects.remove(object)?;
        state.parts.get_mut(&page)?.lose(object);
        Some(page)
    }

    /// Writes what changed of a repository.
    async fn write(
        &self,
        memory: &Memory,
        owner: &Identity<'_>,
        page: &Page,
    ) -> Result<(), WriteError> {
        let leaf = memory.page(page);
        let changed = {
            let mut state = self.lock();
            let parts = state.parts.entry(page.clone()).or_default();
            parts.arrange(&leaf)
        };
        for part in changed {
            let written = convert::write(owner, page, &part, &leaf);
            // What was written to a destination that was taken out of the spec stays as it is on record.
            let Some(object) = written else { continue };
            self.write_part(&object, part.is_new).await?;
            let name = object.name_any();
            let mut state = self.lock();
            if let Some(parts) = state.parts.get_mut(page) {
                parts.written(part.number, &name, &leaf);
            }
            state.objects.insert(name, page.clone());
        }
        Ok(())
    }

    /// An object that somebody deleted is written as a new one.
    async fn write_part(
        &self,
        object: &MirroredRepository,
        is_new: bool,
    ) -> Result<(), WriteError> {
        match self.cluster.write_record(object, is_new).await {
            Err(WriteError::Request(error)) if !is_new && is_missing(&error) => {
                self.cluster.write_record(object, true).await
            }
            outcome => outcome,
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Keep for Records {
    fn keep<'a>(
        &'a self,
        memory: &'a Memory,
        owner: &'a Mirror,
        pages: &'a [Page],
    ) -> BoxFuture<'a, Result<(), KeepError>> {
        // Nothing but what a cluster has owns objects in it.
        let Some(owner) = Identity::of(owner) else {
            return ready(Ok(())).boxed();
        };
        keep_each(pages, move |page| {
            let owner = owner.clone();
            async move { self.write(memory, &owner, page).await }
        })
    }
}
