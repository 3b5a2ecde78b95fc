// SPDX-License-Identifier: Apache-2.0

//! Repositories that are made before the first push, where the registry does not make them by itself (Amazon ECR).

use tokio::time::Instant;

use super::known::Known;
use crate::oci::Repository;
use crate::registry::auth::Credential;
use crate::registry::cause::Cause;
use crate::registry::class::Class;
use crate::registry::connection::Connection;
use crate::registry::kind::Kind;

/// Does something that writes to a repository, and once more where that was missing and is made.
pub(in crate::registry) async fn making<T, F>(
    connection: &Connection,
    repository: &Repository,
    write: impl Fn() -> F,
) -> Result<T, Cause>
where
    F: Future<Output = Result<T, Cause>>,
{
    let began = Instant::now();
    match write().await {
        Err(cause) if cause.kind() == Kind::RepositoryMissing => {
            if create(connection, repository, began).await? {
                write().await
            } else {
                Err(cause)
            }
        }
        written => written,
    }
}

/// Makes a repository that a write which began at this time did not find. False: it is not to be made.
async fn create(
    connection: &Connection,
    repository: &Repository,
    began: Instant,
) -> Result<bool, Cause> {
    let Some(creation) = &connection.creation else {
        return Ok(false);
    };
    let Credential::Issued(issuer) = connection.authenticator.credential() else {
        return Ok(false);
    };
    let Some(api) = issuer.signed() else {
        return Ok(false);
    };
    // Who finds it missing meanwhile waits, and finds it.
    let mut created = connection.known.created.lock().await;
    // Where it was made before the write began, somebody has deleted it since.
    if created.get(repository).is_some_and(|made| *made >= began) {
        return Ok(true);
    }
    connection
        .act(Class::UploadStart, || async {
            api.ready().await?;
            api.create(repository, creation).await
        })
        .await?;
    tracing::info!(registry = %connection.registry, %repository, "the repository was created");
    if created.len() >= Known::MOST {
        created.clear();
    }
    created.insert(repository.clone(), Instant::now());
    Ok(true)
}
