// SPDX-License-Identifier: Apache-2.0

//! Opens the endpoints of mirrors and of one-off commands.

use std::collections::HashMap;
use std::fmt::Display;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::OnceCell;

use super::args::{DocumentArgs, RegistryArgs};
use super::credentials::{CredentialError, Credentials, Locations};
use super::documents::Runnable;
use super::error::Error;
use super::loopback::Loopback;
use super::trust::Trust;
use crate::api::Reason;
use crate::copy::{Endpoint, endpoint};
use crate::identity::Identities;
use crate::layout::Layout;
use crate::oci::{Registry, Repository};
use crate::plan::Destination;
use crate::registry::{
    Client, Credential, Keyring, Observer, Pool, PoolBuilder, RequestLimits, Settings, Side,
};
use crate::sync::reach::{MirrorReach, Reach};
use crate::sync::trust::Authorities;
use crate::sync::{Connect, ConnectError, RoundInput};

/// How the program names itself to registries.
const USER_AGENT: &str = concat!("transship/", env!("CARGO_PKG_VERSION"));

/// Makes clients for registries, with the credentials of Secrets or of the person who runs the program.
pub(super) struct Connector {
    pool: Pool,
    trust: Trust,
    /// Read when the first registry is met that no Secret is named for.
    credentials: OnceCell<Arc<Credentials>>,
    loopback: Loopback,
}

/// Opens the endpoints of one mirror: registries, or the directories that stand in for them.
pub(super) struct MirrorConnection {
    roads: Arc<Roads>,
    source: Registry,
    reach: MirrorReach,
    /// Whether the mirror has one destination only.
    is_single: bool,
    /// What takes the place of its source.
    from: Option<Layout>,
    /// What takes the place of its destinations.
    to: Option<Layout>,
}

/// What the connections of all mirrors share.
struct Roads {
    connector: Connector,
    to_layout: Option<PathBuf>,
    /// The trees below `to_layout`, each opened once.
    layouts: Mutex<HashMap<PathBuf, Layout>>,
}

// === impl Connector ===

impl Connector {
    /// A connector with the credentials of the person who runs the program, and what they say of registries.
    pub(super) fn open(args: &RegistryArgs) -> Result<Self, Error> {
        Self::with(Pool::builder(USER_AGENT), args)
    }

    /// The same, and `observer` looks on at requests.
    pub(super) fn observed(
        args: &RegistryArgs,
        observer: Arc<dyn Observer>,
    ) -> Result<Self, Error> {
        Self::with(Pool::builder(USER_AGENT).observer(observer), args)
    }

    fn with(pool: PoolBuilder, args: &RegistryArgs) -> Result<Self, Error> {
        let RegistryArgs {
            concurrency, rate, ..
        } = args;
        let limits = RequestLimits {
            concurrency: *concurrency,
            rate: *rate,
        };
        Ok(Self {
            pool: pool.limits(limits).build(),
            trust: Trust::read(args)?,
            credentials: OnceCell::new(),
            loopback: Loopback::default(),
        })
    }

    /// Who the person who runs the program is in the clouds.
    pub(super) fn identities(&self) -> &Identities {
        &self.trust.identities
    }

    /// A client for a registry; which credential it has may depend on the repository.
    pub(super) async fn client(
        &self,
        registry: &Registry,
        repository: Option<&Repository>,
    ) -> Result<Client, ConnectError> {
        self.reach(registry, repository, &Reach::default()).await
    }

    /// Asks a registry whether it takes a credential.
    pub(super) async fn check(
        &self,
        registry: &Registry,
        credential: Credential,
    ) -> Result<(), Error> {
        let reach = Reach::default();
        let settings = self.settings(registry, &reach, credential, None).await;
        let client = self.pool.client(registry, &settings)?;
        Ok(client.ping().await?)
    }

    /// Whether a registry is spoken to in plain HTTP.
    pub(super) async fn speaks_plain_http(&self, registry: &Registry) -> bool {
        let reach = Reach::default();
        let settings = self.settings(registry, &reach, Credential::Anonymous, None);
        settings.await.insecure
    }

    async fn reach(
        &self,
        registry: &Registry,
        repository: Option<&Repository>,
        reach: &Reach,
    ) -> Result<Client, ConnectError> {
        let (credential, keyring) = if let Some(secret) = &reach.credentials {
            let found = secret.find(registry, repository).map_err(unusable)?;
            (found, secret.others(registry))
        } else if let Some(issuer) = &reach.issuer {
            (Credential::Issued(Arc::clone(issuer)), None)
        } else {
            let credentials = self.credentials().await.map_err(unusable)?;
            let found = credentials.find(registry, repository).await;
            let found = found.map_err(unusable)?;
            let credential = if matches!(found, Credential::Anonymous) {
                self.trust.ambient(registry)
            } else {
                found
            };
            (credential, Some(credentials as Arc<dyn Keyring>))
        };
        let settings = self.settings(registry, reach, credential, keyring).await;
        if settings.insecure && matches!(settings.credential, Credential::Issued(_)) {
            return Err(unusable(format_args!(
                "{registry} is spoken to in plain HTTP, in which no identity is sent: leave out --insecure"
            )));
        }
        self.pool.client(registry, &settings).map_err(|error| {
            let error = endpoint::Error::from(error);
            ConnectError {
                reason: error.reason(),
                message: error.to_string(),
            }
        })
    }

