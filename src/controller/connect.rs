// SPDX-License-Identifier: Apache-2.0

//! Opens the endpoints of mirrors, with what their own Secrets say and nothing else.

use std::sync::Arc;

use url::Url;

use crate::api::Reason;
use crate::copy::{Endpoint, endpoint};
use crate::oci::{Registry, Repository};
use crate::plan::{Destination, Mirror};
use crate::registry::{Credential, Outlet, Pool, PostError, Settings, Side};
use crate::sync::reach::{MirrorReach, Reach};
use crate::sync::trust::Authorities;
use crate::sync::{Connect, ConnectError};

/// How the program names itself to registries.
pub(super) const USER_AGENT: &str = concat!("transship/", env!("CARGO_PKG_VERSION"));

/// Makes clients for registries.
pub(super) struct Connector {
    pool: Pool,
    /// Authorities that are trusted besides those of the system.
    ca_pem: Option<Vec<u8>>,
    trusted_realms: Vec<String>,
}

/// The way to the registries of one mirror, with its credentials for as long as its round runs.
pub(super) struct MirrorConnection {
    connector: Arc<Connector>,
    source: Registry,
    reach: MirrorReach,
}

/// Nobody's credentials are used in place of those that were not read.
fn unknown(destination: &str) -> ConnectError {
    ConnectError {
        reason: Reason::DependencyNotReady,
        message: format!("the secrets of destination {destination} were not read"),
    }
}

// === impl Connector ===

impl Connector {
    /// A connector over the pool.
    pub(super) fn new(pool: Pool, ca_pem: Option<Vec<u8>>, trusted_realms: Vec<String>) -> Self {
        Self {
            pool,
            ca_pem,
            trusted_realms,
        }
    }

    /// Asks each host for a part of what it bears: so many processes ask.
    pub(super) fn share_out(&self, members: usize) {
        self.pool.share_out(members);
    }

    /// The way to the registries of a mirror, by what its Secrets say.
    pub(super) fn connect(
        self: &Arc<Self>,
        mirror: &Mirror,
        reach: MirrorReach,
    ) -> MirrorConnection {
        MirrorConnection {
            connector: Arc::clone(self),
            source: mirror.source.registry.clone(),
            reach,
        }
    }

    /// The way to an address that is no registry's. Who is trusted everywhere is trusted there, too.
    pub(super) fn outlet(&self, address: &Url, settings: Settings) -> Result<Outlet, PostError> {
        let settings = Settings {
            ca_pem: self.ca_pem.clone(),
            ..settings
        };
        self.pool.outlet(address, &settings)
    }

    fn open(
        &self,
        registry: &Registry,
        repository: Option<&Repository>,
        reach: &Reach,
        side: Side,
    ) -> Result<Endpoint, ConnectError> {
        let credential = match (&reach.credentials, &reach.issuer) {
            (None, None) => Credential::Anonymous,
            (None, Some(issuer)) => Credential::Issued(Arc::clone(issuer)),
            (Some(secret), _) => {
                secret
                    .find(registry, repository)
                    .map_err(|error| ConnectError {
                        reason: Reason::AuthenticationFailed,
                        message: error.to_string(),
                    })?
            }
        };
        let client = self
            .pool
            .client(registry, &self.settings(registry, reach, credential));
        let client = client.map(|client| client.on(side));
        client.map(Endpoint::Registry).map_err(|error| {
            let error = endpoint::Error::from(error);
            ConnectError {
                reason: error.reason(),
                message: error.to_string(),
            }
        })
    }

    fn settings(&self, registry: &Registry, reach: &Reach, credential: Credential) -> Settings {
        let Reach {
            credentials,
            issuer: _,
            tls,
            proxy,
            insecure,
            creation,
        } = reach;
        Settings {
            credential,
            tls: tls.clone(),
            ca_pem: self.ca_pem.clone(),
            proxy: proxy.clone(),
            system_proxy: false,
            insecure: *insecure,
            trusted_realms: self.trusted_realms.clone(),
            keyring: credentials
                .as_ref()
                .and_then(|credentials| credentials.others(registry)),
            creation: creation.clone(),
        }
    }
}

impl Connect for MirrorConnection {
    async fn source(&self, repository: Option<&Repository>) -> Result<Endpoint, ConnectError> {
        let reach = &self.reach.source;
        let connector = &self.connector;
        connector.open(&self.source, repository, reach, Side::Source)
    }

    async fn destination(
        &self,
        destination: &Destination,
        repository: &Repository,
    ) -> Result<Endpoint, ConnectError> {
        let Destination { name, registry, .. } = destination;
        let reach = self.reach.destinations.get(name);
        let reach = reach.ok_or_else(|| unknown(name))?;
        let connector = &self.connector;
        connector.open(registry, Some(repository), reach, Side::Destination)
    }

    fn authorities(&self) -> Arc<Authorities> {
        self.reach.authorities.clone()
    }
}
