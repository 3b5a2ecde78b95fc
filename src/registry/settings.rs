// SPDX-License-Identifier: Apache-2.0

//! How a registry is reached: credential, certificates, proxy.

use std::fmt::Debug;
use std::sync::Arc;

use futures::future::BoxFuture;
use secrecy::{ExposeSecret, SecretString};

use super::auth::Credential;
use super::own::Creation;
use crate::oci::{Digest, Registry, Repository, digest::Algorithm};

/// How a registry is reached.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// Who is asking.
    pub credential: Credential,
    /// Certificates. They are for this registry and its token server, and for no other host that it leads to; its
    /// authorities count for hosts of the same owner, too.
    pub tls: Tls,
    /// Authorities that are trusted everywhere, besides those of the system, as PEM.
    pub ca_pem: Option<Vec<u8>>,
    /// The proxy that every connection goes through.
    pub proxy: Option<Proxy>,
    /// Whether the proxies of the environment (`HTTPS_PROXY`, `NO_PROXY`) are used where `proxy` names none.
    pub system_proxy: bool,
    /// Whether the registry is spoken to in plain HTTP.
    pub insecure: bool,
    /// Hosts that may be asked for tokens although neither the registry's host nor its domain.
    pub trusted_realms: Vec<String>,
    /// Credentials for the registries to which this one redirects; without it they are asked as nobody.
    pub keyring: Option<Arc<dyn Keyring>>,
    /// What a repository is made like that is missing when something is pushed to it; none is made without it.
    pub creation: Option<Arc<Creation>>,
}

/// Credentials for registries besides the one that is spoken to.
pub trait Keyring: Debug + Send + Sync {
    /// The credential for a repository of a registry; [`Credential::Anonymous`] where there is none.
    fn find<'a>(
        &'a self,
        registry: &'a Registry,
        repository: &'a Repository,
    ) -> BoxFuture<'a, Credential>;

    /// A digest that is equal where, and only where, the credentials are equal. It is not to be shown.
    fn fingerprint(&self) -> Digest;
}

/// Certificates, as PEM.
#[derive(Clone, Debug, Default)]
pub struct Tls {
    /// Authorities that are trusted besides those of the system.
    pub ca_pem: Option<Vec<u8>>,
    /// Our own certificate and its key, for registries that ask for one.
    pub identity_pem: Option<SecretString>,
}

/// An HTTP proxy.
#[derive(Clone, Debug)]
pub struct Proxy {
    /// Its address, such as `http://proxy.example.com:3128`.
    pub url: String,
    /// Who is asking, where it wants to know.
    pub username: Option<String>,
    /// And the password to that.
    pub password: Option<SecretString>,
}

impl Settings {
    /// A digest over all that decides who answers: the proxy, and whom we believe to be the host.
    pub(super) fn route_fingerprint(&self) -> Digest {
        let mut fields = Fields(Algorithm::Sha256.hasher());
        fields.add_option(self.tls.ca_pem.as_deref());
        fields.add_option(self.ca_pem.as_deref());
        fields.add(&[u8::from(self.system_proxy)]);
        fields.add_proxy(self.proxy.as_ref());
        fields.0.finish()
    }

    /// A digest over all of the settings: equal where, and only where, two settings are equal.
    pub(super) fn fingerprint(&self) -> Digest {
        let Self {
            credential,
            tls: Tls {
                ca_pem,
                identity_pem,
            },
            ca_pem: everywhere,
            proxy,
            system_proxy,
            insecure,
            trusted_realms,
            keyring,
            creation,
        } = self;
        let mut fields = Fields(Algorithm::Sha256.hasher());
        fields.add(credential.fingerprint().as_str().as_bytes());
        fields.add_option(ca_pem.as_deref());
        fields.add_option(everywhere.as_deref());
        fields.add_option(
            identity_pem
                .as_ref()
                .map(|pem| pem.expose_secret().as_bytes()),
        );
        fields.add(&[u8::from(*system_proxy), u8::from(*insecure)]);
        fields.add_proxy(proxy.as_ref());
        fields.add_option(
            keyring
                .as_ref()
                .map(|keyring| keyring.fingerprint())
                .as_ref()
                .map(|digest| digest.as_str().as_bytes()),
        );
        fields.add_option(
            creation
                .as_ref()
                .map(|made| format!("{made:?}"))
                .as_deref()
                .map(str::as_bytes),
        );
        for realm in trusted_realms {
            fields.add(realm.as_bytes());
        }
        fields.0.finish()
    }
}

/// Hashes fields with their lengths, so that no two lists of fields read alike.
struct Fields(crate::oci::Hasher);

impl Fields {
    fn add(&mut self, field: &[u8]) {
        self.0.update(&(field.len() as u64).to_be_bytes());
        self.0.update(field);
    }

    fn add_proxy(&mut self, proxy: Option<&Proxy>) {
        self.add(&[u8::from(proxy.is_some())]);
        let Some(Proxy {
            url,
            username,
            password,
        }) = proxy
        else {
            return;
        };
        self.add(url.as_bytes());
        self.add_option(username.as_deref().map(str::as_bytes));
        let password = password.as_ref().map(ExposeSecret::expose_secret);
        self.add_option(password.map(str::as_bytes));
    }

    fn add_option(&mut self, field: Option<&[u8]>) {
        self.add(&[u8::from(field.is_some())]);
        self.add(field.unwrap_or_default());
    }
}
