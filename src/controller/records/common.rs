// SPDX-License-Identifier: Apache-2.0

//! What the controller and pods have in common: how objects are listed, how what changed is written side by side, and what a
//! write that failed means.

use futures::future::{BoxFuture, FutureExt, ready};
use futures::{StreamExt, stream};
use kube::api::ListParams;
use kube::core::DeserializeGuard;
use kube::core::error_boundary::InvalidObject;
use kube::{Api, Client};

use crate::api::mirrored_repository::MIRROR_UID_LABEL;
use crate::api::{MirroredRepository, Reason};
use crate::controller::cluster::WriteError;
use crate::controller::objects::{Guarded, PAGE_SIZE};
use crate::oci::Repository;
use crate::plan::Mirror;
use crate::runtime::kubernetes::ObjectPages;
use crate::sync::ledger::{KeepError, Page};

/// Repositories that are written at a time.
pub(super) const WRITES: usize = 8;

/// Reads some objects of a namespace, page by page, and gives each to `take`.
pub(super) async fn list_some(
    api: &Api<Guarded<MirroredRepository>>,
    parameters: ListParams,
    mut take: impl FnMut(MirroredRepository),
) -> Result<(), kube::Error> {
    let mut pages = ObjectPages::of(api, parameters.limit(PAGE_SIZE));
    while let Some(objects) = pages.next().await? {
        for DeserializeGuard(object) in objects {
            match object {
                Ok(object) => take(object),
                Err(invalid) => warn_of(&invalid),
            }
        }
    }
    Ok(())
}

/// The same for those that say that they are a mirror's.
pub(super) async fn list_own(
    client: &Client,
    mirror: &Mirror,
    take: impl FnMut(MirroredRepository),
) -> Result<(), kube::Error> {
    let uid = mirror.uid.as_deref().unwrap_or_default();
    let own = format!("{MIRROR_UID_LABEL}={uid}");
    let api = Api::namespaced(client.clone(), &mirror.namespace);
    list_some(&api, ListParams::default().labels(&own), take).await
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

/// Whether there is no such object.
pub(super) fn is_missing(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if status.is_not_found())
}

fn is_forbidden(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if status.is_forbidden())
}

/// A quota of the namespace for objects is full.
fn is_over_quota(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if status.message.contains("exceeded quota"))
}

/// Writes what changed of these repositories, some of them at a time.
pub(super) fn keep_each<'a, W>(
    pages: &'a [Page],
    write: impl Fn(&'a Page) -> W + Send + 'a,
) -> BoxFuture<'a, Result<(), KeepError>>
where
    W: Future<Output = Result<(), WriteError>> + Send + 'a,
{
    stream::iter(pages)
        .map(move |page| {
            let writing = write(page);
            async move {
                let error = writing.await.err()?;
                Some((page.clone(), unkept(&page.repository, &error)))
            }
        })
        .buffer_unordered(WRITES)
        .filter_map(ready)
        .collect()
        .map(|unkept| KeepError::of_pages(unkept).map_or(Ok(()), Err))
        .boxed()
}

/// What it means for a repository that an object was not written.
fn unkept(repository: &Repository, error: &WriteError) -> KeepError {
    let reason = match error {
        WriteError::LeaseLost => Reason::ProgressingWithRetry,
        WriteError::Request(error) if is_over_quota(error) => Reason::QuotaExceeded,
        WriteError::Request(error) if is_forbidden(error) => Reason::AccessDenied,
        WriteError::Request(error) if is_missing(error) => Reason::NotFound,
        WriteError::Request(_) => Reason::Unreachable,
    };
    KeepError::new(
        reason,
        format!("the MirroredRepository of {repository} cannot be written: {error}"),
    )
}
