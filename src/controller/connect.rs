// SPDX-License-Identifier: Apache-2.0

//! Opens the endpoints of mirrors, with what their own Secrets say and nothing else.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::api::Reason;
use crate::copy::{Endpoint, endpoint};
use crate::oci::{Registry, Repository};
use crate::plan::{Destination, Mirror};
use crate::registry::{Credential, Pool, Settings, Side};
use crate::sync::reach::{MirrorReach, Reach};
use crate::sync::trust::Authorities;
use crate::sync::{Connect, ConnectError};

/// How the registries of the mirrors whose rounds run are reached.
#[derive(Clone, Default)]
pub(super) struct Reaches(Arc<Mutex<HashMap<String, Arc<MirrorReach>>>>);

/// Holds the credentials of a mirror for as long as its round runs.
pub(super) struct HeldReach {
    reaches: Reaches,
    mirror: String,
}

/// Makes clients for registries.
pub(super) struct Connector {
    pool: Pool,
    reaches: Reaches,
    /// Authorities that are trusted besides those of the system.
    ca_pem: Option<Vec<u8>>,
    trusted_realms: Vec<String>,
}

// === impl Reaches ===

impl Reaches {
    /// Takes what a mirror's Secrets say, until the result is dropped.
    pub(super) fn hold(&self, mirror: &str, reach: MirrorReach) -> HeldReach {
        self.lock().insert(mirror.to_owned(), Arc::new(reach));
        HeldReach {
            reaches: self.clone(),
            mirror: mirror.to_owned(),
        }
    }

    fn of(&self, mirror: &Mirror) -> Result<Arc<MirrorReach>, ConnectError> {
        let reach = self.lock().get(&mirror.name).cloned();
        reach.ok_or_else(|| unknown(&mirror.name))
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Arc<MirrorReach>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for HeldReach {
    fn drop(&mut self) {
        self.reaches.lock().remove(&self.mirror);
    }
}

/// Nobody's credentials are used in place of those that were not read.
fn unknown(name: &str) -> ConnectError {
    ConnectError {
        reason: Reason::DependencyNotReady,
        message: format!("the secrets of {name} were not read"),
    }
}

// === impl Connector ===

impl Connector {
    /// A connector over the pool, for mirrors whose reach is held.
    pub(super) fn new(
        pool: Pool,
        reaches: Reaches,
        ca_pem: Option<Vec<u8>>,
        trusted_realms: Vec<String>,
    ) -> Self {
        Self {
            pool,
            reaches,
            ca_pem,
            trusted_realms,
        }
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
        }
    }
}

impl Connect for Connector {
    async fn source(
        &self,
        mirror: &Mirror,
        repository: Option<&Repository>,
    ) -> Result<Endpoint, ConnectError> {
        let reach = self.reaches.of(mirror)?;
        self.open(
            &mirror.source.registry,
            repository,
            &reach.source,
            Side::Source,
        )
    }

    async fn destination(
        &self,
        mirror: &Mirror,
        destination: &Destination,
        repository: &Repository,
    ) -> Result<Endpoint, ConnectError> {
        let reach = self.reaches.of(mirror)?;
        let reach = reach
            .destinations
            .get(&destination.name)
            .ok_or_else(|| unknown(&mirror.name))?;
        self.open(
            &destination.registry,
            Some(repository),
            reach,
            Side::Destination,
        )
    }

    fn authorities(&self, mirror: &Mirror) -> Result<Arc<Authorities>, ConnectError> {
        Ok(self.reaches.of(mirror)?.authorities.clone())
    }
}
