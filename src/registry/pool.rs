// SPDX-License-Identifier: Apache-2.0

//! The clients of a process.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;
use url::Url;

use super::auth::Authenticator;
use super::boundaries::Boundaries;
use super::cause::Cause;
use super::client::{Client, Identity};
use super::connection::Connection;
use super::elsewhere::Elsewhere;
use super::error::{Action, Error};
use super::guard::WriteGuard;
use super::host::Host;
use super::http::Http;
use super::observer::{Observer, Unobserved};
use super::origin;
use super::outlet::{Outlet, PostError};
use super::own::Known;
use super::profile::Profile;
use super::request_limits::RequestLimits;
use super::secrets::Secrets;
use super::settings::Settings;
use super::sharers::RequestSharers;
use super::traffic::Counters;
use super::way::{Route, Way};
use crate::oci::Registry;

/// A client that nobody asked for in so long is forgotten, with its connections and tokens.
const UNUSED: Duration = Duration::from_secs(60 * 60);
/// The most clients that are kept.
const CLIENTS: usize = 4_096;

/// Makes clients, one for each registry and settings. All that reach a host alike share what it is asked for at once,
/// and whether it answers. Made once in a process; cheap to clone.
#[derive(Clone)]
pub struct Pool(Arc<Inner>);

/// What a pool is made of.
#[must_use]
pub struct PoolBuilder {
    user_agent: String,
    boundaries: Option<Arc<Boundaries>>,
    write_guard: WriteGuard,
    observer: Arc<dyn Observer>,
    limits: RequestLimits,
}

struct Inner {
    /// The same for all clients.
    made_of: PoolBuilder,
    clients: Mutex<HashMap<Identity, (Client, Instant)>>,
    ways: Mutex<HashMap<Route, Arc<Way>>>,
    sharers: RequestSharers,
}

// === impl PoolBuilder ===

impl PoolBuilder {
    /// Bounds where requests may go, whatever the settings and registries say.
    pub fn boundaries(mut self, boundaries: Boundaries) -> Self {
        self.boundaries = Some(Arc::new(boundaries));
        self
    }

    /// Asks before every request that writes, and before every piece of a body, whether this process
    /// may write. From the first no on, none leaves.
    pub fn write_guard(mut self, may_write: Arc<dyn Fn() -> bool + Send + Sync>) -> Self {
        self.write_guard = WriteGuard::new(may_write);
        self
    }

    /// Tells somebody of every request.
    pub fn observer(mut self, observer: Arc<dyn Observer>) -> Self {
        self.observer = observer;
        self
    }

    /// Asks each host for less than we would by ourselves.
    pub fn limits(mut self, limits: RequestLimits) -> Self {
        self.limits = limits;
        self
    }

    /// The pool.
    pub fn build(self) -> Pool {
        Pool(Arc::new(Inner {
            made_of: self,
            clients: Mutex::default(),
            ways: Mutex::default(),
            sharers: RequestSharers::default(),
        }))
    }
}

// === impl Pool ===

impl Pool {
    /// A pool for the person who runs the program: it goes anywhere and always writes. Its clients
    /// name themselves `user_agent`, such as `transship/1.2.3`.
    pub fn new(user_agent: &str) -> Self {
        Self::builder(user_agent).build()
    }

    /// A pool that may be bounded, guarded and observed.
    pub fn builder(user_agent: &str) -> PoolBuilder {
        PoolBuilder {
            user_agent: user_agent.to_owned(),
            boundaries: None,
            write_guard: WriteGuard::default(),
            observer: Arc::new(Unobserved),
            limits: RequestLimits::default(),
        }
    }

    /// So many processes ask the same hosts: each host is asked here for its part of what it bears.
    pub fn share_out(&self, processes: usize) {
        self.0.sharers.set(processes);
        for way in lock(&self.0.ways).values() {
            way.share_out();
        }
    }

    /// The client for a registry and settings: the same one for the same settings.
    pub fn client(&self, registry: &Registry, settings: &Settings) -> Result<Client, Error> {
        let plain = settings.insecure.then(|| registry.in_plain_http());
        let registry = plain.as_ref().unwrap_or(registry);
        let identity = Identity::new(registry, settings);
        let now = Instant::now();
        let mut clients = lock(&self.0.clients);
        if let Some((client, used)) = clients.get_mut(&identity) {
            *used = now;
            return Ok(client.clone());
        }
        let connection = self
            .connect(registry, settings)
            .map_err(|cause| Error::new(&Action::Connect.at(registry, None, None), cause))?;
        let client = Client::new(identity.clone(), connection);
        clients.retain(|_, (_, used)| now - *used < UNUSED);
        forget_oldest(&mut clients);
        clients.insert(identity, (client.clone(), now));
        Ok(client)
    }