    async fn settings(
        &self,
        registry: &Registry,
        reach: &Reach,
        credential: Credential,
        keyring: Option<Arc<dyn Keyring>>,
    ) -> Settings {
        let mut settings = self.trust.settings(registry, reach, credential, keyring);
        // Whoever names certificates has said how it speaks.
        let is_certified = settings.tls.ca_pem.is_some() || settings.tls.identity_pem.is_some();
        settings.insecure =
            settings.insecure || !is_certified && self.loopback.speaks_plain_http(registry).await;
        settings
    }

    /// The credentials of the person who runs the program.
    async fn credentials(&self) -> Result<Arc<Credentials>, CredentialError> {
        let load = || async {
            let credentials = Credentials::load(&Locations::from_environment()).await;
            credentials.map(Arc::new)
        };
        self.credentials.get_or_try_init(load).await.cloned()
    }
}

fn unusable(error: impl Display) -> ConnectError {
    ConnectError {
        reason: Reason::AuthenticationFailed,
        message: error.to_string(),
    }
}

// === impl Roads ===

impl Roads {
    fn layout(&self, path: PathBuf) -> Layout {
        let mut layouts = self.layouts.lock().unwrap_or_else(PoisonError::into_inner);
        layouts
            .entry(path)
            .or_insert_with_key(|path| Layout::open(path.clone()))
            .clone()
    }
}

// === impl MirrorConnection ===

/// Mirrors, each with the way to its registries.
pub(super) fn connect(
    connector: Connector,
    runnables: Vec<Runnable>,
    args: &DocumentArgs,
) -> Vec<RoundInput<MirrorConnection>> {
    let from = args.from_layout.clone().map(Layout::open);
    let roads = Arc::new(Roads {
        connector,
        to_layout: args.to_layout.clone(),
        layouts: Mutex::default(),
    });
    let inputs = runnables.into_iter().map(|Runnable { mirror, reach }| {
        let connection = MirrorConnection {
            roads: roads.clone(),
            source: mirror.source.registry.clone(),
            reach,
            is_single: mirror.destinations.len() == 1,
            from: from.clone(),
            to: None,
        };
        RoundInput {
            mirror: Arc::new(mirror),
            connection,
        }
    });
    inputs.collect()
}

impl MirrorConnection {
    /// Lets a layout take the place of the source.
    pub(super) fn read_from(&mut self, layout: Layout) {
        self.from = Some(layout);
    }

    /// Lets a layout take the place of the destinations.
    pub(super) fn write_to(&mut self, layout: Layout) {
        self.to = Some(layout);
    }
}

/// Nobody's credentials are used in place of those that were not found.
fn unknown(name: &str) -> ConnectError {
    ConnectError {
        reason: Reason::InvalidSpec,
        message: format!("{name} is not among the documents"),
    }
}

impl Connect for MirrorConnection {
    async fn source(&self, repository: Option<&Repository>) -> Result<Endpoint, ConnectError> {
        if let Some(layout) = &self.from {
            return Ok(Endpoint::Layout(layout.clone()));
        }
        let reach = &self.reach.source;
        let connector = &self.roads.connector;
        let client = connector.reach(&self.source, repository, reach).await?;
        Ok(Endpoint::Registry(client.on(Side::Source)))
    }

    async fn destination(
        &self,
        destination: &Destination,
        repository: &Repository,
    ) -> Result<Endpoint, ConnectError> {
        let Destination { name, registry, .. } = destination;
        if let Some(layout) = &self.to {
            return Ok(Endpoint::Layout(layout.clone()));
        }
        if let Some(path) = &self.roads.to_layout {
            let path = if self.is_single {
                path.clone()
            } else {
                path.join(name)
            };
            return Ok(Endpoint::Layout(self.roads.layout(path)));
        }
        let reach = self.reach.destinations.get(name);
        let reach = reach.ok_or_else(|| unknown(name))?;
        let connector = &self.roads.connector;
        let client = connector.reach(registry, Some(repository), reach).await?;
        Ok(Endpoint::Registry(client.on(Side::Destination)))
    }

    fn authorities(&self) -> Arc<Authorities> {
        self.reach.authorities.clone()
    }
}
