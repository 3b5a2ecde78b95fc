// SPDX-License-Identifier: Apache-2.0

//! Amazon: keys, from wherever the identity has them, the passwords of ECR for them, and messages of SQS.

mod call;
mod ecr;
mod fault;
mod keys;
mod metadata;
mod principal;
mod repositories;
mod sigv4;
mod sqs;
mod sts;
mod unruled;
mod xml;

use futures::future::BoxFuture;

use self::ecr::{Ecr, PUBLIC_REGION};
use self::principal::Principal;
pub(super) use self::sqs::Sqs;
use self::unruled::Unruled;
use super::environment::Environment;
use super::error::Error;
use super::http::Http;
use super::life::Lasting;
use super::who::Who;
use crate::oci::clouds::{EcrHost, Partition};
use crate::oci::{Repository, Tag};
use crate::registry::{Creation, Credential, IssueError, Removed, RepositoryPage, SignedApi};

/// One registry and whoever asks for its password.
#[derive(Debug)]
pub(super) struct Aws {
    http: Http,
    environment: Environment,
    registry: Ecr,
    principal: Principal,
    unruled: Unruled,
}

// === impl Aws ===

impl Aws {
    /// The registry of an account, or the public one.
    pub(super) fn new(
        http: Http,
        environment: Environment,
        registry: Option<EcrHost>,
        who: Who,
    ) -> Self {
        let registry = registry.map_or(Ecr::Public, Ecr::Private);
        let place = match &registry {
            Ecr::Private(host) => (host.region.as_str(), host.partition),
            Ecr::Public => (PUBLIC_REGION, Partition::Aws),
        };
        let principal = Principal::new(http.clone(), environment.clone(), who, place);
        Self {
            http,
            environment,
            registry,
            principal,
            unruled: Unruled::default(),
        }
    }

    /// User name and password.
    pub(super) async fn fetch(&self) -> Result<Lasting<Credential>, Error> {
        let keys = self.principal.keys().await?;
        let password = self.registry.password(&self.http, &self.environment, &keys);
        password.await.inspect_err(|error| {
            if matches!(error, Error::Refused { .. }) {
                self.principal.refused();
            }
        })
    }
}

impl SignedApi for Aws {
    fn ready(&self) -> BoxFuture<'_, Result<(), IssueError>> {
        Box::pin(async move { Ok(self.principal.keys().await.map(drop)?) })
    }

    fn delete_tag<'a>(
        &'a self,
        repository: &'a Repository,
        tag: &'a Tag,
    ) -> BoxFuture<'a, Result<Removed, IssueError>> {
        Box::pin(async move { Ok(self.remove(repository, tag).await?) })
    }

    fn create<'a>(
        &'a self,
        repository: &'a Repository,
        creation: &'a Creation,
    ) -> BoxFuture<'a, Result<(), IssueError>> {
        Box::pin(async move { Ok(self.make(repository, creation).await?) })
    }

    fn list<'a>(
        &'a self,
        next: Option<&'a str>,
    ) -> BoxFuture<'a, Result<RepositoryPage, IssueError>> {
        Box::pin(async move { Ok(self.page(next).await?) })
    }
}
