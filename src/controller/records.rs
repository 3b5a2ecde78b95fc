//! The records of all mirrors, as `MirroredRepository` objects: one for each repository at a
//! destination, in parts of a bounded number of tags.

mod convert;
mod parts;
mod restored;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::future::{BoxFuture, FutureExt};
use futures::{StreamExt, TryStreamExt, stream};
use kube::api::ListParams;
use kube::core::DeserializeGuard;
use kube::core::error_boundary::InvalidObject;
use kube::{Api, ResourceExt};

use self::convert::Identity;
use self::parts::Parts;
use self::restored::Restored;
use super::cluster::{Cluster, WriteError};
use super::objects::Guarded;
use crate::api::{ImageMirror, MirroredRepository, Reason};
use crate::oci::Repository;
use crate::plan::Mirror;
use crate::sync::Ledger;
use crate::sync::ledger::{Keep, KeepError, Memory, Page};

/// Objects that are read at a time.
pub(super) const PAGE_SIZE: u32 = 500;
/// Repositories that are written at a time.
const WRITES: usize = 8;

/// The records of all mirrors in the cluster.
#[derive(Clone)]
pub(super) struct Records {
    cluster: Cluster,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    /// Who the mirrors are, by name.
    mirrors: HashMap<String, Arc<Identity>>,
    /// Which objects hold the records of a repository.
    parts: HashMap<Page, Parts>,
    /// The repositories, by the names of their objects.
    objects: HashMap<String, Page>,
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
        mut take: impl FnMut(MirroredRepository),
    ) -> Result<(), kube::Error> {
        let mut parameters = ListParams::default().limit(PAGE_SIZE);
        loop {
            let page = api.list(&parameters).await?;
            let next = page.metadata.continue_.clone();
            for DeserializeGuard(object) in page.items {
                match object {
                    Ok(object) => take(object),
                    Err(invalid) => warn_of(&invalid),
                }
            }
            match next {
                Some(token) if !token.is_empty() => parameters.continue_token = Some(token),
                Some(_) | None => return Ok(()),
            }
        }
    }

    /// Takes over an object of an earlier process. None where it is about no repository.
    pub(super) fn restore(&self, object: &MirroredRepository, ledger: &Ledger) -> Option<Restored> {
        let name = object.name_any();
        let (page, leaf) = convert::read(object)?;
        let mut state = self.lock();
        let parts = state.parts.entry(page.clone()).or_default();
        parts.restore(object.spec.part, &name, &leaf);
        state.objects.insert(name, page.clone());
        drop(state);
        let restored = convert::restored(object, &page, &leaf.records);
        ledger.restore(&page, leaf);
        Some(restored)
    }

    /// Takes note of who a mirror is, before its records are written.
    pub(super) fn identify(&self, object: &ImageMirror, mirror: &Mirror) {
        if let Some(identity) = Identity::of(object, mirror) {
            let name = mirror.name.clone();
            self.lock().mirrors.insert(name, Arc::new(identity));
        }
    }

    /// Forgets a mirror that is no more. Its objects go with it.
    pub(super) fn forget(&self, mirror: &str) {
        let mut state = self.lock();
        state.mirrors.remove(mirror);
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
    async fn write(&self, memory: &Memory, page: &Page) -> Result<(), WriteError> {
        let Some(identity) = self.lock().mirrors.get(&page.mirror).cloned() else {
            return Ok(());
        };
        let leaf = memory.page(page);
        let changed = {
            let mut state = self.lock();
            let parts = state.parts.entry(page.clone()).or_default();
            parts.arrange(&leaf)
        };
        for part in changed {
            let written = convert::write(&identity, page, &part, &leaf);
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
        pages: &'a [Page],
    ) -> BoxFuture<'a, Result<(), KeepError>> {
        stream::iter(pages)
            .map(move |page| async move {
                let written = self.write(memory, page).await;
                written.map_err(|error| unkept(&page.repository, &error))
            })
            .buffer_unordered(WRITES)
            .try_collect()
            .boxed()
    }
}

fn warn_of(invalid: &InvalidObject) {
    let (name, namespace) = (&invalid.metadata.name, &invalid.metadata.namespace);
    let error = &invalid.error;
    tracing::warn!(
        namespace,
        name,
        error,
        "the record is not understood: it is written anew"
    );
}

fn is_missing(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if status.is_not_found())
}

fn is_forbidden(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if status.is_forbidden())
}

fn unkept(repository: &Repository, error: &WriteError) -> KeepError {
    let reason = match error {
        WriteError::LeaseLost => Reason::ProgressingWithRetry,
        WriteError::Request(error) if is_forbidden(error) => Reason::AccessDenied,
        WriteError::Request(error) if is_missing(error) => Reason::NotFound,
        WriteError::Request(_) => Reason::Unreachable,
    };
    KeepError {
        reason,
        message: format!("the MirroredRepository of {repository} cannot be written: {error}"),
    }
}
