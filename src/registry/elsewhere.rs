// SPDX-License-Identifier: Apache-2.0

//! Registries to which a registry redirects (Scarf's `lscr.io` and `docker.n8n.io`; go-containerregistry#2333).
//!
//! Such a registry is asked as itself: its challenge is answered with the credential that is kept for it, or as
//! nobody, and never with that of the registry that sent us there. A credential is used only where the redirect
//! leaves the path alone: else a registry could have us fetch from another one, in our name, what nobody asked for.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use reqwest::header::HeaderMap;
use url::Url;

use super::auth::{Authenticator, Authorization, Credential, Scope};
use super::cause::Cause;
use super::http::Http;
use super::origin;
use super::settings::{Keyring, Settings};
use super::specified::repository;
use crate::oci::{Digest, Registry, Repository};

/// From so many registries and credentials on, what is known of them is forgotten.
const REGISTRIES: usize = 64;

/// The registries to which one registry redirects, and who we are there.
pub(super) struct Elsewhere {
    registry: Registry,
    credential: Credential,
    trusted_realms: Vec<String>,
    keyring: Option<Arc<dyn Keyring>>,
    http: Http,
    /// By origin and by who we are.
    known: Mutex<HashMap<(String, Digest), Arc<Authenticator>>>,
}

/// One request at such a registry.
pub(super) struct Visit {
    authenticator: Arc<Authenticator>,
    scope: Scope,
}

// === impl Elsewhere ===

impl Elsewhere {
    /// The registries to which `registry` redirects, reached with the same settings.
    pub(super) fn new(registry: &Registry, settings: &Settings, http: &Http) -> Self {
        Self {
            registry: registry.clone(),
            credential: settings.credential.clone(),
            trusted_realms: settings.trusted_realms.clone(),
            keyring: settings.keyring.clone(),
            http: http.clone(),
            known: Mutex::default(),
        }
    }

    /// Who we are where `asked` led to `url`; nothing where that is not the URL of a registry.
    pub(super) async fn visit(&self, asked: &Url, url: &Url) -> Result<Option<Visit>, Cause> {
        let Some(repository) = repository(url) else {
            return Ok(None);
        };
        let Ok(registry) = origin::authority(url).parse::<Registry>() else {
            return Ok(None);
        };
        let mut base = url.clone();
        base.set_path("");
        base.set_query(None);
        base.set_fragment(None);
        self.http.check_registry(&registry, &base)?;
        let credential = if asked.path() == url.path() {
            self.credential(&registry, &repository, url).await
        } else {
            Credential::Anonymous
        };
        Ok(Some(Visit {
            authenticator: self.authenticator(registry, base, credential),
            scope: Scope::pull(&repository),
        }))
    }

    /// The registry's own credential where it only sends us from plain HTTP to HTTPS, else what is kept for the other one.
    async fn credential(
        &self,
        registry: &Registry,
        repository: &Repository,
        url: &Url,
    ) -> Credential {
        match &self.keyring {
            _ if *registry == self.registry && url.scheme() == "https" => self.credential.clone(),
            Some(keyring) if url.scheme() == "https" => keyring.find(registry, repository).await,
            Some(_) | None => Credential::Anonymous,
        }
    }

    fn authenticator(
        &self,
        registry: Registry,
        base: Url,
        credential: Credential,
    ) -> Arc<Authenticator> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (origin::of(&base), credential.fingerprint());
        if known.len() >= REGISTRIES && !known.contains_key(&key) {
            known.clear();
        }
        let authenticator = known.entry(key).or_insert_with(|| {
            let http = if registry == self.registry {
                self.http.at(base.clone())
            } else {
                self.http.elsewhere(base.clone())
            };
            let realms = self.trusted_realms.clone();
            let authenticator = Authenticator::new(registry, base, credential, realms, http);
            Arc::new(authenticator)
        });
        Arc::clone(authenticator)
    }
}

// === impl Visit ===

impl Visit {
    /// What to send, as far as it is known.
    pub(super) async fn authorization(&self) -> Result<Option<Authorization>, Cause> {
        Ok(self.authenticator.authorization(&self.scope).await?)
    }

    /// What to send after 401.
    pub(super) async fn challenged(
        &self,
        headers: &HeaderMap,
        sent: Option<&Authorization>,
    ) -> Result<Authorization, Cause> {
        let answer = self.authenticator.challenged(headers, &self.scope, sent);
        Ok(answer.await?)
    }
}
