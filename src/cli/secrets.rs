//! The Secrets that mirrors name, as settings for registries.

use secrecy::{ExposeSecret, SecretString};

use crate::api::document::{Document, Resource};
use crate::api::secret::{
    CA_KEY, CERTIFICATE_KEY, PASSWORD_KEY, PRIVATE_KEY_KEY, PROXY_ADDRESS_KEY, SecretError,
    USERNAME_KEY,
};
use crate::api::{ObjectName, Secret};
use crate::oci::{Registry, Repository};
use crate::plan::Access;
use crate::registry::docker_config::{ConfigError, DockerConfig};
use crate::registry::{Credential, Proxy, Tls};

/// The Secrets among the documents.
#[derive(Debug)]
pub(super) struct Secrets<'a>(&'a [Document]);

/// What Secrets say about how a registry is reached.
#[derive(Debug, Default)]
pub(super) struct Reach {
    /// The credentials; those of the person who runs the program where no Secret is named.
    pub(super) credentials: Option<SecretCredentials>,
    /// Certificates.
    pub(super) tls: Tls,
    /// The proxy.
    pub(super) proxy: Option<Proxy>,
    /// Whether plain HTTP is used.
    pub(super) insecure: bool,
}

/// The credentials in a Secret.
#[derive(Debug)]
pub(super) struct SecretCredentials {
    /// The name of the Secret.
    secret: String,
    config: DockerConfig,
}

/// Why a Secret has no credential for a registry.
#[derive(Debug, thiserror::Error)]
pub(super) enum SecretCredentialError {
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

/// Why a Secret that a mirror names cannot be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum ReachError {
    /// It is not there.
    #[error(
        "secret {name:?} of namespace {namespace:?} is not among the documents: add its file with -f, \
         or fetch it with `kubectl get secret {name} -n {namespace} -o yaml`"
    )]
    Missing {
        /// The namespace.
        namespace: String,
        /// The name.
        name: String,
    },
    /// A value is missing or of the wrong kind.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// The credentials are not a Docker config.
    #[error("secret {name:?} {source}")]
    DockerConfig {
        /// The name.
        name: String,
        /// What is wrong.
        source: ConfigError,
    },
    /// A certificate without a key, or the other way round.
    #[error("secret {name:?} has {present:?} but not {absent:?}: mutual TLS needs both")]
    HalfIdentity {
        /// The name.
        name: String,
        /// The key that is there.
        present: &'static str,
        /// The key that is not.
        absent: &'static str,
    },
}

impl<'a> Secrets<'a> {
    /// The Secrets of these documents.
    pub(super) fn of(documents: &'a [Document]) -> Self {
        Self(documents)
    }

    /// Reads what an access of a mirror in `namespace` names; otherwise says which fields name what cannot be used.
    pub(super) fn reach(
        &self,
        namespace: &str,
        access: &Access,
    ) -> Result<Reach, Vec<(&'static str, ReachError)>> {
        let Access {
            secret,
            cert_secret,
            proxy_secret,
            insecure,
        } = access;
        let credentials = self.read(namespace, secret.as_ref(), read_credentials);
        let tls = self.read(namespace, cert_secret.as_ref(), read_tls);
        let proxy = self.read(namespace, proxy_secret.as_ref(), read_proxy);
        match (credentials, tls, proxy) {
            (Ok(credentials), Ok(tls), Ok(proxy)) => Ok(Reach {
                credentials,
                tls: tls.unwrap_or_default(),
                proxy,
                insecure: *insecure,
            }),
            (credentials, tls, proxy) => {
                let errors = [
                    ("secretRef.name", credentials.err()),
                    ("certSecretRef.name", tls.err()),
                    ("proxySecretRef.name", proxy.err()),
                ];
                let named = |(field, error): (_, Option<_>)| error.map(|error| (field, error));
                Err(errors.into_iter().filter_map(named).collect())
            }
        }
    }

    fn read<T>(
        &self,
        namespace: &str,
        name: Option<&ObjectName>,
        read: impl FnOnce(&Secret) -> Result<T, ReachError>,
    ) -> Result<Option<T>, ReachError> {
        let Some(name) = name else { return Ok(None) };
        let secret = self
            .find(namespace, name)
            .ok_or_else(|| ReachError::Missing {
                namespace: namespace.to_owned(),
                name: name.to_string(),
            })?;
        read(secret).map(Some)
    }

    fn find(&self, namespace: &str, name: &ObjectName) -> Option<&'a Secret> {
        let secrets = self
            .0
            .iter()
            .filter_map(|document| match &document.resource {
                Resource::Secret(secret) => Some(&**secret),
                Resource::ImageMirror(_) | Resource::ImagePolicy(_) => None,
            });
        secrets
            .into_iter()
            .find(|secret| secret.metadata.namespace == namespace && secret.metadata.name == *name)
    }
}

// === impl SecretCredentials ===

impl SecretCredentials {
    /// The credential for a repository, or for a registry as a whole. A Secret that a mirror names
    /// for a registry must have one.
    pub(super) fn find(
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

// === reading ===

fn read_credentials(secret: &Secret) -> Result<SecretCredentials, ReachError> {
    let text = secret.docker_config()?;
    let name = secret.metadata.name.to_string();
    match DockerConfig::parse(text.expose_secret().as_bytes()) {
        Ok(config) => Ok(SecretCredentials {
            secret: name,
            config,
        }),
        Err(source) => Err(ReachError::DockerConfig { name, source }),
    }
}

fn read_tls(secret: &Secret) -> Result<Tls, ReachError> {
    let half = |present, absent| {
        Err(ReachError::HalfIdentity {
            name: secret.metadata.name.to_string(),
            present,
            absent,
        })
    };
    let certificate = secret.text(CERTIFICATE_KEY)?;
    let identity_pem = match (certificate, secret.text(PRIVATE_KEY_KEY)?) {
        (Some(certificate), Some(key)) => Some(SecretString::from(format!(
            "{}\n{}",
            certificate.expose_secret(),
            key.expose_secret()
        ))),
        (None, None) => None,
        (Some(_), None) => return half(CERTIFICATE_KEY, PRIVATE_KEY_KEY),
        (None, Some(_)) => return half(PRIVATE_KEY_KEY, CERTIFICATE_KEY),
    };
    let ca_pem = secret.text(CA_KEY)?;
    if ca_pem.is_none() && identity_pem.is_none() {
        secret.required_text(CA_KEY)?;
    }
    Ok(Tls {
        ca_pem: ca_pem.map(|pem| pem.expose_secret().as_bytes().to_vec()),
        identity_pem,
    })
}

fn read_proxy(secret: &Secret) -> Result<Proxy, ReachError> {
    Ok(Proxy {
        url: secret
            .required_text(PROXY_ADDRESS_KEY)?
            .expose_secret()
            .to_owned(),
        username: secret
            .text(USERNAME_KEY)?
            .map(|username| username.expose_secret().to_owned()),
        password: secret.text(PASSWORD_KEY)?,
    })
}
