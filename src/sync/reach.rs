// SPDX-License-Identifier: Apache-2.0

//! How the registries of a mirror are reached: what the Secrets that it names say.
//!
//! Where Secrets are found is decided by the caller: among documents, or in a cluster.

use std::collections::HashMap;
use std::sync::Arc;

use futures::future::{self, BoxFuture};
use secrecy::{ExposeSecret, SecretString};
use tracing::warn;

use super::secrets::{FindSecret, InvalidReach, ReachError};
use super::trust::Authorities;
use crate::api::image_mirror::CreateRepository;
use crate::api::secret::{
    CA_KEY, CERTIFICATE_KEY, PASSWORD_KEY, PRIVATE_KEY_KEY, PROXY_ADDRESS_KEY, USERNAME_KEY,
};
use crate::api::{ObjectName, Secret};
use crate::oci::{Digest, Registry, Repository};
use crate::plan::{Access, CloudIdentity, Mirror};
use crate::registry::docker_config::{ConfigError, DockerConfig};
use crate::registry::{Creation, Credential, Encryption, Issuer, Keyring, Proxy, Tls};

/// How the registries of one mirror are reached, and whom its policies trust.
#[derive(Debug, Default)]
pub struct MirrorReach {
    /// The source.
    pub source: Reach,
    /// The destinations, by name.
    pub destinations: HashMap<String, Reach>,
    /// Those whom the policies trust.
    pub authorities: Arc<Authorities>,
}

/// What Secrets say about how a registry is reached.
#[derive(Debug, Default)]
pub struct Reach {
    /// The credentials, where a Secret is named for them.
    pub credentials: Option<SecretCredentials>,
    /// Who gives out credentials, where an identity is named for them.
    pub issuer: Option<Arc<dyn Issuer>>,
    /// Certificates.
    pub tls: Tls,
    /// The proxy.
    pub proxy: Option<Proxy>,
    /// Whether plain HTTP is used.
    pub insecure: bool,
    /// What a repository is made like that is missing; none is made without it.
    pub creation: Option<Arc<Creation>>,
}

/// The credentials in a Secret.
#[derive(Clone, Debug)]
pub struct SecretCredentials {
    /// The name of the Secret.
    secret: String,
    config: Arc<DockerConfig>,
}

/// Why a Secret has no credential for a registry.
#[derive(Debug, thiserror::Error)]
pub enum SecretCredentialError {
    /// It is for others.
    #[error("secret {secret:?} has no credentials for {registry}: add them to its auths")]
    Missing {
        /// The name of the Secret.
        secret: String,
        /// The registry.
        registry: Registry,
    },
    /// They are broken.
    #[error("secret {secret:?} {source}")]
    Broken {
        /// The name of the Secret.
        secret: String,
        /// What is wrong.
        source: ConfigError,
    },
}

// === impl MirrorReach ===

impl MirrorReach {
    /// Reads everything that a mirror names; otherwise says which fields name what cannot be used.
    pub fn read<F: FindSecret>(
        mirror: &Mirror,
        secrets: &F,
    ) -> Result<Self, Vec<InvalidReach<F::Error>>> {
        let mut invalid = Vec::new();
        let mut read = |path: &str, registry: &Registry, access: &Access| {
            Reach::read(path, registry, access, secrets).unwrap_or_else(|errors| {
                invalid.extend(errors);
                Reach::default()
            })
        };
        let source = &mirror.source;
        let source = read("spec.source", &source.registry, &source.access);
        let destinations = mirror.destinations.iter().enumerate();
        let destinations = destinations
            .map(|(index, destination)| {
                let path = format!("spec.destinations[{index}]");
                let reach = read(&path, &destination.registry, &destination.access);
                let creation = destination.create_repository.as_deref();
                let creation = creation.map(|create| Arc::new(creation_of(create)));
                (destination.name.clone(), Reach { creation, ..reach })
            })
            .collect();
        match Authorities::read(mirror, secrets) {
            Ok(authorities) if invalid.is_empty() => Ok(Self {
                source,
                destinations,
                authorities: Arc::new(authorities),
            }),
            Ok(_) => Err(invalid),
            Err(untrusted) => {
                invalid.extend(untrusted);
                Err(invalid)
            }
        }
    }
}

// === impl Reach ===

impl Reach {
    fn read<F: FindSecret>(
        path: &str,
        registry: &Registry,
        access: &Access,
        secrets: &F,
    ) -> Result<Self, Vec<InvalidReach<F::Error>>> {
        let Access {
            secret,
            identity,
            cert_secret,
            proxy_secret,
            insecure,
        } = access;
        let credentials = read(secrets, secret.as_ref(), read_credentials);
        let issuer = identity.as_ref().map(|identity| {
            let issuer = secrets.issuer(registry, identity);
            issuer.map_err(ReachError::Find)
        });
        let identity_field = match identity {
            Some(CloudIdentity {
                service_account: Some(_),
                ..
            }) => "serviceAccountName",
            Some(_) | None => "provider",
        };
        let tls = read(secrets, cert_secret.as_ref(), read_tls);
        let proxy = read(secrets, proxy_secret.as_ref(), read_proxy);
        match (credentials, issuer.transpose(), tls, proxy) {
            (Ok(credentials), Ok(issuer), Ok(tls), Ok(proxy)) => Ok(Self {
                credentials,
                issuer,
                tls: tls.unwrap_or_default(),
                proxy,
                insecure: *insecure,
                creation: None,
            }),
            (credentials, issuer, tls, proxy) => {
                let errors = [
                    ("secretRef.name", credentials.err()),
                    (identity_field, issuer.err()),
                    ("certSecretRef.name", tls.err()),
                    ("proxySecretRef.name", proxy.err()),
                ];
                let named = |(field, error): (&str, Option<_>)| {
                    error.map(|source| InvalidReach {
                        policy: None,
                        path: format!("{path}.{field}"),
                        source,
                    })
                };
                Err(errors.into_iter().filter_map(named).collect())
            }
        }
    }
}

