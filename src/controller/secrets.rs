// SPDX-License-Identifier: Apache-2.0

//! The Secrets and identities that a mirror and its policies name, read from the API server when a round needs them.
//!
//! They are read one by one, by name, for each round: Transship has no right to list or to watch
//! Secrets, and needs none to see that one was changed.

use std::collections::BTreeMap;
use std::sync::Arc;

use k8s_openapi::api::core::v1;
use kube::{Api, Client};

use super::identities::{IdentityError, Members, OwnIdentities};
use crate::api::{Metadata, ObjectName, Reason, Secret};
use crate::oci::Registry;
use crate::plan::{Access, CloudIdentity, Mirror};
use crate::registry::Issuer;
use crate::runtime::kubernetes::explain;
use crate::sync::reach::MirrorReach;
use crate::sync::secrets::{FindSecret, InvalidReach, ReachError};
use crate::sync::trust::secret_names;

/// The Secrets of one mirror, each found or not, and who it is in the clouds.
struct Secrets<'a> {
    secrets: BTreeMap<ObjectName, Result<Secret, SecretError>>,
    members: Members<'a>,
}

/// Why a Secret cannot be read.
#[derive(Clone, Debug, thiserror::Error)]
pub(super) enum SecretError {
    /// It does not exist.
    #[error("there is no secret {name:?} in namespace {namespace:?}: create it")]
    Missing {
        /// The namespace.
        namespace: String,
        /// The name.
        name: String,
    },
    /// The namespace has not opted in.
    #[error(
        "secret {name:?} cannot be read: namespace {namespace:?} has not opted in. Add it to secretNamespaces \
         of the Helm chart, or bind the ClusterRole transship-secret-reader to Transship's service account there"
    )]
    Forbidden {
        /// The namespace.
        namespace: String,
        /// The name.
        name: String,
    },
    /// The API server did not say.
    #[error("secret {name:?} of namespace {namespace:?} cannot be read: {message}")]
    Unreadable {
        /// The namespace.
        namespace: String,
        /// The name.
        name: String,
        /// Why.
        message: String,
    },
    /// An identity cannot be used.
    #[error(transparent)]
    Identity(#[from] IdentityError),
}

/// Why the registries of a mirror cannot be reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Unreached {
    /// The category.
    pub(super) reason: Reason,
    /// Each field with what is wrong with its Secret.
    pub(super) message: String,
}

/// Reads how the registries of a mirror are reached.
pub(super) async fn read_reach(
    client: &Client,
    identities: &OwnIdentities,
    mirror: &Mirror,
) -> Result<MirrorReach, Unreached> {
    let api: Api<v1::Secret> = Api::namespaced(client.clone(), &mirror.namespace);
    let mut secrets = BTreeMap::new();
    for name in names(mirror).chain(secret_names(mirror)) {
        if !secrets.contains_key(name) {
            let secret = read(&api, &mirror.namespace, name).await;
            secrets.insert(name.clone(), secret);
        }
    }
    let members = Members::read(client, identities, mirror).await;
    let found = Secrets { secrets, members };
    MirrorReach::read(mirror, &found).map_err(|invalid| Unreached::of(&invalid))
}

fn names(mirror: &Mirror) -> impl Iterator<Item = &ObjectName> {
    mirror.accesses().flat_map(|access| {
        let Access {
            secret,
            identity: _,
            cert_secret,
            proxy_secret,
            insecure: _,
        } = access;
        [secret, cert_secret, proxy_secret].into_iter().flatten()
    })
}

/// Reads a Secret that something else than a mirror names.
pub(super) async fn read_one(
    client: &Client,
    namespace: &str,
    name: &ObjectName,
) -> Result<Secret, SecretError> {
    let api = Api::namespaced(client.clone(), namespace);
    read(&api, namespace, name).await
}

async fn read(
    api: &Api<v1::Secret>,
    namespace: &str,
    name: &ObjectName,
) -> Result<Secret, SecretError> {
    let namespace = namespace.to_owned();
    let text = name.to_string();
    match api.get(name.as_str()).await {
        Ok(secret) => Ok(convert(secret, name, namespace)),
        Err(kube::Error::Api(status)) if status.is_not_found() => Err(SecretError::Missing {
            namespace,
            name: text,
        }),
        Err(kube::Error::Api(status)) if status.is_forbidden() => Err(SecretError::Forbidden {
            namespace,
            name: text,
        }),
        Err(error) => Err(SecretError::Unreadable {
            namespace,
            name: text,
            message: explain(&error),
        }),
    }
}

fn convert(secret: v1::Secret, name: &ObjectName, namespace: String) -> Secret {
    let metadata = Metadata {
        name: name.clone(),
        namespace,
        uid: secret.metadata.uid,
        generation: None,
        labels: BTreeMap::new(),
        annotations: BTreeMap::new(),
    };
    let data = secret.data.unwrap_or_default();
    let data = data
        .into_iter()
        .map(|(key, value)| (key, value.0.into()))
        .collect();
    Secret::new(metadata, secret.type_.unwrap_or_default(), data)
}

impl FindSecret for Secrets<'_> {
    type Error = SecretError;

    fn find(&self, name: &ObjectName) -> Result<&Secret, SecretError> {
        match self.secrets.get(name) {
            Some(Ok(secret)) => Ok(secret),
            Some(Err(error)) => Err(error.clone()),
            // Every name of the mirror was read.
            None => Err(SecretError::Missing {
                namespace: String::new(),
                name: name.to_string(),
            }),
        }
    }

    fn issuer(
        &self,
        registry: &Registry,
        identity: &CloudIdentity,
    ) -> Result<Arc<dyn Issuer>, SecretError> {
        Ok(self.members.issuer(registry, identity)?)
    }
}

// === impl SecretError ===

impl SecretError {
    /// The category.
    pub(super) fn reason(&self) -> Reason {
        match self {
            Self::Missing { .. } => Reason::DependencyNotReady,
            Self::Forbidden { .. } => Reason::AccessDenied,
            Self::Unreadable { .. } => Reason::Unreachable,
            Self::Identity(error) => error.reason(),
        }
    }
}

// === impl Unreached ===

impl Unreached {
    fn of(invalid: &[InvalidReach<SecretError>]) -> Self {
        let messages: Vec<String> = invalid.iter().map(ToString::to_string).collect();
        let reason =
            invalid
                .first()
                .map_or(Reason::DependencyNotReady, |first| match &first.source {
                    ReachError::Find(error) => error.reason(),
                    ReachError::Secret(_)
                    | ReachError::DockerConfig { .. }
                    | ReachError::HalfIdentity { .. }
                    | ReachError::Key { .. }
                    | ReachError::Root { .. }
                    | ReachError::Identity(_) => Reason::DependencyNotReady,
                });
        Self {
            reason,
            message: messages.join("; "),
        }
    }
}