    /// The way to an address that is no registry's, for messages. Of the settings certificates and proxies count.
    pub fn outlet(&self, address: &Url, settings: &Settings) -> Result<Outlet, PostError> {
        let PoolBuilder {
            user_agent,
            boundaries,
            write_guard,
            observer: _,
            limits: _,
        } = &self.0.made_of;
        Outlet::open(
            user_agent,
            address,
            settings,
            (boundaries.clone(), write_guard.clone()),
        )
    }

    fn connect(&self, registry: &Registry, settings: &Settings) -> Result<Connection, Cause> {
        let scheme = if settings.insecure { "http" } else { "https" };
        let base = Url::parse(&format!("{scheme}://{}", registry.api_host())).map_err(|error| {
            Cause::Settings(format!("{} is not a host: {error}", registry.api_host()))
        })?;
        let PoolBuilder {
            user_agent,
            boundaries,
            write_guard,
            observer,
            limits,
        } = &self.0.made_of;
        if let Some(boundaries) = boundaries {
            boundaries.check_registry(registry, &base)?;
        }
        let profile = Profile::of(registry.api_host());
        let route = Route::new(origin::of(&base), settings);
        let http = Http::new(user_agent, base.clone(), settings, boundaries.clone())?;
        let authenticator = Authenticator::new(
            registry.clone(),
            base.clone(),
            settings.credential.clone(),
            settings.trusted_realms.clone(),
            http.clone(),
        );
        let elsewhere = Elsewhere::new(registry, settings, &http);
        Ok(Connection {
            registry: registry.clone(),
            base,
            http,
            authenticator,
            elsewhere,
            host: Arc::new(Host::new(profile, &self.0.sharers)),
            way: self.way(route, profile, limits),
            has_answered: AtomicBool::new(false),
            counters: Arc::new(Counters::new()),
            secrets: Arc::new(Secrets::of(settings)),
            write_guard: write_guard.clone(),
            observer: Arc::clone(observer),
            creation: settings.creation.clone(),
            known: Known::default(),
        })
    }

    /// What is known of a way lasts as long as a client takes it.
    fn way(&self, route: Route, profile: &Profile, limits: &RequestLimits) -> Arc<Way> {
        let mut ways = lock(&self.0.ways);
        ways.retain(|_, known| Arc::strong_count(known) > 1);
        let known = ways
            .entry(route)
            .or_insert_with(|| Arc::new(Way::new(profile, limits, &self.0.sharers)));
        Arc::clone(known)
    }
}

/// Makes room for one more client where there are as many as are kept. Who uses the one that is forgotten keeps it.
fn forget_oldest(clients: &mut HashMap<Identity, (Client, Instant)>) {
    if clients.len() < CLIENTS {
        return;
    }
    let oldest = clients.iter().min_by_key(|(_, (_, used))| *used);
    if let Some(oldest) = oldest.map(|(identity, _)| identity.clone()) {
        clients.remove(&oldest);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl fmt::Debug for Pool {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Pool")
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Credential, Tls};
    use super::*;

    fn basic(password: &str) -> Settings {
        Settings {
            credential: Credential::Basic {
                username: "me".to_owned(),
                password: password.into(),
            },
            insecure: true,
            ..Settings::default()
        }
    }

    #[test]
    fn equal_settings_share_a_client_and_other_settings_share_nothing_but_the_host() {
        let pool = Pool::new("test");
        let registry: Registry = "localhost:5000".parse().unwrap();
        let client = |settings| pool.client(&registry, &settings).unwrap();
        let first = client(basic("a"));
        assert_eq!(first.identity(), client(basic("a")).identity());
        let others = [
            basic("b"),
            Settings::default(),
            Settings {
                insecure: false,
                ..basic("a")
            },
            Settings {
                system_proxy: true,
                ..basic("a")
            },
            Settings {
                trusted_realms: vec!["x.test".to_owned()],
                ..basic("a")
            },
            Settings {
                credential: Credential::RegistryToken("a".into()),
                ..basic("a")
            },
            Settings {
                credential: Credential::Basic {
                    username: "mea".to_owned(),
                    password: "".into(),
                },
                ..basic("a")
            },
        ];
        for settings in others {
            assert_ne!(
                first.identity(),
                client(settings.clone()).identity(),
                "{settings:?}"
            );
        }
    }

    #[test]
    fn settings_that_make_no_client_are_an_error_with_the_name_of_the_registry() {
        let settings = Settings {
            tls: Tls {
                ca_pem: Some(b"x".to_vec()),
                identity_pem: None,
            },
            ..Settings::default()
        };
        let error = Pool::new("test")
            .client(&Registry::docker_hub(), &settings)
            .unwrap_err();
        insta::assert_snapshot!(error, @"cannot speak to docker.io: the settings for the registry are wrong: the CA certificates contain no certificate");
    }
}
