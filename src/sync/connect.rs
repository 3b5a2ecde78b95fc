// SPDX-License-Identifier: Apache-2.0

//! How a round comes to the endpoints that its mirror names, with their credentials.

use std::sync::Arc;

use super::trust::Authorities;
use crate::api::Reason;
use crate::copy::Endpoint;
use crate::oci::Repository;
use crate::plan::Destination;

/// Opens the endpoints of one mirror: from Secrets and the Docker config on a command line, from the API in a cluster.
pub trait Connect: Send + Sync {
    /// The source; credentials may depend on the repository.
    fn source(
        &self,
        repository: Option<&Repository>,
    ) -> impl Future<Output = Result<Endpoint, ConnectError>> + Send;

    /// A destination.
    fn destination(
        &self,
        destination: &Destination,
        repository: &Repository,
    ) -> impl Future<Output = Result<Endpoint, ConnectError>> + Send;

    /// Those whom the policies trust.
    fn authorities(&self) -> Arc<Authorities>;
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
