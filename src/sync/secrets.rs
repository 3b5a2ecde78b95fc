// SPDX-License-Identifier: Apache-2.0

//! Where the Secrets and identities of a mirror are found, and why one cannot be used.

use std::sync::Arc;

use crate::api::secret::SecretError;
use crate::api::{ObjectName, Secret};
use crate::oci::Registry;
use crate::plan::CloudIdentity;
use crate::registry::Issuer;
use crate::registry::docker_config::ConfigError;
use crate::signature::AuthorityError;

/// A field of a mirror, or of one of its policies, that names a Secret which cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{}{path}: {source}", of(.policy.as_ref()))]
pub struct InvalidReach<E: std::error::Error + 'static> {
    /// The policy; nothing for the mirror itself.
    pub policy: Option<ObjectName>,
    /// The field, such as `spec.source.secretRef.name`.
    pub path: String,
    /// What is wrong with the Secret.
    pub source: ReachError<E>,
}

/// Why a Secret that a mirror names cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ReachError<E: std::error::Error + 'static> {
    /// It is not found.
    #[error(transparent)]
    Find(E),
    /// A value is missing or of the wrong kind.
    #[error(transparent)]
    Secret(SecretError),
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
    /// The public key cannot be used.
    #[error("{key:?} of secret {name:?} {source}")]
    Key {
        /// The name.
        name: String,
        /// The key in the Secret.
        key: String,
        /// What is wrong.
        source: AuthorityError,
    },
    /// The trusted root cannot be used.
    #[error("secret {name:?}: {source}")]
    Root {
        /// The name.
        name: String,
        /// What is wrong.
        source: AuthorityError,
    },
    /// The identity cannot be used.
    #[error("{0}")]
    Identity(AuthorityError),
}

fn of(policy: Option<&ObjectName>) -> String {
    policy.map_or_else(String::new, |policy| {
        format!("policy {:?}: ", policy.as_str())
    })
}

/// Finds Secrets of a mirror's namespace, and identities that it may use.
pub trait FindSecret {
    /// Why a Secret or an identity is not found.
    type Error: std::error::Error + 'static;

    /// The Secret of this name.
    fn find(&self, name: &ObjectName) -> Result<&Secret, Self::Error>;

    /// Who gives out the credentials of an identity for a registry.
    fn issuer(
        &self,
        registry: &Registry,
        identity: &CloudIdentity,
    ) -> Result<Arc<dyn Issuer>, Self::Error>;
}