/// What a repository is made like.
fn creation_of(create: &CreateRepository) -> Creation {
    let CreateRepository {
        tags,
        immutable_tags,
        scan_on_push,
        encryption,
        lifecycle_policy,
    } = create.clone();
    let encryption = encryption.map(|encryption| Encryption {
        kind: encryption.kind.as_str().to_owned(),
        key: encryption.kms_key,
    });
    Creation {
        tags,
        immutable_tags,
        scan_on_push,
        encryption,
        lifecycle_policy,
    }
}

fn read<F: FindSecret, T>(
    secrets: &F,
    name: Option<&ObjectName>,
    read: impl FnOnce(&Secret) -> Result<T, ReachError<F::Error>>,
) -> Result<Option<T>, ReachError<F::Error>> {
    let Some(name) = name else { return Ok(None) };
    let secret = secrets.find(name).map_err(ReachError::Find)?;
    read(secret).map(Some)
}

// === impl SecretCredentials ===

impl SecretCredentials {
    /// The credential for a repository, or for a registry as a whole. A Secret that a mirror names
    /// for a registry must have one.
    pub fn find(
        &self,
        registry: &Registry,
        repository: Option<&Repository>,
    ) -> Result<Credential, SecretCredentialError> {
        let Self { secret, config } = self;
        match config.credential(registry, repository) {
            Ok(Some(credential)) => Ok(credential),
            Ok(None) => Err(SecretCredentialError::Missing {
                secret: secret.clone(),
                registry: registry.clone(),
            }),
            Err(source) => Err(SecretCredentialError::Broken {
                secret: secret.clone(),
                source,
            }),
        }
    }
}

impl SecretCredentials {
    /// What the Secret has for registries to which `registry` may redirect.
    pub fn others(&self, registry: &Registry) -> Option<Arc<dyn Keyring>> {
        self.config
            .has_others(registry)
            .then(|| Arc::new(self.clone()) as Arc<dyn Keyring>)
    }
}

impl Keyring for SecretCredentials {
    fn find<'a>(
        &'a self,
        registry: &'a Registry,
        repository: &'a Repository,
    ) -> BoxFuture<'a, Credential> {
        let Self { secret, config } = self;
        let found = config
            .credential(registry, Some(repository))
            .unwrap_or_else(|error| {
                warn!("secret {secret:?} {error}");
                None
            });
        Box::pin(future::ready(found.unwrap_or_default()))
    }

    fn fingerprint(&self) -> Digest {
        self.config.fingerprint()
    }
}

// === reading ===

fn read_credentials<E: std::error::Error>(
    secret: &Secret,
) -> Result<SecretCredentials, ReachError<E>> {
    let text = secret.docker_config().map_err(ReachError::Secret)?;
    let name = secret.metadata.name.to_string();
    match DockerConfig::parse(text.expose_secret().as_bytes()) {
        Ok(config) => Ok(SecretCredentials {
            secret: name,
            config: Arc::new(config),
        }),
        Err(source) => Err(ReachError::DockerConfig { name, source }),
    }
}

/// The certificates of a Secret.
pub fn read_tls<E: std::error::Error>(secret: &Secret) -> Result<Tls, ReachError<E>> {
    let half = |present, absent| {
        Err(ReachError::HalfIdentity {
            name: secret.metadata.name.to_string(),
            present,
            absent,
        })
    };
    let text = |key| secret.text(key).map_err(ReachError::Secret);
    let certificate = text(CERTIFICATE_KEY)?;
    let identity_pem = match (certificate, text(PRIVATE_KEY_KEY)?) {
        (Some(certificate), Some(key)) => Some(SecretString::from(format!(
            "{}\n{}",
            certificate.expose_secret(),
            key.expose_secret()
        ))),
        (None, None) => None,
        (Some(_), None) => return half(CERTIFICATE_KEY, PRIVATE_KEY_KEY),
        (None, Some(_)) => return half(PRIVATE_KEY_KEY, CERTIFICATE_KEY),
    };
    let ca_pem = text(CA_KEY)?;
    if ca_pem.is_none() && identity_pem.is_none() {
        secret.required_text(CA_KEY).map_err(ReachError::Secret)?;
    }
    Ok(Tls {
        ca_pem: ca_pem.map(|pem| pem.expose_secret().as_bytes().to_vec()),
        identity_pem,
    })
}

/// The proxy of a Secret.
pub fn read_proxy<E: std::error::Error>(secret: &Secret) -> Result<Proxy, ReachError<E>> {
    let address = secret.required_text(PROXY_ADDRESS_KEY);
    let text = |key| secret.text(key).map_err(ReachError::Secret);
    Ok(Proxy {
        url: address
            .map_err(ReachError::Secret)?
            .expose_secret()
            .to_owned(),
        username: text(USERNAME_KEY)?.map(|username| username.expose_secret().to_owned()),
        password: text(PASSWORD_KEY)?,
    })
}
