// SPDX-License-Identifier: Apache-2.0

//! What the controller and pods have in common: how objects are listed, and what a write that failed means.

use kube::Api;
use kube::api::ListParams;
use kube::core::DeserializeGuard;
use kube::core::error_boundary::InvalidObject;

use crate::api::{MirroredRepository, Reason};
use crate::controller::cluster::WriteError;
use crate::controller::objects::{Guarded, PAGE_SIZE};
use crate::oci::Repository;
use crate::runtime::kubernetes::ObjectPages;
use crate::sync::ledger::KeepError;

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

/// What it means for a repository that an object was not written.
pub(super) fn unkept(repository: &Repository, error: &WriteError) -> KeepError {
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
