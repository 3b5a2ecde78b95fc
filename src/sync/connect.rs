// SPDX-License-Identifier: Apache-2.0

//! How a round comes to the endpoints that a mirror names, with their credentials.

use std::sync::Arc;

use super::trust::Authorities;
use crate::api::Reason;
use crate::copy::Endpoint;
use crate::oci::Repository;
use crate::plan::{Destination, Mirror};

/// Opens endpoints: from Secrets and the Docker config on a command line, from the API in a cluster.
pub trait Connect: Send + Sync {
    /// The source of a mirror; credentials may depend on the repository.
    fn source(
        &self,
        mirror: &Mirror,
        repository: Option<&Repository>,
    ) -> impl Future<Output = Result<Endpoint, ConnectError>> + Send;

    /// A destination of a mirror.
    fn destination(
        &self,
        mirror: &Mirror,
        destination: &Destination,
        repository: &Repository,
    ) -> impl Future<Output = Result<Endpoint, ConnectError>> + Send;

    /// Those whom the policies of a mirror trust.
    fn authorities(&self, mirror: &Mirror) -> Result<Arc<Authorities>, ConnectError>;
}

impl<C: Connect> Connect for Arc<C> {
    fn source(
        &self,
        mirror: &Mirror,
        repository: Option<&Repository>,
    ) -> impl Future<Output = Result<Endpoint, ConnectError>> + Send {
        C::source(self, mirror, repository)
    }

    fn destination(
        &self,
        mirror: &Mirror,
        destination: &Destination,
        repository: &Repository,
    ) -> impl Future<Output = Result<Endpoint, ConnectError>> + Send {
        C::destination(self, mirror, destination, repository)
    }

    fn authorities(&self, mirror: &Mirror) -> Result<Arc<Authorities>, ConnectError> {
        C::authorities(self, mirror)
    }
}

/// Why an endpoint cannot be used.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{message}")]
pub struct ConnectError {
    /// The category.
    pub reason: Reason,
    /// What is wrong, and what to do.
    pub message: String,
}
